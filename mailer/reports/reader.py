"""What a reader's own pages show: who they are to us, and what they receive."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mailer.links import BadLink
from mailer.models import (
    Campaign,
    Course,
    Delivery,
    DeliveryKind,
    MailingList,
    Message,
    Sender,
    Subscriber,
    Subscription,
    SubscriptionState,
)


@dataclass(frozen=True)
class Receives:
    """One list somebody is or was on."""

    list_id: int
    title: str
    state: str

    @property
    def is_ended(self) -> bool:
        """Whether nothing of it comes any more."""
        return self.state == SubscriptionState.ENDED

    @property
    def is_pending(self) -> bool:
        """Whether it waits for the reader to confirm."""
        return self.state == SubscriptionState.PENDING


@dataclass(frozen=True)
class ReaderPage:
    """The reader of one mail. `language` is how to speak to them.

    `about_title` is the list that the mail belongs to, `is_course` whether a course comes by that list, and
    `is_list_gone` whether it was deleted, so that nobody can come back to it.
    """

    subscriber_id: int
    email: str
    name: str
    language: str
    zone: str
    about_list_id: int
    about_title: str
    is_confirmation: bool
    receives: tuple[Receives, ...]
    sender_name: str
    is_course: bool
    is_list_gone: bool

    @property
    def about(self) -> Receives:
        """The list that the mail belongs to, as it stands for this reader."""
        return next(
            (one for one in self.receives if one.list_id == self.about_list_id),
            Receives(self.about_list_id, self.about_title, SubscriptionState.ENDED),
        )


def reader_of(session: Session, delivery_id: int) -> ReaderPage:
    """Who received this mail; raises BadLink when there is no such mail.

    Only the mail's own list is among what they receive: links get forwarded, and what else somebody
    reads may be about their health.
    """
    senders = (Message.sender_id, Campaign.sender_id, Course.sender_id, MailingList.sender_id)
    row = session.execute(
        select(Delivery, Subscriber, MailingList, Course, Campaign.language, Sender.name)
        .join(Subscriber, Subscriber.id == Delivery.subscriber_id)
        .join(MailingList, MailingList.id == Delivery.list_id)
        .outerjoin(Course, Course.list_id == MailingList.id)
        .outerjoin(Campaign, Campaign.id == Delivery.campaign_id)
        .outerjoin(Message, Message.id == Delivery.message_id)
        .outerjoin(Sender, Sender.id == func.coalesce(*senders))
        .where(Delivery.id == delivery_id)
        .order_by(Course.id)
        .limit(1)
    ).one_or_none()
    if row is None:
        raise BadLink
    delivery, subscriber, list_, course, language, sender_name = row
    lists = session.execute(
        select(Subscription.list_id, MailingList.title, Subscription.state)
        .join(MailingList, MailingList.id == Subscription.list_id)
        .where(Subscription.subscriber_id == subscriber.id, Subscription.list_id == list_.id)
    )
    return ReaderPage(
        subscriber_id=subscriber.id,
        email=subscriber.email,
        name=subscriber.name,
        language=subscriber.language or language or (course.language if course else "en"),
        zone=subscriber.zone or (course.zone if course else "Etc/UTC"),
        about_list_id=list_.id,
        about_title=list_.title,
        is_confirmation=delivery.kind == DeliveryKind.CONFIRM,
        receives=tuple(Receives(*found) for found in lists),
        sender_name=sender_name or "",
        is_course=course is not None,
        is_list_gone=list_.removed_at is not None,
    )
