"""Somebody who left, or never confirmed, wants to be asked once more."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mailer.audience.lists import Evidence, find_subscription
from mailer.audience.suppression import LIFTED_BY_CONFIRMING, find_suppression
from mailer.links import BadLink
from mailer.models import (
    Consent,
    ConsentKind,
    Course,
    Enrollment,
    EnrollmentState,
    MailingList,
    Subscriber,
    SubscriptionState,
)
from mailer.schedule import enroll
from mailer.schedule.signup import put_on_list

ASKED_AT_MOST = 3
"""Confirmation mails a day for one subscription: a forwarded link must not fill somebody's inbox."""


class Answer(StrEnum):
    """What became of the wish."""

    MAILED = "mailed"
    ON_LIST = "on-list"
    TOO_OFTEN = "too-often"
    BLOCKED = "blocked"
    GONE = "gone"
    """The list was deleted."""


def come_back(session: Session, subscriber_id: int, list_id: int, source: str, now: datetime) -> Answer:
    """Mail a new confirmation link for a list that this person has been on.

    Only the mail's link brings them back, because whoever presses the button may have got the page
    from somebody else. The list's courses that they left wait for it, and begin again with the first
    lesson. Raises BadLink when they never were on this list.
    """
    subscriber = session.get_one(Subscriber, subscriber_id)
    subscription = find_subscription(session, subscriber_id, list_id)
    list_ = session.get_one(MailingList, list_id)
    if subscription is None:
        raise BadLink
    if list_.removed_at is not None:
        return Answer.GONE
    if subscription.state == SubscriptionState.ACTIVE:
        return Answer.ON_LIST
    suppression = find_suppression(session, subscriber.email, now)
    if suppression is not None and suppression.reason not in LIFTED_BY_CONFIRMING:
        return Answer.BLOCKED
    if asked_since(session, subscription.id, now - timedelta(days=1)) >= ASKED_AT_MOST:
        return Answer.TOO_OFTEN
    put_on_list(session, subscriber, list_, Evidence(wording=list_.title, source=source), now)
    for course in _courses_left(session, subscriber_id, list_id):
        enroll.enroll(session, course, subscriber, now)
    return Answer.MAILED


def asked_since(session: Session, subscription_id: int, moment: datetime) -> int:
    """How many confirmation mails this subscription was asked for after `moment`."""
    return session.execute(
        select(func.count()).where(
            Consent.subscription_id == subscription_id,
            Consent.kind == ConsentKind.ASKED,
            Consent.at > moment,
        )
    ).scalar_one()


def _courses_left(session: Session, subscriber_id: int, list_id: int) -> list[Course]:
    """The list's courses that this person was in before they left."""
    return list(
        session.execute(
            select(Course)
            .join(Enrollment, Enrollment.course_id == Course.id)
            .where(
                Course.list_id == list_id,
                Enrollment.subscriber_id == subscriber_id,
                Enrollment.state == EnrollmentState.STOPPED,
            )
            .order_by(Course.id)
        ).scalars()
    )
