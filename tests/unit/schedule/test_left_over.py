"""When a lesson that was left over may leave: at its own hour, and in nobody's quiet hours."""

from __future__ import annotations

from datetime import UTC, datetime, time

import pytest

from mailer.delivery.verdict import its_hour
from mailer.schedule.timing import ANY_DAY

QUIET = (time(22), time(7))


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC)


def test_one_of_an_earlier_day_leaves_at_the_end_of_quiet_hours_that_its_hour_lies_in() -> None:
    # Due at five in the morning, when quiet hours were not set; they end at seven.
    assert its_hour(at(3, 5), time(5), ANY_DAY, "Etc/UTC", at(4, 5), QUIET) == at(4, 7)
    assert its_hour(at(3, 5), time(5), ANY_DAY, "Etc/UTC", at(4, 5)) is None


@pytest.mark.parametrize(
    ("due", "now", "until"),
    [
        (at(3, 20), at(3, 21, 59), None),
        (at(3, 20), at(3, 22, 30), at(4, 7)),
        # Somebody asked for the next lesson in the middle of the night.
        (at(3, 23), at(3, 23, 1), None),
    ],
)
def test_one_of_today_that_was_deferred_into_quiet_hours_waits_for_their_end(
    due: datetime, now: datetime, until: datetime | None
) -> None:
    assert its_hour(due, time(20), ANY_DAY, "Etc/UTC", now, QUIET) == until
