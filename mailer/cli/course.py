"""`steadypost course`: from a guide to a course that people are in."""

from __future__ import annotations

from dataclasses import asdict, astuple
from pathlib import Path
from typing import Annotated

import typer

from mailer.audience.lists import get_list
from mailer.audience.subscribers import get_subscriber
from mailer.cli.asking import Yes, ask_first
from mailer.cli.connect import Connected, connect
from mailer.cli.course_plan import ask_of_past, print_plan, refuse_unknown
from mailer.cli.one_mail import hand_over
from mailer.cli.preflight import NoLinks, ask_about, course_preflight
from mailer.cli.show import as_json, as_table, console, count, say, warn
from mailer.content.course_folder import Problem
from mailer.content.guide import ImportReport, Tie, default_folder, import_guide
from mailer.db import business_now
from mailer.delivery.signing import Keyring
from mailer.errors import Refused
from mailer.launch.check import CompiledCourse, check_course
from mailer.launch.effect import read_bring
from mailer.launch.in_words import shown_hours, shown_whom
from mailer.launch.kept_files import files_of_version
from mailer.launch.list_acts import refuse_foreign
from mailer.launch.mailing import of_folder
from mailer.launch.publish import plan_publication, publish
from mailer.launch.references import in_order
from mailer.launch.send_test import compose_test, transport_for_test
from mailer.launch.undo import count_readers, undo_publication
from mailer.links import Signer
from mailer.models import MailingList
from mailer.reports.answers import answers_by_week
from mailer.reports.overview import course_steps, courses_overview
from mailer.schedule.courses import get_course
from mailer.schedule.enroll import ENROLLED_AT_ONCE, enroll, enroll_list, enroll_newcomers
from mailer.sealing import Seal

app = typer.Typer(help="Courses: import a guide, check, publish, enroll.", no_args_is_help=True)


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@app.command("import")
def import_(
    file: Path,
    out: Annotated[
        Path | None, typer.Option(help="The course folder to write; named after the title.")
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=3660, help="How many days the course takes.")] = 30,
) -> None:
    """Turn a guide (.txt, .md, .html, .docx) into a course folder, or bring a changed guide into one."""
    folder = out or Path(default_folder(file))
    _print_import(import_guide(file, folder, days=days, choose=_ask if console.is_terminal else None))


@app.command("check")
def check(folder: Path, as_json_: AsJson = False) -> None:
    """Find everything in a course folder that would go wrong, with file, line and fix."""
    compiled, problems = check_course(folder)
    if as_json_:
        as_json([asdict(problem) for problem in problems])
    else:
        for problem in problems:
            say(str(problem))
    ready = _ready(folder, compiled, problems)
    if not as_json_:
        say(f"{folder} is in order: {count(len(ready.steps), 'step')}.")
        say(f"Next: `steadypost course publish {folder}`.")


app.command("preflight")(course_preflight)


@app.command("plan")
def plan(folder: Path, as_json_: AsJson = False) -> None:
    """Show what publishing would add, change, move or retire, and how many readers each change reaches."""
    compiled = _checked(folder)
    with connect() as connected, connected.session() as session:
        planned = plan_publication(session, compiled, business_now(session))
    if as_json_:
        as_json(planned.as_values())
    else:
        print_plan(planned)


@app.command("publish")
def publish_(
    folders: Annotated[list[Path], typer.Argument(help="One course folder, or several.")],
    past: Annotated[
        list[str] | None,
        typer.Option(help="Readers past a new step's day: skip, next or end; KEY=next for one step."),
    ] = None,
    finished: Annotated[
        list[str] | None, typer.Option(help="A new step that those get who have finished without it.")
    ] = None,
    yes: Yes = False,
    no_links: NoLinks = False,
) -> None:
    """Publish course folders: compile every mail, and put it in place. Asks about warnings.

    Of several all are published or none, a course that follows another before that one.
    """
    with console.status("Compiling…"):
        courses = _in_order([_checked(folder) for folder in folders])
    with connect() as connected:
        for compiled in courses:
            ask_about(
                connected, of_folder(compiled), f"Publish {compiled.source.slug}", yes=yes, no_links=no_links
            )
        with connected.session() as session:
            now = business_now(session)
            # As if: a course that another one is followed by has to be there before that can be planned.
            *before, last = courses
            seen = [publish(session, compiled, now) for compiled in before]
            seen.append(plan_publication(session, last, now))
            session.rollback()
        chosen = read_bring(past or (), finished or ())
        refuse_unknown(chosen, seen)
        brings = [chosen if past else ask_of_past(one, chosen, yes=yes) for one in seen]
        with connected.session() as session:
            now = business_now(session)
            plans = [
                publish(session, compiled, now, bring=bring)
                for compiled, bring in zip(courses, brings, strict=True)
            ]
    for planned in plans:
        print_plan(planned)
        if planned.changes:
            say(f"Published {planned.slug} as version {planned.version}.")
        elif planned.has_other_files:
            say(f"Version {planned.version} keeps its files as they are here: readers get nothing new by it.")
    if plans[-1].changes:
        slug = plans[-1].slug
        say(f"Next: `steadypost course enroll {slug} --email …`, once somebody is on its list.")


