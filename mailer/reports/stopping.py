"""What a pause stops and a resume lets go: how many mails wait, by the tallies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer import tally
from mailer.delivery.sources import read_sources
from mailer.models import Campaign, CampaignState, Course, DeliveryState, HoldScope, Sender


@dataclass(frozen=True)
class Targets:
    """What can be paused by name."""

    courses: Sequence[str]
    campaigns: Sequence[str]
    senders: Sequence[str]


def targets(session: Session) -> Targets:
    """The published courses, the campaigns that are not over, and the senders."""
    is_open = Campaign.state.not_in([CampaignState.FINISHED, CampaignState.CANCELLED])
    return Targets(
        list(session.scalars(select(Course.slug).order_by(Course.slug))),
        list(session.scalars(select(Campaign.slug).where(is_open).order_by(Campaign.slug))),
        list(session.scalars(select(Sender.slug).order_by(Sender.slug))),
    )


def planned_of(session: Session, scope: HoldScope, target: str) -> int | None:
    """How many planned mails are of this; None where nobody has counted (domains)."""
    if scope == HoldScope.DOMAIN:
        return None
    planned = {
        place: mails
        for (place, state), mails in tally.counts(session).items()
        if state == DeliveryState.PLANNED
    }
    if scope == HoldScope.EVERYTHING:
        return sum(planned.values())
    if scope == HoldScope.LANE:
        return sum(mails for place, mails in planned.items() if place.lane == target)
    names = _names(session, scope, target, sorted({place.source for place in planned}))
    return sum(mails for place, mails in planned.items() if place.source in names)


def _names(session: Session, scope: HoldScope, target: str, known: Sequence[str]) -> set[str]:
    if scope == HoldScope.SENDER:
        sender_id = session.scalar(select(Sender.id).where(Sender.slug == target))
        return {one.name for one in read_sources(session, known) if one.sender_id == sender_id}
    model = Course if scope == HoldScope.COURSE else Campaign
    found = session.scalar(select(model.id).where(model.slug == target))
    return {f"{scope}:{found}"}
