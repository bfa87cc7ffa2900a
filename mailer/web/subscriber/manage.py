"""What a reader receives, and what they want us to know: to be changed without a login."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from fastapi import APIRouter, Response
from sqlalchemy.orm import Session

from mailer.clock import zone
from mailer.db import business_now
from mailer.delivery.compose import CONFIRM_WITHIN
from mailer.errors import Refused, UnknownZone
from mailer.feedback.come_back import come_back
from mailer.feedback.own_data import ask_for_data
from mailer.feedback.record import change_details, leave
from mailer.reports.reader import ReaderPage, Receives
from mailer.web.deps import READ, FormFields, Parts, PartsDep
from mailer.web.language import spoken
from mailer.web.subscriber.choices import language_choices, zone_choices
from mailer.web.subscriber.reader import delivery_of, masked, read_reader

router = APIRouter()

SOURCE = "manage page"


@router.api_route("/m/{token}/manage", methods=READ)
def show(token: str, parts: PartsDep) -> Response:
    """What this reader receives."""
    with parts.session() as session:
        reader, now = read_reader(parts, session, token), business_now(session)
    return _page(parts, reader, now)


@router.post("/m/{token}/manage")
def change(token: str, fields: FormFields, parts: PartsDep) -> Response:
    """One change, told at the top of the same page; a form that is not ours changes nothing."""
    with parts.session() as session:
        delivery_id, now = delivery_of(parts, token), business_now(session)
        reader = read_reader(parts, session, token)
        about = _list_named(reader, fields)
        notice = _act(session, reader, about, fields, delivery_id, now)
        reader = read_reader(parts, session, token)
    return _page(parts, reader, now, notice, about)


def _act(
    session: Session,
    reader: ReaderPage,
    about: Receives | None,
    fields: Mapping[str, str],
    delivery_id: int,
    now: datetime,
) -> str:
    """Do what was asked; returns the word for the notice that tells of it, empty when nothing was."""
    who = reader.subscriber_id
    match fields.get("action"):
        case "stop" if about is not None:
            leave(session, who, about.list_id, source=SOURCE, now=now, delivery_id=delivery_id)
            return "stopped"
        case "everything":
            leave(session, who, None, source=SOURCE, now=now, delivery_id=delivery_id)
            return "everything"
        case "again" if about is not None:
            return come_back(session, who, about.list_id, SOURCE, now)
        case "data":
            return ask_for_data(session, who, reader.about_list_id, reader.language, now)
        case "details":
            return _change_details(session, reader, fields, now)
    return ""


def _list_named(reader: ReaderPage, fields: Mapping[str, str]) -> Receives | None:
    """The list that a button belongs to, if it is one of this reader's."""
    return next((one for one in reader.receives if str(one.list_id) == fields.get("list")), None)


def _change_details(session: Session, reader: ReaderPage, fields: Mapping[str, str], now: datetime) -> str:
    # What they left as it was shown may be only what we take for theirs: it stays unsaid.
    language, zone_name = _chosen(fields, "language"), _chosen(fields, "zone")
    if language is not None and language not in {tag for tag, _ in language_choices(reader.language)}:
        return "not-saved"
    try:
        change_details(
            session,
            reader.subscriber_id,
            name=fields.get("name", reader.name),
            language=language,
            zone_name=zone_name,
            now=now,
        )
    except (UnknownZone, Refused):
        return "not-saved"
    return "saved"


def _chosen(fields: Mapping[str, str], name: str) -> str | None:
    """What a reader chose in this field; None when they left it as it was shown to them."""
    value = fields.get(name)
    return None if value == fields.get(f"shown_{name}") else value


def _page(
    parts: Parts, reader: ReaderPage, now: datetime, notice: str = "", about: Receives | None = None
) -> Response:
    local = now.astimezone(zone(reader.zone))
    return parts.pages.render(
        "subscriber/manage.html",
        reader.language,
        status=422 if notice == "not-saved" else 200,
        reader=reader,
        address=masked(reader.email),
        notice=notice,
        about=about,
        days=CONFIRM_WITHIN.days,
        languages=language_choices(reader.language),
        zones=zone_choices(spoken(reader.language), reader.zone),
        local_time=f"{local:%H:%M}",
        sender_name=reader.sender_name,
    )
