"""When a series repeats: which days, and the moment on each of them. Pure."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Any

from mailer.clock import instant_of, local_date
from mailer.content.timing_words import WEEKDAYS
from mailer.schedule.timing import EVERY_DAY

FARTHEST = 1_500
"""How many days are looked at for the next one: more than four years."""
LAST_DAY = 31
"""The last day of every month, also of one that is shorter."""
EARLIEST_ZONE = "Pacific/Kiritimati"
"""Where a day begins first on earth (UTC+14): a mail by each reader's own clock must be there by then."""
A_DAY = timedelta(days=1)


class Every(StrEnum):
    """What a cadence counts."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True)
class Cadence:
    """Every `step` days, weeks or months, counted from `anchor`, at `at` by the clock of `zone`.

    Weeks begin on Monday and have the `weekdays` of a mask (bit 0), months the `days` named; a month that
    has no such day has its last one instead. `is_local`: by each reader's own clock, `zone` being that of
    people without one. Nothing after the day `until`, nor after so many `times` (mails made).
    """

    every: Every
    at: time
    zone: str
    anchor: date
    step: int = 1
    weekdays: int = EVERY_DAY
    days: tuple[int, ...] = (1,)
    is_local: bool = False
    until: date | None = None
    times: int | None = None

    def as_values(self) -> dict[str, Any]:
        """As it is stored."""
        return {
            "every": self.every,
            "at": f"{self.at:%H:%M}",
            "zone": self.zone,
            "anchor": self.anchor.isoformat(),
            "step": self.step,
            "weekdays": self.weekdays,
            "days": list(self.days),
            "is_local": self.is_local,
            "until": self.until.isoformat() if self.until else None,
            "times": self.times,
        }

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Cadence:
        """What was stored."""
        until = values["until"]
        return cls(
            every=Every(values["every"]),
            at=time.fromisoformat(values["at"]),
            zone=values["zone"],
            anchor=date.fromisoformat(values["anchor"]),
            step=values["step"],
            weekdays=values["weekdays"],
            days=tuple(values["days"]),
            is_local=values["is_local"],
            until=date.fromisoformat(until) if until else None,
            times=values["times"],
        )

    def falls_on(self, day: date) -> bool:
        """Whether this is one of its days."""
        if day < self.anchor or (self.until is not None and day > self.until):
            return False
        if self.every is Every.MONTH:
            months = (day.year - self.anchor.year) * 12 + day.month - self.anchor.month
            last = monthrange(day.year, day.month)[1]
            return months % self.step == 0 and day.day in {min(one, last) for one in self.days}
        if not self.weekdays >> day.weekday() & 1:
            return False
        if self.every is Every.WEEK:
            return (_monday(day) - _monday(self.anchor)).days // 7 % self.step == 0
        return (day - self.anchor).days % self.step == 0

    def due_at(self, day: date) -> datetime:
        """The instant at which the mail of this day is made, aware UTC.

        An hour that a clock change skips gives the first instant after it, a doubled one its first
        (`clock.instant_of`). By readers' own clocks it is the first instant of all zones.
        """
        return instant_of(day, self.at, EARLIEST_ZONE if self.is_local else self.zone)

    def days_from(self, day: date) -> Iterator[date]:
        """Its days from this one on, until there is none within FARTHEST days."""
        empty = 0
        day = max(day, self.anchor)
        while empty < FARTHEST and (self.until is None or day <= self.until):
            empty += 1
            if self.falls_on(day):
                empty = 0
                yield day
            day += A_DAY

    def first_after(self, moment: datetime) -> date | None:
        """Its first day whose moment is still to come after this one; None when there is none."""
        # Two days earlier: by the clocks of the earliest zone today may be tomorrow, or the day after.
        begin = local_date(moment, self.zone) - 2 * A_DAY
        return next((day for day in self.days_from(begin) if self.due_at(day) > moment), None)

    def latest_due(self, first: date, now: datetime) -> tuple[date, int]:
        """The last day from `first` on whose moment has come by `now`, and how many before it were missed."""
        latest, missed = first, -1
        for day in self.days_from(first):
            if self.due_at(day) > now:
                break
            latest, missed = day, missed + 1
        return latest, max(0, missed)

    def in_words(self) -> str:
        """As a sentence has it: "every 2 weeks on Monday, Thursday at 09:00 (Europe/Berlin)"."""
        words = f"every {self.every}" if self.step == 1 else f"every {self.step} {self.every}s"
        if self.every is Every.MONTH:
            days = ("the last day" if one == LAST_DAY else f"day {one}" for one in self.days)
            words += f" on {', '.join(days)}"
        elif self.weekdays != EVERY_DAY:
            words += f" on {_named(self.weekdays)}"
        words += f" at {self.at:%H:%M} "
        words += f"by each reader's clock (else {self.zone})" if self.is_local else f"({self.zone})"
        words += f", until {self.until}" if self.until else ""
        return f"{words}, {self.times:,} times" if self.times else words


def _named(mask: int) -> str:
    """Weekdays by their names: "Monday, Thursday", "Monday to Friday"."""
    days = [number for number in range(7) if mask >> number & 1]
    names = [WEEKDAYS[number].capitalize() for number in days]
    if len(days) > 2 and days[-1] - days[0] == len(days) - 1:
        return f"{names[0]} to {names[-1]}"
    return ", ".join(names)


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())
