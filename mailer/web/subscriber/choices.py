"""What a reader can choose from: languages by their own names, time zones by city."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

from babel.dates import get_timezone_location

from mailer.clock import zone
from mailer.i18n import languages, locale_of


@dataclass(frozen=True)
class ZoneChoice:
    """An IANA name, and the city that people know it by."""

    name: str
    city: str


@dataclass(frozen=True)
class Region:
    """The first part of the names ("Europe"), and the zones of it by city."""

    name: str
    zones: tuple[ZoneChoice, ...]


def language_choices(current: str) -> list[tuple[str, str]]:
    """Tag and name of each language we have words for, and of the one in use."""
    tags = sorted({*languages(), current})
    return [(tag, own_name(tag)) for tag in tags]


def zone_choices(language: str, current: str) -> list[Region]:
    """The world's zones by region, cities named in `language`; the one in use is always among them."""
    regions = list(_regions(language))
    if not any(choice.name == current for region in regions for choice in region.zones):
        regions.append(Region("", (ZoneChoice(current, current.replace("_", " ")),)))
    return regions


@lru_cache(maxsize=16)
def _regions(language: str) -> tuple[Region, ...]:
    locale = locale_of(language)
    by_region: dict[str, list[ZoneChoice]] = {}
    for name in _places():
        # Some cities carry a soft hyphen, which a list does not need.
        city = get_timezone_location(zone(name), locale=locale, return_city=True).replace("\u00ad", "")
        by_region.setdefault(name.split("/")[0], []).append(ZoneChoice(name, city))
    return tuple(
        Region(region, tuple(sorted(zones, key=lambda choice: choice.city.casefold())))
        for region, zones in sorted(by_region.items())
    )


def _places() -> list[str]:
    """The zones that places have today, without the old names that still work (tzdata's zone.tab)."""
    table = resources.files("tzdata.zoneinfo").joinpath("zone.tab").read_text(encoding="utf-8")
    return [line.split("\t")[2] for line in table.splitlines() if line and not line.startswith("#")]


def own_name(tag: str) -> str:
    """ "Deutsch" for de: a reader looks for the name they know."""
    name = locale_of(tag).get_display_name()
    return name[:1].upper() + name[1:] if name else tag
