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
from mailer.clock import instant_of, local_date, refuse_far, zone
from mailer.errors import Refused
from mailer.launch.invented import Invented
from mailer.launch.published import published_subjects
from mailer.models import FieldType, MailingList
from mailer.rules import CourseFact, Facts, Rule, expand, holds, parse
from mailer.rules.model import Where
from mailer.schedule.cap import Cap, read_cap
from mailer.schedule.conditions import Met, met_of, rules_of
from mailer.schedule.courses import CoursePlan, get_course, is_published, load_plan
from mailer.schedule.flow import FollowUp
from mailer.schedule.place import Place
from mailer.schedule.simulate import Mail, Meets, Reading, live
from mailer.schedule.timing import Anchor

NOON = time(12)
"""When people enroll who say no hour of their own: the middle of the first day, where they live."""


@dataclass(frozen=True)
class Setting:
    """What of an installation decides beside the course: its rules, whole, by their texts; the slug of its
    list; the types of custom fields; the cap on a person's mails; and the courses that may follow it."""

    rules: Mapping[str, Rule] = field(default_factory=dict)
    list_slug: str = ""
    fields: Mapping[str, FieldType] = field(default_factory=dict)
    cap: Cap | None = None
    following: tuple[Following, ...] = ()


@dataclass(frozen=True)
class Following:
    """A published course that follows for whoever meets `when` (None: everybody)."""

    when: Rule | None
    plan: CoursePlan
    subjects: Mapping[str, str]
    setting: Setting


ALONE = Setting()


def setting_of(
    session: Session, plan: CoursePlan, list_slug: str, before: frozenset[str] = frozenset()
) -> Setting:
    """The one in which this course would be published now, behind those named `before`. Raises BadRule."""
    known = before | {plan.slug}
    following = tuple(
        found
        for one in plan.flow.then
        if one.course not in known and (found := _following(session, plan.slug, one, known)) is not None
    )
    rules = rules_of(session, plan)
    return Setting(rules, list_slug, declared_fields(session), read_cap(session), following)


def _following(session: Session, slug: str, one: FollowUp, before: frozenset[str]) -> Following | None:
    if not is_published(session, one.course):
        return None
    course = get_course(session, one.course)
    plan = load_plan(session, course.id)
    when = expand(session, parse(one.when, slug)) if one.when else None
    list_slug = session.get_one(MailingList, course.list_id).slug
    subjects = published_subjects(session, course.id)
    return Following(when, plan, subjects, setting_of(session, plan, list_slug, before))


@dataclass(frozen=True)
class Line:
    """One mail of somebody: sent, or passed over. `local_time` is by their own clock.

    `step` is its key, of a course that follows behind that course's slug ("more/hello"). `is_repeat` and
    `answers` are what the mail itself says besides; see `schedule.simulate.Mail`.
    """

    email: str
    step: str
    subject: str
    due_at: datetime
    local_time: str
    reason: str
    is_repeat: bool = False
    answers: tuple[tuple[int, str], ...] = ()

    def as_values(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        told = {name: getattr(self, name) for name in ("email", "step", "subject", "local_time", "reason")}
        return {**told, "due_at": self.due_at.isoformat()}


@dataclass(frozen=True)
class End:
    """When the course, or one that follows it, ends for somebody, and why: finished, and what becomes of its
    follow-ups, or a rule."""

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
            "sends": [line.as_values() for line in self.sends],
            "skips": [line.as_values() for line in self.skips],
            "ends": [{**asdict(end), "at": end.at.isoformat()} for end in self.ends],
        }


def simulate(
    plan: CoursePlan,
    subjects: Mapping[str, str],
    people: Sequence[Invented],
    start: date,
    weeks: int,
    setting: Setting = ALONE,
) -> Simulation:
    """What these people get of the course in the `weeks` weeks from `start` on, as the tick would decide.

    Of the cap what these mails leave room for is known. Who is the same in all that matters is lived through
    once.
    """
    lives: dict[Any, list[_Part]] = {}
    sends: list[Line] = []
    skips: list[Line] = []
    ends: list[End] = []
    first = Following(None, plan, subjects, setting)
    for person in people:
        place, begin = _enrolled(person, plan, start)
        facts = (
            person.tags,
            tuple(sorted(person.fields.items())),
            person.language,
            person.zone,
            person.lists,
        )
        is_asked = setting.rules or setting.following
        known = (place, begin, tuple(sorted(person.answers.items())), facts if is_asked else ())
        if known not in lives:
            life = _Life(person, setting, begin, begin + timedelta(weeks=weeks))
            life.go_through(first, place, begin)
            lives[known] = life.parts
        for part in lives[known]:
            for mail in part.mails:
                (sends if mail.is_sent else skips).append(_line(person, part, mail))
            if part.end is not None:
                ends.append(End(person.email, *part.end))
    in_order = [tuple(sorted(lines, key=lambda line: (line.due_at, line.email))) for lines in (sends, skips)]
    in_turn = tuple(sorted(ends, key=lambda end: (end.at, end.email)))
    return Simulation(in_order[0], in_order[1], in_turn)


