"""How authors write when a mail may leave: windows, weekdays, dates and quiet dates, waits."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date, time, timedelta

from mailer.clock import refuse_far
from mailer.content.course_words import known_or_near, parse_send_time
from mailer.errors import FarOff

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
WAIT = re.compile(r"([0-9]{1,4}) *(days?|weeks?)?")
EVERY_YEAR = re.compile(r"[0-9]{2}-[0-9]{2}")
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
NO_QUIET = "none"
LEAP_YEAR = 2024
"""A year that has every date there is."""


class Unfit(ValueError):
    """A value that does not mean what it should; `what` is wrong, and how to mend it."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(f"{what} {fix}")
        self.what, self.fix = what, fix


def read_window(value: str) -> tuple[time, time | None]:
    """ "08:00-10:00" as when it opens and closes, on one day. Raises Unfit."""
    first, _, last = (part.strip() for part in value.replace("–", "-").partition("-"))
    opens, closes = parse_send_time(first), parse_send_time(last)
    if opens is None or closes is None:
        raise Unfit(f"{value!r} is not a window of hours.", "Write it as 08:00-10:00.")
    if opens == closes:
        raise Unfit(f"The window {value} is empty.", "Let it close later than it opens.")
    if closes < opens:
        fix = "Let it close on the day on which it opens, by 23:59: a step belongs to one day."
        raise Unfit(f"The window {value} goes on over midnight.", fix)
    return opens, closes


def read_weekdays(values: Sequence[str]) -> int:
    """ "mon-fri" or "mon", "wed" as a mask, bit 0 for Monday; "sat-mon" goes on over Sunday. Raises Unfit."""
    mask = 0
    for value in _parts(values):
        first, dash, last = (part.strip() for part in value.partition("-"))
        day, end = _weekday(first), _weekday(last if dash else first)
        mask |= 1 << end
        while day != end:
            mask |= 1 << day
            day = (day + 1) % 7
    if not mask:
        raise Unfit("No weekday is allowed, so it could never leave.", "Write for instance mon-fri.")
    return mask


def _weekday(word: str) -> int:
    for number, name in enumerate(WEEKDAYS):
        if word.lower() in (name, name[:3]):
            return number
    fix = known_or_near(word.lower(), [name[:3] for name in WEEKDAYS])
    raise Unfit(f"{word!r} is not a weekday.", fix)


def read_date(value: str) -> date:
    """ "2027-01-04" as a day. Raises Unfit."""
    try:
        if DAY.fullmatch(value):  # the ISO form has others, such as 2027-W01-1
            refuse_far(day := date.fromisoformat(value))
            return day
    except FarOff as error:
        raise Unfit(f"{value} is too far off.", "Name a day of the years 1970 to 8999.") from error
    except ValueError:
        pass
    raise Unfit(f"{value!r} is not a date of the calendar.", "Write one that there is, as 2027-01-04.")


def read_quiet(values: Sequence[str]) -> tuple[str, ...]:
    """Quiet dates in one form each: "12-25", "2027-04-01", "2027-04-01/2027-04-05". Raises Unfit.

    "12-24/01-01" becomes each of its days. "none" is none: it lifts those of the course.
    """
    parts = [value for value in _parts(values) if value.lower() != NO_QUIET]
    return tuple(dict.fromkeys(one for part in parts for one in _quiet(part)))


def _quiet(value: str) -> Iterator[str]:
    first, slash, last = (part.strip() for part in value.partition("/"))
    if EVERY_YEAR.fullmatch(first):
        day, end = _yearly(first), _yearly(last if slash else first)
        yield f"{day:%m-%d}"
        while (day.month, day.day) != (end.month, end.day):
            day = date(LEAP_YEAR, 1, 1) + timedelta(days=day.timetuple().tm_yday % 366)
            yield f"{day:%m-%d}"
        return
    begin, finish = read_date(first), read_date(last if slash else first)
    if finish < begin:
        raise Unfit(f"The quiet dates {value} end before they begin.", "Write the earlier date first.")
    yield f"{begin}/{finish}" if slash else f"{begin}"


def _yearly(value: str) -> date:
    try:
        return date.fromisoformat(f"{LEAP_YEAR}-{value}")
    except ValueError:
        fix = "Write the month and the day, as 12-25, or a whole date, as 2027-04-01."
        raise Unfit(f"{value!r} is not a date of the calendar.", fix) from None


def read_wait(value: str) -> int:
    """ "2 days" or "1 week" as days. Raises Unfit."""
    match = WAIT.fullmatch(value.strip().lower())
    if match is None or int(match[1]) < 1:
        raise Unfit(f"{value!r} is not a wait.", "Write it as 2 days, or 1 week; at least 1 day.")
    return int(match[1]) * (7 if (match[2] or "").startswith("week") else 1)


def shown_weekdays(mask: int) -> str:
    """A mask as authors write it: "mon-fri", "mon, wed"."""
    days = [number for number in range(7) if mask >> number & 1]
    names = [WEEKDAYS[number][:3] for number in days]
    if len(days) > 2 and days[-1] - days[0] == len(days) - 1:
        return f"{names[0]}-{names[-1]}"
    return ", ".join(names)


def _parts(values: Sequence[str]) -> list[str]:
    """The words between commas, of all values together."""
    return [part.strip() for value in values for part in value.split(",") if part.strip()]
