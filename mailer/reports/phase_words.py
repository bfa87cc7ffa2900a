"""Where a campaign that goes out in phases stands and what comes next, as sentences and as values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from mailer.content.amounts import share_words, wait_words
from mailer.content.canary import Canary, Sign
from mailer.content.trial import Measure, Trial
from mailer.models import Campaign, CampaignPhase, CampaignState
from mailer.reports.phases import Score, Signs, scores_of, signs_of


@dataclass(frozen=True)
class Phases:
    """A campaign's phases: `told` says what they are and how they went, `coming` what comes next.

    In `coming` stands {at} where `next_at` is to be read; `hint` says by which command somebody goes on.
    `signs` are what became of its canary, `scores` how its variants do (or did, once it is decided).
    """

    phase: str
    told: tuple[str, ...]
    coming: str
    hint: str
    next_at: datetime | None
    trial: Trial | None
    signs: Signs | None
    scores: tuple[Score, ...]
    winner: str | None
    why: str

    @property
    def lines(self) -> tuple[str, ...]:
        """All of it in sentences, moments in UTC."""
        return (
            (*self.told, self.coming.replace("{at}", f"{_shown(self.next_at)} UTC"))
            if self.coming
            else self.told
        )

    def as_values(self) -> dict[str, Any]:
        """For programs; moments as ISO 8601."""
        return {
            "phase": self.phase,
            "next_at": self.next_at.isoformat() if self.next_at else None,
            "canary": self.signs.as_values() if self.signs else None,
            "variants": [
                {"name": one.name, "subject": one.subject, **_score(self.scores, one.name)}
                for one in (self.trial.variants if self.trial else ())
            ],
            "winner": self.winner,
            "why": self.why,
        }


def _score(scores: Sequence[Score], name: str) -> dict[str, Any]:
    found = next((score for score in scores if score.name == name), None)
    return found.as_values() if found else {}


def describe_phases(
    session: Session, campaign: Campaign, *, is_paused: bool, with_scores: bool = True
) -> Phases | None:
    """The phases of a campaign that has some, else None.

    Without `with_scores` the variants' figures are only those of a test that is over: counting them while it
    runs reads all that was accepted.
    """
    canary, trial = Canary.chosen(campaign.canary), Trial.of(campaign.trial)
    if canary is None and trial is None:
        return None
    seen = dict(campaign.findings.get(CampaignPhase.CANARY, {}))
    tested = dict(campaign.findings.get(CampaignPhase.TEST, {}))
    signs = Signs(**seen["signs"]) if "signs" in seen else None
    if signs is None and campaign.phase == CampaignPhase.CANARY:
        signs = signs_of(session, campaign, seen["size"])
    scores: tuple[Score, ...] = tuple(Score(**one) for one in tested.get("scores", ()))
    if trial is not None and not scores and with_scores and campaign.phase == CampaignPhase.TEST:
        scores = scores_of(session, campaign, trial)
    wait = canary.wait if canary and campaign.phase == CampaignPhase.CANARY else None
    if trial is not None and campaign.phase == CampaignPhase.TEST and trial.plan.measure != Measure.ASK:
        wait = trial.plan.wait
    next_at = campaign.waits_since + wait if campaign.waits_since and wait is not None else None
    if is_paused or campaign.state != CampaignState.SENDING:
        next_at = None
    told = (*_of_canary(canary, seen, signs), *_of_test(trial, tested))
    coming, hint = _next(campaign, canary, trial, seen, next_at, is_paused=is_paused)
    winner, why = tested.get("winner"), str(tested.get("why", ""))
    return Phases(campaign.phase, told, coming, hint, next_at, trial, signs, scores, winner, why)


def _of_canary(canary: Canary | None, seen: dict[str, Any], signs: Signs | None) -> Iterator[str]:
    if canary is None:
        return
    if signs is None:
        yield f"Canary: {canary.words()}."
        return
    told = ", ".join(
        f"{signs.of(sign):,} {sign} (limit {share_words(limit)})" for sign, limit in canary.most.items()
    )
    yield f"Canary of {signs.size:,}: {signs.accepted:,} accepted, {told}."
    if "passed" in seen:
        yield f"It stopped the campaign: {'; '.join(seen['passed'])}."
    if "in_spite_by" in seen:
        yield f"{seen['in_spite_by']} went on in spite of it."


def _of_test(trial: Trial | None, tested: dict[str, Any]) -> Iterator[str]:
    if trial is None:
        return
    if "winner" in tested:
        at = _shown(datetime.fromisoformat(tested["ended_at"]))
        yield f"{tested['why']} ({at} UTC)."
    elif "size" in tested:
        yield f"{trial.words()}: {tested['size']:,} people take part."
    else:
        yield f"{trial.words()}."


def _next(
    campaign: Campaign,
    canary: Canary | None,
    trial: Trial | None,
    seen: dict[str, Any],
    next_at: datetime | None,
    *,
    is_paused: bool,
) -> tuple[str, str]:
    """What comes next, or what somebody has to do; and by which command."""
    slug = campaign.slug
    if campaign.state != CampaignState.SENDING or campaign.materialised_at is None:
        return "", ""
    if is_paused:
        spite = " in spite of it" if "passed" in seen and "in_spite_by" not in seen else ""
        hint = f"`steadypost campaign resume {slug}` goes on{spite}, `campaign cancel` ends it."
        return "Next: nothing while it is paused.", hint
    if campaign.phase == CampaignPhase.CANARY and canary is not None:
        then = "the test" if trial else "the rest"
        when = "at {at}" if next_at else _after(canary.wait)
        return f"Next: {then} follows {when}, unless a limit is passed.", ""
    if campaign.phase == CampaignPhase.TEST and trial is not None:
        command = f"`steadypost campaign choose {slug} --variant B`"
        if trial.plan.measure is Measure.ASK:
            return "Next: somebody chooses what the rest gets.", f"{command} does."
        when = "at {at}" if next_at else _after(trial.plan.wait)
        return f"Next: decided by {trial.plan.measure} {when}.", f"{command} decides at once."
    if campaign.phase == CampaignPhase.REST and campaign.let_go_up_to is not None:
        return "Next: the rest of the audience is being let go.", ""
    return "", ""


def _after(wait: timedelta) -> str:
    return f"{wait_words(wait)} after the last of its mails was tried"


def _shown(moment: datetime | None) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}" if moment else "-"


def story_of(campaign: Campaign) -> Iterator[tuple[datetime, str]]:
    """What was decided about all of a campaign, for `why`."""
    for phase in (CampaignPhase.CANARY, CampaignPhase.TEST):
        found = campaign.findings.get(phase, {})
        if "ended_at" not in found:
            continue
        at = datetime.fromisoformat(found["ended_at"])
        if phase == CampaignPhase.TEST:
            yield at, f"the test was decided: {found['why']}"
        elif "passed" in found:
            spite = f"; {found['in_spite_by']} went on in spite of it" if "in_spite_by" in found else ""
            yield at, f"the canary stopped the campaign: {'; '.join(found['passed'])}{spite}"
        else:
            signs = Signs(**found["signs"])
            told = ", ".join(f"{signs.of(sign):,} {sign}" for sign in Sign)
            yield at, f"the canary passed: {signs.size:,} people, {told}"


def variant_words(campaign: Campaign, message_id: int) -> str:
    """Which variant a mail is, ": variant B, “Spring”"; empty when its campaign has none."""
    trial = Trial.of(campaign.trial)
    variant = trial.of_message(message_id) if trial else None
    return f": variant {variant.letter}, “{variant.subject}”" if variant else ""
