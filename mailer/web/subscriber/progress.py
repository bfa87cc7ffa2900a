"""A reader's way through a course, as a page and a calendar: weeks, letters had and letters to come."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import NAMESPACE_URL, uuid5

from fastapi import APIRouter, Response
from icalendar import Calendar, Event

from mailer.db import business_now
from mailer.i18n import answer_words, format_date, translator
from mailer.reports.progress import Journey, Letter, journey_of
from mailer.web.deps import READ, PartsDep
from mailer.web.language import spoken
from mailer.web.subscriber.reader import delivery_of, read_reader
from mailer.web.taking_out import attached

router = APIRouter()

READING_TIME = timedelta(minutes=15)


@router.api_route("/m/{token}/progress", methods=READ)
def show(token: str, parts: PartsDep) -> Response:
    """How far this reader is."""
    with parts.session() as session:
        reader = read_reader(parts, session, token)
        journey = journey_of(session, delivery_of(parts, token), business_now(session))
    language = spoken(reader.language)
    return parts.pages.render(
        "subscriber/progress.html",
        reader.language,
        journey=journey,
        words=answer_words(translator(language).gettext),
        dated=lambda letter: format_date(letter.on, language),
        zone=reader.zone,
        sender_name=reader.sender_name,
    )


@router.api_route("/m/{token}/course.ics", methods=READ)
def calendar(token: str, parts: PartsDep) -> Response:
    """The letters to come as a calendar that says nothing of what they are about: others may see it."""
    with parts.session() as session:
        reader, now = read_reader(parts, session, token), business_now(session)
        journey = journey_of(session, delivery_of(parts, token), now)
    _ = translator(spoken(reader.language)).gettext
    title = _("A letter from %(sender)s") % {"sender": reader.sender_name}
    return Response(
        _calendar(journey, title, now),
        media_type="text/calendar",
        headers=attached("letters.ics"),
    )


def _calendar(journey: Journey, title: str, now: datetime) -> bytes:
    made = Calendar()
    made.add("prodid", "-//Steadypost//Letters to come//")
    made.add("version", "2.0")
    made.add("method", "PUBLISH")
    for letter in journey.ahead:
        made.add_component(_event(journey, letter, title, now))
    return bytes(made.to_ical())


def _event(journey: Journey, letter: Letter, title: str, now: datetime) -> Event:
    event = Event()
    # The same in every file, so that a newer one moves the appointment instead of adding another.
    name = f"steadypost:{journey.enrollment_id}:{journey.round}:{letter.step_id}:{letter.is_repeat}"
    event.add("uid", str(uuid5(NAMESPACE_URL, name)))
    event.add("summary", title)
    event.add("dtstamp", now)
    event.add("dtstart", letter.at)
    event.add("dtend", letter.at + READING_TIME)
    event.add("transp", "TRANSPARENT")  # a letter takes nobody's time away from them
    return event
