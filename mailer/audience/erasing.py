"""Erasing somebody: what is known of them goes, and what stays says nothing about them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, delete, func, select, update
from sqlalchemy.orm import Session

from mailer.audience.addresses import address_hash
from mailer.audience.subscribers import subscriber_of
from mailer.audience.suppression import suppress
from mailer.models import Delivery, Message, Subscription, Suppression, SuppressionReason

ERASED = "erased"


@dataclass(frozen=True)
class Erased:
    """How much of somebody there was: their mails, and the lists they were or had been on."""

    mails: int
    lists: int


def written_for(subscriber_id: int) -> str:
    """The source of messages that were written for this person alone."""
    return f"mail/to/{subscriber_id}"


def erase_subscriber(session: Session, subscriber_id: int, now: datetime) -> Erased:
    """Forget a person for good (GDPR Art. 17); raises UnknownPerson. It cannot be undone.

    Gone with them: name, address, fields and tags; their lists with the evidence of consent; their courses,
    pace and answers; their mails, attempts, clicks and events; what webhooks were to be told of them, and
    messages that were written for them alone.

    What stays: a suppression by a hash of their address, without the address, so that the next import does
    not bring them back; whoever signs up again is asked to confirm, and is mailed after that (a bounce or a
    complaint from before stays one). Counts of mails, in which theirs are "forgotten", so that statements
    still balance. In the record of actions a hash of the address, where somebody acted on it.
    """
    subscriber = subscriber_of(session, subscriber_id)
    erased = Erased(
        mails=_count(session, select(Delivery.id).where(Delivery.subscriber_id == subscriber_id)),
        lists=_count(session, select(Subscription.id).where(Subscription.subscriber_id == subscriber_id)),
    )
    suppress(session, subscriber.email, SuppressionReason.EVERYTHING, now, detail=ERASED)
    # What a server said of a bounce may quote the address.
    of_them = Suppression.email_hash == address_hash(subscriber.email_key)
    session.execute(update(Suppression).where(of_them).values(email=None, detail=ERASED))
    session.execute(delete(Message).where(Message.source == written_for(subscriber_id)))
    session.delete(subscriber)
    session.flush()
    return erased


def _count(session: Session, rows: Select[int]) -> int:
    return session.execute(select(func.count()).select_from(rows.subquery())).scalar_one()