@dataclass(frozen=True)
class _Part:
    """What somebody gets of one course, in their zone, and when and why it ends; `prefix` begins its keys."""

    mails: tuple[Mail, ...]
    end: tuple[datetime, str] | None
    zone: str
    subjects: Mapping[str, str]
    prefix: str = ""


class _Life:
    """One person's way through a course and those that follow it, as far as `until`."""

    def __init__(self, person: Invented, setting: Setting, begin: datetime, until: datetime) -> None:
        self.parts: list[_Part] = []
        self._person = person
        self._until = until
        self._lessons: list[datetime] = []
        types = setting.fields
        known = {key: cell for key, cell in person.fields.items() if key in types}
        self._facts = Facts(
            tags=frozenset(person.tags),
            fields={key: typed_value(cell, types[key]) for key, cell in known.items()},
            language=person.language,
            zone=person.zone,
            lists=dict.fromkeys((setting.list_slug, *person.lists), begin),
        )

    def go_through(self, course: Following, place: Place, begin: datetime, prefix: str = "") -> None:
        """Live through a course from `begin` on, and then through what follows it."""
        plan, setting = course.plan, course.setting
        self._stand(plan, Where.ENROLLED, begin)
        ended: list[tuple[datetime, str, Mapping[int, str]]] = []
        reading = Reading(
            *(plan, place, begin),
            answers={} if prefix else self._person.answers,
            meets=_asked(course, self._facts, begin) if setting.rules else None,
            on_end=lambda *end: ended.append(end),
        )
        mails = tuple(live(reading, self._until, cap=setting.cap, lessons=self._lessons))
        at = len(self.parts)
        self.parts.append(_Part(mails, None, place.zone, course.subjects, prefix))
        if not ended:
            return
        moment, rule, answers = ended[0]
        reason = f"its rule: {rule}" if rule else "finished"
        self._stand(plan, Where.STOPPED if rule else Where.FINISHED, moment)
        if not rule and setting.following:
            sent = [mail for mail in mails if mail.is_sent]
            self._lessons += [mail.due_at for mail in sent]
            self._facts = _after(self._facts, plan.slug, sent, answers)
            reason = "; ".join([reason, *self._follow(setting.following, moment)])
        self.parts[at] = replace(self.parts[at], end=(moment, f"{prefix}{reason}"))

    def _stand(self, plan: CoursePlan, where: Where, at: datetime) -> None:
        courses = {**self._facts.courses, plan.slug: CourseFact(where, at)}
        self._facts = replace(self._facts, courses=courses)

    def _follow(self, following: Sequence[Following], at: datetime) -> Iterator[str]:
        """Go on with each course that follows at this moment; what becomes of them, in words."""
        for course in following:
            slug = course.plan.slug
            if course.when is not None and not holds(course.when, self._facts, at):
                continue
            if course.setting.list_slug not in self._facts.lists:
                yield f"{slug} does not follow: not on its list"
                continue
            yield f"{slug} follows"
            zone_name = self._person.zone or course.plan.zone
            place = Place(zone_name, Anchor(local_date(at, zone_name), 0), 0)
            self.go_through(course, place, at, f"{slug}/")


def _after(facts: Facts, slug: str, sent: Sequence[Mail], answers: Mapping[int, str]) -> Facts:
    """What is known of somebody once these mails of a course have come, with what they said of its weeks."""
    return replace(
        facts,
        answers={**facts.answers, **{(slug, week): answer for week, answer in answers.items()}},
        steps=facts.steps | {(slug, mail.step.key) for mail in sent},
        mailed_at=sent[-1].due_at if sent else facts.mailed_at,
    )


def _enrolled(person: Invented, plan: CoursePlan, start: date) -> tuple[Place, datetime]:
    """Where somebody stands who has just confirmed, and when that is; raises FarOff."""
    zone_name = person.zone or plan.zone
    if person.enrolled_at is not None:
        refuse_far(person.enrolled_at)
    begin = person.enrolled_at or instant_of(start, NOON, zone_name)
    today = begin.astimezone(zone(zone_name)).date()
    return Place(zone_name, Anchor(today, 0), 0, gap=person.gap), begin


def _asked(course: Following, known: Facts, begin: datetime) -> Meets:
    """What a person of whom this is known meets of the course's rules at a moment of the simulation."""
    plan, rules = course.plan, course.setting.rules

    def meets(now: datetime, answers: Mapping[int, str], had: frozenset[str], last: datetime | None) -> Met:
        facts = replace(
            known,
            answers={**known.answers, **{(plan.slug, week): answer for week, answer in answers.items()}},
            steps=known.steps | {(plan.slug, key) for key in had},
            # The welcome has left at once.
            mailed_at=last or begin,
        )
        return met_of(plan, {text: holds(rule, facts, now) for text, rule in rules.items()})

    return meets


def _line(person: Invented, part: _Part, mail: Mail) -> Line:
    local = mail.due_at.astimezone(zone(part.zone))
    return Line(
        person.email,
        f"{part.prefix}{mail.step.key}",
        part.subjects.get(mail.step.key, ""),
        mail.due_at,
        f"{local:%a %Y-%m-%d %H:%M %Z}",
        mail.reason,
        mail.is_repeat,
        mail.answers,
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
