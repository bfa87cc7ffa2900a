"""A marketer's mail by itself, for a frame that lets nothing out of it."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

from fastapi.responses import HTMLResponse
from sqlalchemy.orm import Session

from mailer.errors import MailerError
from mailer.launch.shown import Shown, in_scheme
from mailer.web.deps import Parts
from mailer.web.pages import PRIVATE_HEADERS

MAIL_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src 'none'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'self'; sandbox"
)
"""What a marketer writes runs no script, asks nothing of anybody, and has no origin."""


def shown_or_why(parts: Parts, show: Callable[[Session], Shown]) -> tuple[Shown | None, str]:
    """The mail, or why there is none."""
    try:
        with parts.session() as session:
            return show(session), ""
    except MailerError as error:
        return None, str(error)


def framed(shown: Shown | None, cannot: str, *, is_dark: bool) -> HTMLResponse:
    """The mail, or why there is none, in light or in dark."""
    html = in_scheme(shown.mail.html, is_dark=is_dark) if shown else f"<p>{escape(cannot)}</p>"
    return HTMLResponse(html, headers={**PRIVATE_HEADERS, "Content-Security-Policy": MAIL_POLICY})
