"""What a rule may name, for whoever builds one: fields, lists, segments, courses and steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.audience.fields import declared_fields
from mailer.audience.lists import list_lists
from mailer.models import Course, FieldType, Segment, Step
from mailer.rules import BadRule, parse, problems
from mailer.rules.rows import BadRows, Place, Rows, text_of

Choice = tuple[str, str]
"""What stands in the rule, and what people call it."""


@dataclass(frozen=True)
class Choices:
    """Everything that can be chosen. A step's value is its course's slug, "/" and its key."""

    fields: Mapping[str, FieldType]
    lists: Sequence[Choice]
    segments: Sequence[Choice]
    courses: Sequence[Choice]
    steps: Mapping[str, Sequence[Choice]]
    """By the titles of their courses."""


def choices(session: Session, without: str = "") -> Choices:
    """All of them by their names; the segment `without` cannot be made of itself."""
    steps: dict[str, list[Choice]] = {}
    rows = session.execute(
        select(Course.title, Course.slug, Step.key)
        .join(Step, Step.course_id == Course.id)
        .where(Step.retired_at.is_(None))
        .order_by(Course.title, Course.id, Step.day, Step.id)
    )
    for title, course, key in rows:
        steps.setdefault(title, []).append((f"{course}/{key}", key))
    segments = session.execute(
        select(Segment.slug, Segment.title).where(Segment.slug != without).order_by(Segment.slug)
    )
    return Choices(
        declared_fields(session),
        [(one.slug, one.title) for one in list_lists(session)],
        [(slug, title or slug) for slug, title in segments],
        _named(session, select(Course.slug, Course.title).order_by(Course.title)),
        steps,
    )


def _named(session: Session, statement: object) -> list[Choice]:
    return [(slug, title) for slug, title in session.execute(statement).all()]  # type: ignore[call-overload]


def text_of_rows(session: Session, rows: Rows) -> str:
    """The rule that rows say; raises BadRows for what is not there, beside its row, and BadRule."""
    fields = declared_fields(session)
    text = text_of(rows, fields)
    wrong: dict[Place, str] = {}
    for place, row in rows.at().items():
        try:
            found = problems(session, parse(text_of(Rows((row,)), fields)))
        except BadRule as error:
            found = [error.what]
        if found:
            wrong[place] = " ".join(found)
    if wrong:
        raise BadRows(wrong)
    return text
