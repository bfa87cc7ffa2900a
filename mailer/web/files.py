"""Files that browsers may keep for good: the stylesheet and the pictures in mails."""

from __future__ import annotations

import re

from fastapi import APIRouter, HTTPException, Request, Response

from mailer.reports.pictures import find_picture
from mailer.web.deps import READ, PartsDep
from mailer.web.pages import asset, asset_packed

router = APIRouter()

CSS = "text/css; charset=utf-8"
SCRIPT = "text/javascript; charset=utf-8"
STATIC_TYPES = {
    "site.css": CSS,
    "desk.css": CSS,
    "tabler.css": CSS,
    "icon.svg": "image/svg+xml",
    "theme.js": SCRIPT,
    "desk.js": SCRIPT,
    "passkeys.js": SCRIPT,
    "proof.js": SCRIPT,
    "htmx.js": SCRIPT,
    "sse.js": SCRIPT,
    "chart.js": SCRIPT,
    "sortable.js": SCRIPT,
    "courses.js": SCRIPT,
    "courses.css": CSS,
    "segments.css": CSS,
    "home.css": CSS,
    "sent.css": CSS,
    "editor.js": SCRIPT,
    "editor.css": CSS,
    "campaigns.css": CSS,
    "grapes.js": SCRIPT,
    "grapes.css": CSS,
    "grapes-mjml.js": SCRIPT,
    "visual.js": SCRIPT,
    "visual.css": CSS,
    "imports.css": CSS,
}
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")

FILE_HEADERS = {
    # The name or the query changes with the content.
    "Cache-Control": "public, max-age=31536000, immutable",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # An SVG opened by itself is a document: it gets no script and no origin.
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"
    ),
}


@router.api_route("/static/{name}", methods=READ)
def static(name: str, request: Request) -> Response:
    """A file that pages are made with."""
    if name not in STATIC_TYPES:
        raise HTTPException(404)
    headers = {**FILE_HEADERS, "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        packed = {**headers, "Content-Encoding": "gzip"}
        return Response(asset_packed(name), media_type=STATIC_TYPES[name], headers=packed)
    return Response(asset(name), media_type=STATIC_TYPES[name], headers=headers)


@router.api_route("/media/{name}", methods=READ)
def media(name: str, parts: PartsDep) -> Response:
    """A published picture; mail programs and their proxies fetch it from wherever they are."""
    if not NAME.fullmatch(name):
        raise HTTPException(404)
    with parts.session() as session:
        picture = find_picture(session, name)
    if picture is None:
        raise HTTPException(404)
    headers = {**FILE_HEADERS, "Cross-Origin-Resource-Policy": "cross-origin"}
    return Response(picture.content, media_type=picture.content_type, headers=headers)
