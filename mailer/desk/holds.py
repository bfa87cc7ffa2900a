"""Holds: pausing and resuming, and going on after an outage with a choice for what is overdue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.orm import Session

from mailer.accounts.rights import Actor, Right, needs
from mailer.db import business_now
from mailer.delivery import holds
from mailer.errors import Refused
from mailer.launch import release
from mailer.launch.backlog import Backlog, backlog
from mailer.models import Hold, HoldCause, HoldScope, Lane
from mailer.reports.stopping import Targets, planned_of, targets
from mailer.schedule.catchup import Policy


@dataclass(frozen=True)
class HoldsView:
    """What is on hold, and what can be paused."""

    holds: Sequence[Hold]
    targets: Targets

    @property
    def paused(self) -> list[Hold]:
        """What people paused."""
        return [hold for hold in self.holds if hold.cause == HoldCause.PERSON]

    @property
    def by_themselves(self) -> list[Hold]:
        """What stopped after an outage, a restore or on a copy."""
        return [hold for hold in self.holds if hold.cause in (HoldCause.OUTAGE, HoldCause.FENCE)]

    @property
    def by_canaries(self) -> list[Hold]:
        """Campaigns that their own first mails stopped."""
        return [hold for hold in self.holds if hold.cause == HoldCause.CANARY]


@dataclass(frozen=True)
class Stop:
    """One thing to pause or resume: `target` as it is stored. `planned`: its mails that have not left."""

    scope: HoldScope
    target: str
    planned: int | None
    is_paused: bool
    reason: str = ""

    @property
    def name(self) -> str:
        """ "everything", "lane course"."""
        return f"{self.scope} {self.target}".strip()


@dataclass(frozen=True)
class ReleaseView:
    """What stopped by itself, and what each policy would do about what is overdue."""

    holds: Sequence[Hold]
    backlog: Backlog
    is_fence: bool


@needs(Right.SEE)
def see_holds(session: Session, _: Actor) -> HoldsView:
    """All that is on hold."""
    return HoldsView(holds.list_holds(session), targets(session))


@needs(Right.RUN)
def weigh_stop(session: Session, _: Actor, scope: str, target: str) -> Stop:
    """What pausing or resuming would do; raises Refused or NotFound."""
    asked = _scope(scope)
    mine = [
        hold
        for hold in holds.list_holds(session)
        if hold.cause == HoldCause.PERSON and (hold.scope, hold.target) == (asked, target)
    ]
    # What is on hold may be named also when there is no longer anything of it.
    target = target if mine else holds.checked(session, asked, target)
    reason = mine[0].reason if mine else ""
    return Stop(asked, target, planned_of(session, asked, target), bool(mine), reason)


@needs(Right.RUN)
def pause(session: Session, actor: Actor, scope: str, target: str, reason: str) -> bool:
    """Stop it; False when somebody had already. Leaves one Action. Raises Refused or NotFound."""
    now = business_now(session)
    return holds.pause(session, _scope(scope), target, now, who=actor.who, reason=reason) is not None


@needs(Right.RUN)
def resume(session: Session, actor: Actor, scope: str, target: str) -> bool:
    """Let it go on; False when nobody had stopped it. Leaves one Action. Raises Refused or NotFound."""
    return holds.resume(session, _scope(scope), target, business_now(session), who=actor.who) is not None


@needs(Right.SEE)
def see_release(session: Session, _: Actor, stale_after: timedelta) -> ReleaseView:
    """What is on hold by itself and overdue; reads the places of all readers, which takes a while."""
    stopped = holds.guarded(session)
    is_fence = any(hold.scope == HoldScope.EVERYTHING for hold in stopped)
    lanes = tuple(Lane) if is_fence else tuple(Lane(hold.target) for hold in stopped)
    found = backlog(session, business_now(session), lanes or (Lane.COURSE, Lane.CAMPAIGN), stale_after)
    return ReleaseView(stopped, found, is_fence)


@needs(Right.RUN)
def choose_release(
    session: Session, _: Actor, policy: str, stale_after: timedelta, *, adopt: bool
) -> release.Choice:
    """What releasing all of it comes to, for `carry_out`, which leaves one Action.

    A whole database that stopped goes on only when somebody says that this installation is to `adopt` it.
    Raises Refused.
    """
    if policy not in list(Policy):
        raise Refused(f"Choose what becomes of what is overdue: {', '.join(Policy)}.")
    choice = release.choose(session, Policy(policy), None, stale_after)
    if choice.is_fence and not adopt:
        raise Refused("Say that this installation is to be the one that sends from this database.")
    return choice


def _scope(word: str) -> HoldScope:
    if word not in list(HoldScope):
        raise Refused(f"{word!r} cannot be paused; {', '.join(HoldScope)} can.")
    return HoldScope(word)
