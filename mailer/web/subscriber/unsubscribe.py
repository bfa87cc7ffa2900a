"""Leaving: the link asks, the button and a mail program's one-click POST act at once; and coming back."""

from __future__ import annotations

from fastapi import APIRouter, Response

from mailer.db import business_now
from mailer.delivery.compose import CONFIRM_WITHIN
from mailer.feedback.come_back import come_back
from mailer.feedback.record import unsubscribe
from mailer.reports.pace import find_pace_of_mail
from mailer.reports.reader import ReaderPage
from mailer.web.deps import READ, FormFields, Parts, PartsDep
from mailer.web.subscriber.reader import delivery_of, masked, read_reader

router = APIRouter()

ONE_CLICK = "List-Unsubscribe"
"""The field of a mail program's own unsubscribe button (RFC 8058 section 3.1)."""


@router.api_route("/m/{token}/unsubscribe", methods=READ)
def ask(token: str, parts: PartsDep) -> Response:
    """Changes nothing: mail scanners follow every link."""
    with parts.session() as session:
        reader = read_reader(parts, session, token)
        seen = find_pace_of_mail(session, delivery_of(parts, token), business_now(session))
    can_pause = seen is not None and seen.is_running and not seen.is_paused and seen.next_on is not None
    return _page(parts, reader, "already" if reader.about.is_ended else "ask", can_pause=can_pause)


@router.post("/m/{token}/unsubscribe")
def act(token: str, fields: FormFields, parts: PartsDep) -> Response:
    """Ends this subscription, or all; whatever else is sent along, it works, as often as it is asked."""
    everything = fields.get("scope") == "everything"
    source = "one-click" if ONE_CLICK in fields else "unsubscribe page"
    with parts.session() as session:
        delivery_id = delivery_of(parts, token)
        unsubscribe(session, delivery_id, everything=everything, source=source, now=business_now(session))
        reader = read_reader(parts, session, token)
    return _page(parts, reader, "everything" if everything else "done")


@router.post("/m/{token}/resubscribe")
def again(token: str, parts: PartsDep) -> Response:
    """A way back from a mistake: the mail it sends holds the link that really does it."""
    with parts.session() as session:
        reader = read_reader(parts, session, token)
        now = business_now(session)
        answer = come_back(session, reader.subscriber_id, reader.about_list_id, "unsubscribe page", now)
    return _page(parts, reader, answer)


def _page(parts: Parts, reader: ReaderPage, stage: str, *, can_pause: bool = False) -> Response:
    return parts.pages.render(
        "subscriber/unsubscribe.html",
        reader.language,
        stage=stage,
        can_pause=can_pause,
        reader=reader,
        address=masked(reader.email),
        days=CONFIRM_WITHIN.days,
        sender_name=reader.sender_name,
    )
