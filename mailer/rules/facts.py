"""A rule asked in Python: what is known about one person, and whether they meet it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from string import ascii_lowercase, ascii_uppercase
from typing import Any

from mailer.rules.model import (
    All,
    Answered,
    Clicked,
    Compare,
    Field,
    InCourse,
    InSegment,
    Language,
    Mailed,
    Not,
    OnList,
    Reached,
    Rule,
    Some,
    Span,
    Tag,
    Where,
    Zone,
)

SMALL = str.maketrans(ascii_uppercase, ascii_lowercase)


@dataclass(frozen=True)
class CourseFact:
    """Somebody in a course: "enrolled", "finished" or "stopped", and since when.

    It is enrolled since the course began, or began anew: when its reader confirmed, or started over.
    """

    where: str
    at: datetime


@dataclass(frozen=True)
class Facts:
    """What rules may ask of one person.

    `lists` holds since when they are on each, `answers` the newest by (course, week), `steps` those that were
    accepted by (course, key), `clicks` what a person followed and when, `mailed_at` their last accepted mail.
    """

    tags: frozenset[str] = frozenset()
    fields: Mapping[str, Any] = field(default_factory=dict)
    language: str = ""
    zone: str = ""
    lists: Mapping[str, datetime] = field(default_factory=dict)
    courses: Mapping[str, CourseFact] = field(default_factory=dict)
    steps: frozenset[tuple[str, str]] = frozenset()
    answers: Mapping[tuple[str, int], str] = field(default_factory=dict)
    clicks: tuple[tuple[str, datetime], ...] = ()
    mailed_at: datetime | None = None


def holds(rule: Rule, facts: Facts, now: datetime) -> bool:
    """Whether this person meets the rule at `now` (aware UTC). Segments must have been expanded."""
    match rule:
        case All(parts):
            return all(holds(part, facts, now) for part in parts)
        case Some(parts):
            return any(holds(part, facts, now) for part in parts)
        case Not(part):
            return not holds(part, facts, now)
        case Tag(name):
            return name in facts.tags
        case OnList(slug, span):
            return slug in facts.lists and _within(span, facts.lists[slug], now)
        case Field() as asked:
            return _field(asked, facts.fields.get(asked.key), now)
        case Language(tag):
            has = facts.language.lower()
            return has == tag or has.startswith(f"{tag}-")
        case Zone(name):
            return facts.zone == name
        case InCourse(where, course, span):
            found = facts.courses.get(course)
            return found is not None and found.where == where and _within(span, found.at, now)
        case Reached(step, course):
            return (course, step) in facts.steps
        case Answered(answer, week, course):
            return facts.answers.get((course, week)) == answer
        case Clicked(url, days):
            since = None if days is None else Span(days)
            return any(link.startswith(url or "") and _within(since, at, now) for link, at in facts.clicks)
        case Mailed(days):
            return facts.mailed_at is not None and _within(Span(days), facts.mailed_at, now)
        case InSegment(slug):
            raise AssertionError(f"the segment {slug} was not expanded")


def _within(span: Span | None, moment: datetime, now: datetime) -> bool:
    if span is None:
        return True
    border = now - timedelta(days=span.days)
    return moment < border if span.is_more else moment >= border


def _field(asked: Field, has: Any, now: datetime) -> bool:
    match asked.compare:
        case Compare.SET:
            return has is not None
        case Compare.DAY:
            return _is_date(has) and has == day_from(now, asked.value).isoformat()
        case Compare.CONTAINS:
            return isinstance(has, str) and small(str(asked.value)) in small(has)
    return _compared(asked, has)


def _compared(asked: Field, has: Any) -> bool:
    value: Any = asked.value
    if isinstance(value, date):
        if not _is_date(has):
            return False
        value = value.isoformat()
    elif isinstance(value, bool):
        if not isinstance(has, bool):
            return False
    elif isinstance(value, float):
        if isinstance(has, bool) or not isinstance(has, int | float):
            return False
    elif not isinstance(has, str):
        return False
    match asked.compare:
        case Compare.LEAST:
            return bool(has >= value)
        case Compare.MOST:
            return bool(has <= value)
        case Compare.OVER:
            return bool(has > value)
        case Compare.UNDER:
            return bool(has < value)
    return bool(has == value)


def small(text: str) -> str:
    """A to Z as small letters. Others stay: which of them PostgreSQL knows depends on where it runs."""
    return text.translate(SMALL)


def day_from(now: datetime, days: Any) -> date:
    """The day that many days from today on; today is that of UTC, for everybody at once."""
    return now.astimezone(UTC).date() + timedelta(days=int(days))


def _is_date(value: Any) -> bool:
    return (
        isinstance(value, str)
        and len(value) == 10
        and value[4] == value[7] == "-"
        and (value[:4] + value[5:7] + value[8:]).isdecimal()
        and value.isascii()
    )


WHERE_OF = {"active": Where.ENROLLED, "finished": Where.FINISHED, "stopped": Where.STOPPED}
"""How an enrollment's state is called in a rule; who waits to confirm is in none of them."""
