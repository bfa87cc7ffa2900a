"""All that the operator's board shows of this moment: cheap enough to be looked at every second."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from mailer.db import clock_now
from mailer.delivery.buckets import LENGTH, Limit
from mailer.delivery.limits import all_limits
from mailer.delivery.ways import DEFAULT
from mailer.models import BreakerState, LimitOrigin, Period, Sender, SenderTransport, Transport
from mailer.reports.findings import Finding, Headline, LastHour, Way, findings, headline
from mailer.reports.history import last_hour
from mailer.reports.queues import QueueStatus, queue_status
from mailer.reports.reasons import ReasonGroup, reasons

LOOK_AT = 10_000
"""Deferred mails of a source that are counted one by one for the board; it looks every second."""


@dataclass(frozen=True)
class LimitGauge:
    """How much of a limit is used: of a day what left on it, else of what may leave at once."""

    words: str
    used: int
    most: int
    per_second: float
    is_warmup: bool
    domain_group: str = ""

    @property
    def free(self) -> int:
        return self.most - self.used


@dataclass(frozen=True)
class TransportGauge:
    """A transport's health and limits; `tone` is as in the pages' states.

    `warmup_target` is a day's. `per_second` left in the last minute, `allowed` by its own limits: None is
    no limit, 0 while nothing may leave by it.
    """

    slug: str
    state: str
    tone: str
    reason: str
    since: datetime | None
    next_probe_at: datetime | None
    limits: tuple[LimitGauge, ...]
    warmup_target: int | None
    is_used: bool
    per_second: float = 0.0
    allowed: float | None = None


@dataclass(frozen=True)
class Board:
    """`allowed` is the mails a second that all lanes together may send; None: no limit."""

    status: QueueStatus
    transports: Sequence[TransportGauge]
    found: Sequence[Finding]
    headline: Headline
    allowed: float | None
    reasons: Sequence[ReasonGroup]

    @property
    def per_second(self) -> float:
        """What all lanes together sent a second in the last minute."""
        return sum(lane.per_second or 0 for lane in self.status.lanes)


def board(
    session: Session, now: datetime, depths: Mapping[str, int | None], hour: LastHour | None = None
) -> Board:
    """The board at `now` (business time); `depths` as for `queue_status`, `hour` from the history."""
    status = queue_status(session, now, depths, look_at=LOOK_AT)
    gauges, ways = _transports(session)
    found = findings(status, ways, hour or LastHour())
    why = reasons(session, now, timedelta(hours=1), with_domains=False)
    return Board(status, gauges, found, headline(status, ways, found), _allowed(gauges), why)


@dataclass(frozen=True)
class Standing:
    """How sending stands: the board without its gauges and reasons."""

    status: QueueStatus
    found: Sequence[Finding]
    headline: Headline


def standing(session: Session, now: datetime, depths: Mapping[str, int | None]) -> Standing:
    """Whether mail flows and what is wrong at `now` (business time); `depths` as for `queue_status`."""
    status = queue_status(session, now, depths, look_at=LOOK_AT)
    ways = _transports(session)[1]
    found = findings(status, ways, last_hour(session, now))
    return Standing(status, found, headline(status, ways, found))


def _transports(session: Session) -> tuple[list[TransportGauge], list[Way]]:
    clock = clock_now(session)
    limits: dict[int, list[Limit]] = {}
    for limit in all_limits(session):
        limits.setdefault(limit.transport_id, []).append(limit)
    used = set(session.scalars(select(SenderTransport.transport_id).where(SenderTransport.weight > 0)))
    without = session.scalar(
        select(Sender.id)
        .where(~select(SenderTransport.sender_id).where(SenderTransport.sender_id == Sender.id).exists())
        .limit(1)
    )
    sent = {row.transport_id: row.mails for row in session.execute(_SENT)}
    gauges, ways = [], []
    for row in session.scalars(select(Transport).order_by(Transport.slug != DEFAULT, Transport.slug)):
        is_used = row.id in used or (row.slug == DEFAULT and without is not None)
        per_second = sent.get(row.id, 0) / 60
        gauge = _gauge(row, limits.get(row.id, []), clock, is_used=is_used, per_second=per_second)
        gauges.append(gauge)
        is_used_up = any(limit.free <= 0 for limit in gauge.limits if not limit.domain_group)
        ways.append(Way(row.id, row.slug, gauge.state, gauge.reason, is_used, is_used_up))
    return gauges, ways


_SENT = text("""
    SELECT transport_id, sum(mails)::bigint AS mails FROM moves
    WHERE at > clock_timestamp() - interval '1 minute' AND new_state = 'accepted' AND transport_id IS NOT NULL
    GROUP BY 1
    """)


def _gauge(
    row: Transport, limits: Sequence[Limit], clock: datetime, *, is_used: bool, per_second: float
) -> TransportGauge:
    state, tone, reason, since = _state(row, limits)
    gauges = tuple(_limit(limit, clock) for limit in limits)
    return TransportGauge(
        *(row.slug, state, tone, reason, since, row.probe_at if state == "out" else None),
        gauges,
        row.warmup_target,
        is_used,
        per_second,
        0.0 if state in ("paused", "out") else _narrowest(gauges),
    )


def _state(row: Transport, limits: Sequence[Limit]) -> tuple[str, str, str, datetime | None]:
    if row.paused_at is not None:
        return "paused", "wait", row.paused_reason, row.paused_at
    if row.state == BreakerState.OPEN:
        return "out", "bad", row.reason, row.since
    if row.state == BreakerState.PROBING:
        return "being tried", "wait", row.reason, row.since
    slowed = next((limit for limit in limits if limit.origin is LimitOrigin.SLOWED), None)
    if slowed is not None:
        return "slowed", "wait", f"the server was busy: {slowed.most:,} a minute for now", slowed.since
    return "well", "good", "", None


def _limit(limit: Limit, clock: datetime) -> LimitGauge:
    most = limit.most if limit.period is Period.DAY else limit.capacity
    rate = limit.most / (LENGTH[limit.period] / timedelta(seconds=1))
    is_warmup = limit.origin is LimitOrigin.WARMUP
    used = max(0, most - limit.free(clock))
    return LimitGauge(str(limit), used, most, rate, is_warmup, limit.domain_group)


def _allowed(gauges: Sequence[TransportGauge]) -> float | None:
    """The narrowest limits of the transports that mail may go by, added up; None when one has none."""
    total = 0.0
    for gauge in gauges:
        if gauge.is_used and gauge.allowed is None:
            return None
        total += (gauge.allowed or 0.0) if gauge.is_used else 0.0
    return total


def _narrowest(limits: Sequence[LimitGauge]) -> float | None:
    return min((limit.per_second for limit in limits if not limit.domain_group), default=None)
