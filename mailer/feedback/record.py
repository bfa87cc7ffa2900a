"""What readers tell us by a link, recorded once, with what follows from it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mailer.audience.forms import SOURCE, take_name
from mailer.audience.lists import Evidence, confirm, end_subscription
from mailer.audience.subscribers import describe
from mailer.audience.suppression import lift_own_stop, suppress
from mailer.clock import local_date
from mailer.links import BadLink
from mailer.models import (
    Consent,
    ConsentKind,
    Course,
    Delivery,
    Enrollment,
    EnrollmentState,
    Event,
    EventKind,
    MailingList,
    Sender,
    Subscriber,
    Subscription,
    SubscriptionState,
    SuppressionReason,
    WebhookKind,
)
from mailer.schedule import enroll
from mailer.schedule.courses import load_plan
from mailer.schedule.moving import keep_to_zone
from mailer.webhooks.tell import Fact, tell


@dataclass(frozen=True)
class Confirmation:
    """A confirmation as its page tells it, before and after.

    `language` is how to speak to them, `consent` the words they agree to by confirming (empty: none
    were written). `course_title` is None when no course waited for it, `first_lesson_on` also when
    that day is past.
    """

    list_title: str
    email: str
    language: str
    is_ended: bool
    is_active: bool
    sender_name: str = ""
    consent: str = ""
    is_new: bool = False
    course_title: str | None = None
    first_lesson_on: date | None = None
    is_list_gone: bool = False


def look_at_confirmation(session: Session, subscription_id: int) -> Confirmation:
    """What a confirmation link is about, changing nothing; raises BadLink when it is about nothing."""
    row = session.execute(
        select(Subscription, Subscriber, MailingList, Course, Sender.name)
        .join(Subscriber, Subscriber.id == Subscription.subscriber_id)
        .join(MailingList, MailingList.id == Subscription.list_id)
        .outerjoin(Course, Course.list_id == MailingList.id)
        .outerjoin(Sender, Sender.id == func.coalesce(Course.sender_id, MailingList.sender_id))
        .where(Subscription.id == subscription_id)
        .order_by(Course.id)
        .limit(1)
    ).one_or_none()
    if row is None:
        raise BadLink
    subscription, subscriber, list_, course, sender_name = row
    return Confirmation(
        list_title=list_.title,
        email=subscriber.email,
        language=subscriber.language or (course.language if course else "en"),
        is_ended=subscription.state == SubscriptionState.ENDED,
        is_active=subscription.state == SubscriptionState.ACTIVE,
        is_list_gone=list_.removed_at is not None,
        sender_name=sender_name or "",
        consent=_words_of_form(session, subscription_id) or (course.consent if course else ""),
    )


def _words_of_form(session: Session, subscription_id: int) -> str:
    """What they agreed to, when it was by a form that they were asked last."""
    newest = session.execute(
        select(Consent.source, Consent.wording)
        .where(Consent.subscription_id == subscription_id, Consent.kind == ConsentKind.ASKED)
        .order_by(Consent.id.desc())
        .limit(1)
    ).one_or_none()
    return newest.wording if newest is not None and newest.source.startswith(SOURCE) else ""


def confirm_subscription(session: Session, subscription_id: int, source: str, now: datetime) -> Confirmation:
    """The reader confirmed: the subscription becomes active and the courses that waited begin.

    Confirming twice changes nothing, and a subscription that has ended since stays ended: the page
    says so. Raises BadLink.
    """
    seen = look_at_confirmation(session, subscription_id)
    # Read again under the lock: another click may have changed it since `seen`.
    subscription = session.execute(
        select(Subscription)
        .where(Subscription.id == subscription_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).scalar_one()
    subscriber = session.get_one(Subscriber, subscription.subscriber_id)
    evidence = Evidence(wording=seen.consent or seen.list_title, source=source)
    is_new = confirm(session, subscription, evidence, now)
    if is_new:
        take_name(session, subscription.id, subscriber)
        if lift_own_stop(session, subscriber.email) == SuppressionReason.SOFT_BOUNCE:
            enroll.go_on(session, subscriber.email, now)
        enroll.start_waiting(session, subscriber, subscription.list_id, now)
        session.add(Event(kind=EventKind.CONFIRMED, at=now, subscriber_id=subscriber.id, detail=source))
        list_ = session.get_one(MailingList, subscription.list_id)
        tell(session, WebhookKind.CONFIRMED, now, [Fact(subscriber.id, {"list": list_.slug})])
        session.flush()
    course_title, first_lesson_on = _running_course(session, subscriber, subscription.list_id, now)
    return replace(
        seen,
        is_ended=subscription.state == SubscriptionState.ENDED,
        is_active=subscription.state == SubscriptionState.ACTIVE,
        is_new=is_new,
        course_title=course_title,
        first_lesson_on=first_lesson_on,
    )


def _running_course(
    session: Session, subscriber: Subscriber, list_id: int, now: datetime
) -> tuple[str | None, date | None]:
    """The title of the course of this list they are in, and the day of its first lesson if still to come."""
    row = session.execute(
        select(Enrollment, Course.title)
        .join(Course, Course.id == Enrollment.course_id)
        .where(
            Enrollment.subscriber_id == subscriber.id,
            Enrollment.state == EnrollmentState.ACTIVE,
            Course.list_id == list_id,
        )
        .order_by(Enrollment.id)
        .limit(1)
    ).one_or_none()
    if row is None:
        return None, None
    enrollment, title = row
    plan = load_plan(session, enrollment.course_id)
    if not plan.steps or enrollment.anchor_date is None:
        return title, None
    first_on = enrollment.anchor_date + timedelta(days=plan.steps[0].day - enrollment.anchor_day)
    is_to_come = first_on >= local_date(now, subscriber.zone or plan.zone)
    return title, first_on if is_to_come else None


def unsubscribe(session: Session, delivery_id: int, *, everything: bool, source: str, now: datetime) -> bool:
    """End the subscription that this mail was sent for, or stop all mail to its reader.

    Always works: doing it twice changes nothing. Returns whether anything changed; raises BadLink
    when there is no such mail.
    """
    delivery = session.get(Delivery, delivery_id)
    if delivery is None:
        raise BadLink
    return leave(
        session,
        delivery.subscriber_id,
        None if everything else delivery.list_id,
        source=source,
        now=now,
        delivery_id=delivery_id,
    )


def leave(
    session: Session,
    subscriber_id: int,
    list_id: int | None,
    *,
    source: str,
    now: datetime,
    delivery_id: int | None = None,
) -> bool:
    """End one subscription and its courses, or (list_id None) all of them, and mail nothing any more."""
    chosen = select(Subscription).where(Subscription.subscriber_id == subscriber_id)
    if list_id is not None:
        chosen = chosen.where(Subscription.list_id == list_id)
    evidence = Evidence(wording="", source=source)
    # In order, so that two who stop everything at once do not wait for each other.
    locked = (
        chosen.order_by(Subscription.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    ended = [
        end_subscription(session, subscription, evidence, now)
        for subscription in session.execute(locked).scalars().all()
    ]
    enroll.stop(session, subscriber_id, "unsubscribed", now, list_id)
    changed = any(ended)
    if list_id is None:
        email = session.get_one(Subscriber, subscriber_id).email
        changed |= suppress(session, email, SuppressionReason.EVERYTHING, now, detail=source)
    if changed:
        detail = "everything" if list_id is None else ""
        session.add(
            Event(
                kind=EventKind.UNSUBSCRIBED,
                at=now,
                subscriber_id=subscriber_id,
                delivery_id=delivery_id,
                detail=detail,
            )
        )
        list_ = None if list_id is None else session.get_one(MailingList, list_id)
        more = {"everything": True} if list_ is None else {"list": list_.slug}
        tell(session, WebhookKind.UNSUBSCRIBED, now, [Fact(subscriber_id, more)])
    return changed


def change_details(
    session: Session,
    subscriber_id: int,
    *,
    name: str,
    language: str | None = None,
    zone_name: str | None = None,
    now: datetime,
) -> None:
    """What a reader says about themselves; their lessons keep to a new zone from the next one on.

    None: they say nothing of it, and it stays as it is. Raises UnknownZone or Refused.
    """
    if describe(session, subscriber_id, name=name, language=language, zone_name=zone_name):
        keep_to_zone(session, subscriber_id, zone_name, now)
