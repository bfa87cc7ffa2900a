"""Whom a campaign would be for, while somebody is still choosing; counted within a time limit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from mailer.audience.aim import Aim, Narrowing, narrowing
from mailer.audience.lists import list_lists
from mailer.audience.recipients import Reach, count_recipients, is_suppressed, list_ids_of
from mailer.db import in_time
from mailer.errors import NotFound
from mailer.models import Subscriber, Subscription, SubscriptionState

COUNT_SECONDS = 5.0
"""How long a page waits for a count."""
SAMPLE_SECONDS = 0.5
SAMPLE = 8
ONE = {"are": "is", "have": "has"}


@dataclass(frozen=True)
class LookedAt:
    """Whom it would reach; `reach` is None when counting takes too long. `sample` has ids and addresses."""

    lists: tuple[str, ...]
    aim: Aim
    reach: Reach | None
    sample: tuple[tuple[int, str], ...]

    def left_out(self) -> list[tuple[int, str]]:
        """How many do not get it, and why; those of whom there are none are not named."""
        if self.reach is None:
            return []
        told = [
            (self.reach.suppressed, "are", "suppressed: counted in the campaign, but not mailed"),
            (self.reach.pending, "have", "not confirmed that they want the list"),
            (self.reach.unsubscribed, "have", "unsubscribed"),
            (self.reach.outside, "are", f"not {self.aim.within()}"),
            (self.reach.excluded, "are", self.aim.without()),
        ]
        return [
            (number, f"{ONE[verb] if number == 1 else verb} {words}")
            for number, verb, words in told
            if number
        ]


def look_at_choice(session: Session, lists: tuple[str, ...], aim: Aim, now: datetime) -> LookedAt:
    """Whom a campaign for these lists (none: every list) and this aim would reach now.

    Raises NotFound or Refused when what it names is not there.
    """
    known = {one.slug: one.id for one in list_lists(session)}
    for slug in lists:
        if slug not in known:
            raise NotFound(f"There is no list {slug!r}.")
    list_ids = list_ids_of(session, [known[slug] for slug in lists])
    narrowed = narrowing(session, aim, now)
    who = narrowed.inside, narrowed.excluded
    reach = in_time(session, COUNT_SECONDS, lambda: count_recipients(session, list_ids, now, *who))
    sample = in_time(session, SAMPLE_SECONDS, lambda: _first(session, list_ids, narrowed, now))
    return LookedAt(lists, aim, reach, sample or ())


def _first(
    session: Session, list_ids: list[int], narrowed: Narrowing, now: datetime
) -> tuple[tuple[int, str], ...]:
    """The first few people whom it is for and who can be mailed."""
    is_active = exists().where(
        Subscription.subscriber_id == Subscriber.id,
        Subscription.list_id.in_(list_ids),
        Subscription.state == SubscriptionState.ACTIVE,
    )
    people = (
        select(Subscriber.id, Subscriber.email)
        .where(is_active, narrowed.chosen, ~is_suppressed(now), Subscriber.email.is_not(None))
        .order_by(Subscriber.id)
        .limit(SAMPLE)
    )
    return tuple((row.id, row.email) for row in session.execute(people))
