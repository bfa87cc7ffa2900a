"""A mail shown in the browser, for readers whose mail program shows it badly."""

from __future__ import annotations

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse

from mailer.delivery.show import show_mail
from mailer.web.deps import READ, PartsDep
from mailer.web.pages import PRIVATE_HEADERS
from mailer.web.subscriber.reader import delivery_of

router = APIRouter()

MAIL_POLICY = (
    "default-src 'none'; script-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)


@router.api_route("/m/{token}", methods=READ)
def view(token: str, parts: PartsDep) -> Response:
    """The mail as its reader got it."""
    delivery_id = delivery_of(parts, token)
    with parts.session() as session:
        shown = show_mail(session, delivery_id, parts.signer, parts.base_url)
    return HTMLResponse(shown.html, headers={**PRIVATE_HEADERS, "Content-Security-Policy": MAIL_POLICY})
