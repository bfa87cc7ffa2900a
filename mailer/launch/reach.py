"""Whom a publication reaches: who is where in the course, and who has had which mail of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from mailer.clock import local_date
from mailer.launch.gone_back import had_in_earlier_rounds
from mailer.models import Course, Delivery, Enrollment, EnrollmentState
from mailer.schedule.decide import Send, Wait, decide
from mailer.schedule.place import Place, StepPlan, date_of
from mailer.schedule.plan import IS_ACTIVE, place_of, select_places
from mailer.schedule.rounds import is_this_round


@dataclass(frozen=True)
class Reader:
    """Somebody in the middle of the course: the day of the mail they had last, now and after publishing."""

    enrollment_id: int
    day: int
    day_after: int


@dataclass(frozen=True)
class Readers:
    """Everybody in a course. `waiting` counts those who have not confirmed, with all of it before them.

    `had` holds (enrollment, step) for mails that somebody got although their day is still to come:
    the step was moved, or was retired and comes back.
    """

    waiting: int
    active: tuple[Reader, ...]
    had: frozenset[tuple[int, int]]

    def to_come(self, step_id: int | None, day: int) -> int:
        """How many have a step on this day still before them once it is published."""
        return self.waiting + self.count(step_id, lambda reader: reader.day_after < day)

    def count(self, step_id: int | None, is_reached: Callable[[Reader], bool]) -> int:
        """How many are reached, of those who have not had this step (None: it is new)."""
        return sum(
            is_reached(reader) and (reader.enrollment_id, step_id) not in self.had for reader in self.active
        )


NOBODY = Readers(0, (), frozenset())


def read_readers(
    session: Session,
    course: Course,
    steps: Sequence[StepPlan],
    added: Collection[str],
    days: Mapping[int, int],
    now: datetime,
) -> Readers:
    """Everybody in the course, as they would stand with `steps`, of which `added` are new.

    `days` holds for each step that is asked about the last day that it is or was on.
    """
    waiting = session.execute(
        select(func.count()).where(
            Enrollment.course_id == course.id, Enrollment.state == EnrollmentState.WAITING
        )
    ).scalar_one()
    rows = session.execute(select_places().where(Enrollment.course_id == course.id, IS_ACTIVE))
    active = tuple(
        Reader(row.id, row.last_day, pass_over(place_of(row, course.zone), steps, added, now)) for row in rows
    )
    had = _had(session, course, days) | set(had_in_earlier_rounds(session, course)) if days else frozenset()
    return Readers(waiting, active, had)


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
    """(enrollment, step) of the mails planned for somebody whose place is before the step's day."""
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
