"""The page behind an invitation's link: a name, a password, and in."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from mailer.accounts.invitations import NoInvitation, accept, find_invitation
from mailer.accounts.sessions import session_now
from mailer.errors import MailerError
from mailer.models import Invitation
from mailer.web.account.sign_in import FIRST_PAGE
from mailer.web.cookie import set_cookie
from mailer.web.deps import READ, FormFields, Parts, PartsDep
from mailer.web.signed_in import check_origin

router = APIRouter()


@router.api_route("/desk/join/{secret}", methods=READ)
def ask(request: Request, secret: str, parts: PartsDep) -> Response:
    """The form; looking uses nothing up, since mail scanners look at every link."""
    with parts.session() as session:
        return _form(request, parts, secret, find_invitation(session, secret, session_now(session)))


@router.post("/desk/join/{secret}")
def join(request: Request, secret: str, fields: FormFields, parts: PartsDep) -> Response:
    """In, or the form again with what is to be mended."""
    check_origin(request, parts.base_url)
    name, browser = fields.get("name", ""), request.headers.get("user-agent", "")
    try:
        with parts.session() as session:
            now = session_now(session)
            given = name, fields.get("password", ""), fields.get("again", "")
            begun = accept(session, secret, *given, now, browser=browser)
    except NoInvitation:
        raise
    except MailerError as error:
        with parts.session() as session:
            found = find_invitation(session, secret, session_now(session))
            return _form(request, parts, secret, found, name=name, error=str(error))
    page = "/desk/sign-in/factor" if begun.needs_factor else FIRST_PAGE
    answer = parts.desk.go(page, done="" if begun.needs_factor else "You are signed in.")
    set_cookie(answer, parts.base_url, begun.secret)
    return answer


def _form(
    request: Request, parts: Parts, secret: str, found: Invitation, *, name: str = "", error: str = ""
) -> Response:
    return parts.desk.page(
        request,
        "join.html",
        found=found,
        name=name,
        error=error,
        secret=secret,
    )
