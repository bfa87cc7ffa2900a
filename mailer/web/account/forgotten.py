"""A forgotten password: the answer is always the same, and a link goes to whoever has a login."""

from __future__ import annotations

import logging

from fastapi import APIRouter, BackgroundTasks, Request, Response

from mailer.accounts.sessions import session_now
from mailer.accounts.throttle import TooOften, Try
from mailer.errors import MailerError
from mailer.launch.forgotten import find_forgotten_mail
from mailer.web.deps import READ, FormFields, Parts, PartsDep
from mailer.web.signed_in import check_origin

log = logging.getLogger(__name__)
router = APIRouter()

PATH = "/desk/forgotten"
ANSWER = (
    "If this address has a login with a password here, a mail with a link is on its way. It works once, for "
    "half an hour. Whoever gets none asks an owner."
)


@router.api_route(PATH, methods=READ)
def ask(request: Request, parts: PartsDep) -> Response:
    """The form."""
    return _form(request, parts)


@router.post(PATH)
def send(request: Request, fields: FormFields, parts: PartsDep, tasks: BackgroundTasks) -> Response:
    """The same answer for every address, after the same time: what is known is looked up after it."""
    check_origin(request, parts.base_url)
    email = fields.get("email", "").strip()[:320]
    if not email:
        return _form(request, parts, error="Say with which address you sign in.")
    try:
        parts.throttle.take(Try.LINK_FROM, request.client.host if request.client else "")
    except TooOften as error:
        return _form(request, parts, error=str(error), wait=error.seconds)
    tasks.add_task(_mail, parts, email)
    return parts.desk.go("/desk/sign-in", done=ANSWER)


def _mail(parts: Parts, email: str) -> None:
    """Mail a link to who has this address, if anybody has; not too often."""
    try:
        parts.throttle.take(Try.LINK, email)
        with parts.session() as session:
            mail = find_forgotten_mail(session, email, parts.base_url, session_now(session))
        if mail is not None:
            parts.send_at_once(mail)
    except TooOften:
        return
    except MailerError as error:
        # Without its words: a server's answer may name the address.
        fields = {"event": "forgotten.unsent"}
        log.warning("A link to a new password was not sent (%s)", type(error).__name__, extra=fields)


def _form(request: Request, parts: Parts, *, error: str = "", wait: int = 0) -> Response:
    return parts.desk.page(
        request,
        "forgotten.html",
        status=429 if wait else 422 if error else 200,
        headers={"Retry-After": str(wait)} if wait else None,
        error=error,
    )