def _in_order(courses: list[CompiledCourse]) -> list[CompiledCourse]:
    by_slug = {compiled.source.slug: compiled for compiled in courses}
    if len(by_slug) < len(courses):
        raise Refused("Two of these folders have the same slug; name each course once.")
    return [by_slug[source.slug] for source in in_order([one.source for one in courses])]


@app.command("export")
def export(
    slug: str,
    to: Annotated[Path, typer.Argument(help="The folder to write, or a file that ends in .zip.")],
    version: Annotated[int | None, typer.Option(help="Which version, else the one in place.")] = None,
) -> None:
    """Write the course folder that a version was published from, byte for byte as it was."""
    with connect() as connected, connected.session() as session:
        kept = files_of_version(session, slug, version)
    kept.write(to)
    say(f"{to} holds {slug} as version {kept.number} was published: {count(len(kept.files), 'file')}.")


@app.command("undo")
def undo(slug: str, yes: Yes = False) -> None:
    """Take back the last publication for all that has not been sent; doing it twice brings it back."""
    with connect() as connected:
        with connected.session() as session:
            course = get_course(session, slug)
            version, readers = course.version, count(count_readers(session, course.id), "reader")
        ask_first(f"Take back version {version} of {slug}, for {readers}? What was sent stays sent.", yes=yes)
        with connected.session() as session:
            undone = undo_publication(session, slug, business_now(session))
    say(
        f"{slug} is as it was in version {undone.like}, for {count(undone.readers, 'reader')}; "
        f"this is version {undone.version}. Doing it again brings version {undone.taken_back} back."
    )


@app.command("list")
def list_all(as_json_: AsJson = False) -> None:
    """Show every published course and how many people are in it."""
    with connect() as connected, connected.session() as session:
        rows = courses_overview(session)
    if as_json_:
        as_json([row.__dict__ for row in rows])
        return
    as_table(
        ("course", "title", "version", "mails", "waiting", "active", "finished", "stopped"),
        [
            (row.slug, row.title, row.version, row.steps, row.waiting, row.active, row.finished, row.stopped)
            for row in rows
        ],
        "No course is published yet; `steadypost course publish DIR` does it.",
    )


@app.command("show")
def show(slug: str, as_json_: AsJson = False) -> None:
    """Show a published course's steps."""
    with connect() as connected, connected.session() as session:
        course = get_course(session, slug)
        steps = course_steps(session, course)
        list_slug = session.get_one(MailingList, course.list_id).slug
    if as_json_:
        values = [{**step.__dict__, "send_time": step.send_time.strftime("%H:%M")} for step in steps]
        as_json({"slug": course.slug, "title": course.title, "list": list_slug, "steps": values})
        return
    say(f"{course.title} ({course.slug}), list {list_slug}, version {course.version}")
    rows = [
        (
            shown_hours(step.day, step.send_time, step.timing),
            step.kind,
            step.key,
            step.subject,
            shown_whom(step.condition, step.instead_of, step.easier_than),
            " ".join(step.languages),
        )
        for step in steps
    ]
    as_table(("leaves", "kind", "key", "subject", "for", "languages"), rows, "It has no steps.")


