"""Mails that readers should have had by now and that have no row: what a statement calls missing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Integer, ScalarSelect, and_, cast, func, or_, select
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
    PaceChange,
    Step,
    Subscriber,
)
from mailer.schedule.cap import read_cap
from mailer.schedule.courses import load_plan
from mailer.schedule.pace_case import What
from mailer.schedule.place import date_of
from mailer.schedule.plan import CHOSEN, OPEN, place_of

LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)


def find_missing(session: Session, course: Course, now: datetime) -> Iterator[tuple[int, str]]:
    """(enrollment, step key) of every mail that somebody should have had, and that has no row.

    This is worked out from the steps, the enrollments and the versions of the course, not from what
    the tick did. A step that was put where it is when somebody was past that day is not missed. Variants and
    gentler versions are nobody's by right, and who got a variant does not miss the step it stands for.
    """
    placed_at = _placed_at(session, course)
    plan, is_capped = load_plan(session, course.id), read_cap(session) is not None
    steps = {step.key: step for step in plan.steps}
    for row in session.execute(_without_row(course, now)):
        placed = placed_at[row.key]
        if row.day <= row.last_day:
            is_missed = row.before_it_at >= placed
        elif row.state == EnrollmentState.FINISHED:
            is_missed = row.ended_at > placed
        elif row.last_state in OPEN:
            is_missed = False  # it waits for the mail before it, which is counted as open
        else:
            place = place_of(row, course.zone)
            own = date_of(place, place.anchor, row.day, plan.steps)
            # An anchor ahead is an appointment, and what is before it is caught up until then.
            on = row.anchor_date if row.last_day < row.day < row.anchor_day else own
            window = place.window_of(steps[row.key], max(on, local_date(placed, place.zone)))
            # Where a cap moves lessons, the day that it found is that of the next look.
            is_missed = window.opens_at <= now and not (is_capped and row.next_due_at > now)
        if is_missed:
            yield row.id, row.key


def _without_row(course: Course, now: datetime) -> Any:
    """Steps up to now without a delivery. `before_it_at`: when the last mail before the step was due."""
    earlier, earlier_step, last = aliased(Delivery), aliased(Step), aliased(Delivery)
    before_it_at = (
        select(func.max(earlier.due_at))
        .outerjoin(earlier_step, earlier_step.id == earlier.step_id)
        .where(
            earlier.enrollment_id == Enrollment.id,
            earlier.subscriber_id == Enrollment.subscriber_id,
            _is_this_round(earlier),
            or_(earlier.kind == DeliveryKind.WELCOME, earlier_step.day < Step.day),
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
            *(Enrollment.id, Enrollment.state, Enrollment.anchor_date, Enrollment.anchor_day),
            *(Enrollment.last_day, Enrollment.ended_at, Enrollment.next_due_at, Subscriber.zone, *CHOSEN),
            *(Step.key, Step.day, last.state.label("last_state")),
            last.settled_at.label("last_settled_at"),
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
                or_(_is_this_round(Delivery), _went_back()),
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


def _went_back() -> ColumnElement[bool]:
    """Whether the reader had the last week once more: what is before it was had in an earlier round."""
    return (
        select(PaceChange.id)
        .where(
            PaceChange.enrollment_id == Enrollment.id,
            PaceChange.what == What.REPEAT,
            PaceChange.undone_at.is_(None),
            Step.day <= Enrollment.last_day,
        )
        .correlate(Enrollment, Step)
        .exists()
    )


def _is_this_round(delivery: type[Delivery]) -> ColumnElement[bool]:
    """Whether a delivery belongs to the round its enrollment is in: the dedup key's last word."""
    return cast(func.split_part(delivery.dedup_key, ":", 5), Integer) == Enrollment.round


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
