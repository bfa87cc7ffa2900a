"""What a person sees when something cannot be done, in plain words and without details."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DataError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from starlette.exceptions import HTTPException

from mailer.accounts.rights import NotAllowed
from mailer.accounts.throttle import TooOften
from mailer.db import DatabaseDown
from mailer.delivery.compose import CONFIRM_WITHIN
from mailer.errors import MailerError, NotFound
from mailer.feedback.own_data import GOOD_FOR, DataLinkOld
from mailer.links import BadLink, ExpiredLink
from mailer.web.desk import Desk
from mailer.web.language import asked_for
from mailer.web.pages import PRIVATE_HEADERS, Pages
from mailer.web.signed_in import LacksFactor, NotOurForm, NotSignedIn, OwesFactor
from mailer.web.subscriber.reader import OnlyATest

log = logging.getLogger(__name__)

RETRY_SECONDS = 60


def show_failures(app: FastAPI) -> None:
    """Answer every error of `app` by a page."""
    app.add_exception_handler(BadLink, _bad_link)
    app.add_exception_handler(ExpiredLink, _expired)
    app.add_exception_handler(DataLinkOld, _old_data_link)
    app.add_exception_handler(OnlyATest, _only_a_test)
    app.add_exception_handler(DatabaseDown, _short_break)
    app.add_exception_handler(PoolExhausted, _short_break)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _not_understood)
    app.add_exception_handler(NotSignedIn, _not_signed_in)
    app.add_exception_handler(OwesFactor, _owes_factor)
    app.add_exception_handler(LacksFactor, _lacks_factor)
    app.add_exception_handler(NotAllowed, _not_allowed)
    app.add_exception_handler(NotOurForm, _not_our_form)
    app.add_exception_handler(TooOften, _too_often)
    app.add_exception_handler(NotFound, _no_such_thing)
    app.add_exception_handler(MailerError, _refused)
    app.add_exception_handler(DataError, _cannot_be_kept)
    app.add_exception_handler(Exception, _our_fault)


async def _bad_link(request: Request, _: Exception) -> Response:
    return _page(request, "bad-link", 404)


async def _expired(request: Request, _: Exception) -> Response:
    return _page(request, "expired", 410, days=CONFIRM_WITHIN.days)


async def _old_data_link(request: Request, _: Exception) -> Response:
    return _page(request, "old-data-link", 410, days=GOOD_FOR.days)


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


async def _not_understood(request: Request, _: Exception) -> Response:
    # A mistyped address: nothing of what it said is said again.
    if not _is_desk(request):
        return _page(request, "not-understood", 400)
    words = "Some part of the address is not what this page takes. Go on from the menu."
    return _desk_problem(request, 422, "This address is not understood", words)


async def _not_signed_in(request: Request, _: Exception) -> Response:
    return _elsewhere(request, "/desk/sign-in")


async def _owes_factor(request: Request, _: Exception) -> Response:
    return _elsewhere(request, "/desk/sign-in/factor")


async def _lacks_factor(request: Request, error: Exception) -> Response:
    return _elsewhere(request, "/desk/you", str(error))


def _elsewhere(request: Request, path: str, words: str = "") -> Response:
    desk: Desk = request.app.state.parts.desk
    wanted = request.url.path.removeprefix(desk.root) if request.method == "GET" else ""
    if request.headers.get("hx-request"):
        # A part of a page cannot become another page: the whole page goes there.
        return Response(status_code=401, headers={"HX-Redirect": desk.url(path), **PRIVATE_HEADERS})
    return desk.go(path, done=words, next="" if words else wanted)


async def _not_allowed(request: Request, error: Exception) -> Response:
    return _desk_problem(request, 403, "This is not for your role", str(error))


async def _not_our_form(request: Request, error: Exception) -> Response:
    return _desk_problem(request, 403, "Nothing was done", str(error))


async def _too_often(request: Request, error: Exception) -> Response:
    assert isinstance(error, TooOften)  # noqa: S101
    answer = _desk_problem(request, 429, "Too many tries", str(error))
    answer.headers["Retry-After"] = str(error.seconds)
    return answer


async def _no_such_thing(request: Request, error: Exception) -> Response:
    if not _is_desk(request):
        return _page(request, "not-found", 404)
    return _desk_problem(request, 404, "There is no such thing", str(error))


async def _refused(request: Request, error: Exception) -> Response:
    if not _is_desk(request):
        # No reader's doing: it is logged with its traceback and answered as our fault.
        raise error
    return _desk_problem(request, 422, "This could not be done", str(error))


async def _cannot_be_kept(request: Request, error: Exception) -> Response:
    # A number longer than any row's, or a NUL, which no browser sends; a bug of ours shows in the log.
    log.warning(
        "PostgreSQL could not read what was asked", exc_info=error, extra={"event": "page.unreadable"}
    )
    if not _is_desk(request):
        return _page(request, "not-understood", 400)
    words = "It has a number that is too long, or a character that cannot be kept. Nothing was done."
    return _desk_problem(request, 422, "This cannot be read", words)


def _is_desk(request: Request) -> bool:
    desk: Desk = request.app.state.parts.desk
    return request.url.path.removeprefix(desk.root).startswith("/desk")


def _desk_problem(request: Request, status: int, heading: str, words: str) -> Response:
    desk: Desk = request.app.state.parts.desk
    actor = getattr(request.state, "actor", None)
    return desk.page(request, "problem.html", actor, status=status, heading=heading, words=words)


async def _our_fault(request: Request, _: Exception) -> Response:
    # The server logs the traceback; the address, which is the reader's key, is in neither.
    return _page(request, "our-fault", 500)


def _page(request: Request, kind: str, status: int, **values: Any) -> Response:
    language = asked_for(request.headers.get("accept-language", ""))
    pages: Pages = request.app.state.parts.pages
    return pages.render("problem.html", language, status=status, kind=kind, **values)
