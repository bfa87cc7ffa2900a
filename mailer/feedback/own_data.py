"""A person asks what is kept of them: a link to their own inbox, and what they do with it.

Pages are reached by links in mails, and mails get forwarded. All that is kept of somebody, which may be about
their health, is only for whoever reads their inbox now: so the way to it is a mail of its own, for two days.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer import outbox
from mailer.audience.erasing import Erased, erase_subscriber
from mailer.audience.suppression import LIFTED_BY_CONFIRMING, find_suppression, short_hash
from mailer.errors import MailerError
from mailer.links import BadLink
from mailer.models import Action, Delivery, DeliveryKind, Subscriber
from mailer.schedule.enroll import system_message

GOOD_FOR = timedelta(days=2)
ASKED_AT_MOST = 3
"""Such mails a day: a forwarded link must not fill somebody's inbox."""
WHO = "the reader"
"""Who erased a person, in the record of actions, when it was they themselves."""


class DataLinkOld(MailerError):
    """This link to somebody's data has run out; they ask for another on a page of theirs."""


class Answer(StrEnum):
    """What became of the wish."""

    MAILED = "data-mailed"
    TOO_OFTEN = "too-often"
    BLOCKED = "blocked"


def ask_for_data(session: Session, subscriber_id: int, list_id: int, language: str, now: datetime) -> Answer:
    """Mail somebody the link to what is kept of them; it comes from this list's sender."""
    # Locked: two presses of the button at once are counted one after the other.
    subscriber = session.get_one(Subscriber, subscriber_id, with_for_update={"key_share": True})
    stopped = find_suppression(session, subscriber.email, now)
    if stopped is not None and stopped.reason not in LIFTED_BY_CONFIRMING:
        return Answer.BLOCKED
    mine = (Delivery.subscriber_id == subscriber_id, Delivery.kind == DeliveryKind.DATA)
    dates = session.execute(select(Delivery.due_at).where(*mine)).scalars().all()
    if sum(at > now - timedelta(days=1) for at in dates) >= ASKED_AT_MOST:
        return Answer.TOO_OFTEN
    row = outbox.NewDelivery(
        dedup_key=outbox.dedup_key(DeliveryKind.DATA, list_id, "data", subscriber_id, len(dates) + 1),
        kind=DeliveryKind.DATA,
        subscriber_id=subscriber_id,
        message_id=system_message(session, "data", language),
        list_id=list_id,
        due_at=now,
        began_at=now,
    )
    outbox.write(session, [row], now)
    return Answer.MAILED


def whose_data(session: Session, delivery_id: int, now: datetime) -> int:
    """The subscriber whose data the link in this mail leads to; raises BadLink or DataLinkOld."""
    found = session.execute(
        select(Delivery.subscriber_id, Delivery.due_at).where(
            Delivery.id == delivery_id, Delivery.kind == DeliveryKind.DATA
        )
    ).one_or_none()
    if found is None:
        raise BadLink
    if now > found.due_at + GOOD_FOR:
        raise DataLinkOld
    return int(found.subscriber_id)


def erase_themselves(session: Session, delivery_id: int, now: datetime) -> Erased:
    """Forget the person whose mail this is, as they ask; raises BadLink or DataLinkOld."""
    subscriber_id = whose_data(session, delivery_id, now)
    hashed = short_hash(session.get_one(Subscriber, subscriber_id).email)
    erased = erase_subscriber(session, subscriber_id, now)
    session.add(Action(at=now, who=WHO, what="subscriber erase", detail={"address": hashed}, rows=1))
    session.flush()
    return erased
