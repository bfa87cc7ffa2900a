"""Before a course is sent to anybody: what each of these people would get, and when. Nothing is written."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from mailer.audience.fields import declared_fields, typed_value
from mailer.clock import instant_of, zone
from mailer.errors import Refused
from mailer.launch.invented import Invented
from mailer.models import FieldType
from mailer.rules import CourseFact, Facts, Rule, holds
from mailer.rules.model import Where
from mailer.schedule.cap import Cap, read_cap
from mailer.schedule.conditions import Met, met_of, rules_of
from mailer.schedule.courses import CoursePlan
from mailer.schedule.place import Place
from mailer.schedule.simulate import Mail, Meets, live
from mailer.schedule.timing import Anchor

NOON = time(12)
"""When people enroll who say no hour of their own: the middle of the first day, where they live."""


@dataclass(frozen=True)
class Setting:
    """What of an installation decides beside the course: its rules, whole, by their texts; the slug of its
    list; the types of custom fields; the cap on a person's mails."""

    rules: Mapping[str, Rule] = field(default_factory=dict)
    list_slug: str = ""
    fields: Mapping[str, FieldType] = field(default_factory=dict)
    cap: Cap | None = None


ALONE = Setting()


def setting_of(session: Session, plan: CoursePlan, list_slug: str) -> Setting:
    """The one in which this course would be published now. Raises BadRule."""
    return Setting(rules_of(session, plan), list_slug, declared_fields(session), read_cap(session))


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
class End:
    """When the course ends for somebody, and why: finished, with what may follow, or a rule."""

    email: str
    at: datetime
    reason: str


