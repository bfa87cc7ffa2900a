"""What sending a campaign would mean, looked at before anybody says yes; and test mails of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from mailer.accounts.record import record
from mailer.accounts.rights import Actor, Right, needs
from mailer.audience.aim import Aim
from mailer.content.canary import Canary
from mailer.content.course_source import Problem
from mailer.content.trial import Trial
from mailer.db import business_now
from mailer.delivery.one_mail import OneMail
from mailer.delivery.signing import Keyring
from mailer.desk.campaigns import Moment
from mailer.errors import Refused
from mailer.launch import campaign as launch
from mailer.launch.asked import warning_key
from mailer.launch.campaign import Launch
from mailer.launch.campaign_findings import findings, links_of
from mailer.launch.campaign_reach import LookedAt, look_at_choice
from mailer.launch.campaign_source import refuse_unfinished
from mailer.launch.link_checks import Links, unasked
from mailer.launch.send_test import TESTED, compose_campaign_test, refuse_many, transport_for_test
from mailer.links import Signer
from mailer.models import Campaign
from mailer.reports.campaigns import sender_in_words
from mailer.reports.patience import counted
from mailer.schedule.campaigns import find_campaign, get_campaign
from mailer.schedule.local_time import LocalTime, Spread


@dataclass(frozen=True)
class Plan:
    """When a campaign is to leave, and what goes first (None: what its file says)."""

    moment: Moment
    canary: Canary | None = None


@dataclass(frozen=True)
class Ahead:
    """What would happen: to whom, at which hours, and what takes a yes."""

    seen: Launch
    plan: Plan
    problems: tuple[Problem, ...]
    sender: str
    spread: Spread | None = None
    local: LocalTime | None = None

    @property
    def warnings(self) -> list[tuple[str, Problem]]:
        """Each with the name that it is agreed to by."""
        return [(warning_key(one), one) for one in self.problems if one.is_warning]

    @property
    def errors(self) -> list[Problem]:
        return [one for one in self.problems if not one.is_warning]

    @property
    def left_out(self) -> list[tuple[int, str]]:
        """Who gets nothing, and why."""
        return LookedAt(self.seen.lists, self.seen.aim, self.seen.reach, ()).left_out()


@needs(Right.SEE)
def look_at_aim(session: Session, _: Actor, slug: str, lists: tuple[str, ...], aim: Aim) -> LookedAt:
    """Whom the campaign would reach by a choice, saving nothing; raises NotFound or Refused."""
    whole = aim.again_as(_kept_aim(session, slug))
    return look_at_choice(session, lists, whole, business_now(session))


@needs(Right.SEE)
def aim_of_again(session: Session, _: Actor, slug: str) -> Aim:
    """What a draft that sends another again keeps, whatever is chosen; for any other nothing."""
    was = _kept_aim(session, slug)
    return Aim().again_as(was)


def _kept_aim(session: Session, slug: str) -> Aim:
    """That of the draft as the workers know it; one that never was without errors has none yet."""
    campaign = find_campaign(session, slug)
    return Aim.of(campaign.aim) if campaign is not None else Aim()


@dataclass(frozen=True)
class Waiting:
    """A campaign that waits for an approval: its time `is_past`, who looks has scheduled it (`is_own`).

    `ahead` is None while nobody has counted what it means.
    """

    campaign: Campaign
    is_past: bool
    is_own: bool
    ahead: Ahead | None


@needs(Right.SEND)
def look_at_plan(
    session: Session, _: Actor, slug: str, plan: Plan, signer: Signer, base_url: str, *, is_asked: bool
) -> Ahead | None:
    """What sending it by this plan would mean now; raises NotFound, Nobody or Refused.

    None where counting and checking takes long, and nobody `is_asked` for it: then nothing can be agreed to.
    """
    now, moment = business_now(session), plan.moment
    launch.get_sendable(session, slug)
    if moment.at is not None and moment.at <= now:
        raise Refused("This moment is past; choose a later one, or send it now.")

    def look(session: Session) -> Ahead:
        seen = launch.look_ahead(session, slug, now, plan.canary)
        problems = tuple(findings(session, slug, signer, base_url, now))
        sender = sender_in_words(session, seen.campaign)
        if moment.local_at is None:
            return Ahead(seen, plan, problems, sender)
        launch.refuse_phases(seen)
        local = LocalTime(moment.local_at, moment.zone, now, moment.past)
        spread = launch.look_at_zones(session, seen, local, now)
        return Ahead(seen, plan, problems, sender, spread, local)

    return counted(session, look, is_asked=is_asked, longest=None)


@needs(Right.SEND)
def look_at_approval(
    session: Session, actor: Actor, slug: str, signer: Signer, base_url: str, *, is_asked: bool
) -> Waiting:
    """What approving it would mean now, as `look_at_plan` tells; raises NotFound, Nobody or Refused."""
    now = business_now(session)
    campaign = launch.get_sendable(session, slug)
    if not campaign.awaits_approval:
        raise Refused(f"{slug} does not wait for an approval; it is {campaign.state}.")

    def look(session: Session) -> Ahead:
        seen = launch.look_at_scheduled(session, slug, now)
        problems = tuple(findings(session, slug, signer, base_url, now))
        local = LocalTime.of(campaign.local)
        spread = launch.look_at_zones(session, seen, local, now) if local is not None else None
        plan, sender = Plan(Moment(), seen.canary), sender_in_words(session, campaign)
        return Ahead(seen, plan, problems, sender, spread, local)

    is_past = campaign.starts_at is not None and campaign.starts_at <= now
    is_own = launch.scheduled_it(campaign, actor.who, actor.operator_id)
    return Waiting(campaign, is_past, is_own, counted(session, look, is_asked=is_asked, longest=None))


@needs(Right.SEE)
def check_campaign(
    session: Session, _: Actor, slug: str, signer: Signer, base_url: str, *, is_asked: bool
) -> list[Problem] | None:
    """Everything that would go wrong for its readers, without asking another machine; raises NotFound.

    None where that takes long and nobody `is_asked` for it.
    """
    now = business_now(session)

    def check(session: Session) -> list[Problem]:
        return findings(session, slug, signer, base_url, now)

    return counted(session, check, is_asked=is_asked, longest=None)


@needs(Right.WRITE)
def links_to_ask(session: Session, actor: Actor, slug: str, signer: Signer, base_url: str) -> Links:
    """The addresses that its mails lead to, for `ask_links`, which holds no session."""
    found = links_of(session, slug, signer, base_url, business_now(session))
    record(session, actor, "campaign links", len(found), campaign=slug)
    return found


@needs(Right.SEND)
def unasked_links(session: Session, _: Actor, slug: str, signer: Signer, base_url: str) -> Links:
    """Those of them that nobody asked lately."""
    return unasked(session, links_of(session, slug, signer, base_url, business_now(session)))


@needs(Right.SEE)
def versions_to_test(session: Session, _: Actor, slug: str) -> tuple[list[str], list[str]]:
    """The languages and variants' letters that a test may be of; raises NotFound."""
    campaign = get_campaign(session, slug)
    trial = Trial.of(campaign.trial)
    return list(campaign.messages), [one.letter for one in trial.variants] if trial else []


@needs(Right.SEND)
def write_tests(
    session: Session,
    actor: Actor,
    slug: str,
    to: Sequence[str],
    *,
    as_email: str,
    language: str,
    variant: str,
    signer: Signer,
    base_url: str,
    keyring: Keyring,
) -> list[OneMail]:
    """The campaign as a mail to each of these addresses, noted as sent; hand them over outside the session.

    Raises Refused for too many, or a draft with errors, and as `compose_campaign_test` does.
    """
    now = business_now(session)
    refuse_many(session, actor.who, to, now)
    refuse_unfinished(session, slug)
    campaign = get_campaign(session, slug)
    way = transport_for_test(session, campaign)
    made = [
        compose_campaign_test(
            session,
            campaign,
            to=address,
            as_email=as_email or None,
            language=language or None,
            signer=signer,
            base_url=base_url,
            now=now,
            keyring=keyring,
            variant=variant or None,
        )
        for address in to
    ]
    record(session, actor, TESTED, len(made), campaign=slug)
    return [OneMail(email, way.id, way.slug) for email in made]
