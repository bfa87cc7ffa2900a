"""The tick's part in campaigns: the audience is written once, and the end is set when the sums add up."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime

from sqlalchemy import and_, or_, select, text
from sqlalchemy.orm import Session

from mailer import outbox, tally
from mailer.audience.aim import Aim, narrowing
from mailer.audience.recipients import RECIPIENTS, list_ids_of
from mailer.db import as_array
from mailer.delivery.dispatch import take_back
from mailer.delivery.states import ENDS
from mailer.errors import MailerError
from mailer.launch.campaign_rows import is_under_way, waits_for
from mailer.models import Action, Campaign, CampaignState, Delivery, DeliveryState, WebhookKind
from mailer.schedule.local_time import LocalTime
from mailer.webhooks.tell import Fact, tell

CHUNK = 10_000
"""Rows of one transaction: a fraction of a second, after which others have their turn."""


def materialise(session: Session, now: datetime, limit: int = CHUNK) -> int:
    """Write the next rows of a campaign whose time has come; returns how many people were looked at.

    Ask again until it is 0. How far it is stands in the campaign's own row, in the same transaction: a run
    that was killed is gone on with, and two at once are one, since the row is locked. The audience is fixed
    with the last chunk.
    """
    is_due = and_(
        Campaign.state == CampaignState.SCHEDULED, Campaign.starts_at <= now, ~Campaign.awaits_approval
    )
    is_begun = and_(Campaign.state == CampaignState.SENDING, Campaign.materialised_at.is_(None))
    campaign = session.execute(
        select(Campaign)
        .where(or_(is_due, is_begun))
        .order_by(Campaign.starts_at, Campaign.id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if campaign is None or campaign.starts_at is None:
        return 0
    campaign.state = CampaignState.SENDING
    # "Within 14 days" means the same in the last chunk as in the first.
    campaign.begun_at = campaign.begun_at or now
    try:
        narrowed = narrowing(session, Aim.of(campaign.aim), campaign.begun_at)
    except MailerError as error:
        return _give_back(session, campaign, now, str(error))
    lists = list_ids_of(session, campaign.list_ids)
    chosen = {"lists": as_array(lists), "after": campaign.written_up_to, "limit": limit}
    written = outbox.write_campaign(
        session,
        _mail(campaign, campaign.starts_at),
        RECIPIENTS,
        chosen,
        now,
        narrowed.chosen if campaign.aim else None,
    )
    campaign.audience += written.rows
    campaign.passed_over += written.passed_over
    campaign.written_up_to = written.last_subscriber_id or campaign.written_up_to
    if written.people < limit:
        campaign.materialised_at = now
    session.flush()
    return written.people


def _give_back(session: Session, campaign: Campaign, now: datetime, why: str) -> int:
    """Send nothing to people of whom nobody knows whether it is for them, and let other campaigns go on.

    One that nothing was written of is a draft again; the rest of another is cancelled. Both are in the log.
    """
    if campaign.written_up_to:
        campaign.state, campaign.materialised_at = CampaignState.CANCELLED, now
    else:
        campaign.state, campaign.starts_at, campaign.begun_at = CampaignState.DRAFT, None, None
        campaign.approved_by = None
    detail = {"campaign": campaign.slug, "reason": why}
    session.add(Action(at=now, who="tick", what=f"campaign {campaign.state}", detail=detail, rows=0))
    session.flush()
    return 0


def _mail(campaign: Campaign, starts_at: datetime) -> outbox.CampaignMail:
    """The campaign's mail: all at one moment, or at one for each zone."""
    mail = outbox.CampaignMail(
        *(campaign.id, campaign.messages, campaign.language, starts_at), held=waits_for(campaign)
    )
    local = LocalTime.of(campaign.local)
    if local is None:
        return mail
    without_zone = local.departure(local.zone)
    return replace(
        mail,
        due_at=without_zone.due_at,
        is_skipped=without_zone.is_skipped,
        departures=local.departures(),
        began_at=starts_at,
    )


def wind_up(session: Session, now: datetime, limit: int = CHUNK) -> int:
    """Cancel what is left of cancelled campaigns, and set the end of those that have reached it.

    Returns how many rows were cancelled, `limit` at most; ask again until it is 0.
    """
    open_ones = session.execute(
        select(Campaign)
        .where(
            Campaign.state.in_((CampaignState.SENDING, CampaignState.CANCELLED)),
            Campaign.materialised_at.is_not(None),
            Campaign.finished_at.is_(None),
        )
        .order_by(Campaign.id)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    ).scalars()
    cancelled = 0
    for campaign in open_ones.all():
        if campaign.state == CampaignState.CANCELLED:
            cancelled += _cancel_rows(session, campaign, now, limit - cancelled)
        is_sending = campaign.state == CampaignState.SENDING and campaign.audience > 0
        is_between = is_sending and is_under_way(campaign)
        if not is_between and _has_ended(session, campaign):
            campaign.finished_at = now
            if campaign.state == CampaignState.SENDING:
                campaign.state = CampaignState.FINISHED
            told = {"campaign": campaign.slug, "state": campaign.state}
            tell(session, WebhookKind.CAMPAIGN_FINISHED, now, [Fact(more=told)])
    session.flush()
    return cancelled


# What a worker has stays with it; should it come back as planned, the next look finds it. Along the index
# that each state is in, so that a chunk reads no more than it changes.
CANCEL = """
    WITH chosen AS (
        SELECT id, state AS was FROM deliveries
        WHERE source = :source AND {which} LIMIT :limit FOR UPDATE SKIP LOCKED
    )
    UPDATE deliveries AS d
    SET state = 'cancelled', reason = 'campaign cancelled', settled_at = :now
    FROM chosen WHERE d.id = chosen.id
    RETURNING d.lane, d.source, d.kind, d.step_id, chosen.was
    """
WHICH = (
    "lane = 'campaign' AND state = 'planned' ORDER BY next_attempt_at, id",
    "state = 'held' AND state NOT IN ('planned', 'sending', 'accepted') ORDER BY id",
    "state = 'quarantined' AND state NOT IN ('planned', 'sending', 'accepted') ORDER BY id",
)


def _cancel_rows(session: Session, campaign: Campaign, now: datetime, limit: int) -> int:
    source = outbox.campaign_source(campaign.id)
    take_back(session, [Delivery.source == source])
    moved: Counter[tuple[tally.Place, str]] = Counter()
    for which in WHICH:
        values = {"source": source, "limit": max(0, limit - moved.total()), "now": now}
        rows = session.execute(text(CANCEL.format(which=which)), values)
        moved.update((tally.Place(*row[:4]), row.was) for row in rows)
    changes = {
        tally.Change(place, was, DeliveryState.CANCELLED): mails for (place, was), mails in moved.items()
    }
    tally.note(session, changes)
    return moved.total()


def _has_ended(session: Session, campaign: Campaign) -> bool:
    """Whether the audience equals the sum of the ends, with the rows that went with their person."""
    ended = (*ENDS, tally.FORGOTTEN)
    counted = tally.counts(session, [outbox.campaign_source(campaign.id)])
    return sum(mails for (_, state), mails in counted.items() if state in ended) == campaign.audience
