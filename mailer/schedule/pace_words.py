"""A change of pace as a sentence, for operators."""

from __future__ import annotations

from mailer.models import PaceChange
from mailer.schedule.pace_case import What

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
GAPS = {None: "as written", 1: "daily", 2: "every other day", 7: "weekly"}


def sentence(change: PaceChange) -> str:
    """What was asked, and by which way: "paused until 2026-03-20, by the pace page"."""
    return f"{_what(change)}, by {change.who}"


def _what(change: PaceChange) -> str:
    after = change.after
    match change.what:
        case What.NEXT:
            return "asked for the next lesson now"
        case What.GAP:
            return f"chose the pace: {GAPS.get(after['gap'], after['gap'])}"
        case What.PAUSE:
            return f"paused until {after['paused_until']}"
        case What.RESUME:
            return "went on before the pause was over"
        case What.HOUR:
            return f"chose the hour: {(after['send_time'] or 'as written').removesuffix(':00')}"
        case What.ZONE:
            return f"chose the time zone {after['zone']}"
        case What.WEEKDAYS:
            return f"chose the weekdays: {_weekdays(after['weekdays'])}"
        case What.REPEAT:
            return "asked for the last week once more"
        case What.START_OVER:
            return "started the course over"
        case What.STOP:
            return "stopped the course"
    return change.what


def _weekdays(mask: int | None) -> str:
    return "as written" if mask is None else ", ".join(d for bit, d in enumerate(DAYS) if mask >> bit & 1)
