"""The cookie of a session, and what its forms repeat."""

from __future__ import annotations

from urllib.parse import urlsplit

from fastapi import Request, Response

from mailer.accounts.secrets import form_key
from mailer.accounts.sessions import OLDEST

COOKIE = "steadypost_session"
FORM_KEY = "form_key"
"""The field, and with a dash the header (Form-Key), in which every form repeats its session's key."""


def key_of_forms(request: Request) -> str:
    """What the forms of this request's session repeat; empty when nobody is signed in."""
    secret = request.cookies.get(COOKIE, "")
    return form_key(secret) if secret else ""


def set_cookie(answer: Response, base_url: str, secret: str) -> None:
    """Sign the browser in: a cookie that scripts cannot read and other sites do not send along."""
    where = urlsplit(base_url)
    answer.set_cookie(
        COOKIE,
        secret,
        max_age=int(OLDEST.total_seconds()),
        path=where.path or "/",
        secure=where.scheme == "https",
        httponly=True,
        samesite="lax",
    )


def drop_cookie(answer: Response, base_url: str) -> None:
    """Forget the session in this browser."""
    where = urlsplit(base_url)
    answer.delete_cookie(COOKIE, path=where.path or "/", secure=where.scheme == "https", httponly=True)
