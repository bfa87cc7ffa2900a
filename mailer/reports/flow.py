"""What is on its way: open work at a moment, and when there will be some next."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mailer.models import (
    Campaign,
    CampaignState,
    Delivery,
    DeliveryState,
    Enrollment,
    EnrollmentState,
    Subscriber,
)


def open_work(session: Session, now: datetime) -> int:
    """How many enrollments, campaigns and deliveries are due at `now` and not dealt with yet."""
    enrollments: int = session.execute(
        select(func.count())
        .select_from(Enrollment)
        .where(Enrollment.state == EnrollmentState.ACTIVE, Enrollment.next_due_at <= now)
    ).scalar_one()
    is_due = (Delivery.state == DeliveryState.PLANNED) & (Delivery.next_attempt_at <= now)
    deliveries: int = session.execute(
        select(func.count()).select_from(Delivery).where(is_due | (Delivery.state == DeliveryState.SENDING))
    ).scalar_one()
    campaigns: int = session.execute(
        select(func.count())
        .select_from(Campaign)
        .where(
            Campaign.state.in_((CampaignState.SCHEDULED, CampaignState.SENDING)),
            Campaign.starts_at <= now,
            ~Campaign.awaits_approval,
            Campaign.materialised_at.is_(None),
        )
    ).scalar_one()
    return enrollments + campaigns + deliveries


def next_moment(session: Session) -> datetime | None:
    """When something is due next, or None when nothing is to come."""
    moments = [
        session.execute(
            select(func.min(Enrollment.next_due_at)).where(Enrollment.state == EnrollmentState.ACTIVE)
        ).scalar_one(),
        session.execute(
            select(func.min(Campaign.starts_at)).where(
                Campaign.state == CampaignState.SCHEDULED, ~Campaign.awaits_approval
            )
        ).scalar_one(),
        session.execute(
            select(func.min(Delivery.next_attempt_at)).where(Delivery.state == DeliveryState.PLANNED)
        ).scalar_one(),
    ]
    return min((moment for moment in moments if moment is not None), default=None)


def people_by_state(session: Session, course_id: int) -> dict[str, str]:
    """The state of every enrollment of a course, by the subscriber's address key."""
    rows = session.execute(
        select(Subscriber.email_key, Enrollment.state)
        .join(Enrollment, Enrollment.subscriber_id == Subscriber.id)
        .where(Enrollment.course_id == course_id)
    )
    return dict(rows.all())
