"""The forms by which a course's pace is changed: its reader's own, and those of the desk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy.orm import Session

from mailer.models import PaceChange
from mailer.reports.pace import find_change
from mailer.schedule import pace
from mailer.schedule.pace_case import Asker, What
from mailer.schedule.timing import EVERY_DAY

BIGGEST = 2**63
"""No number of a row is that big."""

Wish = Callable[[Session, int, Asker, datetime], PaceChange | None]
"""What a form asks for: done to an enrollment, for who asks, at a moment; None when that changes nothing."""


def wish_of(fields: Mapping[str, str], today: date) -> Wish | None:
    """The wish of a form; None when it is no form of ours. Raises BadDate or BadChoice."""
    match fields.get("action"):
        case What.NEXT:
            return pace.next_now
        case What.GAP:
            return _with(pace.set_gap, _gap(fields.get("gap", "")))
        case What.PAUSE:
            return _with(pace.pause_until, _until(fields, today))
        case What.RESUME:
            return pace.resume
        case What.HOUR:
            return _with(pace.set_hour, _hour(fields.get("hour", "")))
        case What.WEEKDAYS:
            return _with(pace.set_weekdays, _weekdays(fields))
        case What.ZONE:
            return _with(pace.set_zone, fields.get("zone", ""))
        case What.REPEAT:
            return pace.repeat_week
        case What.START_OVER:
            return pace.start_over
        case What.STOP:
            return pace.stop
        case "undo":
            return _undo(number(fields.get("change", "")))
    return None


def _with(change: Callable[[Session, int, Any, Asker, datetime], PaceChange | None], value: Any) -> Wish:
    return lambda session, enrollment_id, asker, now: change(session, enrollment_id, value, asker, now)


def _undo(change_id: int) -> Wish:
    def undo(session: Session, enrollment_id: int, asker: Asker, now: datetime) -> PaceChange | None:
        change = find_change(session, enrollment_id, change_id)
        return pace.undo(session, change.id, asker, now) if change else None

    return undo


def number(written: str) -> int:
    """A row's number, or 0."""
    value = int(written) if written.isascii() and written.isdigit() and len(written) < 20 else 0
    return value if value < BIGGEST else 0


def _gap(written: str) -> int | None:
    return None if written == "as-written" else number(written)


def _until(fields: Mapping[str, str], today: date) -> date:
    """The day that a pause ends on: so many weeks from today, or the one chosen. Raises BadDate."""
    try:
        if "weeks" in fields:
            return today + timedelta(weeks=int(fields["weeks"]))
        return date.fromisoformat(fields.get("until", ""))
    except (ValueError, OverflowError):
        raise pace.BadDate from None


def _hour(written: str) -> time | None:
    try:
        return time.fromisoformat(written).replace(tzinfo=None) if written else None
    except ValueError:
        raise pace.BadChoice from None


def _weekdays(fields: Mapping[str, str]) -> int | None:
    """The days that are ticked, as bits from Monday on; all seven, or none, are those as written."""
    mask = sum(1 << day for day in range(7) if f"day-{day}" in fields)
    return None if mask in (0, EVERY_DAY) else mask
