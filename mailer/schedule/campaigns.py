"""Campaigns by their slugs, and what becomes of their mails when a reader moves."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer import outbox
from mailer.errors import NotFound
from mailer.models import Campaign, Delivery, DeliveryState, Lane
from mailer.schedule.local_time import LocalTime


def find_campaign(session: Session, slug: str) -> Campaign | None:
    """The campaign of this slug as it is now, or None."""
    chosen = select(Campaign).where(Campaign.slug == slug).execution_options(populate_existing=True)
    return session.execute(chosen).scalar_one_or_none()


def get_campaign(session: Session, slug: str) -> Campaign:
    """The campaign of this slug; raises NotFound."""
    found = find_campaign(session, slug)
    if found is None:
        raise NotFound(f"There is no campaign {slug!r}; `steadypost campaign list` shows them all")
    return found


def move_to_zone(session: Session, subscriber_id: int, zone_name: str | None, now: datetime) -> None:
    """Have this reader's campaign mails that go by local time leave by the clock of their new zone.

    Without one (None) they go by the zone that each campaign has for such people. One that was put somewhere
    because its time was past in a zone stays there, as does one that waits for something else.
    """
    rows = session.execute(
        select(Delivery.id, Campaign.local)
        .join(Campaign, Campaign.id == Delivery.campaign_id)
        .where(
            Delivery.subscriber_id == subscriber_id,
            Delivery.state == DeliveryState.PLANNED,
            Delivery.lane == Lane.CAMPAIGN,
            Delivery.reason == "",
            Delivery.next_attempt_at > now,
        )
    )
    for delivery_id, values in rows.all():
        local = LocalTime.of(values)
        if local is None:
            continue
        own = local.zone_of(zone_name)
        if not local.is_past_in(own):
            outbox.put_off(session, delivery_id, local.departure(own).due_at, now)