@app.command("answers")
def answers(slug: str, as_json_: AsJson = False) -> None:
    """Show what readers said of each week: done, not yet, too hard, or nothing."""
    with connect() as connected, connected.session() as session:
        weeks = answers_by_week(session, get_course(session, slug))
    if as_json_:
        as_json([asdict(week) for week in weeks])
        return
    as_table(
        ("week", "sent", "done", "not yet", "too hard", "said nothing"),
        [astuple(week) for week in weeks],
        f"{slug} has no weeks to answer for; a protocol step with `week: 1` makes one.",
    )


@app.command("enroll")
def enroll_(
    slug: str,
    email: Annotated[str | None, typer.Option(help="One person.")] = None,
    list_: Annotated[str | None, typer.Option("--list", help="Everybody on the course's list.")] = None,
) -> None:
    """Put people into a course. Who has not confirmed yet starts when they do."""
    if (email is None) == (list_ is None):
        raise typer.BadParameter("give either --email or --list")
    with connect() as connected:
        if email is not None:
            with connected.session() as session:
                course, person = get_course(session, slug), get_subscriber(session, email)
                enrollment = enroll(session, course, person, business_now(session))
                state, waits = enrollment.state, enrollment.waits
            begins = ", and begins by confirming" if waits else ""
            say(f"{email} is in {slug} ({state}){begins}.")
            return
        with console.status("Enrolling…"):
            newly = count(_enroll_everybody(connected, slug, str(list_)), "person", "people")
        say(f"{newly} newly in {slug}; who has not confirmed yet starts when they do.")


def _enroll_everybody(connected: Connected, slug: str, list_slug: str) -> int:
    """Enroll a whole list, some at a time, so that nobody who leaves meanwhile waits for all of them."""
    total, after = 0, 0
    while True:
        with connected.session() as session:
            course, now = get_course(session, slug), business_now(session)
            refuse_foreign(get_list(session, list_slug), course)
            done = enroll_newcomers(session, course, now, after, ENROLLED_AT_ONCE)
            total += done.people
            if done.after is None:
                # Who was in it before, and comes back.
                return total + enroll_list(session, course, now)
        after = done.after


@app.command("send-test")
def send_test(
    slug: str,
    step: str,
    to: Annotated[str, typer.Option(help="Where the test mail goes.")],
    as_: Annotated[str | None, typer.Option("--as", help="Show it as this subscriber would get it.")] = None,
) -> None:
    """Send one step of a published course to an address of yours; nothing is counted."""
    with connect() as connected:
        settings = connected.settings
        with connected.session() as session:
            course = get_course(session, slug)
            transport = transport_for_test(session, course)
            email = compose_test(
                session,
                course,
                step,
                to=to,
                as_email=as_,
                signer=Signer(settings.secret_key),
                base_url=settings.base_url,
                now=business_now(session),
                keyring=Keyring(Seal(settings.secret_key)),
            )
        hand_over(connected, transport, email)
    say(f"Sent {step} of {slug} to {to}.")


def _checked(folder: Path) -> CompiledCourse:
    """The compiled course; its problems are told beside the output, and an error is a refusal."""
    compiled, problems = check_course(folder)
    for problem in problems:
        warn(str(problem))
    return _ready(folder, compiled, problems)


def _ready(folder: Path, compiled: CompiledCourse | None, problems: list[Problem]) -> CompiledCourse:
    if compiled is None:
        errors = sum(not problem.is_warning for problem in problems)
        raise Refused(f"{folder} has {count(errors, 'error')}; mend the lines named above.")
    return compiled


def _print_import(report: ImportReport) -> None:
    rows = [(step.day, step.kind, step.key, step.subject, step.fate) for step in report.steps]
    as_table(("day", "kind", "key", "subject", ""), rows, "No steps.")
    for heading, notes in (("Left out:", report.left_out), ("Please look at:", report.doubtful)):
        if notes:
            say(heading)
        for note in notes:
            say(f"  line {note.line}: {note.text}  ({note.why})")
    if report.differences:
        say(report.differences)
    say(f"{report.folder} holds {report.title}: {count(len(report.steps), 'step')}.")
    say(f"Next: fill in the sender in course.toml, then `steadypost course check {report.folder}`.")


def _ask(tie: Tie) -> str | None:
    """Ask on the terminal which of two old steps a new section continues."""
    say(str(tie))
    return typer.prompt("Key of the step it continues (empty: a new step)", default="") or None
