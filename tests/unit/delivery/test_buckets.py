"""Limits: what they allow, over any stretch of time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.delivery.buckets import LENGTH, Limit
from mailer.models import LimitOrigin, Period

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
BUCKETS = [Period.MINUTE, Period.HOUR]


def full(most: int, period: Period = Period.HOUR) -> Limit:
    return Limit(
        *(1, 1, "outlook", period, LimitOrigin.SET, most, float(most)),
        *(NOON, None, 0, None, NOON - timedelta(days=1)),
    )


def test_a_twelfth_at_once_and_the_rest_as_time_goes_by() -> None:
    limit = full(120)
    assert limit.free(NOON) == 10
    empty = limit.take(10, NOON)
    assert empty.free(NOON) == 0
    # 120 - 10 + 1 = 111 an hour: one in 32.4 s.
    assert empty.free(NOON + timedelta(seconds=32)) == 0
    assert empty.free(NOON + timedelta(seconds=33)) == 1
    assert empty.free(NOON + timedelta(hours=5)) == 10
    assert str(limit) == "120 an hour to outlook"


def test_one_an_hour_is_one_an_hour() -> None:
    limit = full(1).take(1, NOON)
    assert limit.free(NOON + timedelta(minutes=59)) == 0
    assert limit.free(NOON + timedelta(hours=1)) == 1


@given(
    st.sampled_from(BUCKETS),
    st.integers(1, 400),
    st.lists(st.tuples(st.floats(0, 0.2), st.integers(1, 60)), min_size=1, max_size=200),
)
def test_no_stretch_of_its_length_ever_sees_more_than_the_limit(
    period: Period, most: int, steps: list[tuple[float, int]]
) -> None:
    limit, now, taken = full(most, period), NOON, []
    for part, wanted in steps:
        now += LENGTH[period] * part
        granted = min(wanted, limit.free(now))
        limit = limit.take(granted, now)
        taken.append((now, granted))
    for start, _ in taken:
        stretch = [count for at, count in taken if start <= at < start + LENGTH[period]]
        assert sum(stretch) <= most


@given(
    st.integers(12, 400),
    st.lists(st.tuples(st.floats(0, 0.2), st.integers(1, 60), st.floats(0, 1)), min_size=1, max_size=120),
)
def test_giving_back_never_lets_more_be_sent_than_the_limit(
    most: int, steps: list[tuple[float, int, float]]
) -> None:
    limit, now, sent = full(most), NOON, []
    owed: list[tuple[int, datetime]] = []
    for part, wanted, used in steps:
        now += LENGTH[Period.HOUR] * part
        for count, reserved_at in owed:
            limit = limit.give_back(count, now, reserved_at)
        granted = min(wanted, limit.free(now))
        limit = limit.take(granted, now)
        spent = round(granted * used)
        sent.append((now, spent))
        owed = [(granted - spent, now)]
    for start, _ in sent:
        assert sum(count for at, count in sent if start <= at < start + LENGTH[Period.HOUR]) <= most


@given(st.integers(12, 400), st.integers(1, 30))
def test_what_is_given_back_at_once_is_there_again(most: int, wanted: int) -> None:
    limit = full(most)
    granted = min(wanted, limit.free(NOON))
    assert limit.take(granted, NOON).give_back(granted, NOON, NOON).free(NOON) == limit.free(NOON)


@given(st.sampled_from(Period), st.integers(1, 500), st.floats(0, 3))
def test_there_is_room_at_the_moment_that_was_named(period: Period, most: int, part: float) -> None:
    limit = full(most, period)
    limit = limit.take(limit.free(NOON), NOON)
    now = NOON + LENGTH[period] * part / 10
    moment = limit.next_at(now)
    assert limit.free(moment) > 0
    assert moment <= now or limit.free(now) == 0


def test_a_day_is_a_day_of_utc_and_may_be_used_up_at_once() -> None:
    late = datetime(2026, 3, 2, 23, 59, tzinfo=UTC)
    limit = full(500, Period.DAY).take(500, late)
    assert limit.free(late) == 0
    midnight = datetime(2026, 3, 3, tzinfo=UTC)
    assert limit.next_at(late) == midnight
    assert limit.free(midnight) == 500


def test_a_little_of_a_day_is_kept_for_urgent_mail() -> None:
    limit = full(500, Period.DAY).take(490, NOON)
    assert (limit.free(NOON), limit.free(NOON, is_urgent=False)) == (10, 0)
    assert limit.next_at(NOON, is_urgent=False) == datetime(2026, 3, 3, tzinfo=UTC)
    assert limit.next_at(NOON) == NOON


def test_what_was_reserved_yesterday_is_not_given_back_to_today() -> None:
    late = datetime(2026, 3, 2, 23, 59, tzinfo=UTC)
    limit = full(100, Period.DAY).take(60, late)
    today = late + timedelta(minutes=2)
    used = limit.take(100, today)
    assert used.give_back(60, today, late).free(today) == 0
    assert used.give_back(10, today, today).free(today) == 10


@given(
    st.integers(1, 300),
    st.lists(st.tuples(st.integers(0, 720), st.integers(1, 50), st.booleans()), min_size=1, max_size=80),
)
def test_a_days_ceiling_holds_across_midnight(most: int, steps: list[tuple[int, int, bool]]) -> None:
    limit, now = full(most, Period.DAY), NOON
    sent: dict[object, int] = {}
    owed: list[tuple[int, datetime]] = []
    for minutes, wanted, is_sent in steps:
        now += timedelta(minutes=minutes)
        for count, reserved_at in owed:
            limit = limit.give_back(count, now, reserved_at)
        granted = min(wanted, limit.free(now))
        limit = limit.take(granted, now)
        owed = [] if is_sent else [(granted, now)]
        sent[now.date()] = sent.get(now.date(), 0) + granted * is_sent
        assert sent[now.date()] <= most


def test_mails_that_wait_are_promised_one_moment_after_the_other() -> None:
    limit = full(12).take(1, NOON)  # one at once, then one in five minutes
    limit, moments = limit.promise(3, NOON)
    minutes = [round((moment - NOON) / timedelta(minutes=1)) for moment in moments]
    assert minutes == [5, 10, 15]
    _, later = limit.promise(1, NOON + timedelta(minutes=1))
    assert round((later[0] - NOON) / timedelta(minutes=1)) == 20


def test_a_limit_that_is_set_anew_gets_nothing_back_from_before() -> None:
    limit = full(120).take(10, NOON)
    assert limit.give_back(10, NOON, NOON - timedelta(days=2)).free(NOON) == 0


@pytest.mark.parametrize("period", BUCKETS)
def test_a_clock_that_is_read_a_little_late_gives_nothing_away(period: Period) -> None:
    limit = full(120, period).take(10, NOON)
    assert limit.free(NOON - timedelta(seconds=3)) == 0
