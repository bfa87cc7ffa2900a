"""The circuit breaker of a transport: when it is taken out, slowed down, tried again. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from mailer.delivery.transports.base import Trouble, TroubleKind
from mailer.models import BreakerState

FAILURES = 3
"""Troubles in a row after which a server that cannot be reached, or refuses us, is left alone."""

FIRST_PAUSE = {
    TroubleKind.UNREACHABLE: timedelta(seconds=10),
    # Each try is a wrong password, and some relays lock an account after a few.
    TroubleKind.LOGIN: timedelta(minutes=2),
    TroubleKind.TLS: timedelta(minutes=1),
    TroubleKind.UNWELCOME: timedelta(minutes=2),
}
LONGEST_PAUSE = {
    TroubleKind.UNREACHABLE: timedelta(minutes=5),
    TroubleKind.LOGIN: timedelta(hours=1),
    TroubleKind.TLS: timedelta(minutes=15),
    TroubleKind.UNWELCOME: timedelta(minutes=30),
}
PROBE_MAILS = 5
"""Mails in the chunk that tries a transport again: few, since they may all have to wait."""

PROBE_TIME = timedelta(minutes=5)
"""After that a probe counts as lost, its worker with it, and another may go."""

SLOWEST = 6
"""Mails a minute below which a busy server is not slowed any further."""

UNKNOWN_PACE = 600
"""Mails a minute that a busy server is taken to have been at when nothing is known of it."""

SLOW_AGAIN_AFTER = timedelta(seconds=20)
"""Workers meet the same 421 together, and it must not halve the pace for each of them."""

FASTER_AFTER = timedelta(minutes=1)
FASTER_BY = 1.25
FREE_AT = 5000
"""Mails a minute at which a slowed transport is free again; a slowing begins at half of that at most."""


class Chance(StrEnum):
    """What a transport may be given now."""

    FULL = "full"
    PROBE = "probe"
    NONE = "none"


@dataclass(frozen=True)
class Health:
    """How a transport is; see `models.Transport` for the fields."""

    state: BreakerState = BreakerState.CLOSED
    trouble: str = ""
    reason: str = ""
    since: datetime | None = None
    failures: int = 0
    openings: int = 0
    probe_at: datetime | None = None


@dataclass(frozen=True)
class Pace:
    """The mails a minute that a busy server is given, and since when it is so many."""

    per_minute: int
    since: datetime


WELL = Health()


def chance(health: Health, now: datetime) -> Chance:
    """Whether mail may go by a transport."""
    if health.state is BreakerState.CLOSED:
        return Chance.FULL
    is_time = health.probe_at is None or health.probe_at <= now
    return Chance.PROBE if is_time else Chance.NONE


def probing(health: Health, now: datetime) -> Health:
    """A probe is on its way; no second one goes before it has ended, or is surely lost."""
    return replace(health, state=BreakerState.PROBING, probe_at=now + PROBE_TIME)


def after_trouble(health: Health, trouble: Trouble, now: datetime, *, taken: int = 0) -> Health:
    """A chunk ended in trouble, after the server had taken some mails of it.

    Login and TLS do not mend themselves: the transport is out at once. One that cannot be reached, or that
    refuses us (perhaps one sender only), is out after FAILURES in a row, and as soon as a probe fails. A busy
    one stays in use, more slowly; see `slower`. Every opening doubles the pause before the next probe.
    """
    if trouble.kind is TroubleKind.BUSY:
        # It answered, so it is there. A probe that finds it busy has found it.
        return health if health.state is BreakerState.CLOSED else _closed(health)
    failures = 1 if taken else health.failures + 1
    known = replace(health, trouble=trouble.kind, reason=trouble.reason, failures=failures)
    is_patient = trouble.kind in (TroubleKind.UNREACHABLE, TroubleKind.UNWELCOME)
    if is_patient and health.state is BreakerState.CLOSED and failures < FAILURES:
        return known
    if health.state is BreakerState.OPEN:
        # A chunk that left before the breaker opened says nothing new.
        return replace(known, failures=health.failures)
    pause = pause_before_probe(trouble.kind, health.openings)
    since = health.since if health.state is BreakerState.PROBING and health.since else now
    return replace(
        known, state=BreakerState.OPEN, since=since, openings=health.openings + 1, probe_at=now + pause
    )


def after_success(health: Health) -> Health:
    """The server took or answered mails without trouble.

    The count of openings is forgotten only with the next success, so that a server which comes and goes
    gets longer pauses. A late chunk from before an opening does not close it: the probe decides.
    """
    if health.state is BreakerState.OPEN:
        return health
    return _closed(health) if health.state is BreakerState.PROBING else WELL


def pause_before_probe(kind: TroubleKind, openings: int) -> timedelta:
    """FIRST_PAUSE * 2**openings, at most LONGEST_PAUSE."""
    pause: timedelta = FIRST_PAUSE[kind] * 2 ** min(openings, 16)
    return min(pause, LONGEST_PAUSE[kind])


def slower(pace: Pace | None, now: datetime, *, taken: int, seconds: float) -> Pace:
    """The pace after the server was busy: half of what it was, at least SLOWEST.

    Without a pace so far it is half of what the chunk itself managed: `taken` mails in `seconds`. That
    is one worker's share, so several workers together are slowed by more than half; they creep up again.
    """
    if pace is not None and now - pace.since < SLOW_AGAIN_AFTER:
        return pace
    measured = min(round(taken * 60 / max(seconds, 0.1)), FREE_AT) if taken else UNKNOWN_PACE
    before = measured if pace is None else pace.per_minute
    return Pace(max(SLOWEST, before // 2), now)


def faster(pace: Pace, now: datetime, *, started: datetime) -> Pace | None:
    """The pace after a chunk without trouble that began at `started`; None when it is free again.

    A quarter more for each minute in which the server was not busy: ten times as many after ten minutes.
    """
    if started < pace.since or now - pace.since < FASTER_AFTER:
        return pace
    grown = round(pace.per_minute * FASTER_BY) + 1
    return Pace(grown, now) if grown < FREE_AT else None


def _closed(health: Health) -> Health:
    return Health(openings=health.openings)
