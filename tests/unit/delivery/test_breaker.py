"""When a transport is taken out, slowed, and tried again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mailer.delivery.breaker import (
    PROBE_TIME,
    SLOWEST,
    WELL,
    Chance,
    Health,
    Pace,
    after_success,
    after_trouble,
    chance,
    faster,
    pause_before_probe,
    probing,
    slower,
)
from mailer.delivery.transports.base import Trouble, TroubleKind
from mailer.models import BreakerState

NOW = datetime(2026, 3, 2, 7, 0, tzinfo=UTC)


def trouble(kind: TroubleKind) -> Trouble:
    return Trouble(kind, f"{kind} at the relay")


def after(kinds: list[TroubleKind], taken: int = 0) -> Health:
    health = WELL
    for kind in kinds:
        health = after_trouble(health, trouble(kind), NOW, taken=taken)
    return health


@pytest.mark.parametrize("kind", [TroubleKind.LOGIN, TroubleKind.TLS])
def test_what_does_not_mend_itself_takes_the_transport_out_at_once(kind: TroubleKind) -> None:
    health = after([kind])
    assert (health.state, health.since, health.trouble) == (BreakerState.OPEN, NOW, kind)
    assert chance(health, NOW) is Chance.NONE


@pytest.mark.parametrize("kind", [TroubleKind.UNREACHABLE, TroubleKind.UNWELCOME])
def test_a_server_that_cannot_be_reached_is_out_after_three_in_a_row(kind: TroubleKind) -> None:
    assert chance(after([kind] * 2), NOW) is Chance.FULL
    assert chance(after([kind] * 3), NOW) is Chance.NONE


def test_mails_that_were_taken_in_between_begin_the_count_anew() -> None:
    assert after([TroubleKind.UNREACHABLE] * 5, taken=3).state is BreakerState.CLOSED
    twice = after([TroubleKind.UNREACHABLE] * 2)
    assert after_success(twice) == WELL


def test_a_busy_server_stays_in_use() -> None:
    assert after([TroubleKind.BUSY] * 9) == WELL


def test_it_is_tried_again_by_one_probe_at_a_time() -> None:
    out = after([TroubleKind.LOGIN])
    due = NOW + timedelta(minutes=2)  # the first pause after a refused login
    assert chance(out, due - timedelta(seconds=1)) is Chance.NONE
    assert chance(out, due) is Chance.PROBE
    tried = probing(out, due)
    assert chance(tried, due + timedelta(seconds=1)) is Chance.NONE
    assert chance(tried, due + PROBE_TIME) is Chance.PROBE  # that one was lost with its worker


def test_a_probe_that_fails_doubles_the_pause_and_keeps_the_beginning() -> None:
    out = after([TroubleKind.LOGIN])
    due = NOW + timedelta(minutes=2)
    again = after_trouble(probing(out, due), trouble(TroubleKind.UNREACHABLE), due)
    assert again.state is BreakerState.OPEN
    assert again.since == NOW
    assert again.probe_at == due + timedelta(seconds=20)  # 10 s * 2


def test_a_probe_that_succeeds_closes_it_and_the_next_success_forgets_the_openings() -> None:
    closed = after_success(probing(after([TroubleKind.TLS]), NOW))
    assert (closed.state, closed.openings) == (BreakerState.CLOSED, 1)
    assert after_success(closed) == WELL


def test_a_late_chunk_neither_closes_nor_prolongs_an_open_breaker() -> None:
    out = after([TroubleKind.LOGIN])
    assert after_success(out) == out
    later = after_trouble(out, trouble(TroubleKind.LOGIN), NOW + timedelta(minutes=1))
    assert later.probe_at == out.probe_at


@pytest.mark.parametrize(
    ("kind", "openings", "expected"),
    [
        (TroubleKind.UNREACHABLE, 0, timedelta(seconds=10)),
        (TroubleKind.UNREACHABLE, 3, timedelta(seconds=80)),
        (TroubleKind.UNREACHABLE, 50, timedelta(minutes=5)),
        (TroubleKind.LOGIN, 1, timedelta(minutes=4)),
        (TroubleKind.LOGIN, 9, timedelta(hours=1)),
    ],
)
def test_pauses_grow_to_a_longest_one(kind: TroubleKind, openings: int, expected: timedelta) -> None:
    assert pause_before_probe(kind, openings) == expected


def test_a_busy_server_gets_half_of_what_the_chunk_managed() -> None:
    # 100 mails in 20 s are 300 a minute.
    assert slower(None, NOW, taken=100, seconds=20) == Pace(150, NOW)
    assert slower(None, NOW, taken=0, seconds=0.2) == Pace(300, NOW)  # nothing known: half of 600


def test_workers_that_meet_the_same_421_halve_the_pace_once() -> None:
    pace = Pace(150, NOW)
    assert slower(pace, NOW + timedelta(seconds=5), taken=3, seconds=1) == pace
    assert slower(pace, NOW + timedelta(minutes=1), taken=3, seconds=1).per_minute == 75


def test_a_pace_never_falls_below_the_slowest() -> None:
    pace = Pace(SLOWEST + 1, NOW)
    assert slower(pace, NOW + timedelta(hours=1), taken=0, seconds=1).per_minute == SLOWEST


def test_the_pace_creeps_up_by_a_quarter_a_minute_until_it_is_free() -> None:
    pace: Pace | None = Pace(100, NOW)
    assert pace is not None
    assert faster(pace, NOW + timedelta(seconds=30), started=NOW) == pace
    assert faster(pace, NOW + timedelta(minutes=2), started=NOW - timedelta(seconds=1)) == pace
    minutes = 0
    while pace is not None:
        minutes += 1
        moment = NOW + timedelta(minutes=minutes)
        pace = faster(pace, moment, started=moment - timedelta(seconds=1))
    assert minutes == 18  # 100 * 1.25**18 = 5,551, past 5,000
