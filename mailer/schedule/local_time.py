"""A campaign at one wall-clock time for everybody: one instant for each zone. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from mailer.clock import instant_of, zone_names
from mailer.errors import Refused
from mailer.outbox import Departure


class Past(StrEnum):
    """What becomes of people in whose zone the time was past when somebody chose it."""

    SEND = "send"
    SKIP = "skip"
    NEXT_DAY = "next-day"


@dataclass(frozen=True)
class LocalTime:
    """The time that clocks show when a campaign leaves, in each reader's own zone.

    `at` has no zone; `zone` is that of people who have none. What is past is judged by `decided_at`, when
    somebody chose: zones that pass while nothing can be sent are late, not past. `past` is None while it
    has not been chosen.
    """

    at: datetime
    zone: str
    decided_at: datetime
    past: Past | None = None

    def as_values(self) -> dict[str, Any]:
        """As it is stored."""
        return {
            "at": self.at.isoformat(),
            "zone": self.zone,
            "decided_at": self.decided_at.isoformat(),
            "past": self.past,
        }

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> LocalTime | None:
        """What was stored; None when there was nothing."""
        if not values:
            return None
        return cls(
            at=datetime.fromisoformat(values["at"]),
            zone=values["zone"],
            decided_at=datetime.fromisoformat(values["decided_at"]),
            past=Past(values["past"]) if values["past"] else None,
        )

    def with_past(self, past: Past | None) -> LocalTime:
        """The same with this chosen."""
        return replace(self, past=past)

    def is_past_in(self, zone_name: str) -> bool:
        """Whether clocks in this zone had shown the time when it was chosen."""
        return self._instant(zone_name) <= self.decided_at

    def departure(self, zone_name: str) -> Departure:
        """When the mail leaves for people in this zone, as was chosen for those whose time was past."""
        due_at = self._instant(zone_name)
        if due_at > self.decided_at:
            return Departure(due_at)
        if self.past == Past.SKIP:
            return Departure(due_at, is_skipped=True)
        if self.past == Past.NEXT_DAY:
            return Departure(self._next_day(zone_name))
        return Departure(self.decided_at)

    def zone_of(self, zone_name: str | None) -> str:
        """By whose clock somebody gets it: their own zone's, or that for people whose zone is not known."""
        return zone_name if zone_name is not None and zone_name in zone_names() else self.zone

    def words_for(self, zone_name: str | None) -> str:
        """Why its mail is due when it is for somebody in this zone (None, or unknown: in none)."""
        own = self.zone_of(zone_name)
        without = "" if own == zone_name else ", as they have no zone"
        words = f"{self.at:%Y-%m-%d %H:%M} in {own}{without}"
        if not self.is_past_in(own):
            return words
        became = {Past.SEND: "sent at once", Past.SKIP: "skipped", Past.NEXT_DAY: "put on the next day"}
        return f"{words}, which was past: {became[self.past or Past.SEND]}"

    def departures(self) -> dict[str, Departure]:
        """One for every zone there is: people may join, or move, until the audience is written."""
        return {name: self.departure(name) for name in zone_names()}

    def _instant(self, zone_name: str) -> datetime:
        return instant_of(self.at.date(), self.at.time(), zone_name)

    def _next_day(self, zone_name: str) -> datetime:
        """The first day on which the time is still to come."""
        day = self.at.date()
        while (due_at := instant_of(day, self.at.time(), zone_name)) <= self.decided_at:
            day += timedelta(days=1)
        return due_at


@dataclass(frozen=True)
class Spread:
    """How a local time falls on an audience: people by what becomes of them, and the first and last instant.

    `people` are those it leaves for, `past` those whose time was past. `zones` counts the zones there are.
    """

    people: int
    past: int
    zones: int
    first: datetime
    last: datetime


def spread(local: LocalTime, people_by_zone: Mapping[str | None, int]) -> Spread:
    """Where the audience's zones put its mails. Raises Refused when nobody is left to get one."""
    zones = _counted(local, people_by_zone.items())
    leaving = {
        name: (departure.due_at, number)
        for name, number in zones.items()
        if not (departure := local.departure(name)).is_skipped
    }
    past = sum(number for name, number in zones.items() if local.is_past_in(name))
    if not leaving:
        raise Refused(
            f"{local.at:%Y-%m-%d %H:%M} is past wherever its readers are, so it would reach nobody; "
            "say a later time, or another --past."
        )
    instants = [due_at for due_at, _ in leaving.values()]
    people = sum(number for _, number in leaving.values())
    return Spread(people, past, len(zones), min(instants), max(instants))


def _counted(local: LocalTime, counts: Iterable[tuple[str | None, int]]) -> dict[str, int]:
    """People by the zone that is theirs here: one that is unknown is none."""
    zones: dict[str, int] = {}
    for name, number in counts:
        own = local.zone_of(name)
        zones[own] = zones.get(own, 0) + number
    return zones
