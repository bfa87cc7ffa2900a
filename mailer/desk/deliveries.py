"""Mails one by one, and what may be done to many of them at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from mailer.accounts.record import record
from mailer.accounts.rights import Actor, Right, needs
from mailer.db import business_now, clock_now
from mailer.delivery import bulk, ledger
from mailer.delivery.ledger import Filter
from mailer.delivery.verbs import VERBS, Verb
from mailer.errors import NotFound, Refused
from mailer.models import Attempt, BulkAct
from mailer.reports.deliveries import (
    DeliveriesPage,
    DeliveryView,
    Look,
    campaign_slugs,
    course_slugs,
    deliveries_page,
    delivery_view,
)
from mailer.reports.ledger import LedgerRow, attempts_of, ledger_rows


class MovedOn(Refused):
    """There are more of them than somebody has seen and confirmed; `what` says how many."""


@dataclass(frozen=True)
class Weighed:
    """What an act would come to: how many mails, by their states, at `seen_at` on the database's clock."""

    counts: Mapping[str, int]
    seen_at: datetime

    @property
    def total(self) -> int:
        return sum(self.counts.values())


@needs(Right.SEE)
def list_deliveries(session: Session, _: Actor, look: Look, at: str = "") -> DeliveriesPage:
    """Those that fit, a page at a time."""
    return deliveries_page(session, look, at)


@needs(Right.SEE)
def show_delivery(session: Session, _: Actor, delivery_id: int) -> DeliveryView:
    """One of them, with its attempts and its why; raises NotFound."""
    return delivery_view(session, delivery_id)


@needs(Right.SEE)
def list_rows(session: Session, _: Actor, filter_: Filter, after: int, limit: int) -> list[LedgerRow]:
    """For programs: those after the id `after`, in the order of their ids; raises NotFound."""
    return ledger_rows(session, filter_, limit, after)


@needs(Right.SEE)
def show_row(session: Session, _: Actor, delivery_id: int) -> tuple[LedgerRow, Sequence[Attempt]]:
    """For programs: one mail and the conversations about it that did not end with its acceptance."""
    for row in ledger_rows(session, Filter(ids=(delivery_id,)), 1):
        return row, attempts_of(session, delivery_id)
    raise NotFound(f"There is no delivery {delivery_id}.")


@needs(Right.RUN)
def weigh(session: Session, _: Actor, verb: str, filter_: Filter) -> Weighed:
    """What an act would come to, changing nothing; raises Refused or NotFound."""
    seen_at = clock_now(session)
    return Weighed(ledger.count(session, _verb_of(verb), filter_), seen_at)


@needs(Right.RUN)
def act(
    session: Session,
    actor: Actor,
    verb: str,
    filter_: Filter,
    seen: int,
    because: str = "",
    seen_at: datetime | None = None,
) -> int:
    """Do it to no more than the `seen` mails that the page showed, none that came since; how many it were.

    Raises MovedOn, Refused or NotFound.

    The ledger leaves one Action.
    """
    chosen = ledger.choose(session, _verb_of(verb), filter_, with_others=False, seen_at=seen_at)
    if chosen.total > seen:
        raise MovedOn(
            f"There are {chosen.total:,} by now, more than the {seen:,} that you saw. Confirm it again."
        )
    return ledger.act(session, chosen, business_now(session), who=actor.who, because=because)


@needs(Right.RUN)
def act_or_ask(
    session: Session,
    actor: Actor,
    verb: str,
    filter_: Filter,
    seen: int,
    because: str = "",
    seen_at: datetime | None = None,
) -> int | BulkAct:
    """The same; more than a request should wait for are asked for, and workers do them a part at a time."""
    if not bulk.is_many(seen):
        return act(session, actor, verb, filter_, seen, because, seen_at)
    # The workers change no more than were seen, and none that came since.
    asked = bulk.ask(session, verb, filter_, seen, who=actor.who, because=because, seen_at=seen_at)
    record(session, actor, f"delivery {_verb_of(verb).name} ask", seen, filter=filter_.as_detail())
    return asked


@needs(Right.SEE)
def see_act(session: Session, _: Actor, act_id: int) -> BulkAct:
    """How far an act on many mails is; raises NotFound."""
    return bulk.get_act(session, act_id)


@needs(Right.RUN)
def stop_act(session: Session, actor: Actor, act_id: int) -> BulkAct:
    """Do no more of it; what was changed stays so. Raises NotFound."""
    found = bulk.stop(session, act_id, business_now(session), who=actor.who)
    record(session, actor, "delivery act stop", found.changed, act=found.id)
    return found


def _verb_of(word: str) -> Verb:
    """The verb of a form's word; raises Refused."""
    if word not in VERBS:
        raise Refused(f"{word!r} is nothing that can be done to mails; {', '.join(VERBS)} is.")
    return VERBS[word]


@dataclass(frozen=True)
class Choices:
    """What pages offer to choose from."""

    courses: Sequence[str]
    campaigns: Sequence[str]


@needs(Right.SEE)
def choices(session: Session, _: Actor) -> Choices:
    """The published courses, and the newest campaigns."""
    return Choices(course_slugs(session), campaign_slugs(session))
