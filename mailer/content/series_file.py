"""A series' file, read: a campaign's file that also says when it repeats, and from which feed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, time
from pathlib import Path

from mailer.clock import zone_names
from mailer.content.campaign_file import BEGIN, SETTINGS, SEVERAL, CampaignSource, campaign_of
from mailer.content.course_source import Problem
from mailer.content.course_words import known_or_near, parse_send_time
from mailer.content.front_matter import Settings, Text, read_text
from mailer.content.series_text import Occasion, fill_in
from mailer.content.timing_words import Unfit, read_date, read_weekdays
from mailer.content.trial_settings import NAMES

REPEATS = ("every", "on", "at", "zone", "local", "from", "until", "times", "feed", "first")
UNITS = {"day": 366, "week": 52, "month": 24}
"""What is counted, and how many of it at most."""
LAST = "last"
MOST_TIMES = 10_000
MOST_FIRST = 50


@dataclass(frozen=True)
class Repeats:
    """When a series repeats, and its subject, as its author wrote them.

    Every `step` days, weeks or months (`unit`), on `weekdays` (a mask; None: not said) or days of the
    month `days` (31: its last), at `at` by the clock of `zone`, or each reader's own. `begins` and `until`
    are its first and last day. `first`: so many of the feed's old items the first mail may have.
    """

    unit: str = "week"
    step: int = 1
    weekdays: int | None = None
    days: tuple[int, ...] = ()
    at: time = time(9)
    zone: str = "Etc/UTC"
    is_local: bool = False
    begins: date | None = None
    until: date | None = None
    times: int | None = None
    feed: str = ""
    first: int = 0
    subject: str = ""


def read_repeats(path: Path, problems: list[Problem]) -> Repeats | None:
    """When the series in its first file repeats; None when its text cannot even be found."""
    found = _settings(path, problems)
    if found is None:
        return None
    settings, _ = found
    unit, step = _every(settings)
    weekdays, days = _on(settings, unit)
    return Repeats(
        unit=unit,
        step=step,
        weekdays=weekdays,
        days=days,
        at=_at(settings),
        zone=_zone(settings),
        is_local=_local(settings),
        begins=_date(settings, "from"),
        until=_date(settings, "until"),
        times=_number(settings, "times", MOST_TIMES),
        feed=_feed(settings),
        first=_number(settings, "first", MOST_FIRST) or 0,
        subject=settings.values.get("subject", ""),
    )


@dataclass(frozen=True)
class SeriesReader:
    """Reads a series' files as those of the campaign `slug`, with the occasion's values in them."""

    occasion: Occasion
    slug: str = ""

    def __call__(self, path: Path, problems: list[Problem], *, is_translation: bool) -> CampaignSource | None:
        """The campaign; None when its text cannot even be found. Raises TooMuch."""
        own: list[Problem] = []
        found = _settings(path, own)
        if found is None:
            problems += own
            return None
        settings, text = found
        source = campaign_of(path, text, settings, is_translation=is_translation)
        for name in REPEATS if is_translation else ():
            if name in settings.lines:
                fix = "Delete it: the first file says it for all."
                settings.problem(name, f"A translation says `{name}`.", fix)
        problems += own
        return replace(
            source,
            slug=self.slug or source.slug,
            subject=self._filled(source, "subject", problems),
            preheader=self._filled(source, "preheader", problems),
            body=self._filled(source, "body", problems),
        )

    def _filled(self, source: CampaignSource, name: str, problems: list[Problem]) -> str:
        first = source.body_line if name == "body" else source.lines.get(name, 1)

        def tell(line: int, what: str, fix: str) -> None:
            problems.append(Problem(source.path.name, first + line, what, fix))

        return fill_in(getattr(source, name), self.occasion, source.language, tell)


def _settings(path: Path, problems: list[Problem]) -> tuple[Settings, Text] | None:
    text = read_text(path, "campaign", BEGIN, problems)
    if text is None:
        return None
    # Each time anew there would be too few people and days for a test; a canary is for one large mailing.
    known = (*(name for name in SETTINGS if name not in NAMES), *REPEATS)
    settings = Settings(path.name, "series", known, problems, lists=(*SEVERAL, "on"), sections=("sender",))
    settings.read(text.settings)
    return settings, text


def _every(settings: Settings) -> tuple[str, int]:
    value = settings.values.get("every", "").lower()
    number, _, unit = value.rpartition(" ")
    unit = unit.removesuffix("s")
    if not value:
        settings.problem("every", "`every` is missing.", "Write `every: week`, `every: 2 weeks` or month.")
    elif unit not in UNITS:
        fix = "Write day, week or month, or a number of them: `every: 2 weeks`."
        settings.problem("every", f"`every` is {value!r}.", fix)
    elif number and not (number.strip().isdecimal() and 1 <= int(number) <= UNITS[unit]):
        fix = f"Write a number from 1 to {UNITS[unit]} before {unit}s."
        settings.problem("every", f"`every` is {value!r}.", fix)
    else:
        return unit, int(number or 1)
    return "week", 1


def _on(settings: Settings, unit: str) -> tuple[int | None, tuple[int, ...]]:
    """The weekdays, or the days of the month, by what is counted."""
    one = settings.values.get("on")
    values = [one] if one else settings.several.get("on", [])
    if "on" not in settings.lines or "every" in settings.blank:
        return None, ()
    try:
        if unit == "month":
            return None, tuple(dict.fromkeys(_month_day(value) for value in values))
        return read_weekdays(values), ()
    except Unfit as error:
        settings.problem("on", error.what, error.fix)
        return None, ()


def _month_day(value: str) -> int:
    if value.lower() == LAST:
        return 31
    if value.isdecimal() and 1 <= int(value) <= 31:
        return int(value)
    raise Unfit(f"{value!r} is not a day of a month.", "Write a number from 1 to 31, or last.")


def _at(settings: Settings) -> time:
    value = settings.values.get("at", "09:00")
    at = parse_send_time(value)
    if at is None:
        settings.problem("at", f"`at` is {value!r}.", 'Write a time of day in quotes, as "09:00".')
    return at or time(9)


def _zone(settings: Settings) -> str:
    value = settings.values.get("zone", "Etc/UTC")
    if value not in zone_names():
        near = [name for name in zone_names() if name.partition("/")[0] == value.partition("/")[0]]
        fix = known_or_near(value, near) if near else "Write one of the IANA list, such as Europe/Berlin."
        settings.problem("zone", f"{value!r} is not a time zone.", fix)
        return "Etc/UTC"
    return value


def _local(settings: Settings) -> bool:
    value = settings.values.get("local", "no").lower()
    if value not in {"yes", "no", "true", "false"}:
        settings.problem("local", f"`local` is {value!r}.", "Write yes (by each reader's own clock) or no.")
    return value in {"yes", "true"}


def _date(settings: Settings, name: str) -> date | None:
    if name not in settings.lines:
        return None
    try:
        return read_date(settings.values.get(name, ""))
    except Unfit as error:
        settings.problem(name, error.what, error.fix)
        return None


def _number(settings: Settings, name: str, most: int) -> int | None:
    if name not in settings.lines:
        return None
    value = settings.values.get(name, "")
    if not value.isdecimal() or not 1 <= int(value[:9]) <= most:
        settings.problem(name, f"`{name}` is {value!r}.", f"Write a number from 1 to {most:,}.")
        return None
    return int(value)


def _feed(settings: Settings) -> str:
    value = settings.values.get("feed", "")
    if "feed" in settings.lines and not value.startswith(("http://", "https://")):
        settings.problem("feed", f"`feed` is {value!r}.", "Write its address, beginning with https://.")
    if "first" in settings.lines and "feed" not in settings.lines:
        fix = "Delete it, or write `feed: https://…`."
        settings.problem("first", "`first` says how many items of a feed, and there is none.", fix)
    return value
