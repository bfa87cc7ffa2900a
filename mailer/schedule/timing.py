"""When a course day falls for somebody: calendar days in their zone, counted from an anchor. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache

from mailer.clock import instant_of


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


@lru_cache(maxsize=65_536)
def leaves_at(day: date, send_time: time, zone_name: str) -> datetime:
    """The UTC instant of a send time on a day in a zone; worked out once for each such triple.

    See `clock.instant_of` for hours that are skipped or doubled by a clock change.
    """
    return instant_of(day, send_time, zone_name)
