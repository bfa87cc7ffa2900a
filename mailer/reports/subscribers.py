"""People in rows: what a list of them shows, and what is written out of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.audience.addresses import address_hash
from mailer.audience.suppression import in_force
from mailer.models import MailingList, Subscriber, Subscription, Suppression


@dataclass(frozen=True)
class PersonRow:
    """Somebody with the lists they are or were on, as (slug, title, state), and why they are not mailed."""

    person: Subscriber
    lists: tuple[tuple[str, str, str], ...]
    suppressed: str


def person_rows(session: Session, people: Sequence[Subscriber], now: datetime) -> list[PersonRow]:
    """These people in their order, with two looks for all of them."""
    ids = [one.id for one in people]
    found = session.execute(
        select(Subscription.subscriber_id, MailingList.slug, MailingList.title, Subscription.state)
        .join(MailingList, MailingList.id == Subscription.list_id)
        .where(Subscription.subscriber_id.in_(ids))
        .order_by(Subscription.subscriber_id, MailingList.title)
    )
    lists: dict[int, list[tuple[str, str, str]]] = {}
    for subscriber_id, slug, title, state in found:
        lists.setdefault(subscriber_id, []).append((slug, title, state))
    hashes = [address_hash(one.email_key) for one in people]
    stopped = session.execute(
        select(Suppression.email_hash, Suppression.reason).where(
            Suppression.email_hash.in_(hashes), in_force(now)
        )
    )
    reasons: dict[bytes, str] = {hash_: reason for hash_, reason in stopped}  # noqa: C416
    return [
        PersonRow(one, tuple(lists.get(one.id, ())), reasons.get(hash_, ""))
        for one, hash_ in zip(people, hashes, strict=True)
    ]
