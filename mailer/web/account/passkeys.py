"""Passkeys: what browsers are asked, and what they answer; passkeys.js carries it there and back."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime

from fastapi import APIRouter, Request, Response

from mailer.accounts.passkeys import (
    Answer,
    Asked,
    PasskeyRefused,
    Site,
    add_passkey,
    ask_for_new,
    ask_for_one,
    remove_passkey,
    sign_in_with,
    site_of,
)
from mailer.accounts.sessions import session_now
from mailer.accounts.throttle import Try
from mailer.errors import Refused
from mailer.web.account.proof import proven
from mailer.web.account.recovery import shown_once
from mailer.web.account.sign_in import form, page_of_ours
from mailer.web.cookie import set_cookie
from mailer.web.deps import FormFields, Parts, PartsDep
from mailer.web.pages import PRIVATE_HEADERS
from mailer.web.sealed_cookie import drop, give, take
from mailer.web.signed_in import Own, check_origin

router = APIRouter()


@router.post("/desk/sign-in/passkey/question")
def ask(request: Request, parts: PartsDep) -> Response:
    """What the browser shows a passkey for; also as the second step of signing in."""
    check_origin(request, parts.base_url)
    with parts.session() as session:
        now = session_now(session)
    return _question(parts, ask_for_one(site_here(parts)), "sign-in", now)


@router.post("/desk/sign-in/passkey")
def enter(request: Request, fields: FormFields, parts: PartsDep) -> Response:
    """In with a passkey alone, or the form again."""
    check_origin(request, parts.base_url)
    network, wanted = request.client.host if request.client else "", fields.get("next", "")
    parts.throttle.look(Try.NETWORK, network)
    try:
        with parts.session() as session:
            now = session_now(session)
            answer = answered(request, parts, "sign-in", fields, now)
            browser = request.headers.get("user-agent", "")
            secret = sign_in_with(session, site_here(parts), answer, now, browser=browser)
    except PasskeyRefused as error:
        parts.throttle.take(Try.NETWORK, network)
        return form(request, parts, wanted, error=str(error))
    done = parts.desk.go(page_of_ours(wanted))
    set_cookie(done, parts.base_url, secret)
    drop(done, parts, "passkey")
    return done


@router.post("/desk/you/passkeys/question")
def ask_new(parts: PartsDep, actor: Own) -> Response:
    """What the browser makes a passkey from."""
    with parts.session() as session:
        asked, now = ask_for_new(session, actor, site_here(parts)), session_now(session)
    return _question(parts, asked, f"new {actor.operator_id}", now)


@router.post("/desk/you/passkeys")
def add(request: Request, fields: FormFields, parts: PartsDep, actor: Own) -> Response:
    """Keep it; recovery codes are shown when it is the first second factor."""
    with proven(parts, actor, fields) as session:
        now = session_now(session)
        answer = answered(request, parts, f"new {actor.operator_id}", fields, now)
        codes = add_passkey(session, actor, site_here(parts), answer, fields.get("name", ""), now)
    if codes:
        return shown_once(request, parts, actor, codes)
    return parts.desk.go("/desk/you", done="The passkey is kept. You can sign in with it from now on.")


@router.post("/desk/you/passkeys/{passkey_id}/remove")
def remove(passkey_id: int, fields: FormFields, parts: PartsDep, actor: Own) -> Response:
    """Forget it here; the device keeps its half, which opens nothing any more."""
    with proven(parts, actor, fields) as session:
        name = remove_passkey(session, actor, passkey_id)
    return parts.desk.go("/desk/you", done=f"The passkey {name} opens nothing any more.")


def site_here(parts: Parts) -> Site:
    """The site that passkeys are bound to; raises Refused where there can be none."""
    site = site_of(parts.base_url)
    if site is None:
        raise Refused("Passkeys need a site with a name and https; set STEADYPOST_BASE_URL to yours.")
    return site


def answered(
    request: Request, parts: Parts, purpose: str, fields: Mapping[str, str], now: datetime
) -> Answer:
    """The answer in a form, with what this browser was asked for `purpose`; raises PasskeyRefused."""
    kept = take(request, parts, "passkey", now)
    if kept is None or kept["purpose"] != purpose:
        raise PasskeyRefused
    return Answer(base64.b64decode(kept["challenge"]), kept["at"], fields.get("answer", ""))


def _question(parts: Parts, asked: Asked, purpose: str, now: datetime) -> Response:
    answer = Response(asked.options, media_type="application/json", headers=PRIVATE_HEADERS)
    challenge = base64.b64encode(asked.challenge).decode("ascii")
    give(answer, parts, "passkey", {"purpose": purpose, "challenge": challenge}, now)
    return answer
