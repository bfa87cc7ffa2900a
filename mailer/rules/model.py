"""A rule as values: conditions, and how they are put together. Frozen, so that a rule can be a key."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


@dataclass(frozen=True)
class Span:
    """How long ago: within the last `days` days, or (`is_more`) longer ago than that."""

    days: int
    is_more: bool = False


@dataclass(frozen=True)
class Tag:
    name: str


@dataclass(frozen=True)
class OnList:
    """An active subscription to a list; with `span`, by when it became so."""

    slug: str
    span: Span | None = None


class Compare(StrEnum):
    """How a field is compared; `DAY` is a date counted from today."""

    IS = "is"
    CONTAINS = "contains"
    LEAST = ">="
    MOST = "<="
    OVER = ">"
    UNDER = "<"
    SET = "is set"
    DAY = "day"


@dataclass(frozen=True)
class Field:
    """A custom field. Text is compared as text, numbers with numbers, dates with dates.

    With DAY the value is how many days from today on, negative for days ago. Nothing holds of a field that
    somebody does not have, nor of one that holds another kind of value.
    """

    key: str
    compare: Compare
    value: str | float | bool | date | int | None = None


@dataclass(frozen=True)
class Language:
    """Reads this language: de is also de-AT."""

    tag: str


@dataclass(frozen=True)
class Zone:
    name: str


class Where(StrEnum):
    """How somebody stands to a course. Who is enrolled is in it now."""

    ENROLLED = "enrolled in"
    FINISHED = "finished"
    STOPPED = "stopped"


@dataclass(frozen=True)
class InCourse:
    where: Where
    course: str
    span: Span | None = None


@dataclass(frozen=True)
class Reached:
    """A step of a course was accepted by their server."""

    step: str
    course: str


@dataclass(frozen=True)
class Answered:
    """What somebody last said of a week."""

    answer: str
    week: int
    course: str


@dataclass(frozen=True)
class Clicked:
    """A person, not a scanner, followed a link that begins with `url` (None: any link)."""

    url: str | None
    days: int | None = None


@dataclass(frozen=True)
class Mailed:
    """Some mail to them was accepted within the last `days` days."""

    days: int


@dataclass(frozen=True)
class InSegment:
    slug: str


@dataclass(frozen=True)
class Not:
    part: Rule


@dataclass(frozen=True)
class All:
    parts: tuple[Rule, ...]


@dataclass(frozen=True)
class Some:
    """At least one of its parts."""

    parts: tuple[Rule, ...]


Condition = (
    Tag | OnList | Field | Language | Zone | InCourse | Reached | Answered | Clicked | Mailed | InSegment
)
Rule = Condition | Not | All | Some


def conditions(rule: Rule) -> tuple[Condition, ...]:
    """Every condition of a rule, in the order in which they are written."""
    match rule:
        case Not(part):
            return conditions(part)
        case All(parts) | Some(parts):
            return tuple(one for part in parts for one in conditions(part))
        case _:
            return (rule,)


def is_about_a_day(rule: Rule) -> bool:
    """Whether a rule holds because a date has come, and can be asked for another day as well."""
    match rule:
        case Not():
            return False
        case All(parts):
            return any(map(is_about_a_day, parts))
        case Some(parts):
            return any(map(is_about_a_day, parts))
        case _:
            return isinstance(rule, Field) and rule.compare is Compare.DAY
