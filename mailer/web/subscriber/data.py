"""All that is kept of somebody: to take with them, or to have erased, by the link that they were mailed."""

from __future__ import annotations

import json

from fastapi import APIRouter, Response

from mailer.db import business_now
from mailer.feedback.own_data import GOOD_FOR, erase_themselves, whose_data
from mailer.reports.export import export_person
from mailer.web.deps import READ, FormFields, Parts, PartsDep
from mailer.web.subscriber.reader import delivery_of, masked, read_reader
from mailer.web.taking_out import attached

router = APIRouter()


@router.api_route("/m/{token}/data", methods=READ)
def show(token: str, parts: PartsDep) -> Response:
    """How much there is, and what can be done with it."""
    return _page(parts, token, "show")


@router.post("/m/{token}/data")
def download(token: str, parts: PartsDep) -> Response:
    """All of it, as a file. By POST: whatever opens links by itself gets none of it."""
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
