"""The first minutes: the owner's login and the first sender, and then a first mail that arrives."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from mailer.accounts.operators import is_set_up
from mailer.accounts.sessions import session_now
from mailer.delivery.one_mail import OneMail
from mailer.delivery.transports.check import check_server, server_of
from mailer.desk.first_mail import senders_to_try, write_first_mail
from mailer.embedded.addresses import read_address
from mailer.errors import MailerError, NotFound
from mailer.launch.first_run import FirstWishes, set_up
from mailer.web.cookie import set_cookie
from mailer.web.deps import READ, FormFields, Parts, PartsDep
from mailer.web.signed_in import Run, check_origin

router = APIRouter()

SHOWN_AGAIN = ("name", "email", "sender_name", "sender_email", "postal_address")
"""What the form is filled with again when something was wrong: all but the secrets."""


@router.api_route("/desk/setup", methods=READ)
def ask(request: Request, parts: PartsDep, key: str = "") -> Response:
    """The form, to whoever has the address that `steadypost up` prints."""
    if _is_over(parts):
        return parts.desk.go("/desk/sign-in")
    _check_key(parts, key)
    return _form(request, parts, key, dict.fromkeys(SHOWN_AGAIN, ""))


@router.post("/desk/setup")
def make(request: Request, fields: FormFields, parts: PartsDep) -> Response:
    """The owner and the first sender, all or nothing; signed in, and on to the first mail."""
    check_origin(request, parts.base_url)
    key = fields.get("key", "")
    if _is_over(parts):
        return parts.desk.go("/desk/sign-in", done="Somebody has a login here already. Sign in.")
    _check_key(parts, key)
    given = {name: fields.get(name, "").strip() for name in SHOWN_AGAIN}
    wishes = FirstWishes(
        name=given["name"],
        email=given["email"],
        password=fields.get("password", ""),
        sender={
            "name": given["sender_name"],
            "email": given["sender_email"] or given["email"],
            "postal_address": given["postal_address"],
        },
        smtp_url=fields.get("smtp_url", "").strip(),
    )
    try:
        secret = _made(request, parts, wishes)
    except MailerError as error:
        return _form(request, parts, key, given, error=str(error))
    answer = parts.desk.go("/desk/first-mail", done="Your login and your first sender are made.")
    set_cookie(answer, parts.base_url, secret)
    return answer


@dataclass(frozen=True)
class Outcome:
    """What became of a first mail: what the server said, or why it was not sent."""

    is_sent: bool
    words: str
    to: str = ""


@router.api_route("/desk/first-mail", methods=READ)
def look(request: Request, parts: PartsDep, actor: Run, sender: str = "") -> Response:
    """From which sender, and the button."""
    return _first_mail(request, parts, actor, sender, None, _mailbox(parts))


@router.post("/desk/first-mail")
def send(request: Request, fields: FormFields, parts: PartsDep, actor: Run) -> Response:
    """One mail to whoever presses the button; the page tells what the server said."""
    sender = fields.get("sender", "")
    with parts.session() as session:
        made = write_first_mail(session, actor, sender)
    mailbox = _mailbox(parts) if made.is_default else None
    return _first_mail(request, parts, actor, sender, _sent(parts, made), mailbox)


def _first_mail(
    request: Request, parts: Parts, actor: Run, sender: str, outcome: Outcome | None, mailbox: str | None
) -> Response:
    with parts.session() as session:
        senders = senders_to_try(session, actor)
    return parts.desk.page(
        request,
        "first_mail.html",
        actor,
        senders=senders,
        chosen=sender,
        outcome=outcome,
        mailbox=mailbox,
    )


def _sent(parts: Parts, made: OneMail) -> Outcome:
    try:
        reply = parts.send_at_once(made)
    except MailerError as error:
        return Outcome(False, str(error))
    return Outcome(True, f"{reply.code} {reply.text}", made.email.recipient)


def _made(request: Request, parts: Parts, wishes: FirstWishes) -> str:
    if wishes.smtp_url:
        check_server(server_of(wishes.smtp_url), parts.fetcher)
    browser = request.headers.get("user-agent", "")
    with parts.session() as session:
        return set_up(session, parts.seal, wishes, session_now(session), browser=browser)


def _form(request: Request, parts: Parts, key: str, given: dict[str, str], *, error: str = "") -> Response:
    return parts.desk.page(
        request,
        "setup.html",
        key=key,
        given=given,
        error=error,
        mailbox=_mailbox(parts),
    )


def _is_over(parts: Parts) -> bool:
    with parts.session() as session:
        return is_set_up(session)


def _check_key(parts: Parts, key: str) -> None:
    if not parts.signer.opens_setup(key):
        raise NotFound("This is not the setup address; `steadypost user setup` prints it.")


def _mailbox(parts: Parts) -> str | None:
    """Where the local mailbox shows its mails, if that is where mail goes."""
    return read_address(parts.settings.data_dir, "mailbox")
