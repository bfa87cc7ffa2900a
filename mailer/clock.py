"""Business time and zones. Instants are aware UTC; days and hours belong to a zone.

Zone rules come from the pinned `tzdata` package alone, never from the machine, so that two machines
(and the demo, the simulator and the sender) agree about the same hour.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from importlib import resources
from zoneinfo import ZoneInfo

import tzdata

from mailer.errors import FarOff, UnknownZone

YEARS = range(1970, 9000)
"""At the calendar's very ends no zone can be added to a day, and no week; nothing was mailed before 1970."""


def real_now() -> datetime:
    """This moment by the machine's clock, aware UTC."""
    return datetime.now(UTC)


def rules_release() -> str:
    """Which release of the zone rules this process goes by, as IANA names it: 2026b."""
    return str(tzdata.IANA_VERSION)


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    """Every zone name that the pinned tzdata knows."""
    listing = resources.files("tzdata").joinpath("zones").read_text(encoding="utf-8")
    return frozenset(listing.split())


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """The zone called `name`; raises UnknownZone for anything that is not on the IANA list."""
    if name not in zone_names():
        raise UnknownZone(repr(name))
    with resources.files("tzdata.zoneinfo").joinpath(*name.split("/")).open("rb") as rules:
        return ZoneInfo.from_file(rules, key=name)


def refuse_far(day: date) -> None:
    """Raises FarOff for a day, or a moment, that cannot be reckoned with in every zone."""
    if day.year not in YEARS:
        raise FarOff(day.isoformat()[:10])


@lru_cache(maxsize=4096)
def local_date(instant: datetime, zone_name: str) -> date:
    """The calendar day that `instant` falls on in `zone_name`."""
    return instant.astimezone(zone(zone_name)).date()


def instant_of(day: date, at: time, zone_name: str) -> datetime:
    """The UTC instant at which clocks in `zone_name` show `at` on `day`.

    A wall-clock time that is skipped when clocks go forward gives the first instant after the gap;
    one that happens twice when they go back gives the first of the two (PEP 495, fold=0). Raises FarOff.
    """
    refuse_far(day)
    rules = zone(zone_name)
    naive = datetime.combine(day, at)
    first = naive.replace(tzinfo=rules).astimezone(UTC)
    if first.astimezone(rules).replace(tzinfo=None) == naive:
        return first
    return _end_of_gap(naive, rules)


def _end_of_gap(naive: datetime, rules: ZoneInfo) -> datetime:
    """The instant of the change itself: the first one whose wall clock is past the skipped `naive`."""
    # In a gap fold=0 reads the offset from before the change, which lands after it, and fold=1 the
    # other way round (PEP 495), so the change lies between the two.
    after = naive.replace(tzinfo=rules, fold=0).astimezone(UTC)
    before = naive.replace(tzinfo=rules, fold=1).astimezone(UTC)
    offset_before = before.astimezone(rules).utcoffset()
    while after - before > timedelta(seconds=1):  # both are whole seconds, and changes happen on them
        middle = before + (after - before) // timedelta(seconds=2) * timedelta(seconds=1)
        if middle.astimezone(rules).utcoffset() == offset_before:
            before = middle
        else:
            after = middle
    return after
