"""When a course day falls for somebody, and when on it a mail may leave, in their own zone. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Any

from mailer.clock import instant_of, zone
from mailer.errors import MailerError

EVERY_DAY = 0b1111111
"""All weekdays; bit 0 is Monday."""

FARTHEST = 800
"""How many days are looked at for one that is allowed: more than two years."""


class NoSuchDay(MailerError):
    """This step may leave on no day of two years; look at its weekdays, quiet dates and not_before."""


@dataclass(frozen=True)
class Anchor:
    """The course day `day` falls on the calendar day `on` in the subscriber's zone.

    An anchor that lies ahead, at a day that was not planned yet, is an appointment: that step comes on
    that day, however late what is before it leaves (see `catchup`).
    """

    on: date
    day: int

    def date_of(self, day: int) -> date:
        """The calendar day of course day `day`."""
        return self.on + timedelta(days=day - self.day)


@dataclass(frozen=True)
class Timing:
    """What narrows a step's moment. All of it is in the subscriber's own zone.

    The step leaves from its send time on, and before `until` when there is one. `weekdays` are those allowed
    (bit 0 is Monday). `quiet` are dates on which it does not leave: "12-25" in every year, "2027-04-01", or
    "2027-04-01/2027-04-05" with both ends.
    """

    until: time | None = None
    weekdays: int = EVERY_DAY
    not_before: date | None = None
    quiet: tuple[str, ...] = ()

    def allows(self, day: date) -> bool:
        """Whether the step may leave on this day."""
        return (
            bool(self.weekdays >> day.weekday() & 1)
            and (self.not_before is None or day >= self.not_before)
            and not any(_covers(one, day) for one in self.quiet)
        )


ANY_DAY = Timing()


def read_timing(values: Mapping[str, Any]) -> Timing:
    """A timing from how it is stored (`steps.timing`)."""
    if not values:
        return ANY_DAY
    until, not_before = values.get("until"), values.get("not_before")
    return Timing(
        until=time.fromisoformat(until) if until else None,
        weekdays=values.get("weekdays", EVERY_DAY),
        not_before=date.fromisoformat(not_before) if not_before else None,
        quiet=tuple(values.get("quiet", ())),
    )


def own_hours(
    send_time: time, timing: Timing, own_time: time | None, own_weekdays: int | None
) -> tuple[time, Timing]:
    """The author's hours, with those in their place that a reader chose for themselves."""
    if own_time is not None:
        send_time, timing = own_time, replace(timing, until=None)
    return send_time, replace(timing, weekdays=own_weekdays) if own_weekdays else timing


def quiet_ends(quiet: tuple[time, time], at: time) -> int | None:
    """In how many days the quiet hours end that `at` lies in: 0 or 1; None when it lies in none."""
    begins, ends = quiet
    if begins <= ends:
        return 0 if begins <= at < ends else None
    if at >= begins:
        return 1
    return 0 if at < ends else None


def quiet_until(quiet: tuple[time, time], zone_name: str, now: datetime) -> datetime | None:
    """When the quiet hours end that `now` lies in, by a clock in that zone; None when it lies in none."""
    local = now.astimezone(zone(zone_name))
    days = quiet_ends(quiet, local.time())
    return None if days is None else leaves_at(local.date() + timedelta(days=days), quiet[1], zone_name)


def after_quiet(
    quiet: tuple[time, time], day: date, send_time: time, timing: Timing
) -> tuple[date, time, Timing]:
    """The same, moved to the end of the quiet hours if the send time lies in them."""
    days = quiet_ends(quiet, send_time)
    if days is None:
        return day, send_time, timing
    until = timing.until if timing.until is not None and timing.until > quiet[1] and not days else None
    return day + timedelta(days=days), quiet[1], replace(timing, until=until)


@dataclass(frozen=True)
class Window:
    """From when to when a mail may leave, aware UTC; `closes_at` None: until the end of that day."""

    day: date
    opens_at: datetime
    closes_at: datetime | None


@lru_cache(maxsize=65_536)
def window_on(day: date, send_time: time, timing: Timing, zone_name: str) -> Window:
    """The window of the first day from `day` on that is allowed. Raises NoSuchDay.

    Another day keeps the hour. A window that a clock change swallows whole is open from that change on.
    """
    day = _first_allowed(day, timing)
    opens_at = leaves_at(day, send_time, zone_name)
    closes_at = leaves_at(day, timing.until, zone_name) if timing.until else None
    return Window(day, opens_at, closes_at if closes_at and closes_at > opens_at else None)


def window_outside(
    quiet: tuple[time, time] | None, day: date, send_time: time, timing: Timing, zone_name: str
) -> Window:
    """`window_on`, at the end of the quiet hours (None: there are none) if the send time lies in them."""
    if quiet is not None:
        day, send_time, timing = after_quiet(quiet, day, send_time, timing)
    return window_on(day, send_time, timing, zone_name)


def first_from(window_of: Callable[[date], Window], day: date, earliest: date) -> Window:
    """The first window of a step that belongs on `day` whose own day is `earliest` or later.

    `window_of` is as `window_outside`: the window of an evening in the quiet hours is on the next morning, so
    the morning of `earliest` may be that of the evening before it.
    """
    window = window_of(max(day, earliest - timedelta(days=1)))
    return window if window.day >= earliest else window_of(max(day, earliest))


def first_open(window_of: Callable[[date], Window], day: date, earliest: date, now: datetime) -> Window:
    """`first_from`, of the windows that have not closed by `now`."""
    window = first_from(window_of, day, earliest)
    if window.closes_at is not None and window.closes_at <= now:
        return first_from(window_of, day, window.day + timedelta(days=1))
    return window


@lru_cache(maxsize=65_536)
def leaves_at(day: date, send_time: time, zone_name: str) -> datetime:
    """The UTC instant of a send time on a day in a zone; worked out once for each such triple.

    See `clock.instant_of` for hours that are skipped or doubled by a clock change.
    """
    return instant_of(day, send_time, zone_name)


def _first_allowed(day: date, timing: Timing) -> date:
    if timing.not_before is not None and day < timing.not_before:
        day = timing.not_before
    for ahead in range(FARTHEST):
        if timing.allows(day + timedelta(days=ahead)):
            return day + timedelta(days=ahead)
    raise NoSuchDay


def _covers(quiet: str, day: date) -> bool:
    if len(quiet) == 5:
        return quiet == f"{day:%m-%d}"
    first, _, last = quiet.partition("/")
    return first <= day.isoformat() <= (last or first)
