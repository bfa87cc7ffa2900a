"""All that is kept of somebody: to take with them, or to have erased, by the link that they were mailed."""

from __future__ import annotations

import json
from datetime import datetime

from babel.dates import format_datetime
from fastapi import APIRouter, Response

from mailer.clock import zone
from mailer.db import business_now
from mailer.feedback.own_data import GOOD_FOR, erase_themselves, whose_data
from mailer.i18n import answer_words, locale_of, translator
from mailer.reports.export import course_titles, export_person
from mailer.web.deps import READ, FormFields, Parts, PartsDep
from mailer.web.language import spoken
from mailer.web.subject import without_tags
from mailer.web.subscriber.reader import delivery_of, masked, read_reader
from mailer.web.taking_out import attached

router = APIRouter()

MOST_SHOWN = 100
"""Mails, clicks and the like on the page; the file has all of them."""


@router.api_route("/m/{token}/data", methods=READ)
def show(token: str, parts: PartsDep) -> Response:
    """How much there is, and what can be done with it."""
    return _page(parts, token, "show")


@router.post("/m/{token}/data")
def download(token: str, fields: FormFields, parts: PartsDep) -> Response:
    """All of it, as a file or as a page. By POST: whatever opens links by itself gets none of it."""
    if fields.get("show") == "yes":
        return _shown(parts, token)
    with parts.session() as session:
        now = business_now(session)
        kept = export_person(session, whose_data(session, delivery_of(parts, token), now), now)
    return Response(
        json.dumps(kept, ensure_ascii=False, indent=1),
        media_type="application/json",
        headers=attached("my-data.json"),
    )


@router.api_route("/m/{token}/erase", methods=READ)
def ask(token: str, parts: PartsDep) -> Response:
    """What goes, what stays, and the button that does it."""
    return _page(parts, token, "erase")


@router.post("/m/{token}/erase")
def erase(token: str, fields: FormFields, parts: PartsDep) -> Response:
    """Forget this person. It cannot be undone, so the box above the button has to be ticked, too."""
    if fields.get("sure") != "yes":
        return _page(parts, token, "erase", wrong=True)
    with parts.session() as session:
        delivery_id, now = delivery_of(parts, token), business_now(session)
        whose_data(session, delivery_id, now)
        reader = read_reader(parts, session, token)
        erase_themselves(session, delivery_id, now)
    return parts.pages.render(
        "subscriber/data.html",
        reader.language,
        stage="erased",
        address=masked(reader.email),
        sender_name=reader.sender_name,
    )


def _shown(parts: Parts, token: str) -> Response:
    """All of it in plain words, the newest of what there is much of."""
    with parts.session() as session:
        now = business_now(session)
        kept = export_person(session, whose_data(session, delivery_of(parts, token), now), now)
        reader, titles = read_reader(parts, session, token), course_titles(session, kept)
    language = spoken(reader.language)
    place, words = zone(reader.zone), locale_of(language)

    def at(moment: str) -> str:
        local = datetime.fromisoformat(moment).astimezone(place)
        return format_datetime(local, "medium", tzinfo=place, locale=words)

    return parts.pages.render(
        "subscriber/data_shown.html",
        reader.language,
        kept=kept,
        titles=titles,
        lists={one["slug"]: one["title"] for one in kept["lists"]},
        at=at,
        newest=lambda rows: list(reversed(rows))[:MOST_SHOWN],
        most=MOST_SHOWN,
        said=lambda subject: without_tags(subject or ""),
        answers=answer_words(translator(language).gettext),
        spoken_name=words.get_language_name(kept["person"]["language"] or language),
        zone=reader.zone,
        sender_name=reader.sender_name,
    )


def _page(parts: Parts, token: str, stage: str, *, wrong: bool = False) -> Response:
    with parts.session() as session:
        now = business_now(session)
        who = whose_data(session, delivery_of(parts, token), now)
        reader = read_reader(parts, session, token)
        kept = export_person(session, who, now)
    return parts.pages.render(
        "subscriber/data.html",
        reader.language,
        status=422 if wrong else 200,
        stage=stage,
        wrong=wrong,
        address=masked(reader.email),
        counts={part: len(rows) for part, rows in kept.items() if isinstance(rows, list)},
        days=GOOD_FOR.days,
        sender_name=reader.sender_name,
    )
