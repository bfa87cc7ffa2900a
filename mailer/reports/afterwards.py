"""What came back of a campaign's mails after servers took them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mailer.delivery.ledger import of_campaign
from mailer.models import Campaign, Delivery, Event, EventKind
from mailer.reports.phases import bounced_later, complaints


@dataclass(frozen=True)
class Afterwards:
    """Of the accepted ones: mails that bounced later, people who complained since, people who left by it."""

    bounced_later: int
    complaints: int
    left: int


def afterwards(session: Session, campaign: Campaign) -> Afterwards:
    """All of it; reads every event since the campaign began."""
    if campaign.starts_at is None:  # cancelled before it had a time
        return Afterwards(0, 0, 0)
    left = session.execute(
        select(func.count(Event.subscriber_id.distinct()))
        .join(Delivery, Delivery.id == Event.delivery_id)
        .where(Event.kind == EventKind.UNSUBSCRIBED, Event.at >= campaign.starts_at, of_campaign(campaign))
    ).scalar_one()
    return Afterwards(bounced_later(session, campaign), complaints(session, campaign), left)
