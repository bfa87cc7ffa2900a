"""Before a course is sent to anybody: what each of these people would get, and when. Nothing is written."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

from mailer.audience.addresses import normalise
from mailer.audience.columns import BUILT_IN
from mailer.audience.spreadsheet import Row, open_sheet
from mailer.audience.subscribers import tidy_language, tidy_name
from mailer.clock import instant_of, zone
from mailer.errors import MailerError, Refused
from mailer.models import Answer
from mailer.rules import CourseFact, Facts, Rule, holds
from mailer.rules.model import Where
from mailer.schedule.conditions import Met, met_of
from mailer.schedule.courses import CoursePlan
from mailer.schedule.place import Place
from mailer.schedule.simulate import Mail, Meets, live
from mailer.schedule.timing import Anchor

NO_RULES: Mapping[str, Rule] = MappingProxyType({})

NOON = time(12)
"""When people enroll who say no hour of their own: the middle of the first day, where they live."""


@dataclass(frozen=True)
class Invented:
    """Somebody of a file: who they are, when they enroll, and what they say of each week.

    `answers` is, for each week, what they say after its first mail, after its second, and so on.
    """

    email: str
    name: str = ""
    zone: str = ""
    language: str = ""
    tags: tuple[str, ...] = ()
    fields: Mapping[str, str] = field(default_factory=dict)
    enrolled_at: datetime | None = None
    gap: int | None = None
    answers: Mapping[int, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Line:
    """One mail of somebody: sent, or passed over. `local_time` is by their own clock."""

    email: str
    step: str
    subject: str
    due_at: datetime
    local_time: str
    reason: str


@dataclass(frozen=True)
class Simulation:
    """What everybody would get, in the order of the moments, and what they would not."""

    sends: tuple[Line, ...]
    skips: tuple[Line, ...]

    def as_values(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return {
            "sends": [_values(line) for line in self.sends],
            "skips": [_values(line) for line in self.skips],
        }


def _values(line: Line) -> dict[str, Any]:
    return {**asdict(line), "due_at": line.due_at.isoformat()}


def simulate(
    plan: CoursePlan,
    subjects: Mapping[str, str],
    people: Sequence[Invented],
    start: date,
    weeks: int,
    rules: Mapping[str, Rule] = NO_RULES,
) -> Simulation:
    """What these people get of the course in the `weeks` weeks from `start` on, as the tick would decide.

    `rules` are the course's, whole, by their texts (`conditions.rules_of`). Who is the same in all that
    matters is lived through once.
    """
    lives: dict[Any, tuple[Mail, ...]] = {}
    sends: list[Line] = []
    skips: list[Line] = []
    for person in people:
        place, begin = _enrolled(person, plan, start)
        asked = _asked(person, plan, begin, rules) if rules else None
        facts = (person.tags, tuple(sorted(person.fields.items())), person.language) if rules else ()
        known = (place, begin, tuple(sorted(person.answers.items())), facts)
        if known not in lives:
            until = begin + timedelta(weeks=weeks)
            lives[known] = tuple(live(plan, place, begin, until, answers=person.answers, meets=asked))
        for mail in lives[known]:
            (sends if mail.is_sent else skips).append(_line(person, place.zone, mail, subjects))
    in_order = [tuple(sorted(lines, key=lambda line: (line.due_at, line.email))) for lines in (sends, skips)]
    return Simulation(*in_order)


def _enrolled(person: Invented, plan: CoursePlan, start: date) -> tuple[Place, datetime]:
    """Where somebody stands who has just confirmed, and when that is."""
    zone_name = person.zone or plan.zone
    begin = person.enrolled_at or instant_of(start, NOON, zone_name)
    today = begin.astimezone(zone(zone_name)).date()
    return Place(zone_name, Anchor(today, 0), 0, gap=person.gap), begin


def _asked(person: Invented, plan: CoursePlan, begin: datetime, rules: Mapping[str, Rule]) -> Meets:
    """What this person meets of the course's rules at a moment of the simulation."""
    known = Facts(
        tags=frozenset(person.tags),
        fields={key: _typed(cell) for key, cell in person.fields.items()},
        language=person.language,
        zone=person.zone,
        courses={plan.slug: CourseFact(Where.ENROLLED, begin)},
        mailed_at=begin,
    )

    def meets(now: datetime, answers: Mapping[int, str], had: frozenset[str]) -> Met:
        facts = replace(
            known,
            answers={(plan.slug, week): answer for week, answer in answers.items()},
            steps=frozenset((plan.slug, key) for key in had),
        )
        return met_of(plan, {text: holds(rule, facts, now) for text, rule in rules.items()})

    return meets


