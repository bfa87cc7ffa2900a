"""When a step leaves, as its front matter says it, with the course's own hours where it says nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import time
from typing import TypeVar

from mailer.content.course_source import StepSource, TimingSource
from mailer.content.course_words import parse_send_time
from mailer.content.front_matter import Settings
from mailer.content.timing_words import (
    Unfit,
    read_date,
    read_quiet,
    read_wait,
    read_weekdays,
    read_window,
)

HOURS = ("send_time", "window")
SETTINGS = (*HOURS, "weekdays", "not_before", "quiet")
SEVERAL = ("weekdays", "quiet")
"""Those that may be written as a list."""
NO_DAY = 0

Read = TypeVar("Read")


@dataclass(frozen=True)
class Hours:
    """When steps leave that do not say it themselves."""

    send_time: time
    timing: TimingSource


def read_hours(settings: Settings, course: Hours) -> Hours:
    """When this step leaves. What it says itself takes the place of what the course says."""
    send_time, until = _window(settings, course)
    timing = course.timing
    weekdays = _several(settings, "weekdays", read_weekdays, timing.weekdays)
    not_before = _one(settings, "not_before", read_date, timing.not_before)
    quiet = _several(settings, "quiet", read_quiet, timing.quiet)
    return Hours(send_time, TimingSource(until, weekdays, not_before, quiet))


def inherited(step: StepSource, original: StepSource) -> StepSource:
    """A step beside another one, with that one's day and hours where its file does not say them."""
    said = step.lines.keys()
    mine, theirs = step.timing, original.timing
    has_hours = not said.isdisjoint(HOURS)
    return replace(
        step,
        day=original.day,
        kind=step.kind if "kind" in said else original.kind,
        week=original.week,
        send_time=step.send_time if has_hours else original.send_time,
        timing=TimingSource(
            until=mine.until if has_hours else theirs.until,
            weekdays=mine.weekdays if "weekdays" in said else theirs.weekdays,
            not_before=mine.not_before if "not_before" in said else theirs.not_before,
            quiet=mine.quiet if "quiet" in said else theirs.quiet,
        ),
    )


def read_day(settings: Settings, *, is_beside: bool) -> tuple[int, int | None]:
    """The day (or 0) and the wait of a step; one that stands beside another need not say either."""
    value, wait = settings.values.get("day", ""), _one(settings, "wait", read_wait, None)
    if "day" in settings.lines and "wait" in settings.lines:
        settings.problem("wait", "The step has both a day and a wait.", "Keep one of the two.")
        wait = None
    if re.fullmatch(r"[0-9]{1,4}", value) and int(value) >= 1:
        return int(value), wait
    if "day" in settings.lines or not (is_beside or "wait" in settings.lines):
        what = f"`day` is {value!r}." if value else "`day` is missing."
        fix = "Write the day of the course, a number from 1 (day 0 is the welcome)."
        settings.problem("day", what, fix)
    return NO_DAY, wait


def _window(settings: Settings, course: Hours) -> tuple[time, time | None]:
    written, until = settings.values.get("send_time"), course.timing.until
    if "window" in settings.lines:
        if "send_time" in settings.lines:
            what = "The step has both a send_time and a window."
            settings.problem("window", what, "Keep the window: it opens at a send time.")
        return _one(settings, "window", read_window, (course.send_time, until))
    send_time = course.send_time if written is None else parse_send_time(written)
    if send_time is None:
        settings.problem("send_time", f"{written!r} is not a time of day.", "Write it as 08:00.")
        send_time = course.send_time
    # An hour inside the course's window only opens it later.
    stays = until is not None and course.send_time <= send_time < until
    return send_time, until if stays else None


def _one(settings: Settings, name: str, read: Callable[[str], Read], default: Read) -> Read:
    if name not in settings.values:
        return default
    try:
        return read(settings.values[name])
    except Unfit as unfit:
        settings.problem(name, unfit.what, unfit.fix)
        return default


def _several(settings: Settings, name: str, read: Callable[[list[str]], Read], default: Read) -> Read:
    if name not in settings.lines or name in settings.blank:
        return default
    try:
        return read(settings.several.get(name) or [settings.values.get(name, "")])
    except Unfit as unfit:
        settings.problem(name, unfit.what, unfit.fix)
        return default