@dataclass(frozen=True)
class Simulation:
    """What everybody would get, in the order of the moments, what they would not, and when it ends."""

    sends: tuple[Line, ...]
    skips: tuple[Line, ...]
    ends: tuple[End, ...] = ()

    def as_values(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return {
            "sends": [_values(line) for line in self.sends],
            "skips": [_values(line) for line in self.skips],
            "ends": [{**asdict(end), "at": end.at.isoformat()} for end in self.ends],
        }


def _values(line: Line) -> dict[str, Any]:
    return {**asdict(line), "due_at": line.due_at.isoformat()}


def simulate(
    plan: CoursePlan,
    subjects: Mapping[str, str],
    people: Sequence[Invented],
    start: date,
    weeks: int,
    setting: Setting = ALONE,
) -> Simulation:
    """What these people get of the course in the `weeks` weeks from `start` on, as the tick would decide.

    Of the cap what this course's own mails leave room for is known. Who is the same in all that matters is
    lived through once.
    """
    lives: dict[Any, tuple[tuple[Mail, ...], tuple[datetime, str] | None]] = {}
    sends: list[Line] = []
    skips: list[Line] = []
    ends: list[End] = []
    rules = setting.rules
    for person in people:
        place, begin = _enrolled(person, plan, start)
        facts = (
            person.tags,
            tuple(sorted(person.fields.items())),
            person.language,
            person.zone,
            person.lists,
        )
        known = (place, begin, tuple(sorted(person.answers.items())), facts if rules else ())
        if known not in lives:
            lives[known] = _lived(person, plan, place, begin, begin + timedelta(weeks=weeks), setting)
        mails, end = lives[known]
        for mail in mails:
            (sends if mail.is_sent else skips).append(_line(person, place.zone, mail, subjects))
        if end is not None:
            ends.append(End(person.email, *end))
    in_order = [tuple(sorted(lines, key=lambda line: (line.due_at, line.email))) for lines in (sends, skips)]
    in_turn = tuple(sorted(ends, key=lambda end: (end.at, end.email)))
    return Simulation(in_order[0], in_order[1], in_turn)


def _lived(
    person: Invented, plan: CoursePlan, place: Place, begin: datetime, until: datetime, setting: Setting
) -> tuple[tuple[Mail, ...], tuple[datetime, str] | None]:
    """One person's mails, and when and why the course ended for them, if it did by then."""
    asked = _asked(person, plan, begin, setting) if setting.rules else None
    ended: list[tuple[datetime, str]] = []

    def on_end(at: datetime, rule: str) -> None:
        following = " or ".join(one.course for one in plan.flow.then)
        then = f"; {following} may follow" if following else ""
        ended.append((at, f"its rule: {rule}" if rule else f"finished{then}"))

    mails = tuple(
        live(
            *(plan, place, begin, until),
            answers=person.answers,
            meets=asked,
            cap=setting.cap,
            on_end=on_end,
        )
    )
    return mails, ended[0] if ended else None


def _enrolled(person: Invented, plan: CoursePlan, start: date) -> tuple[Place, datetime]:
    """Where somebody stands who has just confirmed, and when that is."""
    zone_name = person.zone or plan.zone
    begin = person.enrolled_at or instant_of(start, NOON, zone_name)
    today = begin.astimezone(zone(zone_name)).date()
    return Place(zone_name, Anchor(today, 0), 0, gap=person.gap), begin


def _asked(person: Invented, plan: CoursePlan, begin: datetime, setting: Setting) -> Meets:
    """What this person meets of the course's rules at a moment of the simulation."""
    types = setting.fields
    lists = (setting.list_slug, *person.lists)
    known = Facts(
        tags=frozenset(person.tags),
        fields={key: typed_value(cell, types[key]) for key, cell in person.fields.items() if key in types},
        language=person.language,
        zone=person.zone,
        lists=dict.fromkeys(lists, begin),
        courses={plan.slug: CourseFact(Where.ENROLLED, begin)},
    )

    def meets(now: datetime, answers: Mapping[int, str], had: frozenset[str], last: datetime | None) -> Met:
        facts = replace(
            known,
            answers={(plan.slug, week): answer for week, answer in answers.items()},
            steps=frozenset((plan.slug, key) for key in had),
            # The welcome has left at once.
            mailed_at=last or begin,
        )
        return met_of(plan, {text: holds(rule, facts, now) for text, rule in setting.rules.items()})

    return meets


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


Told = tuple[str, str, str, str]
"""A line as it is compared: (email, step, "sent" or "passed over", local time)."""


@dataclass(frozen=True)
class Compared:
    """The lines that were expected and are not there, those that were not expected, and in words which others
    have another subject or reason than was expected of them."""

    missing: list[Told]
    unexpected: list[Told]
    differing: list[str]

    @property
    def is_same(self) -> bool:
        return not (self.missing or self.unexpected or self.differing)


def compare(expected: Path, found: Simulation) -> Compared:
    """What is otherwise than a file from before has it. Raises Refused when that holds no simulation.

    A line of it that says no subject, or no reason, expects none in particular.
    """
    try:
        values = json.loads(expected.read_text(encoding="utf-8"))
        before = _told(values)
    except (OSError, ValueError, KeyError, TypeError):
        raise Refused(f"{expected} holds no simulation; write it with --update.") from None
    now = _told(found.as_values())
    differing = []
    lines = {_key(kind, line): line for kind, line in _lines(found.as_values())}
    for kind, line in _lines(values):
        known = lines.get(_key(kind, line))
        for name in ("subject", "reason"):
            if known is not None and name in line and line[name] != known[name]:
                what = f"expected the {name} {line[name]!r}, not {known[name]!r}."
                differing.append(f"{line['email']} {line['step']}: {what}")
    return Compared(sorted((before - now).elements()), sorted((now - before).elements()), differing)


def _lines(values: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for kind, lines in (("sent", values["sends"]), ("passed over", values["skips"])):
        for line in lines:
            yield kind, line


def _key(kind: str, line: Mapping[str, Any]) -> Told:
    return line["email"], line["step"], kind, line["local_time"]


def _told(values: Mapping[str, Any]) -> Counter[Told]:
    return Counter(_key(kind, line) for kind, line in _lines(values))
