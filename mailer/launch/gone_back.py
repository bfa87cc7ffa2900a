"""Readers who went back to an earlier week: a step that moves ahead of them must not come a second time.

What they had before that week has its row in an earlier round, so that in theirs nothing would tell that they
have had it. When a publication moves such a step to a day that is still to come, it is passed over for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import any_, or_, select
from sqlalchemy.orm import Session, aliased

from mailer import outbox
from mailer.db import among
from mailer.models import Course, Delivery, DeliveryKind, DeliveryState, Enrollment, Step
from mailer.schedule.courses import load_plan
from mailer.schedule.plan import IS_ACTIVE, OPEN, lesson_of, select_places
from mailer.schedule.rounds import is_behind, is_this_round, read_days, read_gone_back, round_of

Had = Sequence[tuple[int, int]]
"""(enrollment, step) of mails."""

HAD = (*OPEN, DeliveryState.ACCEPTED, DeliveryState.UNCERTAIN)
HAD_ALREADY = "the reader had it before going back"


def had_in_earlier_rounds(session: Session, course: Course) -> Had:
    """The mails that lie behind a reader in their round, and that they had in an earlier one.

    What is to come again, for it followed the week that is repeated, lies before them and is not among these.
    Ask before a publication puts its steps in place.
    """
    again = aliased(Delivery)
    is_repeated = (
        select(again.id)
        .where(
            again.subscriber_id == Delivery.subscriber_id,
            again.enrollment_id == Delivery.enrollment_id,
            again.step_id == Delivery.step_id,
            is_this_round(again),
        )
        .exists()
    )
    rows = session.execute(
        select(
            Delivery.enrollment_id,
            Delivery.step_id,
            Step.key,
            round_of(Delivery).label("of_round"),
            Enrollment.round.label("now_round"),
        )
        .join(
            Enrollment,
            (Enrollment.id == Delivery.enrollment_id) & (Enrollment.subscriber_id == Delivery.subscriber_id),
        )
        .join(Step, Step.id == Delivery.step_id)
        .where(
            Enrollment.course_id == course.id,
            IS_ACTIVE,
            Enrollment.round > 1,
            Step.day <= Enrollment.last_day,
            Delivery.kind == DeliveryKind.STEP,
            Delivery.state.in_(HAD),
            # Before the round that they are in; one that is an extra still is to come after all.
            round_of(Delivery) < Enrollment.round,
            ~or_(
                Step.id == any_(Enrollment.extras),
                Step.id == any_(Enrollment.last_extras),
            ),
            ~is_repeated,
        )
    ).all()
    days = read_days(session, course.id)
    gone_back = read_gone_back(session, {row.enrollment_id for row in rows})
    had = {
        (row.enrollment_id, row.step_id)
        for row in rows
        if row.key in days
        and is_behind(days[row.key], row.of_round, row.now_round, gone_back.get(row.enrollment_id, ()))
    }
    return sorted(had)


def pass_over_what_they_had(session: Session, course: Course, had: Had, now: datetime) -> None:
    """Pass over those of these mails that are still to come as the course is now."""
    if not had:
        return
    plan = load_plan(session, course.id)
    steps = {step.id: step for step in plan.steps}
    wanted: dict[int, list[int]] = {}
    for enrollment_id, step_id in had:
        if step_id in steps:
            wanted.setdefault(enrollment_id, []).append(step_id)
    rows = session.execute(select_places().where(among(Enrollment.id, wanted)).order_by(Enrollment.id)).all()
    mails = [
        lesson_of(row, plan, steps[step_id], now)
        for row in rows
        for step_id in wanted[row.id]
        if steps[step_id].day > row.last_day
    ]
    added = outbox.write(session, mails, now)
    outbox.skip(session, list(added.values()), HAD_ALREADY, now)
