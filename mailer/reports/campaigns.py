"""Campaigns at a glance, and one of them with its balanced statement."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, literal, or_, select, true, tuple_
from sqlalchemy.orm import Session

from mailer.audience.aim import Aim
from mailer.audience.lists import shown_slug
from mailer.delivery.holds import in_force
from mailer.models import Campaign, CampaignDraft, CampaignPhase, CampaignState, MailingList, Sender
from mailer.reports.patience import is_large
from mailer.reports.phase_words import Phases, describe_phases
from mailer.reports.statement import Statement, campaign_counts, campaign_statement
from mailer.schedule.campaigns import get_campaign
from mailer.schedule.local_time import LocalTime


@dataclass(frozen=True)
class CampaignRow:
    """One campaign. `audience` is what is written of it so far, and fixed once `materialised_at` is set.

    No `lists` means every list; `aim` says who of them, `local` at which hour of theirs. `passed_over` are
    those of the lists for whom it was not. `phase` is a word of CampaignPhase. While it `awaits_approval`
    nothing leaves; `approved_by` is who gave that.
    """

    slug: str
    subject: str
    state: str
    is_paused: bool
    lists: tuple[str, ...]
    aim: Aim
    local: LocalTime | None
    audience: int
    passed_over: int
    starts_at: datetime | None
    materialised_at: datetime | None
    finished_at: datetime | None
    phase: str = CampaignPhase.WHOLE
    awaits_approval: bool = False
    scheduled_by: str = ""
    approved_by: str | None = None

    @property
    def to_whom(self) -> str:
        """The people it is for, in words."""
        words = ", ".join(map(shown_slug, self.lists)) or "every list"
        if self.aim.within():
            words += f", {self.aim.within()}"
        return f"{words}, but not those {self.aim.without()}" if self.aim.without() else words

    def as_values(self) -> dict[str, Any]:
        """For programs; moments as ISO 8601."""
        values = asdict(self)
        moments = ("starts_at", "materialised_at", "finished_at")
        values["aim"] = self.aim.as_values()
        values["local"] = self.local.as_values() if self.local else None
        return values | {name: values[name].isoformat() if values[name] else None for name in moments}


@dataclass(frozen=True)
class CampaignReport:
    """One campaign in full. `sender` is written as in a mail; `languages` begin with everybody else's.

    `phases` is there when it has a canary or variants.
    """

    row: CampaignRow
    sender: str
    languages: tuple[str, ...]
    statement: Statement
    phases: Phases | None = None


@dataclass(frozen=True)
class DraftRow:
    """A campaign that is being written. `is_ready`: it could be sent as it is; False while it has errors."""

    slug: str
    subject: str
    saved_at: datetime
    saved_by: str
    is_ready: bool


def drafts_overview(session: Session, limit: int, before: datetime | None = None) -> list[DraftRow]:
    """Drafts, those saved last first, of those saved before that moment; also ones that only a row is of."""
    saved_at = func.coalesce(CampaignDraft.saved_at, Campaign.created_at)
    chosen = (
        select(
            func.coalesce(CampaignDraft.slug, Campaign.slug),
            func.coalesce(func.nullif(CampaignDraft.subject, ""), Campaign.subject, CampaignDraft.slug),
            saved_at,
            func.coalesce(CampaignDraft.saved_by, ""),
            func.coalesce(CampaignDraft.digest == CampaignDraft.made_of, true()),
        )
        .select_from(CampaignDraft)
        .join(Campaign, Campaign.slug == CampaignDraft.slug, full=True)
        .where(or_(Campaign.id.is_(None), Campaign.state == CampaignState.DRAFT))
        .order_by(saved_at.desc())
        .limit(limit)
    )
    if before is not None:
        chosen = chosen.where(saved_at < before)
    return [DraftRow(*row) for row in session.execute(chosen)]


def sources_overview(session: Session, limit: int) -> list[tuple[str, str]]:
    """Campaigns whose text is kept, those begun last first: slug and subject."""
    chosen = select(CampaignDraft.slug, CampaignDraft.subject).order_by(CampaignDraft.id.desc()).limit(limit)
    return [(slug, subject) for slug, subject in session.execute(chosen)]


def campaigns_overview(
    session: Session, before: str | None = None, limit: int | None = None, *, drafts: bool = True
) -> list[CampaignRow]:
    """Every campaign, the newest first; or `limit` at most, those before that of the slug `before`.

    Without `drafts` only those that have a time. Raises NotFound.
    """
    newest = select(Campaign).order_by(Campaign.created_at.desc(), Campaign.id.desc()).limit(limit)
    if not drafts:
        newest = newest.where(Campaign.state != CampaignState.DRAFT)
    if before is not None:
        place = get_campaign(session, before)
        newest = newest.where(
            tuple_(Campaign.created_at, Campaign.id) < tuple_(literal(place.created_at), literal(place.id))
        )
    campaigns = session.execute(newest)
    lists = dict(session.execute(select(MailingList.id, MailingList.slug)).all())
    paused = in_force(session).campaign_ids
    return [_row(campaign, lists, paused) for campaign in campaigns.scalars()]


def describe_campaign(session: Session, slug: str, *, at_a_glance: bool = False) -> CampaignReport:
    """The campaign of this slug as it stands now; raises NotFound.

    `at_a_glance` it costs the same however large the house is: see `campaign_counts` and `describe_phases`.
    """
    campaign = get_campaign(session, slug)
    lists = dict(
        session.execute(
            select(MailingList.id, MailingList.slug).where(MailingList.id.in_(campaign.list_ids))
        ).all()
    )
    paused = in_force(session).campaign_ids
    return CampaignReport(
        row=_row(campaign, lists, paused),
        sender=sender_in_words(session, campaign),
        languages=tuple(sorted(campaign.messages, key=lambda tag: (tag != campaign.language, tag))),
        statement=(campaign_counts if at_a_glance else campaign_statement)(session, campaign),
        phases=describe_phases(
            session,
            campaign,
            is_paused=campaign.id in paused,
            with_scores=not (at_a_glance and is_large(session)),
        ),
    )


def sender_in_words(session: Session, campaign: Campaign) -> str:
    """Who a campaign is from, as in a mail."""
    sender = session.get_one(Sender, campaign.sender_id)
    return f"{sender.name} <{sender.email}>"


def _row(campaign: Campaign, lists: dict[int, str], paused: frozenset[int]) -> CampaignRow:
    return CampaignRow(
        slug=campaign.slug,
        subject=campaign.subject,
        state=campaign.state,
        is_paused=campaign.id in paused,
        lists=tuple(lists[id_] for id_ in campaign.list_ids),
        aim=Aim.of(campaign.aim),
        local=LocalTime.of(campaign.local),
        audience=campaign.audience,
        passed_over=campaign.passed_over,
        starts_at=campaign.starts_at,
        materialised_at=campaign.materialised_at,
        finished_at=campaign.finished_at,
        phase=campaign.phase,
        awaits_approval=campaign.awaits_approval,
        scheduled_by=campaign.scheduled_by,
        approved_by=campaign.approved_by,
    )
