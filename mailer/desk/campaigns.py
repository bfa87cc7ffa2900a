"""Campaigns: drafted, looked at, scheduled, stopped, and what became of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.orm import Session

from mailer.accounts.rights import Actor, Right, needs
from mailer.content.canary import Canary
from mailer.content.course_source import Problem
from mailer.db import business_now
from mailer.delivery import holds
from mailer.errors import Refused
from mailer.launch import campaign as launch
from mailer.launch.asked import NotAgreed as NotAgreed
from mailer.launch.asked import ask_for_yes, refuse_faulty
from mailer.launch.campaign import Approval, Launch
from mailer.launch.campaign_findings import findings
from mailer.launch.campaign_source import refuse_unseen
from mailer.launch.mailing import of_campaign
from mailer.launch.messages import lock_publishing
from mailer.launch.shown import Shown, show_published
from mailer.launch.surprises import Surprise
from mailer.launch.uploaded import compile_campaign
from mailer.links import Signer
from mailer.models import HoldScope
from mailer.reports.campaigns import CampaignReport, CampaignRow, campaigns_overview, describe_campaign
from mailer.schedule.campaigns import get_campaign
from mailer.schedule.local_time import LocalTime, Past

LATE = "late"
"""What is agreed to by that name when a campaign is approved after its time."""


@dataclass(frozen=True)
class Moment:
    """When a campaign leaves: now (nothing said), at an instant, or when clocks show `local_at` in a zone.

    `zone` is that of people who have none, `past` what becomes of those for whom that hour is past.
    """

    at: datetime | None = None
    local_at: datetime | None = None
    zone: str = "Etc/UTC"
    past: Past | None = None


@needs(Right.SEE)
def list_campaigns(
    session: Session, _: Actor, before: str | None, limit: int, *, drafts: bool = True
) -> list[CampaignRow]:
    """Campaigns, the newest first, those before the one with the slug `before`; raises NotFound."""
    return campaigns_overview(session, before, limit, drafts=drafts)


@needs(Right.SEE)
def show_campaign(session: Session, _: Actor, slug: str) -> CampaignReport:
    """One of them with its balanced statement; raises NotFound."""
    return describe_campaign(session, slug)


@needs(Right.WRITE)
def draft_campaign(
    session: Session, actor: Actor, texts: Sequence[str], seen: str = ""
) -> tuple[launch.Drafted, list[Problem]]:
    """Make a draft of a campaign's files, or bring it up to date; and the warnings about them.

    Raises FaultyFiles, Refused when it was sent already, or ChangedMeanwhile when it is not as in `seen`, the
    digest of its source, or (none said) was saved last by somebody else.
    """
    compiled, text, warnings = compile_campaign(session, texts)
    lock_publishing(session)
    refuse_unseen(session, compiled.source.slug, text, seen, who=actor.who)
    made = launch.put_draft(session, compiled, business_now(session), who=actor.who, text=text)
    return made, warnings


@needs(Right.SEE)
def look_at_audience(session: Session, _: Actor, slug: str) -> Launch:
    """Whom it would reach now, and what is surprising about that; raises NotFound, Nobody or Refused."""
    return launch.look_ahead(session, slug, business_now(session))


@needs(Right.SEND)
def schedule_campaign(
    session: Session,
    actor: Actor,
    slug: str,
    moment: Moment,
    signer: Signer,
    base_url: str,
    *,
    agreed: Collection[str] = (),
    people_at_most: int | None = None,
    digest: str | None = None,
    canary: Canary | None = None,
    needs_approval: bool = False,
) -> Launch:
    """Have it sent; returns whom it reaches as of now. It waits for a second person if it `needs_approval`.

    `digest` is that of what was looked at, None where nobody says. Raises NotAgreed for surprises and
    warnings that nobody agreed to, FaultyFiles when its mails cannot be made for its readers, and Refused.
    """
    now = business_now(session)
    seen = launch.look_ahead(session, slug, now, canary)
    launch.refuse_changed(seen.campaign, seen.digest if digest is None else digest)
    yes = _agreed_to(session, seen, signer, base_url, now, agreed, people_at_most)
    approval = Approval(needs_approval, actor.operator_id)
    if moment.local_at is not None:
        local = LocalTime(moment.local_at, moment.zone, now, moment.past)
        made = launch.schedule_local(session, seen, local, now, who=actor.who, agreed=yes, approval=approval)
        return replace(seen, digest=launch.digest_of(made))
    if moment.at is not None and moment.at <= now:
        raise Refused("This moment is past; name a later one, or none to send now.")
    starts_at = moment.at or now
    made = launch.schedule(
        *(session, seen, starts_at, now), who=actor.who, agreed=yes, canary=canary, approval=approval
    )
    return replace(seen, digest=launch.digest_of(made))


@needs(Right.SEND)
def approve_campaign(
    session: Session,
    actor: Actor,
    slug: str,
    signer: Signer,
    base_url: str,
    *,
    agreed: Collection[str] = (),
    people_at_most: int | None = None,
    digest: str | None = None,
) -> Launch:
    """Approve what somebody else has scheduled; returns whom it reaches as of now.

    Raises as `schedule_campaign` does, and Refused for whoever scheduled it.
    """
    now = business_now(session)
    seen = launch.look_at_scheduled(session, slug, now)
    launch.refuse_changed(seen.campaign, seen.digest if digest is None else digest)
    starts_at = seen.campaign.starts_at
    if starts_at is not None and starts_at <= now and LATE not in agreed:
        raise NotAgreed([(LATE, "Its time is past: approved, it leaves at once.")])
    yes = _agreed_to(session, seen, signer, base_url, now, agreed, people_at_most)
    launch.approve(session, seen, now, who=actor.who, operator_id=actor.operator_id, agreed=yes)
    return seen


@needs(Right.SEE)
def show_mail(
    session: Session, _: Actor, slug: str, number: int, signer: Signer, base_url: str
) -> tuple[Shown, list[str]]:
    """A mail of a campaign as it would leave, and what all of its mails (languages, variants) are called.

    Raises NotFound, Refused when none of its lists is there any more, CannotRender.
    """
    mailing = of_campaign(session, slug)
    shown = show_published(session, mailing, number, business_now(session), signer, base_url)
    return shown, [draft.place for draft in mailing.drafts]


@needs(Right.SEND)
def unschedule_campaign(session: Session, actor: Actor, slug: str, reason: str) -> bool:
    """Make a draft of it again; False when it was one. Raises NotFound, or Refused when its time has come."""
    return launch.unschedule(session, slug, business_now(session), who=actor.who, reason=reason)


def _agreed_to(
    session: Session,
    seen: Launch,
    signer: Signer,
    base_url: str,
    now: datetime,
    agreed: Collection[str],
    people_at_most: int | None,
) -> tuple[Surprise, ...]:
    """The surprises that somebody said yes to, when that is all that takes a yes."""
    slug = seen.campaign.slug
    if people_at_most is not None and seen.reach.people > people_at_most:
        raise Refused(f"{slug} would reach {seen.reach.people:,} people, more than {people_at_most:,}.")
    problems = findings(session, slug, signer, base_url, now)
    refuse_faulty(f"The campaign {slug}", problems)
    ask_for_yes(seen.surprising, problems, agreed)
    return tuple(Surprise(word) for word in agreed if word in set(Surprise))


@needs(Right.SEND)
def pause_campaign(session: Session, actor: Actor, slug: str, reason: str) -> bool:
    """Stop sending it, at once; False when it was paused. Raises NotFound, or Refused when it has ended."""
    launch.refuse_ended(get_campaign(session, slug))
    now = business_now(session)
    return holds.pause(session, HoldScope.CAMPAIGN, slug, now, who=actor.who, reason=reason) is not None


@needs(Right.SEND)
def resume_campaign(session: Session, actor: Actor, slug: str, reason: str) -> bool:
    """Go on sending it; False when it was not paused. Raises NotFound."""
    now = business_now(session)
    return holds.resume(session, HoldScope.CAMPAIGN, slug, now, who=actor.who, reason=reason) is not None


@needs(Right.SEND)
def cancel_campaign(session: Session, actor: Actor, slug: str, reason: str) -> None:
    """End it for good; the tick takes back what has not left. Raises NotFound or Refused."""
    launch.cancel(session, slug, business_now(session), who=actor.who, reason=reason)
