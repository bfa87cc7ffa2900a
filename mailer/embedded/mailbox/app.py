"""The pages of the local mailbox: what arrived, and each mail as its reader sees it."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

import jinja2
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from mailer.embedded.mailbox.preview import FRAME_POLICY, framed, has_dark_styles
from mailer.embedded.mailbox.reading import all_headers, body, named_headers, other_parts
from mailer.embedded.mailbox.selection import PAGE_SIZE, Selection
from mailer.embedded.mailbox.store import MailStore, StoredMail
from mailer.errors import NotFound
from mailer.settings import PROJECT

TEMPLATES = PROJECT / "templates" / "web" / "mailbox"
VIEWS = {"html": "HTML", "phone": "Phone", "dark": "Dark", "text": "Text", "source": "Source"}
REFRESH_SECONDS = 5
SOURCE_LIMIT = 1_000_000
PICTURES = {"image/png", "image/jpeg", "image/gif", "image/webp"}
PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; frame-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": PAGE_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",  # a link in a mail is nobody else's business
    "Cache-Control": "no-store",  # numbers begin anew when the mailbox is emptied
}


def create_app(store: MailStore) -> Starlette:
    """The web app that shows the mails of `store`."""
    pages = Pages(store)
    return Starlette(
        routes=[
            Route("/", pages.listing),
            Route("/messages/{number:int}", pages.mail),
            Route("/messages/{number:int}/frame", pages.frame),
            Route("/messages/{number:int}/parts/{position:int}", pages.part),
            Route("/messages/{number:int}/download", pages.download),
            Route("/api/messages", pages.api_listing),
            Route("/api/messages/{number:int}", pages.api_mail),
            Route("/health", pages.health),
            Route("/mailbox.css", pages.styles),
        ],
        # A page elsewhere could point a name of its own at this machine and read along (DNS rebinding).
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])],
        exception_handlers={HTTPException: pages.failure, NotFound: pages.failure},
    )


class Pages:
    """One method for each address; plain functions, so that they run beside the SMTP conversations."""

    def __init__(self, store: MailStore) -> None:
        self._store = store
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
        )
        self._templates.filters["hour"] = _hour
        self._templates.filters["size"] = _size

    def listing(self, request: Request) -> Response:
        """The newest mails, narrowed down by recipient and subject."""
        asked = Selection.from_query(request.query_params)
        everything = self._store.messages()
        chosen = asked.of(everything)
        pages = max(1, -(-len(chosen) // PAGE_SIZE))
        selection = replace(asked, page=min(asked.page, pages))
        return self._page(
            "list.html",
            selection=selection,
            mails=chosen[(selection.page - 1) * PAGE_SIZE : selection.page * PAGE_SIZE],
            chosen=len(chosen),
            total=len(everything),
            pages=pages,
            refresh=REFRESH_SECONDS if "watch" in request.query_params else None,
        )

    def mail(self, request: Request) -> Response:
        """One mail in one of VIEWS, between its neighbours of the same selection."""
        mail = self._store.get(request.path_params["number"])
        selection = Selection.from_query(request.query_params)
        view = request.query_params.get("view", "html")
        parsed = self._store.parsed(mail.number)
        html = body(parsed, "html")
        newer, older = selection.neighbours(self._store.messages(), mail.number)
        return self._page(
            "mail.html",
            mail=mail,
            selection=selection,
            view=view if view in VIEWS else "html",
            views=VIEWS,
            headers=named_headers(parsed),
            has_html=html is not None,
            has_dark=html is not None and has_dark_styles(html),
            text=body(parsed, "plain"),
            source=self._source(mail.number),
            parts=other_parts(parsed),
            newer=newer,
            older=older,
        )

    def frame(self, request: Request) -> Response:
        """A mail's HTML alone, under a policy of its own that lets nothing run."""
        number = request.path_params["number"]
        parsed = self._store.parsed(number)
        pictures = {
            part.content_id: f"/messages/{number}/parts/{part.position}"
            for part in other_parts(parsed)
            if part.content_id
        }
        html = framed(body(parsed, "html") or "", dark="dark" in request.query_params, pictures=pictures)
        return HTMLResponse(html, headers={**HEADERS, "Content-Security-Policy": FRAME_POLICY})

    def part(self, request: Request) -> Response:
        """A picture of a mail, or another part of it to be saved."""
        for part in other_parts(self._store.parsed(request.path_params["number"])):
            if part.position == request.path_params["position"]:
                if part.content_type in PICTURES:
                    return Response(part.content, media_type=part.content_type, headers=HEADERS)
                # Under a plain name and type: the sender's could make the browser show or run it.
                saved = {"Content-Disposition": f'attachment; filename="part-{part.position}"'}
                return Response(
                    part.content, media_type="application/octet-stream", headers={**HEADERS, **saved}
                )
        raise HTTPException(404)

    def download(self, request: Request) -> Response:
        """The mail as it arrived, as a file for another mail program."""
        number = request.path_params["number"]
        saved = {"Content-Disposition": f'attachment; filename="mail-{number}.eml"'}
        return Response(self._store.raw(number), media_type="message/rfc822", headers={**HEADERS, **saved})

    def api_listing(self, request: Request) -> Response:
        """The mails as JSON, oldest first: those to `to`, if given, with a number above `after`."""
        to = request.query_params.get("to", "").lower()
        after = _number(request.query_params.get("after"), 0)
        mails = [
            _as_json(mail)
            for mail in self._store.messages()
            if mail.number > after and (not to or to in [address.lower() for address in mail.recipients])
        ]
        return JSONResponse({"messages": mails}, headers=HEADERS)

    def api_mail(self, request: Request) -> Response:
        """One mail as JSON, with its headers and bodies."""
        mail = self._store.get(request.path_params["number"])
        parsed = self._store.parsed(mail.number)
        parts = [
            {"name": p.name, "content_type": p.content_type, "size": p.size} for p in other_parts(parsed)
        ]
        more = {
            "headers": all_headers(parsed),
            "text": body(parsed, "plain"),
            "html": body(parsed, "html"),
            "attachments": parts,
        }
        return JSONResponse({**_as_json(mail), **more}, headers=HEADERS)

    @staticmethod
    def health(_request: Request) -> Response:
        """Answers as soon as mails can be looked at."""
        return PlainTextResponse("ok\n", headers=HEADERS)

    @staticmethod
    def styles(_request: Request) -> Response:
        """The one stylesheet."""
        css = (TEMPLATES / "mailbox.css").read_text(encoding="utf-8")
        return Response(css, media_type="text/css", headers=HEADERS)

    def failure(self, request: Request, error: Exception) -> Response:
        """A page that says what is not there, and where to go on."""
        status = error.status_code if isinstance(error, HTTPException) else 404
        if request.url.path.startswith("/api/"):
            return JSONResponse({"error": "not found"}, status_code=status, headers=HEADERS)
        return self._page("missing.html", status=status)

    def _source(self, number: int) -> str:
        return self._store.raw(number)[:SOURCE_LIMIT].decode("utf-8", "replace").replace("\r\n", "\n")

    def _page(self, template: str, *, status: int = 200, **values: Any) -> Response:
        html = self._templates.get_template(template).render(**values)
        return HTMLResponse(html, status_code=status, headers=HEADERS)


def _as_json(mail: StoredMail) -> dict[str, Any]:
    times = {
        "date": mail.date.isoformat() if mail.date else None,
        "received_at": mail.received_at.isoformat(),
    }
    return {**asdict(mail), **times}


def _number(text: str | None, otherwise: int) -> int:
    return int(text) if text and text.isascii() and text.isdigit() else otherwise


def _hour(moment: datetime | None) -> str:
    """The hour on the clock where the mail was written for, with that clock's distance from UTC."""
    if moment is None:
        return "no readable date"
    offset = f"{moment:%z}"
    return f"{moment:%a} {moment.day} {moment:%b %Y, %H:%M} {offset[:3]}:{offset[3:5]}"


def _size(count: int) -> str:
    """A number of bytes as people read it."""
    if count < 1000:
        return f"{count} bytes"
    return f"{count / 1000:.0f} kB" if count < 1_000_000 else f"{count / 1_000_000:.1f} MB"
