"""Hours that are skipped or doubled, in every zone there is."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.clock import instant_of, local_date, zone, zone_names
from mailer.errors import FarOff, UnknownZone


def test_an_ordinary_morning_in_berlin() -> None:
    # Winter: Berlin is one hour ahead of UTC.
    assert instant_of(date(2026, 1, 15), time(8), "Europe/Berlin") == datetime(2026, 1, 15, 7, tzinfo=UTC)


def test_a_skipped_hour_gives_the_first_instant_after_the_gap() -> None:
    # On 29 March 2026 Berlin jumps from 02:00 to 03:00, which is 01:00 UTC.
    assert instant_of(date(2026, 3, 29), time(2, 30), "Europe/Berlin") == datetime(2026, 3, 29, 1, tzinfo=UTC)


def test_a_doubled_hour_gives_its_first_time() -> None:
    # On 25 October 2026 Berlin shows 02:30 twice: at 00:30 UTC (summer time) and at 01:30 UTC.
    expected = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert instant_of(date(2026, 10, 25), time(2, 30), "Europe/Berlin") == expected


def test_a_half_hour_gap_on_lord_howe() -> None:
    # On 4 October 2026 Lord Howe jumps from 02:00 (+10:30) to 02:30 (+11:00), at 15:30 UTC the day before.
    expected = datetime(2026, 10, 3, 15, 30, tzinfo=UTC)
    assert instant_of(date(2026, 10, 4), time(2, 10), "Australia/Lord_Howe") == expected


def test_a_whole_day_that_samoa_never_had() -> None:
    # Samoa went from 29 to 31 December 2011; the 30th begins where the 31st does, 10:00 UTC.
    assert instant_of(date(2011, 12, 30), time(9), "Pacific/Apia") == datetime(2011, 12, 30, 10, tzinfo=UTC)


@pytest.mark.parametrize("day", [date.min, date(1969, 12, 31), date(9000, 1, 1), date.max])
@pytest.mark.parametrize("name", ["America/Los_Angeles", "Asia/Tokyo"])
def test_a_day_at_the_calendars_ends_is_refused_in_words(day: date, name: str) -> None:
    with pytest.raises(FarOff, match=f"{day}: This day is too far off"):
        instant_of(day, time(23), name)


def test_an_unknown_zone_is_named() -> None:
    with pytest.raises(UnknownZone, match="Europe/Berln"):
        zone("Europe/Berln")


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "Europe", "europe/berlin"])
def test_only_names_of_the_list_are_zones(name: str) -> None:
    with pytest.raises(UnknownZone):
        zone(name)


@given(
    name=st.sampled_from(sorted(zone_names())),
    day=st.dates(date(2025, 12, 1), date(2027, 12, 31)),
    at=st.times().map(lambda at: at.replace(second=0, microsecond=0)),
)
def test_in_every_zone_the_clock_shows_the_hour_or_has_just_passed_it(name: str, day: date, at: time) -> None:
    instant = instant_of(day, at, name)
    shown = instant.astimezone(zone(name)).replace(tzinfo=None)
    wanted = datetime.combine(day, at)
    # Either the wanted hour exactly, or, in a gap, the first instant after it: one second before, the
    # clock had not reached the wanted hour.
    before = (instant - timedelta(seconds=1)).astimezone(zone(name)).replace(tzinfo=None)
    assert shown == wanted or (shown > wanted and before < wanted)


@given(
    name=st.sampled_from(sorted(zone_names())),
    instant=st.datetimes(datetime(2025, 12, 1), datetime(2027, 12, 31)),
)
def test_the_local_day_holds_the_instant(name: str, instant: datetime) -> None:
    aware = instant.replace(tzinfo=UTC)
    day = local_date(aware, name)
    assert instant_of(day, time(0), name) <= aware < instant_of(day + timedelta(days=1), time(0), name)
