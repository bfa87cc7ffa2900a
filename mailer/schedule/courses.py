"""Published courses as the scheduler sees them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.errors import NotFound
from mailer.models import Course, Step
from mailer.schedule.decide import AS_WRITTEN, StepPlan, Ways
from mailer.schedule.flow import NO_FLOW, Flow, read_flow
from mailer.schedule.place import Weeks
from mailer.schedule.timing import read_timing


@dataclass(frozen=True)
class CoursePlan:
    """A course with the steps that are in use, in the order of their days."""

    id: int
    slug: str
    list_id: int
    zone: str
    language: str
    steps: tuple[StepPlan, ...]
    ways: Ways = AS_WRITTEN
    flow: Flow = NO_FLOW

    @cached_property
    def weeks(self) -> Weeks:
        """Which week each of its mails is of."""
        own = {step.key: step.week for step in self.steps if step.week is not None and not step.instead_of}
        of = {step.id: week for step in self.steps if (week := own.get(step.instead_of or step.key))}
        gentler = {one.id: week for one in self.ways.easier if (week := own.get(one.easier_than))}
        return Weeks(of | gentler, frozenset(gentler))


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
    columns: tuple[Any, ...] = (
        *(Step.id, Step.key, Step.day, Step.send_time, Step.message_id),
        *(Step.timing, Step.condition, Step.instead_of, Step.easier_than, Step.week, Step.languages),
    )
    rows: Any = session.execute(
        select(*columns)
        .where(Step.course_id == course_id, Step.retired_at.is_(None))
        .order_by(Step.day, Step.instead_of == "", Step.key)
    )
    steps = [_step_plan(row) for row in rows]
    flow = read_flow(course.flow)
    return CoursePlan(
        course.id,
        course.slug,
        course.list_id,
        course.zone,
        course.language,
        tuple(step for step in steps if not step.easier_than),
        Ways(
            tuple(step for step in steps if step.easier_than), flow.policy, flow.stale_after, bool(flow.then)
        ),
        flow,
    )


def _step_plan(row: Any) -> StepPlan:
    return StepPlan(
        id=row.id,
        key=row.key,
        day=row.day,
        send_time=row.send_time,
        message_id=row.message_id,
        timing=read_timing(row.timing),
        condition=row.condition,
        instead_of=row.instead_of,
        easier_than=row.easier_than,
        week=row.week,
        languages=tuple(sorted(row.languages.items())),
    )
