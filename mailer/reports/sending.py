"""How far a campaign is while it leaves: what has left, how fast, and when it will be done."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from mailer.delivery.holds import in_force
from mailer.delivery.sources import read_sources
from mailer.models import CampaignPhase, CampaignState, DeliveryState, HoldCause, Lane
from mailer.outbox import campaign_source
from mailer.reports.campaigns import CampaignReport, describe_campaign
from mailer.schedule.campaigns import get_campaign

_S = DeliveryState
NOT_REACHED = (_S.BOUNCED, _S.FAILED, _S.SUPPRESSED, _S.SKIPPED, _S.CANCELLED)
"""Ends at which somebody did not get the mail."""
FARTHEST = timedelta(days=30)


@dataclass(frozen=True)
class Progress:
    """A campaign at this moment. `per_second` is of the last minute, None when nothing was accepted in it.

    `waiting` are planned or with a worker, `aside` held or quarantined. `hold` is why it is paused: what a
    person wrote or its canary found; `by_canary` tells the two apart. `is_stopped_above`: all sending, its
    lane or its sender is on hold. `ends_at` is when what waits will have left at this rate, None while nobody
    can tell.
    """

    report: CampaignReport
    per_second: float | None
    hold: str
    by_canary: bool
    is_stopped_above: bool
    ends_at: datetime | None = None

    @property
    def accepted(self) -> int:
        return self.report.statement.states[_S.ACCEPTED]

    @property
    def not_reached(self) -> int:
        return sum(self.report.statement.states[state] for state in NOT_REACHED)

    @property
    def uncertain(self) -> int:
        return self.report.statement.states[_S.UNCERTAIN]

    @property
    def waiting(self) -> int:
        return self.report.statement.states[_S.PLANNED] + self.report.statement.states[_S.SENDING]

    @property
    def held(self) -> int:
        return self.report.statement.states[_S.HELD]

    @property
    def quarantined(self) -> int:
        return self.report.statement.states[_S.QUARANTINED]

    @property
    def ended(self) -> int:
        """Mails that have reached an end, those that went with their person among them."""
        return self.report.statement.audience - self.report.statement.open

    @property
    def share(self) -> float:
        """How much of the audience has reached an end, 0..1."""
        return self.ended / self.report.statement.audience if self.report.statement.audience else 0.0

    @property
    def is_over(self) -> bool:
        """Whether nothing of it can change any more by itself."""
        return self.report.row.finished_at is not None

    @property
    def is_under_way(self) -> bool:
        """Whether its time has come and it has not ended."""
        row = self.report.row
        return row.state in (CampaignState.SENDING, CampaignState.CANCELLED) and not self.is_over

    @property
    def may_be_chosen(self) -> bool:
        """Whether its test is under way, so that somebody may choose a variant."""
        row = self.report.row
        is_test = row.phase == CampaignPhase.TEST and row.state == CampaignState.SENDING
        return is_test and self.report.phases is not None and self.report.phases.winner is None


# By the database's clock, as moves are written; ix_moves_at finds the last minute of all sources.
_LAST_MINUTE = text("""
    SELECT sum(mails)::bigint FROM moves
    WHERE at > clock_timestamp() - interval '1 minute' AND new_state = 'accepted' AND source = :source
    """)
_HOLDS = text("""
    SELECT cause, reason FROM holds
    WHERE scope = 'campaign' AND target = :slug AND released_at IS NULL ORDER BY cause = 'canary' DESC, id
    """)


def campaign_progress(session: Session, slug: str, now: datetime) -> Progress:
    """The campaign of this slug at `now`; it costs the same however large it is. Raises NotFound."""
    campaign = get_campaign(session, slug)
    report = describe_campaign(session, slug, at_a_glance=True)
    name = campaign_source(campaign.id)
    sent = session.execute(_LAST_MINUTE, {"source": name}).scalar_one()
    stops = session.execute(_HOLDS, {"slug": slug}).all()
    is_stopped = in_force(session).stops(Lane.CAMPAIGN, *read_sources(session, [name]))
    found = Progress(
        report=report,
        per_second=sent / 60 if sent else None,
        hold=next((stop.reason for stop in stops if stop.reason), ""),
        by_canary=any(stop.cause == HoldCause.CANARY for stop in stops),
        is_stopped_above=is_stopped and not report.row.is_paused,
    )
    return replace(found, ends_at=_ends_at(found, now, is_stopped=is_stopped))


def _ends_at(found: Progress, now: datetime, *, is_stopped: bool) -> datetime | None:
    """At the rate of the last minute; nobody can tell while a part of it waits for something else."""
    row, statement = found.report.row, found.report.statement
    waits_for_more = is_stopped or found.held or row.local is not None or not statement.is_complete
    if not found.is_under_way or waits_for_more or not found.waiting or not found.per_second:
        return None
    return now + min(timedelta(seconds=found.waiting / found.per_second), FARTHEST)
