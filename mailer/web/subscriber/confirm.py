"""Confirming a sign-up: the link asks, the button does it."""

from __future__ import annotations

from fastapi import APIRouter, Response

from mailer.db import business_now
from mailer.feedback.record import Confirmation, confirm_subscription, look_at_confirmation
from mailer.i18n import format_date
from mailer.web.deps import READ, Parts, PartsDep
from mailer.web.language import spoken
from mailer.web.subscriber.reader import masked

router = APIRouter()


@router.api_route("/confirm/{token}", methods=READ)
def ask(token: str, parts: PartsDep) -> Response:
    """Changes nothing: mail scanners follow every link, and must not sign anybody up."""
    with parts.session() as session:
        subscription_id = parts.signer.confirm_subscription(token, business_now(session))
        seen = look_at_confirmation(session, subscription_id)
    return _page(parts, seen, "ended" if seen.is_ended else "already" if seen.is_active else "ask")


@router.post("/confirm/{token}")
def act(token: str, parts: PartsDep) -> Response:
    """Begins; pressing twice shows the same page again."""
    with parts.session() as session:
        now = business_now(session)
        subscription_id = parts.signer.confirm_subscription(token, now)
        done = confirm_subscription(session, subscription_id, "confirm page", now)
    return _page(parts, done, "ended" if done.is_ended else "done")


def _page(parts: Parts, confirmation: Confirmation, stage: str) -> Response:
    first_on = confirmation.first_lesson_on
    return parts.pages.render(
        "subscriber/confirm.html",
        confirmation.language,
        stage=stage,
        confirmation=confirmation,
        address=masked(confirmation.email),
        first_lesson_on=format_date(first_on, spoken(confirmation.language)) if first_on else "",
        sender_name=confirmation.sender_name,
    )
