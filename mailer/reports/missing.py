"""Mails that readers should have had by now and that have no row: what a statement calls missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import ScalarSelect, and_, func, or_, select
from sqlalchemy.orm import Session, aliased

from mailer.clock import local_date
from mailer.models import (
    Course,
    CourseVersion,
    Delivery,
    DeliveryKind,
    Enrollment,
    EnrollmentState,
    Instance,
    Step,
    Subscriber,
)
from mailer.schedule.cap import Limited, looking_back, read_cap
from mailer.schedule.courses import load_plan
from mailer.schedule.place import Place, StepPlan, date_of
from mailer.schedule.plan import CHOSEN, OPEN, place_of
from mailer.schedule.reasons import AN_EXTRA
from mailer.schedule.rounds import is_still_had, is_this_round

LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)


def find_missing(session: Session, course: Course, now: datetime) -> Iterator[tuple[int, str]]:
    """(enrollment, step key) of every mail that somebody should have had, and that has no row.

    This is worked out from the steps, the enrollments and the versions of the course, not from what
    the tick did. A step that was put where it is when somebody was past that day is not missed. Variants and
    gentler versions are nobody's by right, and who got a variant does not miss the step it stands for. Where
    a cap left no room on a lesson's day, it is not missed before the day that had some.
    """
    placed_at = _placed_at(session, course)
    plan = load_plan(session, course.id)
    steps = {step.key: step for step in plan.steps}
    waited_for: list[_Waited] = []
    for row in session.execute(_without_row(course, now)):
        placed = placed_at[row.key]
        if row.day <= row.last_day:
            is_missed = row.before_it_at >= placed
        elif row.state == EnrollmentState.FINISHED:
            is_missed = row.ended_at > placed
        elif row.last_state in OPEN:
            is_missed = False  # it waits for the mail before it, which is counted as open
        else:
            is_missed = False
            place = place_of(row, course.zone)
            own = date_of(place, place.anchor, row.day, plan.steps)
            # An anchor ahead is an appointment, and what is before it is caught up until then.
            on = row.anchor_date if row.last_day < row.day < row.anchor_day else own
            day = max(on, local_date(placed, place.zone))
            if place.window_of(steps[row.key], day).opens_at <= now:
                waited_for.append(_Waited(row.id, row.subscriber_id, place, steps[row.key], day))
        if is_missed:
            yield row.id, row.key
    yield from _without_excuse(session, waited_for, now)


@dataclass(frozen=True)
class _Waited:
    """A step whose own day has come, and that its reader has not had."""

    enrollment_id: int
    subscriber_id: int
    place: Place
    step: StepPlan
    day: date


def _without_excuse(session: Session, waited: Sequence[_Waited], now: datetime) -> Iterator[tuple[int, str]]:
    """Those of them for which the cap, if there is one, left room by `now`."""
    cap = read_cap(session)
    lived: Mapping[int, Limited] = {}
    if cap is not None and waited:
        lived = looking_back(session, cap, [one.subscriber_id for one in waited], now)
    for one in waited:
        limited = lived.get(one.subscriber_id) or (Limited(cap) if cap else None)
        if limited is None or (
            limited.turn_of(one.place, one.step, one.day, one.enrollment_id).opens_at <= now
        ):
            yield one.enrollment_id, one.step.key


def _without_row(course: Course, now: datetime) -> Any:
    """Steps up to now without a delivery. `before_it_at`: when the last mail before the step was due."""
    earlier, earlier_step, last = aliased(Delivery), aliased(Step), aliased(Delivery)
    before_it_at = (
        select(func.max(earlier.due_at))
        .outerjoin(earlier_step, earlier_step.id == earlier.step_id)
        .where(
            earlier.enrollment_id == Enrollment.id,
            earlier.subscriber_id == Enrollment.subscriber_id,
            is_this_round(earlier),
            or_(earlier.kind == DeliveryKind.WELCOME, earlier_step.day < Step.day),
            # One that came outside the course's days says nothing of where its reader was.
            earlier.because.is_distinct_from(AN_EXTRA),
        )
        .correlate(Enrollment, Step)
        .scalar_subquery()
    )
    # Nowhere on earth is it later than fourteen hours after UTC; the zones themselves come afterwards.
    latest = (now + timedelta(days=1)).date()
    # Counted in the reader's own gaps it may be earlier than as written.
    is_due = or_(
        Enrollment.gap.is_not(None),
        Enrollment.anchor_date + (Step.day - Enrollment.anchor_day) <= latest,
    )
    return (
        select(
            *(Enrollment.id, Enrollment.subscriber_id, Enrollment.state),
            *(Enrollment.anchor_date, Enrollment.anchor_day, Enrollment.last_day, Enrollment.ended_at),
            *(Subscriber.zone, *CHOSEN),
            *(Step.key, Step.day, last.state.label("last_state"), last.settled_at.label("last_settled_at")),
            *(last.kind.label("last_kind"), last.step_id.label("last_step_id")),
            func.coalesce(before_it_at, Enrollment.created_at).label("before_it_at"),
        )
        .join(Subscriber, Subscriber.id == Enrollment.subscriber_id)
        .join(Step, and_(Step.course_id == Enrollment.course_id, Step.retired_at.is_(None)))
        .outerjoin(last, last.id == Enrollment.last_delivery_id)
        .outerjoin(
            Delivery,
            and_(
                Delivery.enrollment_id == Enrollment.id,
                Delivery.step_id.in_(_mails_of_its_day()),
                or_(is_this_round(Delivery), is_still_had()),
            ),
        )
        .where(
            Enrollment.course_id == course.id,
            Delivery.id.is_(None),
            Step.instead_of == "",
            Step.easier_than == "",
            # What was dropped because it is old is not missing.
            Enrollment.created_at >= func.coalesce(select(Instance.kept_since).scalar_subquery(), LONG_AGO),
            or_(
                Enrollment.state == EnrollmentState.FINISHED,
                and_(
                    Enrollment.state == EnrollmentState.ACTIVE,
                    or_(Step.day <= Enrollment.last_day, is_due),
                ),
            ),
        )
    )


def _mails_of_its_day() -> ScalarSelect[int]:
    """The step and its variants: one of them is what its reader gets."""
    other = aliased(Step)
    return (
        select(other.id)
        .where(other.course_id == Step.course_id, or_(other.id == Step.id, other.instead_of == Step.key))
        .correlate(Step)
        .scalar_subquery()
    )


def _placed_at(session: Session, course: Course) -> dict[str, datetime]:
    """Since when each step is on its day: the first of its newest versions without a break."""
    versions = session.execute(
        select(CourseVersion.published_at, CourseVersion.manifest)
        .where(CourseVersion.course_id == course.id)
        .order_by(CourseVersion.number)
    )
    placed_at: dict[str, datetime] = {}
    days: dict[str, int] = {}
    for published_at, manifest in versions:
        now_on = {step["key"]: step["day"] for step in manifest["steps"]}
        for key, day in now_on.items():
            if days.get(key) != day:
                placed_at[key] = published_at
        days = now_on
    return placed_at
