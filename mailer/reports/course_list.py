"""The published courses at a glance: their readers and what leaves next, without counting a million rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mailer.models import Course, Enrollment, EnrollmentState, Step

MOST_COUNTED = 20_000
"""Readers are counted so far, and then said to be more: the page is looked at often, and the exact number is
a report's."""
SOON = timedelta(days=1)


@dataclass(frozen=True)
class AtAGlance:
    """A published course. `readers` and `soon` stop at MOST_COUNTED; `soon` counts the mails of one day."""

    slug: str
    title: str
    version: int
    steps: int
    readers: int
    next_at: datetime | None
    soon: int


def courses_at_a_glance(session: Session, now: datetime) -> list[AtAGlance]:
    """Every published course, in the order of their titles."""
    steps = (
        select(func.count())
        .where(Step.course_id == Course.id, Step.retired_at.is_(None))
        .correlate(Course)
        .scalar_subquery()
    )
    some = (
        select(Enrollment.id)
        .where(Enrollment.course_id == Course.id, Enrollment.state == EnrollmentState.ACTIVE)
        .limit(MOST_COUNTED)
        .correlate(Course)
        .subquery()
        .lateral()
    )
    readers = select(func.count()).select_from(some).scalar_subquery()
    rows = session.execute(
        select(Course.id, Course.slug, Course.title, Course.version, steps, readers).order_by(Course.title)
    ).all()
    coming = coming_lessons(session, now + SOON)
    found = []
    for id_, slug, title, version, mails, people in rows:
        next_at, soon = coming.get(id_, (None, 0))
        found.append(AtAGlance(slug, title, version, mails, people, next_at, soon))
    return found


def coming_lessons(session: Session, until: datetime) -> Mapping[int, tuple[datetime, int]]:
    """By course's id its next lesson, and how many come before `until`, of the first MOST_COUNTED of all.

    One for each reader: their next.
    """
    first = (
        select(Enrollment.course_id, Enrollment.next_due_at)
        .where(Enrollment.state == EnrollmentState.ACTIVE, Enrollment.next_due_at.is_not(None))
        .order_by(Enrollment.next_due_at)
        .limit(MOST_COUNTED)
        .subquery()
    )
    rows = session.execute(
        select(
            first.c.course_id,
            func.min(first.c.next_due_at),
            func.count().filter(first.c.next_due_at < until),
        ).group_by(first.c.course_id)
    )
    return {course_id: (next_at, soon) for course_id, next_at, soon in rows}
