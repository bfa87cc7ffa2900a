"""The second step of signing in: a one-time code, a recovery code or a passkey."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from mailer.accounts.factor import WrongCode, give_code
from mailer.accounts.passkeys import PasskeyRefused, give_passkey, list_passkeys, site_of
from mailer.accounts.rights import Actor
from mailer.accounts.sessions import session_now
from mailer.accounts.throttle import TooOften, Try
from mailer.web.account.passkeys import answered, site_here
from mailer.web.account.sign_in import page_of_ours
from mailer.web.deps import READ, FormFields, Parts, PartsDep
from mailer.web.sealed_cookie import drop
from mailer.web.signed_in import Half

router = APIRouter()


@router.api_route("/desk/sign-in/factor", methods=READ)
def ask(request: Request, parts: PartsDep, actor: Half, next: str = "") -> Response:  # noqa: A002
    """The form, to who gave the password."""
    return _form(request, parts, actor, next)


@router.post("/desk/sign-in/factor")
def give(request: Request, fields: FormFields, parts: PartsDep, actor: Half) -> Response:
    """In, or the form again."""
    wanted = fields.get("next", "")
    try:
        parts.throttle.take(Try.FACTOR, actor.who)
        with parts.session() as session:
            give_code(session, actor, parts.seal, fields.get("code", ""), session_now(session))
    except TooOften as error:
        return _form(request, parts, actor, wanted, error=str(error), wait=error.seconds)
    except WrongCode as error:
        return _form(request, parts, actor, wanted, error=str(error))
    parts.throttle.forget(Try.FACTOR, actor.who)
    return parts.desk.go(page_of_ours(wanted))


@router.post("/desk/sign-in/factor/passkey")
def show(request: Request, fields: FormFields, parts: PartsDep, actor: Half) -> Response:
    """In with a passkey after the password."""
    wanted = fields.get("next", "")
    try:
        with parts.session() as session:
            now = session_now(session)
            answer = answered(request, parts, "sign-in", fields, now)
            give_passkey(session, actor, site_here(parts), answer, now)
    except PasskeyRefused as error:
        return _form(request, parts, actor, wanted, error=str(error))
    done = parts.desk.go(page_of_ours(wanted))
    drop(done, parts, "passkey")
    return done


def _form(
    request: Request, parts: Parts, actor: Actor, wanted: str, *, error: str = "", wait: int = 0
) -> Response:
    with parts.session() as session:
        keys = len(list_passkeys(session, actor.operator_id or 0))
    return parts.desk.page(
        request,
        "factor.html",
        status=429 if wait else 422 if error else 200,
        headers={"Retry-After": str(wait)} if wait else None,
        who=actor.who,
        next=wanted,
        error=error,
        has_passkeys=keys > 0 and site_of(parts.base_url) is not None,
    )
