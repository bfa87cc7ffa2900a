"""The ways that mail can go in one dispatch: transports, their health, and what their limits leave.

Read once for all sources of a lane. Limits are locked before anything is written to transports, by everybody,
so that nobody waits for each other in a ring.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from mailer.delivery.breaker import PROBE_MAILS, PROBE_TIME, Chance, Health, chance
from mailer.delivery.buckets import Limit
from mailer.delivery.limits import Allowances, locked_allowances
from mailer.delivery.routing import Share, Way
from mailer.delivery.warming import begin_days
from mailer.models import BreakerState, SenderTransport, Transport

DEFAULT = "default"
"""The transport of senders that have none of their own: the relay of STEADYPOST_SMTP_URL."""


@dataclass(frozen=True)
class _Choice:
    """A transport that a sender may use."""

    transport_id: int
    weight: int


class Ways:
    """What may go by which transport now; `take` reserves it."""

    def __init__(
        self,
        allowances: Allowances,
        chances: Mapping[int, Chance],
        choices: Mapping[int | None, Collection[_Choice]],
        default: Collection[_Choice],
    ) -> None:
        self.allowances = allowances
        self._chances = dict(chances)
        self._choices = choices
        self._default = default

    def of(self, sender_id: int | None, group: str | None = None) -> list[Way]:
        """The transports of a sender, and how much to `group` each may be given now."""
        return [
            Way(
                choice.transport_id,
                choice.weight,
                self._chances[choice.transport_id],
                self.allowances.room(choice.transport_id, group),
            )
            for choice in self._choices.get(sender_id) or self._default
        ]

    def room(self, sender_id: int | None, most: int) -> int:
        """How many mails of a sender may be looked at now, up to `most`; 0: there is no way for any."""
        room = 0
        for way in self.of(sender_id):
            if way.chance is not Chance.NONE:
                here = most if way.room is None else way.room
                room += min(here, PROBE_MAILS) if way.chance is Chance.PROBE else here
        return min(room, most)

    def limited_groups(self, sender_id: int | None) -> frozenset[str]:
        """The domain groups that must be told apart among a sender's mails."""
        return self.allowances.limited_groups({way.transport_id for way in self.of(sender_id)})

    def take(self, session: Session, share: Share, group: str | None) -> bool:
        """Reserve a share; False when somebody else has just sent the probe that it was to be."""
        if share.is_probe:
            self._chances[share.transport_id] = Chance.NONE
            if not _begin_probe(session, share.transport_id):
                return False
        self.allowances.take(share.transport_id, group, share.mails)
        return True

    def waiting_for(self, sender_id: int | None, group: str) -> list[Limit]:
        """The limits of `group`, one for each way, that its mails wait for; none if it is something else."""
        usable = [way for way in self.of(sender_id, group) if way.chance is Chance.FULL]
        narrowest = [self.allowances.narrowest(way.transport_id, group) for way in usable]
        return [
            limit
            for limit in narrowest
            if limit is not None and limit.domain_group == group and not self.allowances.free(limit)
        ]


def read_ways(session: Session, sender_ids: Collection[int], *, is_urgent: bool = False) -> Ways:
    """The ways of these senders, whose limits are ours until the end of the transaction."""
    choices = _choices(session, sender_ids)
    rows = session.execute(select(*HEALTH, Transport.slug, Transport.warmup_day)).all()
    by_default = [_Choice(row.id, 1) for row in rows if row.slug == DEFAULT]
    used = {choice.transport_id for some in [*choices.values(), by_default] for choice in some}
    allowances = locked_allowances(session, used, is_urgent=is_urgent)
    today = allowances.now.date()
    behind = [row.id for row in rows if row.warmup_day is not None and row.warmup_day < today]
    if behind and begin_days(session, behind, today):
        allowances = locked_allowances(session, used, is_urgent=is_urgent)
    chances = {row.id: _chance(row, allowances.now) for row in rows}
    return Ways(allowances, chances, choices, by_default)


HEALTH = (
    *(Transport.id, Transport.state, Transport.trouble, Transport.reason, Transport.since),
    *(Transport.failures, Transport.openings, Transport.probe_at, Transport.paused_at),
)


def health_of(row: Any) -> Health:
    """The health that a transport's row tells of."""
    values = (row.trouble, row.reason, row.since, row.failures, row.openings, row.probe_at)
    return Health(BreakerState(row.state), *values)


def _chance(row: Any, now: datetime) -> Chance:
    return Chance.NONE if row.paused_at is not None else chance(health_of(row), now)


def _choices(session: Session, sender_ids: Collection[int]) -> dict[int | None, list[_Choice]]:
    rows = session.execute(
        select(SenderTransport.sender_id, SenderTransport.transport_id, SenderTransport.weight)
        .where(SenderTransport.sender_id.in_(sender_ids))
        .order_by(SenderTransport.transport_id)
    )
    found: dict[int | None, list[_Choice]] = {}
    for row in rows:
        found.setdefault(row.sender_id, []).append(_Choice(row.transport_id, row.weight))
    return found


# Whoever is dispatching another lane at this moment must not be waited for: it sends the probe then.
_PROBE = text("""
    UPDATE transports SET state = 'probing', probe_at = clock_timestamp() + CAST(:time AS interval)
    WHERE id = (SELECT id FROM transports
                WHERE id = :id AND state <> 'closed' AND paused_at IS NULL
                  AND coalesce(probe_at, '-infinity') <= clock_timestamp()
                FOR UPDATE SKIP LOCKED)
    RETURNING id
    """)


def _begin_probe(session: Session, transport_id: int) -> bool:
    values = {"id": transport_id, "time": PROBE_TIME}
    return session.execute(_PROBE, values).one_or_none() is not None
