"""What a row of the segment builder can ask: the kinds of things, and what may be said of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from mailer.models import Answer, FieldType
from mailer.rules.model import Compare, Where


class Takes(StrEnum):
    """What is to be filled in beside an operator."""

    NOTHING = ""
    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    LIST = "list"
    COURSE = "course"
    STEP = "step"
    SEGMENT = "segment"
    ZONE = "zone"


@dataclass(frozen=True)
class Operator:
    """One thing that can be said of a kind, and its opposite. `days` names a second, whole number."""

    key: str
    words: str
    opposite: str
    takes: Takes = Takes.NOTHING
    days: str = ""


@dataclass(frozen=True)
class Kind:
    """What a row is about; `group` is the heading under which it is offered."""

    key: str
    words: str
    group: str
    operators: tuple[Operator, ...]

    def operator(self, key: str) -> Operator:
        """The one of this key, or the first."""
        return next((one for one in self.operators if one.key == key), self.operators[0])


DAYS = "days"
FIELD = "field:"
PERSON, LISTS, COURSES, READING = "The person", "Lists and segments", "Courses", "Reading"


def _spans(key: str, words: str, opposite: str, takes: Takes) -> tuple[Operator, ...]:
    return (
        Operator(f"{key}-within", f"{words} within the last", f"{opposite} within the last", takes, DAYS),
        Operator(f"{key}-before", f"{words} longer ago than", f"{opposite} longer ago than", takes, DAYS),
    )


def _in_course(where: Where, words: str, opposite: str, since: str) -> tuple[Operator, ...]:
    key = where.name.lower()
    spans = _spans(key, f"{words}{since}", f"{opposite}{since}", Takes.COURSE)
    return (Operator(key, words, opposite, Takes.COURSE), *spans)


TAG = Kind("tag", "Tag", PERSON, (Operator("has", "has", "has not", Takes.TEXT),))
LANGUAGE = Kind("language", "Language", PERSON, (Operator("is", "is", "is not", Takes.TEXT),))
ZONE = Kind("zone", "Time zone", PERSON, (Operator("is", "is", "is not", Takes.ZONE),))
LIST = Kind(
    "list",
    "List",
    LISTS,
    (
        Operator("on", "is on", "is not on", Takes.LIST),
        *_spans("joined", "joined", "did not join", Takes.LIST),
    ),
)
SEGMENT = Kind("segment", "Segment", LISTS, (Operator("in", "is in", "is not in", Takes.SEGMENT),))
COURSE = Kind(
    "course",
    "Course",
    COURSES,
    (
        *_in_course(Where.ENROLLED, "is enrolled in", "is not enrolled in", ", since"),
        *_in_course(Where.FINISHED, "has finished", "has not finished", ""),
        *_in_course(Where.STOPPED, "stopped", "did not stop", ""),
    ),
)
STEP = Kind("step", "Step", COURSES, (Operator("reached", "has had", "has not had", Takes.STEP),))
ANSWER = Kind(
    "answer",
    "Check-in",
    COURSES,
    tuple(
        Operator(answer, f"answered “{words}” in", f"did not answer “{words}” in", Takes.COURSE, "week")
        for answer, words in (
            (Answer.DONE, "done"),
            (Answer.NOT_YET, "not yet"),
            (Answer.TOO_HARD, "too hard"),
        )
    ),
)
CLICK = Kind(
    "click",
    "Links",
    READING,
    (
        Operator("any", "followed any", "never followed any"),
        Operator("any-within", "followed any within the last", "followed none within the last", days=DAYS),
        Operator("link", "followed one that begins with", "never one that begins with", Takes.TEXT),
        Operator(
            "link-within",
            "lately followed one that begins with",
            "did not lately follow one that begins with",
            Takes.TEXT,
            DAYS,
        ),
    ),
)
MAILED = Kind(
    "mailed",
    "Mail",
    READING,
    (Operator("within", "got some within the last", "got none within the last", days=DAYS),),
)

_SET = Operator("set", "is filled in", "is empty")
_OF_NUMBERS = (
    Operator(Compare.IS, "is", "is not", Takes.NUMBER),
    Operator(Compare.LEAST, "is at least", "is not at least", Takes.NUMBER),
    Operator(Compare.MOST, "is at most", "is not at most", Takes.NUMBER),
    Operator(Compare.OVER, "is more than", "is not more than", Takes.NUMBER),
    Operator(Compare.UNDER, "is less than", "is not less than", Takes.NUMBER),
)
_OF_DATES = (
    Operator(Compare.IS, "is", "is not", Takes.DATE),
    Operator(Compare.OVER, "is after", "is not after", Takes.DATE),
    Operator(Compare.UNDER, "is before", "is not before", Takes.DATE),
    Operator(Compare.LEAST, "is on or after", "is not on or after", Takes.DATE),
    Operator(Compare.MOST, "is on or before", "is not on or before", Takes.DATE),
    Operator("today", "is today", "is not today"),
    Operator("ahead", "is ahead by", "is not ahead by", days=DAYS),
    Operator("behind", "is behind by", "is not behind by", days=DAYS),
)
OF_FIELD: Mapping[FieldType, tuple[Operator, ...]] = {
    FieldType.TEXT: (
        Operator(Compare.IS, "is", "is not", Takes.TEXT),
        Operator(Compare.CONTAINS, "contains", "does not contain", Takes.TEXT),
        _SET,
    ),
    FieldType.NUMBER: (*_OF_NUMBERS, _SET),
    FieldType.DATE: (*_OF_DATES, _SET),
    FieldType.YES_NO: (Operator("yes", "is yes", "is not yes"), Operator("no", "is no", "is not no"), _SET),
}


def kinds(fields: Mapping[str, FieldType]) -> dict[str, Kind]:
    """All of them by their keys, in the order in which they are offered; `fields` are the declared ones."""
    of_fields = tuple(
        Kind(f"{FIELD}{key}", key.replace("_", " ").capitalize(), "Fields", OF_FIELD[type_])
        for key, type_ in fields.items()
    )
    offered = (TAG, LANGUAGE, ZONE, *of_fields, LIST, SEGMENT, COURSE, STEP, ANSWER, CLICK, MAILED)
    return {one.key: one for one in offered}
