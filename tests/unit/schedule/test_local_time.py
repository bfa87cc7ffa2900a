"""A wall-clock time in each reader's zone: one instant a zone, and what becomes of those past it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mailer.clock import zone_names
from mailer.errors import Refused
from mailer.outbox import Departure
from mailer.schedule.local_time import LocalTime, Past, Spread, spread

NINE = datetime(2027, 3, 1, 9)
DAY_BEFORE = datetime(2027, 2, 28, tzinfo=UTC)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "instant"),
    [
        ("Asia/Tokyo", "2027-03-01 00:00"),  # UTC+9
        ("Europe/Berlin", "2027-03-01 08:00"),  # UTC+1 in winter
        ("Asia/Kolkata", "2027-03-01 03:30"),  # UTC+5:30
        ("America/Los_Angeles", "2027-03-01 17:00"),  # UTC-8
    ],
)
def test_nine_oclock_is_an_instant_of_its_own_in_each_zone(zone: str, instant: str) -> None:
    assert LocalTime(NINE, "Etc/UTC", DAY_BEFORE).departure(zone) == Departure(at(instant))


def test_an_hour_that_is_skipped_gives_the_first_instant_after_it() -> None:
    # Berlin goes from 02:00 to 03:00 on 28 March 2027, which is 01:00 UTC
    local = LocalTime(datetime(2027, 3, 28, 2, 30), "Etc/UTC", DAY_BEFORE)
    assert local.departure("Europe/Berlin").due_at == at("2027-03-28 01:00")


@pytest.mark.parametrize(
    ("past", "departure"),
    [
        (Past.SEND, Departure(at("2027-03-01 05:00"))),  # when it was decided
        (Past.SKIP, Departure(at("2027-03-01 00:00"), is_skipped=True)),
        (Past.NEXT_DAY, Departure(at("2027-03-02 00:00"))),
    ],
)
def test_what_becomes_of_tokyo_at_two_in_its_afternoon(past: Past, departure: Departure) -> None:
    local = LocalTime(NINE, "Etc/UTC", at("2027-03-01 05:00"), past)
    assert local.departure("Asia/Tokyo") == departure
    assert local.departure("Europe/Berlin") == Departure(at("2027-03-01 08:00"))


def test_the_spread_counts_people_and_names_the_first_and_the_last_instant() -> None:
    local = LocalTime(NINE, "Europe/Berlin", at("2027-03-01 05:00"), Past.SKIP)
    people = {"Asia/Tokyo": 4, "Europe/Berlin": 2, None: 3, "Not/AZone": 1, "America/Los_Angeles": 5}
    # 2 + 3 + 1 by Berlin's clock and 5 by that of Los Angeles; Tokyo's 4 are past
    assert spread(local, people) == Spread(
        people=11, past=4, zones=3, first=at("2027-03-01 08:00"), last=at("2027-03-01 17:00")
    )
    with pytest.raises(Refused, match="it would reach nobody"):
        spread(local, {"Asia/Tokyo": 4})


def test_there_is_an_instant_for_every_zone_and_it_is_stored_as_it_was() -> None:
    local = LocalTime(NINE, "Europe/Berlin", at("2027-03-01 05:00"), Past.NEXT_DAY)
    departures = local.departures()
    assert departures.keys() == zone_names()
    assert all(each.due_at > local.decided_at for each in departures.values())
    assert LocalTime.of(local.as_values()) == local
    assert LocalTime.of({}) is None
