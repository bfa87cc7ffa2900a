"""Signing in and out."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from mailer.accounts.sessions import end_sessions, session_now
from mailer.accounts.sign_in import Refusal, sign_in
from mailer.web.cookie import drop_cookie, set_cookie
from mailer.web.deps import READ, FormFields, PartsDep
from mailer.web.signed_in import Half, check_origin

router = APIRouter()

FIRST_PAGE = "/desk/actions"


@router.api_route("/desk", methods=READ)
def start(parts: PartsDep, _: Half) -> Response:
    """On to the first page."""
    return parts.desk.go(FIRST_PAGE)


@router.api_route("/desk/sign-in", methods=READ)
def ask(request: Request, parts: PartsDep, next: str = "") -> Response:  # noqa: A002
    """The form."""
    return parts.desk.page(request, "sign_in.html", email="", next=next, error="")


@router.post("/desk/sign-in")
def try_in(request: Request, fields: FormFields, parts: PartsDep) -> Response:
    """In, or the form again with one sentence that does not say which of the two was wrong."""
    check_origin(request, parts.base_url)
    email = fields.get("email", "")
    browser = request.headers.get("user-agent", "")
    with parts.session() as session:
        tried = sign_in(session, email, fields.get("password", ""), session_now(session), browser=browser)
    wanted = fields.get("next", "")
    if isinstance(tried, Refusal):
        return parts.desk.page(
            request, "sign_in.html", status=422, email=email, next=wanted, error=tried.words
        )
    answer = parts.desk.go(_page_of_ours(wanted))
    set_cookie(answer, parts.base_url, tried)
    return answer


@router.post("/desk/sign-out")
def out(parts: PartsDep, actor: Half) -> Response:
    """Out, in this browser."""
    with parts.session() as session:
        end_sessions(session, actor.operator_id or 0, session_now(session), only=actor.session_id)
    answer = RedirectResponse(parts.desk.url("/desk/sign-in"), 303)
    drop_cookie(answer, parts.base_url)
    return answer


def _page_of_ours(wanted: str) -> str:
    """Where somebody wanted to go, if it is a page of the desk: an address may come from anywhere."""
    is_ours = wanted.startswith("/desk/") and "//" not in wanted and "\\" not in wanted
    return wanted if is_ours else FIRST_PAGE
