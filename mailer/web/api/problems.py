"""Every error of the API as a problem (RFC 9457): what kind it is, in which words, and what to do."""

from __future__ import annotations

import logging
from dataclasses import asdict
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import DataError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from starlette.exceptions import HTTPException

from mailer.accounts.once import KeyInUse, KeyOfAnother
from mailer.accounts.rights import NotAllowed
from mailer.db import DatabaseDown
from mailer.errors import MailerError, NotFound
from mailer.launch.asked import FaultyFiles, NotAgreed
from mailer.seen import ChangedMeanwhile

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 60
KEY_HEADER = "idempotency-key"

ANSWER_HEADERS = {
    # Answers are about people: no cache keeps them, and no page of another site shows them.
    "Cache-Control": "private, no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}

KINDS: dict[str, tuple[int, str]] = {
    "token-needed": (401, "A token is needed"),
    "factor-needed": (403, "The token's owner has to set up a second factor"),
    "not-allowed": (403, "The token may not do this"),
    "not-found": (404, "There is no such thing"),
    "wrong-method": (405, "This address does not take that method"),
    "key-missing": (400, "A POST needs an Idempotency-Key"),
    "bad-request": (400, "The request cannot be read"),
    "key-in-use": (409, "The same request is being worked on"),
    "not-agreed": (409, "Somebody has to agree to this by name"),
    "changed-meanwhile": (409, "It is not as it was seen"),
    "too-large": (413, "The request is too large"),
    "not-valid": (422, "The request does not fit"),
    "refused": (422, "This cannot be done"),
    "key-of-another": (422, "The Idempotency-Key belongs to another request"),
    "faulty-files": (422, "The files have errors"),
    "too-many": (429, "Too many requests"),
    "our-fault": (500, "Something went wrong here"),
    "short-break": (503, "The database does not answer"),
}
"""The kinds of problems: their status and title. The words are the last part of a problem's `type`."""


class Fault(BaseModel):
    """One thing that does not fit: where it is in the request, and what is wrong with it."""

    where: str = Field(examples=["body.email"])
    what: str = Field(examples=["Field required"])


class Problem(BaseModel):
    """Why a request was not answered (RFC 9457). Some kinds say more in members of their own."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="An address that names the kind and explains it.")
    title: str
    status: int
    detail: str = Field(description="A sentence for people, which says what to do.")
    faults: list[Fault] | None = Field(default=None, description="Of `not-valid`: all that does not fit.")


class TooMany(MailerError):
    """Wait for the seconds of Retry-After, and then ask again."""

    def __init__(self, what: str, seconds: int) -> None:
        super().__init__(what)
        self.seconds = seconds


class TokenNeeded(MailerError):
    """Send `Authorization: Bearer` and a token that is in force; the desk makes them."""


class FactorNeeded(MailerError):
    """Whoever made this token has to set up a second factor at the desk, under "Your login", first."""


class BadRequest(MailerError):
    """Look at the documentation of this address."""


def show_problems(api: FastAPI) -> None:
    """Answer every error of `api` as a problem."""
    for error, shown in (
        (RequestValidationError, _not_valid),
        (HTTPException, _http),
        (MailerError, _refused),
        (PoolExhausted, _short_break),
        (DataError, _cannot_be_read),
        (Exception, _our_fault),
    ):
        api.add_exception_handler(error, shown)


def problem(
    request: Request, kind: str, detail: str, *, headers: dict[str, str] | None = None, **more: Any
) -> Response:
    """The answer of this kind; `more` are members of its own."""
    status, title = KINDS[kind]
    base_url: str = request.app.state.parts.base_url
    told = {
        "type": f"{base_url}/api/docs#problem-{kind}",
        "title": title,
        "status": status,
        "detail": detail,
        **more,
    }
    # With their own headers too: what is answered to a bug of ours passes no middleware.
    return JSONResponse(told, status, {**ANSWER_HEADERS, **(headers or {})}, media_type=MEDIA_TYPE)


async def _not_valid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    # Where and what, never the value: it may be somebody's address.
    faults = [
        {"where": ".".join(str(part) for part in one["loc"]), "what": str(one["msg"])}
        for one in error.errors()
    ]
    if [one["where"].lower() for one in faults] == [f"header.{KEY_HEADER}"]:
        words = "Send an Idempotency-Key of 1 to 255 characters, a new one for each thing that you want done."
        return problem(request, "key-missing", words)
    count = "one thing" if len(faults) == 1 else f"{len(faults)} things"
    return problem(request, "not-valid", f"There is {count} to mend; see `faults`.", faults=faults)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    kinds = {404: "not-found", 405: "wrong-method", 413: "too-large"}
    words = {
        404: "There is nothing at this address; the documentation lists all there are.",
        405: "Allow names the methods that there are.",
        413: "Send less at once.",
    }
    kind = kinds.get(error.status_code, "bad-request")
    detail = words.get(error.status_code, "The request cannot be read; look at its Content-Type and body.")
    return problem(request, kind, detail, headers=dict(error.headers or {}))


async def _refused(request: Request, error: Exception) -> Response:
    words = str(error)
    match error:
        case TokenNeeded():
            return problem(request, "token-needed", words, headers={"WWW-Authenticate": "Bearer"})
        case FactorNeeded():
            return problem(request, "factor-needed", words)
        case NotAllowed():
            return problem(request, "not-allowed", words, right=error.right)
        case NotFound():
            return problem(request, "not-found", words)
        case KeyInUse():
            return problem(request, "key-in-use", words, headers={"Retry-After": "1"})
        case KeyOfAnother():
            return problem(request, "key-of-another", words)
        case BadRequest():
            return problem(request, "bad-request", words)
        case TooMany():
            return problem(request, "too-many", words, headers={"Retry-After": str(error.seconds)})
        case ChangedMeanwhile():
            return problem(request, "changed-meanwhile", words)
        case NotAgreed():
            asked = [{"what": what, "words": said} for what, said in error.surprising]
            return problem(request, "not-agreed", words, agree=asked)
        case FaultyFiles():
            return problem(request, "faulty-files", words, problems=[asdict(one) for one in error.problems])
        case DatabaseDown():
            return await _short_break(request, error)
    return problem(request, "refused", words)


async def _short_break(request: Request, error: Exception) -> Response:
    log.warning("A request of the API was not answered: %s", error, extra={"event": "api.failed"})
    words = "Nothing was done. Ask again in a minute, with the same Idempotency-Key."
    return problem(request, "short-break", words, headers={"Retry-After": str(RETRY_SECONDS)})


async def _cannot_be_read(request: Request, error: Exception) -> Response:
    # A NUL in a text, or a number longer than any row's; a bug of ours shows in the log.
    log.warning("PostgreSQL could not read what was asked", exc_info=error, extra={"event": "api.unreadable"})
    words = "It has a character that cannot be kept, or a number that is too long. Nothing was done."
    return problem(request, "refused", words)


async def _our_fault(request: Request, _: Exception) -> Response:
    # The server logs the traceback.
    words = "Nothing was done. It is in the log of the web process; ask again with the same Idempotency-Key."
    return problem(request, "our-fault", words)
