"""Whom a publication reaches: who is where in the course, and who has had which mail of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, case, func, select
from sqlalchemy.orm import Session

from mailer.clock import local_date
from mailer.launch.backlog import PLACES
from mailer.launch.gone_back import had_in_earlier_rounds
from mailer.models import Course, Delivery, Enrollment, EnrollmentState, Step, Subscriber
from mailer.schedule.decide import Send, Wait, decide
from mailer.schedule.place import Place, StepPlan, date_of
from mailer.schedule.plan import IS_ACTIVE, place_of
from mailer.schedule.rounds import is_this_round, read_days


@dataclass(frozen=True)
class Group:
    """Readers in the middle of the course: the day of the mail they had last, now and after publishing."""

    day: int
    day_after: int
    enrollment_ids: Sequence[int]


@dataclass(frozen=True)
class Readers:
    """Everybody in a course. `waiting` counts those who have not confirmed, with all of it before them.

    `had` holds, for each step whose mail somebody got although its day is still to come, the enrollments of
    those: the step was moved, or was retired and comes back.
    """

    waiting: int
    active: tuple[Group, ...]
    had: Mapping[int | None, frozenset[int]]

    @property
    def everybody(self) -> int:
        return self.waiting + sum(len(group.enrollment_ids) for group in self.active)

    @property
    def moved(self) -> dict[int, int]:
        """The new course day of each enrollment that is on another one after publishing."""
        groups = (group for group in self.active if group.day_after != group.day)
        return {id_: group.day_after for group in groups for id_ in group.enrollment_ids}

    def to_come(self, step_id: int | None, day: int) -> int:
        """How many have a step on this day still before them once it is published."""
        return self.waiting + self.count(step_id, lambda group: group.day_after < day)

    def count(self, step_id: int | None, is_reached: Callable[[Group], bool]) -> int:
        """How many are reached, of those who have not had this step (None: it is new)."""
        reached = [group for group in self.active if is_reached(group)]
        had = self.had.get(step_id, frozenset())
        had_it = sum(id_ in had for group in reached for id_ in group.enrollment_ids) if had else 0
        return sum(len(group.enrollment_ids) for group in reached) - had_it

    def who(self, step_id: int | None, is_reached: Callable[[Group], bool]) -> tuple[int, ...]:
        """The enrollments of those that `count` counts."""
        had = self.had.get(step_id, frozenset())
        reached = (group for group in self.active if is_reached(group))
        return tuple(id_ for group in reached for id_ in group.enrollment_ids if id_ not in had)


NOBODY = Readers(0, (), {})


def read_readers(
    session: Session,
    course: Course,
    steps: Sequence[StepPlan],
    added: Collection[str],
    days: Mapping[int, int],
    now: datetime,
) -> Readers:
    """Everybody in the course, as they would stand with `steps`, of which `added` are new.

    `days` holds for each step that is asked about the last day that it is or was on. Who stands at the same
    place is looked at once, however many they are.
    """
    waiting = session.execute(
        select(func.count()).where(
            Enrollment.course_id == course.id, Enrollment.state == EnrollmentState.WAITING
        )
    ).scalar_one()
    known: dict[tuple[int, int], list[int]] = {}
    for row in session.execute(_places(course, is_whole=bool(added))):
        day = pass_over(place_of(row, course.zone), steps, added, now) if added else row.last_day
        known.setdefault((row.last_day, day), []).extend(row.ids)
    had: dict[int | None, set[int]] = {}
    if days:
        for enrollment_id, step_id in (
            *_had(session, course, days),
            *had_in_earlier_rounds(session, course),
        ):
            had.setdefault(step_id, set()).add(enrollment_id)
    groups = tuple(Group(*days_, ids) for days_, ids in sorted(known.items()))
    return Readers(waiting, groups, {step_id: frozenset(ids) for step_id, ids in had.items()})


def _places(course: Course, *, is_whole: bool) -> Select[Any]:
    """Where the readers of a course stand, with the enrollments at each place; `is_whole`: all of a place
    that `decide` looks at, and not only the day."""
    columns = PLACES if is_whole else (Enrollment.last_day,)
    chosen = select(*columns, func.array_agg(Enrollment.id).label("ids"))
    if is_whole:
        chosen = chosen.join(Subscriber, Subscriber.id == Enrollment.subscriber_id).outerjoin(
            Delivery, Delivery.id == Enrollment.last_delivery_id
        )
    return chosen.where(Enrollment.course_id == course.id, IS_ACTIVE).group_by(*columns)


def pass_over(place: Place, steps: Sequence[StepPlan], added: Collection[str], now: datetime) -> int:
    """The course day somebody is on once they are past the steps added on days that are over for them.

    Without this such a step would count as late: it would be sent now, and the rest of the course
    would be put off by as many days as lie between.
    """
    decision = decide(place, steps, now)
    if not isinstance(decision, Wait | Send) or place.is_last_open or not added:
        return place.last_day
    today, day = local_date(now, place.zone), place.last_day
    for step in steps:
        if step.day <= place.last_day:
            continue
        if step.key not in added or date_of(place, decision.anchor, step.day, steps) >= today:
            break
        day = step.day
    return day


def _had(session: Session, course: Course, days: Mapping[int, int]) -> frozenset[tuple[int, int]]:
    """(enrollment, step) of the mails planned for somebody whose place is before the step's day.

    Only a step that was on an earlier day once can be such a one: all mails of the others are not read.
    """
    once = read_days(session, course.id)
    keys = session.execute(select(Step.id, Step.key).where(Step.id.in_(list(days))))
    firsts = {id_: min((day for _, day in once[key].known), default=0) for id_, key in keys if key in once}
    days = {id_: day for id_, day in days.items() if firsts.get(id_, 0) < day}
    if not days:
        return frozenset()
    rows = session.execute(
        select(Delivery.enrollment_id, Delivery.step_id)
        .join(Enrollment, Enrollment.id == Delivery.enrollment_id)
        .where(
            Delivery.course_id == course.id,
            Delivery.step_id.in_(list(days)),
            IS_ACTIVE,
            Enrollment.last_day < case(dict(days), value=Delivery.step_id),
            # Who begins again has not had it in this round.
            is_this_round(Delivery),
        )
    )
    return frozenset((row.enrollment_id, row.step_id) for row in rows)
