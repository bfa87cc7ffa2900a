"""A course's pace in its reader's hands: what comes next, and every choice as a plain form."""

from __future__ import annotations

from datetime import datetime

from babel.dates import format_time, get_day_names, get_timezone_location
from fastapi import APIRouter, Response
from fastapi.responses import RedirectResponse

from mailer.clock import zone
from mailer.db import business_now
from mailer.errors import UnknownZone
from mailer.i18n import format_date, locale_of
from mailer.models import PaceChange
from mailer.reports.pace import PacePage, find_change, find_pace_of_mail
from mailer.reports.reader import ReaderPage
from mailer.schedule import pace
from mailer.schedule.pace_case import Asker
from mailer.web.deps import READ, FormFields, Parts, PartsDep
from mailer.web.language import spoken
from mailer.web.pace_form import number, wish_of
from mailer.web.pages import PRIVATE_HEADERS
from mailer.web.subscriber.choices import zone_choices
from mailer.web.subscriber.reader import delivery_of, masked, read_reader

router = APIRouter()

SOURCE = "the pace page"


@router.api_route("/m/{token}/pace", methods=READ)
def show(token: str, parts: PartsDep, done: str = "", undone: str = "") -> Response:
    """What comes next, and what was just done; changes nothing."""
    with parts.session() as session:
        reader, now = read_reader(parts, session, token), business_now(session)
        seen = find_pace_of_mail(session, delivery_of(parts, token), now)
        change = find_change(session, seen.enrollment_id, number(done or undone)) if seen else None
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
            asker = Asker(SOURCE, delivery_id, number(fields["seen"]) if "seen" in fields else None)
            wish = wish_of(fields, seen.today)
            change = wish(session, seen.enrollment_id, asker, now) if wish else None
            if change is not None:
                return _see(f"pace?{'undone' if change.undone_at else 'done'}={change.id}")
            return _see("pace?done=same")
    except (pace.PaceRefused, UnknownZone) as refusal:
        with parts.session() as session:
            reader, now = read_reader(parts, session, token), business_now(session)
            seen = find_pace_of_mail(session, delivery_of(parts, token), now)
        return _page(parts, reader, seen, now, type(refusal).__name__, status=422)


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
