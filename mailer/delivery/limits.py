"""Limits that hold across all workers: reserved with a chunk, given back with what it did not send.

The rows are locked from the reading to the end of the transaction, always in the same order, so that
processes which reserve at the same time do it one after another. The clock is the database's, read
once the rows are ours. Where nothing is limited this is one look at a small table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import fields
from datetime import datetime
from heapq import heapify, heapreplace

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from mailer.db import clock_now
from mailer.delivery.buckets import Limit
from mailer.models import LimitOrigin, Period, SendLimit

_COLUMNS = tuple(each.name for each in fields(Limit))


class Allowances:
    """The limits of some transports as they stand in one transaction; `save` writes what was taken.

    `is_urgent`: the mails are of the transactional lane, for which a little of each day is kept.
    """

    def __init__(self, limits: Iterable[Limit], now: datetime, *, is_urgent: bool = True) -> None:
        self.now = now
        self._is_urgent = is_urgent
        self._limits = {limit.id: limit for limit in limits}
        self._changed: set[int] = set()

    def limited_groups(self, transport_ids: Collection[int]) -> frozenset[str]:
        """The domain groups that have limits of their own at any of these transports."""
        return frozenset(
            limit.domain_group
            for limit in self._limits.values()
            if limit.domain_group and limit.transport_id in transport_ids
        )

    def room(self, transport_id: int, group: str | None) -> int | None:
        """How many mails to `group` the transport may be given now; None: as many as you like.

        `group` None stands for all domains that have no limit of their own.
        """
        return min(map(self.free, self._of(transport_id, group)), default=None)

    def free(self, limit: Limit) -> int:
        """How many mails of this kind one limit allows now."""
        return limit.free(self.now, is_urgent=self._is_urgent)

    def take(self, transport_id: int, group: str | None, count: int) -> None:
        """Reserve `count` mails; ask `room` first."""
        for limit in self._of(transport_id, group):
            self._put(limit.take(count, self.now))

    def give_back(self, transport_id: int, group: str | None, count: int, reserved_at: datetime) -> None:
        """Give back what was reserved and not sent."""
        for limit in self._of(transport_id, group):
            self._put(limit.give_back(count, self.now, reserved_at))

    def next_at(self, transport_id: int, group: str | None) -> datetime:
        """When one more mail to `group` may go by this transport."""
        return max(map(self._next_at, self._of(transport_id, group)), default=self.now)

    def narrowest(self, transport_id: int, group: str | None) -> Limit | None:
        """The limit that is waited for the longest."""
        return max(self._of(transport_id, group), key=self._next_at, default=None)

    def promise(self, limits: Sequence[Limit], count: int) -> list[datetime]:
        """A moment for each of `count` mails that wait for the first time, at whichever limit is first."""
        heads = [(self._next_promise(limit), limit.id) for limit in limits]
        heapify(heads)
        shares: Counter[int] = Counter()
        for _ in range(count):
            moment, number = heads[0]
            shares[number] += 1
            heapreplace(heads, (moment + self._limits[number].spacing, number))
        moments: list[datetime] = []
        for number, share in shares.items():
            promised, some = self._limits[number].promise(share, self.now, is_urgent=self._is_urgent)
            self._put(promised)
            moments += some
        return sorted(moments)

    def save(self, session: Session) -> None:
        """Write what was taken and given back."""
        if not self._changed:
            return
        table = SendLimit.__table__
        session.connection().execute(
            update(table)  # type: ignore[arg-type]
            .where(table.c.id == bindparam("limit_id"))
            .values({name: bindparam(f"new_{name}") for name in _STATE}),
            [
                {"limit_id": key, **{f"new_{name}": getattr(self._limits[key], name) for name in _STATE}}
                for key in sorted(self._changed)
            ],
        )
        self._changed.clear()

    def _next_promise(self, limit: Limit) -> datetime:
        return limit.next_promise(self.now, is_urgent=self._is_urgent)

    def _next_at(self, limit: Limit) -> datetime:
        return limit.next_at(self.now, is_urgent=self._is_urgent)

    def _of(self, transport_id: int, group: str | None) -> list[Limit]:
        return [
            limit
            for limit in self._limits.values()
            if limit.transport_id == transport_id and limit.domain_group in ("", group)
        ]

    def _put(self, limit: Limit) -> None:
        if limit != self._limits[limit.id]:
            self._limits[limit.id] = limit
            self._changed.add(limit.id)


_STATE = ("tokens", "filled_at", "day", "used", "promised_until")


def locked_allowances(
    session: Session, transport_ids: Collection[int], *, is_urgent: bool = True
) -> Allowances:
    """The limits of these transports, ours until the end of the transaction."""
    rows = session.execute(
        select(*(getattr(SendLimit, name) for name in _COLUMNS))
        .where(SendLimit.transport_id.in_(transport_ids))
        .order_by(SendLimit.id)
        .with_for_update()
    ).all()
    now = clock_now(session)
    return Allowances(map(_limit, rows), now, is_urgent=is_urgent)


def reserve(session: Session, transport_id: int, group: str | None, wanted: int) -> int:
    """Reserve up to `wanted` mails for one chunk; how many it may have."""
    allowances = locked_allowances(session, [transport_id])
    room = allowances.room(transport_id, group)
    granted = wanted if room is None else min(wanted, room)
    allowances.take(transport_id, group, granted)
    allowances.save(session)
    return granted


def give_back(
    session: Session, transport_id: int, group: str | None, count: int, reserved_at: datetime
) -> None:
    """Give back what a chunk reserved at `reserved_at` and did not send."""
    if count > 0:
        allowances = locked_allowances(session, [transport_id])
        allowances.give_back(transport_id, group, count, reserved_at)
        allowances.save(session)


def limits_of(session: Session, transport_id: int) -> list[Limit]:
    """A transport's limits, to show them."""
    rows = session.execute(
        select(*(getattr(SendLimit, name) for name in _COLUMNS))
        .where(SendLimit.transport_id == transport_id)
        .order_by(SendLimit.domain_group, SendLimit.period, SendLimit.origin)
    )
    return [_limit(row) for row in rows]


def all_limits(session: Session) -> list[Limit]:
    """Every transport's limits, to show them."""
    rows = session.execute(
        select(*(getattr(SendLimit, name) for name in _COLUMNS)).order_by(
            SendLimit.transport_id, SendLimit.domain_group, SendLimit.period, SendLimit.origin
        )
    )
    return [_limit(row) for row in rows]


def _limit(row: object) -> Limit:
    values = {name: getattr(row, name) for name in _COLUMNS}
    values["period"], values["origin"] = Period(values["period"]), LimitOrigin(values["origin"])
    return Limit(**values)
