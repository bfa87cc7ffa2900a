"""What a person sees when something cannot be done, in plain words and without details."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI, Request, Response
from sqlalchemy.exc import TimeoutError as PoolExhausted
from starlette.exceptions import HTTPException

from mailer.db import DatabaseDown
from mailer.delivery.compose import CONFIRM_WITHIN
from mailer.links import BadLink, ExpiredLink
from mailer.web.language import asked_for
from mailer.web.pages import Pages
from mailer.web.subscriber.reader import OnlyATest

log = logging.getLogger(__name__)

RETRY_SECONDS = 60


def show_failures(app: FastAPI) -> None:
    """Answer every error of `app` by a page."""
    app.add_exception_handler(BadLink, _bad_link)
    app.add_exception_handler(ExpiredLink, _expired)
    app.add_exception_handler(OnlyATest, _only_a_test)
    app.add_exception_handler(DatabaseDown, _short_break)
    app.add_exception_handler(PoolExhausted, _short_break)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _our_fault)


async def _bad_link(request: Request, _: Exception) -> Response:
    return _page(request, "bad-link", 404)


async def _expired(request: Request, _: Exception) -> Response:
    return _page(request, "expired", 410, days=CONFIRM_WITHIN.days)


async def _only_a_test(request: Request, _: Exception) -> Response:
    return _page(request, "test-mail", 200)


async def _short_break(request: Request, error: Exception) -> Response:
    log.warning("A page could not be shown: %s", error, extra={"event": "page.failed"})
    return _page(request, "short-break", 503, headers={"Retry-After": str(RETRY_SECONDS)})


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    kinds = {404: "not-found", 405: "wrong-way"}
    headers = dict(error.headers or {})
    return _page(request, kinds.get(error.status_code, "not-understood"), error.status_code, headers=headers)


async def _our_fault(request: Request, _: Exception) -> Response:
    # The server logs the traceback; the address, which is the reader's key, is in neither.
    return _page(request, "our-fault", 500)


def _page(request: Request, kind: str, status: int, **values: Any) -> Response:
    language = asked_for(request.headers.get("accept-language", ""))
    pages: Pages = request.app.state.parts.pages
    return pages.render("problem.html", language, status=status, kind=kind, **values)