def _typed(cell: str) -> Any:
    """A custom field's value as an import would have it, as far as its form tells."""
    if cell.lower() in ("yes", "no", "true", "false"):
        return cell.lower() in ("yes", "true")
    try:
        return float(cell)
    except ValueError:
        return cell


def _line(person: Invented, zone_name: str, mail: Mail, subjects: Mapping[str, str]) -> Line:
    local = mail.due_at.astimezone(zone(zone_name))
    return Line(
        person.email,
        mail.step.key,
        subjects.get(mail.step.key, ""),
        mail.due_at,
        f"{local:%a %Y-%m-%d %H:%M %Z}",
        mail.reason,
    )


def read_people(path: Path) -> list[Invented]:
    """The people of a CSV file; raises Refused, or the error of what is wrong, with the file and line.

    Columns beside those of an import: `enrolled_at` (a date and time with its offset), `gap` (days from
    mail to mail), `answers` ("1=not-yet 1=done 2=too-hard"). All others are custom fields.
    """
    people = []
    with open_sheet(path) as sheet:
        if "email" not in sheet.columns:
            raise Refused(f"{path.name} has no column with email addresses; name it email.")
        for row in sheet.rows:
            try:
                people.append(_person(sheet.columns, row))
            except (MailerError, ValueError) as error:
                raise Refused(f"{path.name}:{row.line}: {error}") from None
    if not people:
        raise Refused(f"{path.name} has no people; write one on each line below the header.")
    return people


def _person(columns: Sequence[str], row: Row) -> Invented:
    if row.problem:
        raise ValueError(row.problem)
    cells = {name: cell.strip() for name, cell in zip(columns, row.cells, strict=False) if cell.strip()}
    if cells.get("zone"):
        zone(cells["zone"])
    own = (*BUILT_IN, "enrolled_at", "gap", "answers")
    return Invented(
        email=normalise(cells.get("email", ""))[0],
        name=tidy_name(cells.get("name", "")),
        zone=cells.get("zone", ""),
        language=tidy_language(cells["language"]) if "language" in cells else "",
        tags=tuple(sorted({tidy_name(word).lower() for word in cells.get("tags", "").split(",") if word})),
        fields={name: cell for name, cell in cells.items() if name not in own},
        enrolled_at=_moment(cells["enrolled_at"]) if "enrolled_at" in cells else None,
        gap=_gap(cells["gap"]) if "gap" in cells else None,
        answers=_answers(cells.get("answers", "")),
    )


def _moment(cell: str) -> datetime:
    try:
        moment = datetime.fromisoformat(cell)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValueError(f"{cell!r} is not a moment; write it as 2027-03-01T12:00:00+01:00.")
    return moment


def _gap(cell: str) -> int:
    if not cell.isdecimal() or not 1 <= int(cell) <= 31:
        raise ValueError(f"the gap {cell!r} is not a number of days from 1 to 31.")
    return int(cell)


def _answers(cell: str) -> dict[int, tuple[str, ...]]:
    answers: dict[int, tuple[str, ...]] = {}
    for word in cell.split():
        week, _, answer = word.partition("=")
        if not week.isdecimal() or answer not in set(Answer):
            known = ", ".join(Answer)
            raise ValueError(f"{word!r} is not an answer; write it as 1=not-yet (answers are {known}).")
        answers[int(week)] = (*answers.get(int(week), ()), answer)
    return answers


Told = tuple[str, str, str, str]
"""A line as it is compared: (email, step, "sent" or "passed over", local time)."""


def compare(expected: Path, found: Simulation) -> tuple[list[Told], list[Told]]:
    """The lines that a file from before has and `found` has not, and the other way round.

    Raises Refused when the file holds no simulation.
    """
    try:
        before = _told(json.loads(expected.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        raise Refused(f"{expected} holds no simulation; write it with --update.") from None
    now = _told(found.as_values())
    return sorted((before - now).elements()), sorted((now - before).elements())


def _told(values: Mapping[str, Any]) -> Counter[Told]:
    return Counter(
        (line["email"], line["step"], kind, line["local_time"])
        for kind, lines in (("sent", values["sends"]), ("passed over", values["skips"]))
        for line in lines
    )
