"""What a batch tells about its transport: the breaker hears of it, and what was not used is given back.

A batch that went well by a transport that is well writes nothing at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from mailer.db import clock_now
from mailer.delivery.breaker import (
    Health,
    Pace,
    after_success,
    after_trouble,
    faster,
    slower,
)
from mailer.delivery.limits import give_back
from mailer.delivery.transports.base import Trouble, TroubleKind
from mailer.delivery.ways import HEALTH, health_of
from mailer.models import BreakerState, LimitOrigin, Period, SendLimit, Transport


@dataclass(frozen=True)
class Conduct:
    """How one batch went: `taken` and `answered` mails in `seconds`, `unused` that no server was asked about.

    `reserved_at` is when the batch was made and its mails reserved, by the database's clock.
    """

    transport_id: int
    domain_group: str | None
    reserved_at: datetime
    taken: int
    answered: int
    unused: int
    seconds: float
    trouble: Trouble | None = None
    was_well: bool = False

    @property
    def tells_nothing(self) -> bool:
        """All went well by a transport that was well."""
        return self.was_well and self.trouble is None and not self.unused


def report(session: Session, conduct: Conduct) -> None:
    """Write what a batch tells about its transport, if it tells anything."""
    if conduct.unused:
        give_back(*(session, conduct.transport_id, conduct.domain_group), conduct.unused, conduct.reserved_at)
    if conduct.trouble is None and conduct.was_well:
        return
    slowed = session.execute(_slowed(conduct.transport_id).with_for_update()).one_or_none()
    row = session.execute(
        select(*HEALTH).where(Transport.id == conduct.transport_id).with_for_update()
    ).one_or_none()
    if row is None:
        return
    now = clock_now(session)
    health = health_of(row)
    after = _judged(health, conduct, now)
    if after != health:
        _write(session, conduct.transport_id, after)
    _pace(session, conduct, Pace(slowed.most, slowed.since) if slowed else None, now)


@dataclass(frozen=True)
class Standing:
    """A batch's transport as the batch begins: why it must not go ('' when it may), whether all is well."""

    objection: str = ""
    is_well: bool = True


def standing(
    session: Session, transport_id: int | None, domain_group: str | None, reserved_at: datetime
) -> Standing:
    """Whether a batch that was made a while ago may still go by its transport.

    A transport may have been taken out since. And what was reserved long ago must not be added to what the
    limits allow now: that batch is made anew.
    """
    if transport_id is None:
        return Standing()
    values = {"id": transport_id, "group": domain_group or "", "made": reserved_at, "stale": STALE_SECONDS}
    row = session.execute(_STANDING, values).one_or_none()
    if row is None:
        return Standing("its transport was removed")
    return Standing(_objection(row), row.is_well)


def _objection(row: Any) -> str:
    if row.is_paused:
        return f"transport {row.slug} is paused"
    if row.state == BreakerState.OPEN:
        return f"transport {row.slug} is out: {row.reason}"
    return f"waits for its turn at {row.slug}" if row.is_stale else ""


STALE_SECONDS = 60.0
"""How long a reservation may wait for a worker: limits hold up to this, and the time that a batch takes."""

_STANDING = text("""
    SELECT slug, state, reason, paused_at IS NOT NULL AS is_paused,
           state = 'closed' AND failures = 0 AND openings = 0
           AND NOT EXISTS (SELECT FROM send_limits WHERE transport_id = :id AND origin = 'slowed') AS is_well,
           :made < clock_timestamp() - :stale * interval '1 second'
           AND EXISTS (SELECT FROM send_limits
                       WHERE transport_id = :id AND domain_group IN ('', :group)) AS is_stale
    FROM transports WHERE id = :id
    """)


def _slowed(transport_id: int) -> Select[int, int, datetime]:
    return select(SendLimit.id, SendLimit.most, SendLimit.since).where(*_of_slowing(transport_id))


def _of_slowing(transport_id: int) -> tuple[ColumnElement[bool], ...]:
    return SendLimit.transport_id == transport_id, SendLimit.origin == LimitOrigin.SLOWED


def _judged(health: Health, conduct: Conduct, now: datetime) -> Health:
    if conduct.trouble is not None:
        return after_trouble(health, conduct.trouble, now, taken=conduct.taken)
    if conduct.answered:
        return after_success(health)
    if health.state is BreakerState.PROBING:
        # Nothing was asked after all, so nothing is known: the next chunk is the probe.
        return Health(
            *(BreakerState.OPEN, health.trouble, health.reason, health.since),
            *(health.failures, health.openings, now),
        )
    return health


def _write(session: Session, transport_id: int, health: Health) -> None:
    session.execute(
        update(Transport)
        .where(Transport.id == transport_id)
        .values(
            state=health.state,
            trouble=health.trouble,
            reason=health.reason,
            since=health.since,
            failures=health.failures,
            openings=health.openings,
            probe_at=health.probe_at,
        )
    )


def _pace(session: Session, conduct: Conduct, pace: Pace | None, now: datetime) -> None:
    """Slow a busy server down, or let it be a little faster again."""
    if conduct.trouble is not None and conduct.trouble.kind is TroubleKind.BUSY:
        after = slower(pace, now, taken=conduct.taken, seconds=conduct.seconds)
        if after != pace:
            _slow(session, conduct.transport_id, after)
    elif pace is not None and conduct.trouble is None and conduct.answered:
        eased = faster(pace, now, started=conduct.reserved_at)
        if eased is None:
            session.execute(delete(SendLimit).where(*_of_slowing(conduct.transport_id)))
        elif eased != pace:
            _slow(session, conduct.transport_id, eased)


def _slow(session: Session, transport_id: int, pace: Pace) -> None:
    """Set the pace. It begins with what it may give in five seconds: those that met the 421 wait anyway."""
    state = {"most": pace.per_minute, "since": pace.since}
    session.execute(
        insert(SendLimit)
        .values(
            transport_id=transport_id,
            period=Period.MINUTE,
            origin=LimitOrigin.SLOWED,
            tokens=float(pace.per_minute),
            filled_at=pace.since,
            **state,
        )
        .on_conflict_do_update(
            index_elements=["transport_id", "domain_group", "period", "origin"], set_=state
        )
    )
