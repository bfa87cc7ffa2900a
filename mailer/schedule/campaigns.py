"""Campaigns by their slugs, and what becomes of their mails when a reader moves."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, select, update
from sqlalchemy.orm import Session

from mailer import outbox
from mailer.db import among, written_out
from mailer.errors import NotFound
from mailer.models import Campaign, CampaignState, Delivery, DeliveryState, Lane, Subscriber
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


def _waits_for_its_hour(now: datetime) -> ColumnElement[bool]:
    return and_(
        Delivery.state == written_out(DeliveryState.PLANNED),
        Delivery.lane == written_out(Lane.CAMPAIGN),
        Delivery.reason == "",
        Delivery.next_attempt_at > now,
    )


def move_to_zone(session: Session, subscriber_id: int, zone_name: str | None, now: datetime) -> None:
    """Have this reader's campaign mails that go by local time leave by the clock of their new zone.

    Without one (None) they go by the zone that each campaign has for such people. One that was put somewhere
    because its time was past in a zone stays there, as does one that waits for something else.
    """
    rows = session.execute(
        select(Delivery.id, Campaign.local)
        .join(Campaign, Campaign.id == Delivery.campaign_id)
        .where(Delivery.subscriber_id == subscriber_id, _waits_for_its_hour(now))
    )
    for delivery_id, values in rows.all():
        local = LocalTime.of(values)
        if local is None:
            continue
        own = local.zone_of(zone_name)
        if not local.is_past_in(own):
            outbox.put_off(session, delivery_id, local.departure(own).due_at, now)


def move_people(session: Session, subscriber_ids: Sequence[int], now: datetime) -> None:
    """`move_to_zone` for many at once, by the zones that they have now."""
    under_way = select(Campaign).where(Campaign.state == CampaignState.SENDING, Campaign.local != {})
    is_one = among(Delivery.subscriber_id, subscriber_ids)
    for campaign in session.scalars(under_way):
        move_with_rules(session, campaign, now, is_one)


def move_with_rules(
    session: Session, campaign: Campaign, now: datetime, chosen: ColumnElement[bool] | None = None
) -> None:
    """Have the mails of a campaign that goes by local time leave by the zone rules as they are now.

    With `chosen`, a condition on deliveries, only those. What `move_to_zone` leaves where it is stays here
    too.
    """
    local = LocalTime.of(campaign.local)
    if local is None:
        return
    is_its = and_(Delivery.campaign_id == campaign.id, _waits_for_its_hour(now))
    if chosen is not None:
        # By its source it is found where dispatch looks, however many mails there are.
        is_its = and_(is_its, Delivery.source == f"campaign:{campaign.id}", chosen)
    of_reader = Subscriber.id == Delivery.subscriber_id
    zones = session.execute(select(Subscriber.zone).join(Delivery, of_reader).where(is_its).distinct())
    for zone_name in zones.scalars().all():
        own = local.zone_of(zone_name)
        if local.is_past_in(own):
            continue
        due_at = local.departure(own).due_at
        session.execute(
            update(Delivery)
            .where(is_its, of_reader, Subscriber.zone.is_not_distinct_from(zone_name))
            .where(Delivery.next_attempt_at != due_at)
            .values(next_attempt_at=func.greatest(due_at, now))
        )
