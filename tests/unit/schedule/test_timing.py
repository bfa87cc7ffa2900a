"""Days, windows, weekdays and quiet dates in every zone, with examples worked by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.clock import zone, zone_names
from mailer.schedule.timing import EVERY_DAY, NoSuchDay, Timing, read_timing, window_on

MON_TO_FRI = 0b0011111
ZONES = st.sampled_from(sorted(zone_names()))
DAYS = st.dates(date(2026, 1, 1), date(2027, 12, 31))
TIMES = st.times().map(lambda at: at.replace(second=0, microsecond=0))


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]


def test_a_saturday_rolls_to_monday_and_keeps_its_hour() -> None:
    # 28 March 2026 is a Saturday; London's clocks go forward on the 29th, so Monday 09:00 is 08:00 UTC.
    window = window_on(date(2026, 3, 28), time(9), Timing(weekdays=MON_TO_FRI), "Europe/London")
    assert (window.day, window.opens_at) == (date(2026, 3, 30), utc(2026, 3, 30, 8))


def test_a_skipped_hour_gives_the_first_instant_after_it_and_a_doubled_one_its_first() -> None:
    # Berlin: 02:30 does not exist on 29 March 2026 (02:00 becomes 03:00, 01:00 UTC)
    # and comes twice on 25 October (first in summer time, 00:30 UTC).
    assert window_on(date(2026, 3, 29), time(2, 30), Timing(), "Europe/Berlin").opens_at == utc(
        2026, 3, 29, 1
    )
    doubled = window_on(date(2026, 10, 25), time(2, 30), Timing(), "Europe/Berlin").opens_at
    assert doubled == utc(2026, 10, 25, 0, 30)


def test_a_window_that_a_clock_change_swallows_is_open_from_the_change_on() -> None:
    window = window_on(date(2026, 3, 29), time(2, 10), Timing(until=time(2, 50)), "Europe/Berlin")
    assert (window.opens_at, window.closes_at) == (utc(2026, 3, 29, 1), None)


def test_quiet_dates_of_every_year_of_one_year_and_of_a_span_are_passed_over() -> None:
    quiet = Timing(quiet=("12-25", "2026-12-26", "2026-12-27/2027-01-03"))
    # 25 December to 3 January are quiet, the 4th is not.
    assert window_on(date(2026, 12, 25), time(8), quiet, "Etc/UTC").day == date(2027, 1, 4)
    assert window_on(date(2027, 12, 26), time(8), quiet, "Etc/UTC").day == date(2027, 12, 26)


def test_not_before_moves_to_its_date_and_then_to_an_allowed_weekday() -> None:
    # 1 January 2027 is a Friday; only Mondays are allowed.
    timing = Timing(weekdays=1, not_before=date(2027, 1, 1))
    assert window_on(date(2026, 12, 1), time(8), timing, "Etc/UTC").day == date(2027, 1, 4)


def test_a_step_that_may_never_leave_is_told() -> None:
    with pytest.raises(NoSuchDay):
        window_on(date(2026, 1, 1), time(8), Timing(quiet=("2026-01-01/2040-01-01",)), "Etc/UTC")


def test_what_is_stored_is_read_back() -> None:
    stored = {"until": "10:00", "weekdays": 31, "not_before": "2027-01-04", "quiet": ["12-25"]}
    assert read_timing(stored) == Timing(time(10), 31, date(2027, 1, 4), ("12-25",))
    assert read_timing({}) == Timing()


@given(ZONES, DAYS, TIMES, st.integers(1, EVERY_DAY))
def test_in_every_zone_a_mail_leaves_on_an_allowed_day_at_its_hour_or_right_after_a_gap(
    name: str, day: date, at: time, weekdays: int
) -> None:
    timing = Timing(weekdays=weekdays)
    window = window_on(day, at, timing, name)
    local = window.opens_at.astimezone(zone(name))
    assert timing.allows(window.day)
    assert day <= window.day <= day + timedelta(days=6)
    # The wall clock shows the hour, unless that day has no such hour: then the first moment after the gap.
    assert local.replace(tzinfo=None) >= datetime.combine(window.day, at)
    gap = local.replace(tzinfo=None) - datetime.combine(window.day, at)
    assert gap <= timedelta(hours=24)
    just_before = (window.opens_at - timedelta(seconds=1)).astimezone(zone(name)).replace(tzinfo=None)
    assert just_before < datetime.combine(window.day, at)
