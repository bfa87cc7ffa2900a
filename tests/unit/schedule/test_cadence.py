"""When a series repeats: its days, and their moments around clock changes."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from itertools import islice

import pytest

from mailer.schedule.cadence import Cadence, Every

MONDAY, MON_THU, WORKDAYS = 0b0000001, 0b0001001, 0b0011111


def cadence(every: Every = Every.WEEK, **more: object) -> Cadence:
    said: dict[str, object] = {
        "at": time(9),
        "zone": "Europe/Berlin",
        "anchor": date(2026, 3, 2),
        "weekdays": MONDAY if every is Every.WEEK else 0b1111111,
    }
    return Cadence(every=every, **(said | more))  # type: ignore[arg-type]


def days(of: Cadence, number: int) -> list[str]:
    return [f"{day}" for day in islice(of.days_from(of.anchor), number)]


def utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"


# 2026-03-02 is a Monday, as are the 9th, 16th, 23rd and 30th.
@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (cadence(), ["2026-03-02", "2026-03-09", "2026-03-16"]),
        (cadence(weekdays=MON_THU), ["2026-03-02", "2026-03-05", "2026-03-09"]),
        # Counted in weeks that begin on Monday: begun on a Thursday, the next week is left out all the same.
        (
            cadence(step=2, weekdays=MON_THU, anchor=date(2026, 3, 5)),
            ["2026-03-05", "2026-03-16", "2026-03-19"],
        ),
        (cadence(Every.DAY, step=3), ["2026-03-02", "2026-03-05", "2026-03-08"]),
        # Friday the 6th is followed by Monday the 9th.
        (
            cadence(Every.DAY, weekdays=WORKDAYS, anchor=date(2026, 3, 5)),
            ["2026-03-05", "2026-03-06", "2026-03-09"],
        ),
        (cadence(Every.MONTH, days=(1,)), ["2026-04-01", "2026-05-01", "2026-06-01"]),
        (cadence(Every.MONTH, step=3, days=(15,)), ["2026-03-15", "2026-06-15", "2026-09-15"]),
        # A month without a 31st has its last day instead, and not both when the 30th is named, too.
        (cadence(Every.MONTH, days=(30, 31)), ["2026-03-30", "2026-03-31", "2026-04-30", "2026-05-30"]),
        (
            cadence(Every.MONTH, days=(31,), anchor=date(2028, 1, 31)),
            ["2028-01-31", "2028-02-29", "2028-03-31"],
        ),
        (cadence(until=date(2026, 3, 10)), ["2026-03-02", "2026-03-09"]),
    ],
)
def test_on_which_days_it_falls(of: Cadence, expected: list[str]) -> None:
    assert days(of, len(expected) + 1)[: len(expected)] == expected


def test_it_keeps_its_hour_across_a_clock_change() -> None:
    # Berlin goes from +01:00 to +02:00 on Sunday 2026-03-29, and back on 2026-10-25.
    of = cadence()
    moments = [utc(of.due_at(day)) for day in (date(2026, 3, 23), date(2026, 3, 30), date(2026, 10, 26))]
    assert moments == ["2026-03-23 08:00", "2026-03-30 07:00", "2026-10-26 08:00"]


def test_a_skipped_hour_gives_the_first_instant_after_it_and_a_doubled_hour_its_first() -> None:
    daily = cadence(Every.DAY, at=time(2, 30))
    # 02:30 is skipped on 2026-03-29, by a change at 01:00 UTC; on 2026-10-25 it is 00:30 and 01:30 UTC.
    assert utc(daily.due_at(date(2026, 3, 29))) == "2026-03-29 01:00"
    assert utc(daily.due_at(date(2026, 10, 25))) == "2026-10-25 00:30"


def test_by_readers_own_clocks_it_is_made_when_the_first_zone_shows_the_time() -> None:
    # 09:00 in Kiritimati (+14:00) is 19:00 UTC on the day before.
    assert utc(cadence(is_local=True).due_at(date(2026, 3, 9))) == "2026-03-08 19:00"


def test_the_next_one_is_strictly_after_now() -> None:
    # 09:00 in Berlin is 08:00 UTC in winter.
    nine = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
    assert cadence().first_after(nine.replace(hour=7)) == date(2026, 3, 2)
    assert cadence().first_after(nine) == date(2026, 3, 9)
    assert cadence(until=date(2026, 3, 8)).first_after(nine) is None


def test_by_readers_own_clocks_tomorrow_may_have_begun() -> None:
    # On Sunday at 20:00 UTC Kiritimati has 10:00 on Monday: that Monday's is over.
    sunday = datetime(2026, 3, 8, 20, 0, tzinfo=UTC)
    assert cadence(is_local=True).first_after(sunday) == date(2026, 3, 16)


def test_after_an_outage_only_the_latest_is_due_and_the_others_are_counted() -> None:
    # Due are the 2nd, 9th, 16th and 23rd: three before the last.
    found = cadence().latest_due(date(2026, 3, 2), datetime(2026, 3, 25, tzinfo=UTC))
    assert found == (date(2026, 3, 23), 3)


def test_one_that_is_still_to_come_is_itself_the_latest() -> None:
    assert cadence().latest_due(date(2026, 3, 9), datetime(2026, 3, 3, tzinfo=UTC)) == (date(2026, 3, 9), 0)


def test_one_that_falls_on_no_day_is_found_out() -> None:
    # Every 7 days from a Monday on, on Sundays only.
    never = cadence(Every.DAY, step=7, weekdays=0b1000000)
    assert never.first_after(datetime(2026, 3, 2, tzinfo=UTC)) is None


def test_what_is_stored_is_read_again() -> None:
    for of in (cadence(), cadence(Every.MONTH, days=(1, 31), until=date(2027, 1, 1), times=3, is_local=True)):
        assert Cadence.of(of.as_values()) == of


def test_it_can_be_said_in_a_sentence() -> None:
    twice = cadence(step=2, weekdays=MON_THU).in_words()
    assert twice == "every 2 weeks on Monday, Thursday at 09:00 (Europe/Berlin)"
    assert "every week on Monday to Friday at" in cadence(weekdays=0b11111).in_words()
    monthly = cadence(Every.MONTH, days=(1, 31), is_local=True, times=3)
    assert monthly.in_words() == (
        "every month on day 1, the last day at 09:00 by each reader's clock (else Europe/Berlin), 3 times"
    )
