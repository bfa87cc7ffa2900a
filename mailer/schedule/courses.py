"""Published courses as the scheduler sees them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.errors import NotFound
from mailer.models import Course, Step
from mailer.schedule.decide import StepPlan


@dataclass(frozen=True)
class CoursePlan:
    """A course with the steps that are in use, in the order of their days."""

    id: int
    slug: str
    list_id: int
    zone: str
    language: str
    steps: tuple[StepPlan, ...]


def get_course(session: Session, slug: str) -> Course:
    """The published course of this slug; raises NotFound."""
    found = session.execute(select(Course).where(Course.slug == slug)).scalar_one_or_none()
    if found is None:
        raise NotFound(f"There is no published course {slug!r}; `steadypost course list` shows them all")
    return found


def is_published(session: Session, slug: str) -> bool:
    """Whether there is a published course of this slug."""
    return session.execute(select(Course.id).where(Course.slug == slug)).one_or_none() is not None


def load_plan(session: Session, course_id: int) -> CoursePlan:
    """The course's steps as they are published now."""
    course = session.get_one(Course, course_id)
    rows = session.execute(
        select(Step.id, Step.key, Step.day, Step.send_time, Step.message_id)
        .where(Step.course_id == course_id, Step.retired_at.is_(None))
        .order_by(Step.day)
    )
    steps = tuple(StepPlan(*row) for row in rows)
    return CoursePlan(course.id, course.slug, course.list_id, course.zone, course.language, steps)
