"""`steadypost course simulate|test`: the future of a course, before it happens."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.orm import Session

from mailer.audience.fields import declared_fields
from mailer.cli.connect import connect
from mailer.cli.course import AsJson, app
from mailer.cli.show import as_json, as_table, console, count, say, warn
from mailer.content.course_folder import COURSE_FILE, read_draft
from mailer.db import business_now
from mailer.errors import Refused
from mailer.launch.asked import refuse_faulty
from mailer.launch.draft_plan import plan_of
from mailer.launch.foreseen import Foreseen, maker_of
from mailer.launch.invented import read_people
from mailer.launch.published import published_subjects
from mailer.launch.references import refuse_broken_rules
from mailer.launch.simulate import Line, Simulation, compare, setting_of, simulate
from mailer.links import Signer
from mailer.models import MailingList
from mailer.schedule.courses import CoursePlan, get_course, load_plan
from mailer.settings import Settings

TESTS = "tests"
SHOWN = 200
"""Lines of a table that somebody reads; --json has all of them."""

Ahead = Callable[[Path, date, int], Simulation]
"""What the people of a file get from a day on, in so many weeks."""

Course = Annotated[str, typer.Argument(metavar="COURSE", help="The slug of a published course, or a folder.")]
People = Annotated[Path, typer.Option("--people", help="A CSV file with the people: email, zone, answers, …")]
From = Annotated[
    datetime | None,
    typer.Option("--from", formats=["%Y-%m-%d"], help="The day they enroll, else today."),
]
Mails = Annotated[
    Path | None,
    typer.Option("--mails", help="Write each mail into this folder as its reader would get it (.eml)."),
]
Weeks = Annotated[int, typer.Option(min=1, max=520, help="How many weeks to look ahead.")]


@app.command("simulate")
def simulate_(
    course: Course,
    people: People,
    start: From = None,
    weeks: Weeks = 8,
    mails: Mails = None,
    as_json_: AsJson = False,
) -> None:
    """Show what each of these people would get of a course, when and why. Nothing is sent."""
    with connect() as connected, connected.session() as session:
        day = (start or business_now(session)).date()
        found = _course(session, course)(people, day, weeks)
        if mails is not None:
            _write_mails(session, connected.settings, course, people, found.sends, mails)
    if as_json_:
        as_json(found.as_values())
        return
    rows = [(line.local_time, line.email, line.step, line.reason) for line in found.sends[:SHOWN]]
    as_table(("when", "who", "step", "why"), rows, "Nobody gets a mail in that time; look at --weeks.")
    for line in found.skips[:SHOWN]:
        say(f"Passed over for {line.email}: {line.step} ({line.reason})")
    for end in found.ends[:SHOWN]:
        say(f"It ends for {end.email} at {end.at:%Y-%m-%d %H:%M} UTC ({end.reason})")
    readers = len({line.email for line in found.sends})
    say(f"{count(len(found.sends), 'mail')} to {count(readers, 'reader')}, {len(found.skips)} passed over.")
    if len(found.sends) > SHOWN:
        say(f"The first {SHOWN} are shown; --json has all.")


def _write_mails(
    session: Session, settings: Settings, course: str, file: Path, lines: Sequence[Line], folder: Path
) -> None:
    """Write the first of these mails into `folder`, each in a file named after its place, reader and step."""
    people = {one.email: one for one in read_people(file, declared_fields(session))}
    signer, source = Signer(settings.secret_key), Path(course) if _is_folder(course) else course
    folder.mkdir(parents=True, exist_ok=True)
    with console.status("Writing mails…"):
        for number, line in enumerate(lines[:SHOWN], start=1):
            mail = Foreseen(people[line.email], line.step, line.due_at, dict(line.answers), line.is_repeat)
            made = maker_of(session, source, mail, signer, settings.base_url)
            name = re.sub(r"[^\w.@+-]", "_", f"{number:03}-{line.email}-{line.step}.eml")
            (folder / name).write_bytes(made.as_file())
    warn(f"Wrote {count(min(len(lines), SHOWN), 'mail')} into {folder}.")
    if len(lines) > SHOWN:
        warn(f"These are the first {SHOWN} of {len(lines):,}; name fewer people or --weeks for the others.")


@app.command("test")
def compare_(
    course: Course,
    folder: Annotated[
        Path | None,
        typer.Option("--tests", help="Where NAME.csv and NAME.json are, if not in `tests` of the folder."),
    ] = None,
    update: Annotated[bool, typer.Option("--update", help="Expect what is found now.")] = False,
) -> None:
    """Hold a course against what is expected of it: people in NAME.csv, their mails in NAME.json."""
    if folder is None and not _is_folder(course):
        raise Refused(f"{course} is no course folder; name one, or a slug and --tests FOLDER.")
    folder = folder or Path(course) / TESTS
    cases = sorted(folder.glob("*.csv")) if folder.is_dir() else []
    if not cases:
        raise Refused(f"{folder} has no CSV file with people; write one, then run this with --update.")
    failed = 0
    with connect() as connected, connected.session() as session:
        ahead = _course(session, course, is_alone=True)
    for people in cases:
        failed += not _is_as_expected(ahead, people, update=update)
    if failed:
        raise Refused(f"{count(failed, 'case')} of {len(cases)} came out otherwise; --update takes it over.")


def _is_as_expected(ahead: Ahead, people: Path, *, update: bool) -> bool:
    expected = people.with_suffix(".json")
    start, weeks = datetime(2027, 3, 1, tzinfo=UTC), 12
    if expected.exists():
        start, weeks = _frame(expected)
    found = ahead(people, start.date(), weeks)
    if update:
        values = {"from": f"{start:%Y-%m-%d}", "weeks": weeks, **found.as_values()}
        expected.write_text(json.dumps(values, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        say(f"{expected}: {count(len(found.sends), 'mail')} written down.")
        return True
    compared = compare(expected, found)
    for email, step, kind, moment in compared.missing:
        say(f"{people.name}: {email} {step}: expected {kind} {moment}, and it is not so.")
    for email, step, kind, moment in compared.unexpected:
        say(f"{people.name}: {email} {step}: {kind} {moment}, which is not expected.")
    for words in compared.differing:
        say(f"{people.name}: {words}")
    if compared.is_same:
        say(f"{people.name}: as expected, {count(len(found.sends), 'mail')}.")
    return compared.is_same


def _frame(expected: Path) -> tuple[datetime, int]:
    try:
        values = json.loads(expected.read_text(encoding="utf-8"))
        return datetime.fromisoformat(values["from"]).replace(tzinfo=UTC), int(values["weeks"])
    except (OSError, ValueError, KeyError, TypeError):
        raise Refused(f"{expected} holds no simulation; write it with --update.") from None


def _course(session: Session, course: str, *, is_alone: bool = False) -> Ahead:
    """What a folder as it is now, or a published course, gives people; not `is_alone`: and what follows."""
    plan, subjects, list_slug = _plan(session, course)
    setting = setting_of(session, plan, list_slug)
    if is_alone:
        # What is expected of a course does not hang on what else is published.
        setting = replace(setting, following=())
    return lambda people, day, weeks: simulate(
        plan, subjects, read_people(people, setting.fields), day, weeks, setting
    )


def _plan(session: Session, course: str) -> tuple[CoursePlan, Mapping[str, str], str]:
    if not _is_folder(course):
        found = get_course(session, course)
        list_slug = session.get_one(MailingList, found.list_id).slug
        return load_plan(session, found.id), published_subjects(session, found.id), list_slug
    source, problems = read_draft(Path(course))
    errors = [problem for problem in problems if not problem.is_warning]
    for problem in errors:
        warn(str(problem))
    refuse_faulty(course, errors)
    refuse_broken_rules(session, source)
    return plan_of(source), {step.key: step.subject for step in source.steps}, source.list_slug


def _is_folder(course: str) -> bool:
    return (Path(course) / COURSE_FILE).is_file()
