"""The tick's part in a campaign that goes out in phases: a canary, a test of its variants, and the rest."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from mailer.content.canary import Canary
from mailer.content.trial import Measure, Trial, Variant
from mailer.delivery import holds
from mailer.delivery.sources import read_sources
from mailer.errors import Refused
from mailer.launch.campaign_rows import (
    Rows,
    any_held,
    canary_cuts,
    count_held,
    let_go,
    salt_of,
    test_cuts,
)
from mailer.launch.verdicts import Winner, decide, passed_limits
from mailer.models import Action, Campaign, CampaignPhase, CampaignState, Hold, HoldCause, HoldScope, Lane
from mailer.outbox import campaign_source
from mailer.reports.phases import is_anything_untried, scores_of, signs_of
from mailer.schedule.campaigns import get_campaign

CHUNK = 10_000
"""Rows that are looked at in one transaction."""


def advance(session: Session, now: datetime, limit: int = CHUNK) -> int:
    """Take each campaign that goes out in phases one step on; returns how many steps there were.

    Ask again until it is 0. Where a campaign is stands in its own row, in the same transaction as the rows
    that are let go: a run that was killed is gone on with, and two at once are one. What is paused stands
    still.
    """
    campaigns = session.execute(
        select(Campaign)
        .where(
            Campaign.state == CampaignState.SENDING,
            Campaign.materialised_at.is_not(None),
            or_(Campaign.trial != {}, Campaign.canary != {}),
            or_(Campaign.phase != CampaignPhase.REST, Campaign.let_go_up_to.is_not(None)),
        )
        .order_by(Campaign.id)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    ).scalars()
    steps = 0
    for campaign in campaigns.all():
        if not _is_stopped(session, campaign):
            steps += _step(session, campaign, now, limit)
    session.flush()
    return steps


def _is_stopped(session: Session, campaign: Campaign) -> bool:
    (source,) = read_sources(session, [campaign_source(campaign.id)])
    return holds.in_force(session).stops(Lane.CAMPAIGN, source)


def _step(session: Session, campaign: Campaign, now: datetime, limit: int) -> bool:
    """One step, if there is one to take; whether there may be another."""
    if campaign.phase == CampaignPhase.WHOLE:
        has_canary = Canary.chosen(campaign.canary) is not None
        return _begin(session, campaign, CampaignPhase.CANARY if has_canary else CampaignPhase.TEST, now)
    if campaign.let_go_up_to is not None:
        step = let_go(session, campaign, Trial.of(campaign.trial), now, limit)
        campaign.let_go_up_to = step.last if step.looked == limit else None
        return True
    if campaign.waits_since is None:
        if is_anything_untried(session, campaign, now):
            return _watch(session, campaign, now) if campaign.phase == CampaignPhase.CANARY else False
        campaign.waits_since = now
    if campaign.phase == CampaignPhase.CANARY:
        return _watch(session, campaign, now)
    return _await(session, campaign, now)


def _begin(session: Session, campaign: Campaign, phase: CampaignPhase, now: datetime) -> bool:
    """Begin a phase: fix who is in it, and let them go from the first row on."""
    rows, trial = Rows.of(campaign), Trial.of(campaign.trial)
    found: dict[str, Any] = {"begun_at": now.isoformat()}
    if phase is CampaignPhase.CANARY:
        canary = Canary.chosen(campaign.canary)
        assert canary is not None  # noqa: S101
        size = canary.size_of(count_held(session, rows))
        found |= {"size": size, **canary_cuts(session, rows, salt_of(campaign, phase), size)}
    elif phase is CampaignPhase.TEST and trial is not None:
        waiting, many = count_held(session, rows), len(trial.variants)
        size = trial.plan.size_of(waiting, many)
        # The audience's share, of those who were not in the canary.
        found |= {"size": size, "cuts": test_cuts(session, rows, salt_of(campaign, phase), size, many)}
    campaign.findings = {**campaign.findings, phase: {**campaign.findings.get(phase, {}), **found}}
    campaign.phase, campaign.let_go_up_to, campaign.waits_since = phase, rows.first - 1, None
    session.flush()
    return True


def _watch(session: Session, campaign: Campaign, now: datetime) -> bool:
    """Stop the campaign if its canary has passed a limit, or go on when its time is over."""
    canary = Canary.chosen(campaign.canary)
    assert canary is not None  # noqa: S101
    found = dict(campaign.findings[CampaignPhase.CANARY])
    signs = signs_of(session, campaign, found["size"])
    is_over = _is_over(campaign, canary.wait, now)
    passed = () if found.get("in_spite_by") else passed_limits(canary.most, signs, is_over=is_over)
    if not passed and not is_over and not found.get("in_spite_by"):
        return False
    found |= {"signs": signs.as_values(), "ended_at": now.isoformat()}
    if passed:
        found["passed"] = list(passed)
        campaign.findings = {**campaign.findings, CampaignPhase.CANARY: found}
        reason = f"The canary of {campaign.slug} stopped it: {'; '.join(passed)}"
        holds.put_on_hold(session, HoldCause.CANARY, HoldScope.CAMPAIGN, campaign.slug, now, reason)
        _note(session, campaign, "campaign canary stopped", now, "tick", reason=reason)
        return False
    campaign.findings = {**campaign.findings, CampaignPhase.CANARY: found}
    _note(session, campaign, "campaign canary passed", now, "tick")
    return _begin(session, campaign, CampaignPhase.TEST if campaign.trial else CampaignPhase.REST, now)


def _await(session: Session, campaign: Campaign, now: datetime) -> bool:
    """Decide the test when its time is over, unless a person is to."""
    trial = Trial.of(campaign.trial)
    assert trial is not None  # noqa: S101
    if trial.plan.measure is Measure.ASK:
        if any_held(session, Rows.of(campaign)):
            return False
        nobody = Winner(trial.variants[0].name, "nobody was left to get a winner")
        return _settle(session, campaign, trial, nobody, now, "tick")
    if not _is_over(campaign, trial.plan.wait, now):
        return False
    winner = decide(trial.plan.measure, scores_of(session, campaign, trial))
    return _settle(session, campaign, trial, winner, now, "tick")


def _is_over(campaign: Campaign, wait: timedelta, now: datetime) -> bool:
    return campaign.waits_since is not None and now >= campaign.waits_since + wait


def _settle(
    session: Session, campaign: Campaign, trial: Trial, winner: Winner, now: datetime, who: str
) -> bool:
    """Write the decision, once: whoever comes second changes nothing. Whether it was written."""
    scores = [score.as_values() for score in scores_of(session, campaign, trial)]
    found = {
        **campaign.findings.get(CampaignPhase.TEST, {}),
        **{"winner": winner.name, "why": winner.why, "by": who, "ended_at": now.isoformat()},
        "scores": scores,
    }
    decided = session.execute(
        update(Campaign)
        .where(Campaign.id == campaign.id, Campaign.phase == CampaignPhase.TEST)
        .values(
            phase=CampaignPhase.REST,
            let_go_up_to=Rows.of(campaign).first - 1,
            waits_since=None,
            findings={**campaign.findings, CampaignPhase.TEST: found},
        )
        .returning(Campaign.id)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    session.refresh(campaign)
    if decided is not None:
        _note(session, campaign, "campaign choose", now, who, variant=winner.name, reason=winner.why)
    return decided is not None


def look_at_choice(session: Session, slug: str, variant: str) -> Variant:
    """The variant that would be chosen, changing nothing.

    Raises NotFound, or Refused when there is no such variant, no test under way, or a winner already.
    """
    return _choice(get_campaign(session, slug), variant)


def choose(session: Session, slug: str, variant: str, now: datetime, *, who: str) -> Campaign:
    """Have the rest of the audience get this variant, before its test has decided or instead.

    Raises as `look_at_choice` does.
    """
    campaign = _locked(session, get_campaign(session, slug).id)
    chosen, trial = _choice(campaign, variant), Trial.of(campaign.trial)
    assert trial is not None  # noqa: S101
    _settle(session, campaign, trial, Winner(chosen.name, f"{who} chose {chosen.letter}"), now, who)
    return campaign


def _choice(campaign: Campaign, variant: str) -> Variant:
    slug, trial = campaign.slug, Trial.of(campaign.trial)
    if trial is None:
        raise Refused(f"{slug} has no variants; docs/campaigns.md shows how they are written.")
    chosen = trial.get(variant)
    if chosen is None:
        letters = ", ".join(one.letter for one in trial.variants)
        raise Refused(f"{slug} has no variant {variant!r}; there are {letters}.")
    if campaign.phase == CampaignPhase.REST:
        found = campaign.findings[CampaignPhase.TEST]
        raise Refused(f"The test of {slug} is decided already: {found['why']}.")
    if campaign.state != CampaignState.SENDING or campaign.phase != CampaignPhase.TEST:
        show = f"`steadypost campaign show {slug}` says where it is"
        raise Refused(f"The test of {slug} is not under way; {show}.")
    return chosen


def go_on(
    session: Session, slug: str, now: datetime, *, who: str, reason: str = "", in_spite: bool = False
) -> Hold | None:
    """Go on sending a paused campaign; None when it was not paused.

    Raises NotFound, or Refused when its canary stopped it and nobody says that it goes on `in_spite`.
    """
    stop = holds.stopped_by_canary(session, slug)
    done = holds.resume(session, HoldScope.CAMPAIGN, slug, now, who=who, reason=reason, in_spite=in_spite)
    if stop is not None:
        campaign = _locked(session, get_campaign(session, slug).id)
        found = {**campaign.findings.get(CampaignPhase.CANARY, {}), "in_spite_by": who}
        campaign.findings = {**campaign.findings, CampaignPhase.CANARY: found}
        session.flush()
    return done


def _locked(session: Session, campaign_id: int) -> Campaign:
    chosen = select(Campaign).where(Campaign.id == campaign_id).with_for_update()
    return session.execute(chosen.execution_options(populate_existing=True)).scalar_one()


def _note(session: Session, campaign: Campaign, what: str, now: datetime, who: str, **detail: str) -> None:
    named = {"campaign": campaign.slug, **detail}
    session.add(Action(at=now, who=who, what=what, detail=named, rows=0))
