"""How authors write hours, weekdays and dates, and what is said when they mean nothing."""

from __future__ import annotations

from datetime import date, time

import pytest

from mailer.content.timing_words import (
    Unfit,
    read_date,
    read_quiet,
    read_wait,
    read_weekdays,
    read_window,
    shown_weekdays,
)


@pytest.mark.parametrize(
    ("written", "mask", "shown"),
    [
        ("mon-fri", 0b0011111, "mon-fri"),  # Monday is bit 0
        ("mon, wed", 0b0000101, "mon, wed"),
        ("Saturday, sunday", 0b1100000, "sat, sun"),
        ("sat-mon", 0b1100001, "mon, sat, sun"),  # over Sunday
        ("fri", 0b0010000, "fri"),
        ("mon-sun", 0b1111111, "mon-sun"),
        ("mon-wed, tue-thu", 0b0001111, "mon-thu"),
    ],
)
def test_weekdays(written: str, mask: int, shown: str) -> None:
    assert read_weekdays([written]) == mask
    assert shown_weekdays(mask) == shown


def test_weekdays_may_be_a_list() -> None:
    assert read_weekdays(["mon", "wed"]) == 0b101


@pytest.mark.parametrize(
    ("written", "what"),
    [
        ("", "No weekday is allowed, so it could never leave."),
        (" , ", "No weekday is allowed, so it could never leave."),
        ("mo-fr", "'mo' is not a weekday."),
        ("mon-someday", "'someday' is not a weekday."),
        ("mon-", "'' is not a weekday."),
    ],
)
def test_what_is_no_weekday(written: str, what: str) -> None:
    with pytest.raises(Unfit) as unfit:
        read_weekdays([written])
    assert unfit.value.what == what
    assert unfit.value.fix


@pytest.mark.parametrize(
    ("written", "window"),
    [("08:00-10:00", (time(8), time(10))), ("18:30 – 23:59", (time(18, 30), time(23, 59)))],
)
def test_windows(written: str, window: tuple[time, time]) -> None:
    assert read_window(written) == window


@pytest.mark.parametrize(
    ("written", "what"),
    [
        ("08:00", "'08:00' is not a window of hours."),
        ("8-10", "'8-10' is not a window of hours."),
        ("08:00-24:00", "'08:00-24:00' is not a window of hours."),
        ("08:00-08:00", "The window 08:00-08:00 is empty."),
        ("22:00-02:00", "The window 22:00-02:00 goes on over midnight."),
    ],
)
def test_what_is_no_window(written: str, what: str) -> None:
    with pytest.raises(Unfit) as unfit:
        read_window(written)
    assert unfit.value.what == what


def test_quiet_dates_come_in_one_form_each() -> None:
    written = ["12-25, 2027-04-01", "2027-04-01 / 2027-04-05", "12-25", "02-29"]
    assert read_quiet(written) == ("12-25", "2027-04-01", "2027-04-01/2027-04-05", "02-29")
    assert read_quiet(["none"]) == read_quiet([""]) == ()


def test_quiet_days_of_every_year_may_go_on_over_new_year() -> None:
    assert read_quiet(["12-30/01-02"]) == ("12-30", "12-31", "01-01", "01-02")
    assert read_quiet(["02-28/03-01"]) == ("02-28", "02-29", "03-01")
    assert "02-29" in read_quiet(["12-31/03-01"])


@pytest.mark.parametrize(
    "written",
    ["02-30", "13-01", "2027-02-29", "2027-4-1", "christmas", "2027-04-01/x", "2027-W01-1", "04-01/x"],
)
def test_a_date_that_is_not_in_the_calendar(written: str) -> None:
    with pytest.raises(Unfit, match="is not a date of the calendar"):
        read_quiet([written])


def test_quiet_dates_do_not_end_before_they_begin() -> None:
    with pytest.raises(Unfit, match="end before they begin"):
        read_quiet(["2027-04-05/2027-04-01"])


def test_dates() -> None:
    assert read_date("2028-02-29") == date(2028, 2, 29)
    with pytest.raises(Unfit, match="'2027-02-30' is not a date of the calendar"):
        read_date("2027-02-30")
    with pytest.raises(Unfit, match="9999-12-31 is too far off"):
        read_date("9999-12-31")


@pytest.mark.parametrize(("written", "days"), [("2 days", 2), ("1 day", 1), ("1 week", 7), ("3", 3)])
def test_waits(written: str, days: int) -> None:
    assert read_wait(written) == days


@pytest.mark.parametrize("written", ["", "0 days", "a week", "2 hours", "-1 day", "1.5 days"])
def test_what_is_no_wait(written: str) -> None:
    with pytest.raises(Unfit, match="is not a wait"):
        read_wait(written)
