"""A course's pace in its reader's hands: what comes next, and every choice as a plain form."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta

from babel.dates import format_time, get_day_names, get_timezone_location
from fastapi import APIRouter, Response
from fastapi.responses import RedirectResponse
from sqlalchemy.orm import Session

from mailer.clock import zone
from mailer.db import business_now
from mailer.errors import UnknownZone
from mailer.i18n import format_date, locale_of
from mailer.models import PaceChange
from mailer.reports.pace import PacePage, find_change, find_pace_of_mail
from mailer.reports.reader import ReaderPage
from mailer.schedule import pace
from mailer.schedule.pace_case import Asker, What
from mailer.schedule.timing import EVERY_DAY
from mailer.web.deps import READ, FormFields, Parts, PartsDep
from mailer.web.language import spoken
from mailer.web.pages import PRIVATE_HEADERS
from mailer.web.subscriber.choices import zone_choices
from mailer.web.subscriber.reader import delivery_of, masked, read_reader

router = APIRouter()

SOURCE = "the pace page"
BIGGEST = 2**63
"""No number of a row is that big."""


@router.api_route("/m/{token}/pace", methods=READ)
def show(token: str, parts: PartsDep, done: str = "", undone: str = "") -> Response:
    """What comes next, and what was just done; changes nothing."""
    with parts.session() as session:
        reader, now = read_reader(parts, session, token), business_now(session)
        seen = find_pace_of_mail(session, delivery_of(parts, token), now)
        change = find_change(session, seen.enrollment_id, _number(done or undone)) if seen else None
        notice = "" if change is None else "undone" if change.undone_at is not None else change.what
    if not notice and done == "same":
        notice = "same"
    return _page(parts, reader, seen, now, notice, change)


@router.post("/m/{token}/pace")
def act(token: str, fields: FormFields, parts: PartsDep) -> Response:
    """One wish, told on the page that follows; what cannot be done changes nothing and says why."""
    try:
        with parts.session() as session:
            delivery_id, now = delivery_of(parts, token), business_now(session)
            read_reader(parts, session, token)
            seen = find_pace_of_mail(session, delivery_id, now)
            if seen is None:
                return _see("pace")
            asker = Asker(SOURCE, delivery_id, _number(fields["seen"]) if "seen" in fields else None)
            change = _act(session, seen, fields, asker, now)
            if change is not None:
                return _see(f"pace?{'undone' if change.undone_at else 'done'}={change.id}")
            return _see("pace?done=same")
    except (pace.PaceRefused, UnknownZone) as refusal:
        with parts.session() as session:
            reader, now = read_reader(parts, session, token), business_now(session)
            seen = find_pace_of_mail(session, delivery_of(parts, token), now)
        return _page(parts, reader, seen, now, type(refusal).__name__, status=422)


def _act(
    session: Session, seen: PacePage, fields: Mapping[str, str], asker: Asker, now: datetime
) -> PaceChange | None:
    """Do what a form asks for; None when that changes nothing, or it is no form of ours."""
    number = seen.enrollment_id
    match fields.get("action"):
        case What.NEXT:
            return pace.next_now(session, number, asker, now)
        case What.GAP:
            return pace.set_gap(session, number, _gap(fields.get("gap", "")), asker, now)
        case What.PAUSE:
            return pace.pause_until(session, number, _until(fields, seen.today), asker, now)
        case What.RESUME:
            return pace.resume(session, number, asker, now)
        case What.HOUR:
            return pace.set_hour(session, number, _hour(fields.get("hour", "")), asker, now)
        case What.WEEKDAYS:
            return pace.set_weekdays(session, number, _weekdays(fields), asker, now)
        case What.ZONE:
            return pace.set_zone(session, number, fields.get("zone", ""), asker, now)
        case What.REPEAT:
            return pace.repeat_week(session, number, asker, now)
        case What.START_OVER:
            return pace.start_over(session, number, asker, now)
        case What.STOP:
            return pace.stop(session, number, asker, now)
        case "undo":
            change = find_change(session, number, _number(fields.get("change", "")))
            return pace.undo(session, change.id, asker, now) if change else None
    return None


def _number(written: str) -> int:
    """A row's number, or 0."""
    value = int(written) if written.isascii() and written.isdigit() and len(written) < 20 else 0
    return value if value < BIGGEST else 0


def _gap(written: str) -> int | None:
    return None if written == "as-written" else _number(written)


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


def _see(address: str) -> Response:
    # Relative, so that it is right below any path of the base URL; 303: look there, by GET.
    return RedirectResponse(address, 303, headers=PRIVATE_HEADERS)


def _page(
    parts: Parts,
    reader: ReaderPage,
    seen: PacePage | None,
    now: datetime,
    notice: str = "",
    change: PaceChange | None = None,
    status: int = 200,
) -> Response:
    language = spoken(reader.language)
    locale = locale_of(language)
    zone_name = seen.zone if seen else reader.zone
    names = get_day_names("wide", locale=locale)
    return parts.pages.render(
        "subscriber/pace.html",
        reader.language,
        status=status,
        reader=reader,
        seen=seen,
        address=masked(reader.email),
        notice=notice,
        change=change,
        can_undo=bool(seen and change and notice == change.what and change.id == seen.newest),
        day=lambda on: format_date(on, language),
        hour=lambda at: format_time(at, "short", locale=locale),
        city=get_timezone_location(zone(zone_name), locale=locale, return_city=True),
        weekday_names=[names[number] for number in range(7)],
        latest=seen.today + pace.LONGEST_PAUSE if seen else None,
        tomorrow=seen.today + pace.DAY if seen else None,
        zones=zone_choices(language, zone_name),
        local_time=f"{now.astimezone(zone(zone_name)):%H:%M}",
        sender_name=reader.sender_name,
    )
