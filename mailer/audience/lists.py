"""Lists and consent to them. Every change of a consent leaves a row of evidence."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from mailer.audience.subscribers import tidy_name
from mailer.audience.suppression import find_suppression
from mailer.errors import NotFound, Refused
from mailer.models import (
    Consent,
    ConsentKind,
    MailingList,
    OptIn,
    Subscriber,
    Subscription,
    SubscriptionState,
    SuppressionReason,
)

SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
BEFORE_ID = "~"
"""Between what a deleted list was called and its id, which make up its slug: nobody can write one."""


@dataclass(frozen=True)
class Evidence:
    """How somebody agreed: the words they saw, and by which way (a form, an import, a link)."""

    wording: str
    source: str


def add_list(
    session: Session, slug: str, title: str, opt_in: OptIn, sender_id: int | None = None
) -> MailingList:
    """The list `slug` with this title, opt-in and sender, made if it is new. Raises Refused."""
    if not SLUG.fullmatch(slug):
        raise Refused(f"{slug!r} cannot name a list; use small letters, digits and -, as in calm-week.")
    title = tidy_name(title)
    if not title:
        raise Refused("A list needs a title: it is what readers see.")
    session.execute(
        insert(MailingList)
        .values(slug=slug, title=title, opt_in=opt_in)
        .on_conflict_do_nothing(index_elements=["slug"])
    )
    list_ = get_list(session, slug)
    keep_list(session, list_.id)
    list_.title, list_.opt_in = title, opt_in
    list_.sender_id = sender_id or list_.sender_id
    session.flush()
    return list_


def find_list(session: Session, slug: str) -> MailingList | None:
    """The list of this slug, if there is one."""
    is_it = (MailingList.slug == slug, MailingList.removed_at.is_(None))
    return session.execute(select(MailingList).where(*is_it)).scalar_one_or_none()


def get_list(session: Session, slug: str, *, for_update: bool = False) -> MailingList:
    """The list of this slug, locked `for_update`; raises NotFound."""
    found = find_list(session, slug)
    if found is not None and for_update:
        session.refresh(found, with_for_update=True)
    if found is None:
        raise NotFound(f"There is no list {slug!r}; `steadypost list list` shows them all")
    return found


def shown_slug(slug: str) -> str:
    """A list's slug for people to read: of one that is deleted what it was called, and that it is."""
    called, is_deleted, _ = slug.partition(BEFORE_ID)
    return f"{called} (deleted)" if is_deleted else called


def keep_list(session: Session, list_id: int) -> None:
    """Have the list stay until the transaction ends; raises Refused when it was deleted a moment ago.

    To be asked by whatever is to need a list from now on: deleting one waits for it, and then finds it.
    """
    chosen = select(MailingList.removed_at).where(MailingList.id == list_id)
    if session.execute(chosen.with_for_update(read=True, key_share=True)).scalar_one() is not None:
        raise Refused("This list was deleted a moment ago.")


def keep_lists(session: Session, slugs: Sequence[str]) -> list[int]:
    """The ids of the lists of these slugs, in their order, each kept as `keep_list` does. Raises Refused."""
    chosen = select(MailingList.slug, MailingList.id).where(MailingList.slug.in_(slugs))
    rows = session.execute(chosen.order_by(MailingList.id).with_for_update(read=True, key_share=True))
    found = {row.slug: row.id for row in rows}
    for slug in slugs:
        if slug not in found:
            raise Refused(f"The list {slug} was deleted a moment ago.")
    return [found[slug] for slug in slugs]


def list_lists(session: Session) -> Sequence[MailingList]:
    """Every list that was not deleted, by their titles."""
    is_there = MailingList.removed_at.is_(None)
    return session.scalars(select(MailingList).where(is_there).order_by(MailingList.title)).all()


def find_subscription(session: Session, subscriber_id: int, list_id: int) -> Subscription | None:
    """This person's subscription to this list as it is now, locked for a change."""
    return session.execute(
        select(Subscription)
        .where(Subscription.subscriber_id == subscriber_id, Subscription.list_id == list_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).scalar_one_or_none()


def subscribe(
    session: Session,
    subscriber_id: int,
    list_: MailingList,
    evidence: Evidence,
    now: datetime,
    *,
    must_confirm: bool = False,
) -> Subscription:
    """Put somebody on a list as far as their consent goes: active, or pending until they confirm.

    They confirm when the list says so, and whatever it says when they `must_confirm`.

    Somebody who is active already stays so. Somebody who left the list, or everything, comes back only
    by confirming, because the one who asks now may not be the one who left. Raises Refused for a list that
    was deleted a moment ago.
    """
    keep_list(session, list_.id)
    added = session.execute(
        insert(Subscription)
        .values(
            subscriber_id=subscriber_id, list_id=list_.id, state=SubscriptionState.PENDING, changed_at=now
        )
        .on_conflict_do_nothing(index_elements=["subscriber_id", "list_id"])
        .returning(Subscription.id)
    ).scalar_one_or_none()
    subscription = find_subscription(session, subscriber_id, list_.id)
    assert subscription is not None  # noqa: S101
    if subscription.state == SubscriptionState.ACTIVE:
        return subscription
    has_left = added is None or _has_left_everything(session, subscriber_id, now)
    is_active = list_.opt_in == OptIn.SINGLE and not has_left and not must_confirm
    subscription.state = SubscriptionState.ACTIVE if is_active else SubscriptionState.PENDING
    subscription.changed_at = now
    kind = ConsentKind.GIVEN if is_active else ConsentKind.ASKED
    record_consent(session, subscription.id, kind, evidence, now)
    return subscription


def _has_left_everything(session: Session, subscriber_id: int, now: datetime) -> bool:
    stopped = find_suppression(session, session.get_one(Subscriber, subscriber_id).email, now)
    return stopped is not None and stopped.reason == SuppressionReason.EVERYTHING


def confirm(session: Session, subscription: Subscription, evidence: Evidence, now: datetime) -> bool:
    """Make a pending subscription active; False when it was active already or has ended since."""
    if subscription.state != SubscriptionState.PENDING:
        return False
    subscription.state, subscription.changed_at = SubscriptionState.ACTIVE, now
    record_consent(session, subscription.id, ConsentKind.GIVEN, evidence, now)
    return True


def end_subscription(session: Session, subscription: Subscription, evidence: Evidence, now: datetime) -> bool:
    """Withdraw a consent; False when it had ended already."""
    if subscription.state == SubscriptionState.ENDED:
        return False
    subscription.state, subscription.changed_at = SubscriptionState.ENDED, now
    record_consent(session, subscription.id, ConsentKind.WITHDRAWN, evidence, now)
    return True


def record_consent(
    session: Session, subscription_id: int, kind: ConsentKind, evidence: Evidence, now: datetime
) -> None:
    """Add a row of evidence."""
    session.add(
        Consent(
            subscription_id=subscription_id,
            kind=kind,
            at=now,
            wording=evidence.wording,
            source=evidence.source,
        )
    )
    session.flush()
