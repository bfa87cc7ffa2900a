"""Signing in and out."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from mailer.accounts.oidc import provider_of
from mailer.accounts.passkeys import site_of
from mailer.accounts.sessions import end_sessions, session_now
from mailer.accounts.sign_in import Begun, Refusal, sign_in
from mailer.accounts.throttle import TooOften, Try
from mailer.web.cookie import drop_cookie, set_cookie
from mailer.web.deps import READ, FormFields, Parts, PartsDep
from mailer.web.signed_in import Half, check_origin

router = APIRouter()

FIRST_PAGE = "/desk"


@router.api_route("/desk/sign-in", methods=READ)
def ask(request: Request, parts: PartsDep, next: str = "") -> Response:  # noqa: A002
    """The form."""
    return form(request, parts, next)


@router.post("/desk/sign-in")
def try_in(request: Request, fields: FormFields, parts: PartsDep) -> Response:
    """In, or the form again with one sentence that does not say which of the two was wrong."""
    check_origin(request, parts.base_url)
    wanted, email = fields.get("next", ""), fields.get("email", "")
    try:
        tried = _tried(request, parts, email, fields.get("password", ""))
    except TooOften as error:
        return form(request, parts, wanted, email=email, error=str(error), wait=error.seconds)
    if isinstance(tried, Refusal):
        return form(request, parts, wanted, email=email, error=tried.words)
    if tried.needs_factor:
        answer = parts.desk.go("/desk/sign-in/factor", next=page_of_ours(wanted))
    else:
        answer = parts.desk.go(page_of_ours(wanted))
    set_cookie(answer, parts.base_url, tried.secret)
    return answer


def _tried(request: Request, parts: Parts, email: str, password: str) -> Begun | Refusal:
    network = request.client.host if request.client else ""
    parts.throttle.look(Try.NETWORK, network)
    parts.throttle.take(Try.PASSWORD, email)
    browser = request.headers.get("user-agent", "")
    with parts.session() as session:
        tried = sign_in(session, email, password, session_now(session), browser=browser)
    if isinstance(tried, Refusal):
        parts.throttle.take(Try.NETWORK, network)
    else:
        parts.throttle.forget(Try.PASSWORD, email)
    return tried


@router.post("/desk/sign-out")
def out(parts: PartsDep, actor: Half) -> Response:
    """Out, in this browser."""
    with parts.session() as session:
        end_sessions(session, actor.operator_id or 0, session_now(session), only=actor.session_id)
    answer = RedirectResponse(parts.desk.url("/desk/sign-in"), 303)
    drop_cookie(answer, parts.base_url)
    return answer


def form(
    request: Request, parts: Parts, wanted: str, *, email: str = "", error: str = "", wait: int = 0
) -> Response:
    """The page to sign in at; `wait` seconds when there were too many tries."""
    return parts.desk.page(
        request,
        "sign_in.html",
        status=429 if wait else 422 if error else 200,
        headers={"Retry-After": str(wait)} if wait else None,
        email=email,
        next=wanted,
        error=error,
        has_passkeys=site_of(parts.base_url) is not None,
        provider=parts.settings.oidc_name if provider_of(parts.settings) else "",
    )


def page_of_ours(wanted: str) -> str:
    """Where somebody wanted to go, if it is a page of the desk: an address may come from anywhere."""
    is_ours = wanted.startswith("/desk/") and "//" not in wanted and "\\" not in wanted
    return wanted if is_ours and not wanted.startswith("/desk/sign-in") else FIRST_PAGE
