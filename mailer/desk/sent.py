"""What becomes of a campaign that was scheduled: watched, stopped, decided, and accounted for."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from mailer.accounts.record import record
from mailer.accounts.rights import Actor, Right, needs
from mailer.audience.aim import Again
from mailer.content.trial import Trial, Variant
from mailer.db import business_now
from mailer.delivery.holds import stopped_by_canary
from mailer.errors import NotFound, Refused
from mailer.launch import campaign_again, campaign_phases
from mailer.models import Campaign, CampaignState, DeliveryState
from mailer.render.personalize import Rendered
from mailer.reports.afterwards import Afterwards, afterwards
from mailer.reports.link_map import LinkFigures, Written, link_figures, mail_with_figures, written
from mailer.reports.not_reached import PAGE, STATES, NotReachedPage, not_reached
from mailer.reports.patience import counted
from mailer.reports.phases import Score, scores_of
from mailer.reports.sending import Progress, campaign_progress
from mailer.reports.statement import Statement, campaign_counts, campaign_statement
from mailer.schedule.campaigns import get_campaign


@needs(Right.SEE)
def see_progress(session: Session, _: Actor, slug: str) -> Progress:
    """How far a campaign is; raises NotFound."""
    return campaign_progress(session, slug, business_now(session))


@needs(Right.SEE)
def see_scores(session: Session, _: Actor, slug: str) -> tuple[Score, ...]:
    """How the variants of its test do now, counted; none when it has no test. Raises NotFound or TooLong."""
    campaign = get_campaign(session, slug)
    trial = Trial.of(campaign.trial)
    found = (
        counted(session, lambda session: scores_of(session, campaign, trial), is_asked=True) if trial else ()
    )
    return found or ()


@dataclass(frozen=True)
class Going:
    """A campaign that somebody would let go on. `stop` is why its canary stopped it, empty if it did not."""

    progress: Progress
    stop: str


@needs(Right.SEND)
def look_at_going_on(session: Session, actor: Actor, slug: str) -> Going:
    """What resuming it would do; raises NotFound."""
    hold = stopped_by_canary(session, slug)
    return Going(see_progress(session, actor, slug), hold.reason if hold else "")


@needs(Right.SEND)
def go_on(session: Session, actor: Actor, slug: str, reason: str, *, in_spite: bool) -> bool:
    """Go on sending it; False when it was not paused. Leaves one Action.

    Raises NotFound, or Refused when its canary stopped it and nobody says that it goes on `in_spite` of that.
    """
    if stopped_by_canary(session, slug) is not None and not in_spite:
        raise Refused(
            "Its canary has stopped it. Look at what it found, and say that it goes on in spite of it."
        )
    now = business_now(session)
    done = campaign_phases.go_on(session, slug, now, who=actor.who, reason=reason, in_spite=in_spite)
    return done is not None


@needs(Right.SEND)
def look_at_choice(session: Session, _: Actor, slug: str, variant: str) -> Variant:
    """The variant that the rest would get; raises NotFound or Refused."""
    return campaign_phases.look_at_choice(session, slug, variant)


@needs(Right.SEND)
def choose(session: Session, actor: Actor, slug: str, variant: str) -> Variant:
    """Have the rest of the audience get this variant. Leaves one Action; raises NotFound or Refused."""
    chosen = campaign_phases.look_at_choice(session, slug, variant)
    campaign_phases.choose(session, slug, variant, business_now(session), who=actor.who)
    return chosen


@dataclass(frozen=True)
class Account:
    """A campaign's statement, and what came back `later`.

    None of that: neither it nor the reasons nor what was sent twice was looked for.
    """

    campaign: Campaign
    statement: Statement
    later: Afterwards | None

    @property
    def is_counted(self) -> bool:
        """Whether all of it was looked for."""
        return self.later is not None


@needs(Right.SEE)
def see_statement(session: Session, _: Actor, slug: str, *, is_asked: bool) -> Account:
    """What became of everybody; raises NotFound, or TooLong when the reasons were asked for in vain."""
    campaign = _begun(session, slug)

    def count(session: Session) -> Account:
        return Account(campaign, campaign_statement(session, campaign), afterwards(session, campaign))

    found = counted(session, count, is_asked=is_asked)
    return found or Account(campaign, campaign_counts(session, campaign), None)


@needs(Right.SEE)
def list_not_reached(
    session: Session, _: Actor, slug: str, state: str, reason: str | None, at: str, most: int = PAGE
) -> tuple[Campaign, NotReachedPage]:
    """Some of those who did not get it; raises NotFound or Refused."""
    campaign = _begun(session, slug)
    return campaign, not_reached(session, campaign, state, reason, at, most=most)


AT_ONCE = 1000


@needs(Right.EXPORT)
def note_export(session: Session, actor: Actor, slug: str, state: str) -> None:
    """That somebody takes them out as a file is in the log before the first of them is read."""
    campaign = _begun(session, slug)
    not_reached(session, campaign, state, most=1)
    states = campaign_counts(session, campaign).states
    rows = states[DeliveryState(state)] if state else sum(states[one] for one in STATES)
    record(session, actor, "campaign export missing", rows, campaign=slug, state=state or None)


@needs(Right.EXPORT)
def page_not_reached(
    session: Session, actor: Actor, slug: str, state: str, reason: str | None, at: str, most: int
) -> NotReachedPage:
    """For programs: some of them, after the place `at`. All of them can be taken out so, which is noted when
    the first of them (no place) are. Raises NotFound or Refused."""
    if not at:
        note_export(session, actor, slug, state)
    return not_reached(session, _begun(session, slug), state, reason, at, most=most)


@needs(Right.EXPORT)
def take_out(
    session: Session, _: Actor, slug: str, state: str, reason: str | None, at: str
) -> NotReachedPage:
    """AT_ONCE of them for a file; raises NotFound or Refused."""
    campaign = _begun(session, slug)
    return not_reached(session, campaign, state, reason, at, most=AT_ONCE, look_at=10 * AT_ONCE)


@dataclass(frozen=True)
class AgainAsked:
    """A campaign that somebody would send again: to how many at most, and whether more is known exactly."""

    campaign: Campaign
    statement: Statement
    to: Again
    people: int | None


@needs(Right.SEE)
def look_at_again(session: Session, _: Actor, slug: str, to: str, *, is_asked: bool) -> AgainAsked:
    """To whom it would go; `people` is None where counting them takes long and nobody `is_asked` for it.

    Raises NotFound, Refused or TooLong.
    """
    campaign, chosen = _begun(session, slug), _again(to)
    now = business_now(session)
    people = counted(
        session, lambda session: campaign_again.count_again(session, campaign, chosen, now), is_asked=is_asked
    )
    return AgainAsked(campaign, campaign_counts(session, campaign), chosen, people)


@needs(Right.WRITE)
def draft_again(session: Session, actor: Actor, slug: str, to: str, new_slug: str) -> Campaign:
    """A draft for them; nothing is sent. Leaves one Action; raises NotFound or Refused."""
    now = business_now(session)
    return campaign_again.draft_again(session, slug, _again(to), new_slug, now, who=actor.who)


def _again(word: str) -> Again:
    if word not in list(Again):
        raise Refused(f"{word!r} is nobody to send it to again; {', '.join(Again)} is.")
    return Again(word)


@dataclass(frozen=True)
class LinkMap:
    """One variant of a campaign and who followed its links; `figures` is None where that was not counted."""

    campaign: Campaign
    written: Written
    variant: Variant
    language: str
    accepted: int
    figures: LinkFigures | None


@needs(Right.SEE)
def see_links(
    session: Session, _: Actor, slug: str, variant: str, language: str, *, is_asked: bool
) -> LinkMap:
    """Who followed which of its links; raises NotFound, or TooLong when that was asked for in vain."""
    campaign = _begun(session, slug)
    known = written(campaign)
    chosen = known.get(variant)
    figures = counted(session, lambda session: link_figures(session, campaign, chosen), is_asked=is_asked)
    accepted = campaign_counts(session, campaign).states[DeliveryState.ACCEPTED]
    spoken = language if language in known.languages else campaign.language
    return LinkMap(campaign, known, chosen, spoken, accepted, figures)


@needs(Right.SEE)
def show_mail(session: Session, _: Actor, seen: LinkMap, root: str) -> Rendered:
    """The mail itself with the figures at its links; raises CannotRender."""
    return mail_with_figures(session, seen.campaign, seen.variant, seen.language, seen.figures, root)


def _begun(session: Session, slug: str) -> Campaign:
    """A campaign of which something may have left; raises NotFound."""
    campaign = get_campaign(session, slug)
    if campaign.state in (CampaignState.DRAFT, CampaignState.SCHEDULED):
        raise NotFound(f"Nothing of {slug} has left yet: it is {campaign.state}.")
    return campaign
