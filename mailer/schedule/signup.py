"""Signing up: somebody, a list, the words they agreed to, and the confirmation mail where one is due."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cache

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from mailer import outbox
from mailer.audience.lists import Evidence, subscribe
from mailer.audience.subscribers import Person, complete_subscriber
from mailer.errors import Refused
from mailer.models import (
    Consent,
    ConsentKind,
    Course,
    DeliveryKind,
    Lane,
    MailingList,
    Subscriber,
    Subscription,
    SubscriptionState,
)
from mailer.schedule.enroll import start_waiting, system_message
from mailer.schedule.moving import keep_to_zone

ASKED_AT_ONCE = 5000
"""How many confirmation mails are written with one statement."""


def sign_up(
    session: Session, person: Person, list_: MailingList, evidence: Evidence, now: datetime
) -> Subscription:
    """Add somebody to a list; a pending subscription gets its confirmation mail. Raises what Person does.

    An address that is suppressed is not refused here: whoever fills in a form learns nothing about
    it, and the mail's delivery row tells support why it did not leave.
    """
    subscriber, is_moved = complete_subscriber(session, person)
    subscription = put_on_list(session, subscriber, list_, evidence, now)
    if is_moved:
        # Behind the subscription: everybody who needs both locks that first, and then the enrollments.
        keep_to_zone(session, subscriber.id, subscriber.zone, now)
    return subscription


def put_on_list(
    session: Session,
    subscriber: Subscriber,
    list_: MailingList,
    evidence: Evidence,
    now: datetime,
    *,
    must_confirm: bool = False,
) -> Subscription:
    """The same for somebody who is known already; they confirm, whatever the list says, if they must."""
    subscription = subscribe(session, subscriber.id, list_, evidence, now, must_confirm=must_confirm)
    if subscription.state == SubscriptionState.PENDING:
        ask_to_confirm(session, subscription, now)
    elif subscription.state == SubscriptionState.ACTIVE:
        start_waiting(session, subscriber, list_.id, now)
    return subscription


def ask_to_confirm(session: Session, subscription: Subscription, now: datetime) -> None:
    """Queue the confirmation mail of a pending subscription: one for each time consent was asked."""
    list_ = session.get_one(MailingList, subscription.list_id)
    ask_all(session, list_, [subscription.id], now)


def ask_all(session: Session, list_: MailingList, subscription_ids: Sequence[int], now: datetime) -> None:
    """Queue the confirmation mails of pending subscriptions to this list; raises Refused."""
    refuse_without_sender(list_)
    course_language = session.execute(
        select(Course.language).where(Course.list_id == list_.id).order_by(Course.id).limit(1)
    ).scalar_one_or_none()

    @cache
    def message_id(language: str | None) -> int:
        return system_message(session, "confirm", language or course_language or "en")

    is_asked = and_(Consent.subscription_id == Subscription.id, Consent.kind == ConsentKind.ASKED)
    people = session.execute(
        select(
            *(Subscription.subscriber_id, Subscriber.language, Subscriber.created_at),
            func.count(Consent.id),
        )
        .join(Subscriber, Subscriber.id == Subscription.subscriber_id)
        .outerjoin(Consent, is_asked)
        .where(Subscription.id.in_(subscription_ids))
        .group_by(Subscription.id, Subscriber.id)
        .order_by(Subscription.id)
    )
    mails = [
        outbox.NewDelivery(
            dedup_key=outbox.dedup_key(DeliveryKind.CONFIRM, list_.id, "confirm", subscriber_id, asked),
            kind=DeliveryKind.CONFIRM,
            subscriber_id=subscriber_id,
            message_id=message_id(language),
            list_id=list_.id,
            due_at=now,
            began_at=known_since,
            # Many at once, as from an import, must not stand before somebody who signs up just now.
            lane=Lane.COURSE if len(subscription_ids) > 1 else Lane.TRANSACTIONAL,
        )
        for subscriber_id, language, known_since, asked in people
    ]
    outbox.write(session, mails, now)


def refuse_without_sender(list_: MailingList) -> None:
    if list_.sender_id is None:
        raise Refused(
            f"The list {list_.slug} has no sender yet; choose one on its page, or publish its course."
        )
