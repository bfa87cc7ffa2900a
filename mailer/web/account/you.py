"""One's own login: name, password, second factor, passkeys, and where one is signed in."""

from __future__ import annotations

from typing import Any

import segno
from fastapi import APIRouter, Request, Response

from mailer.accounts.factor import (
    Seed,
    WrongCode,
    begin_totp,
    codes_left,
    confirm_totp,
    end_totp,
    pending_seed,
)
from mailer.accounts.operators import get_operator
from mailer.accounts.passkeys import list_passkeys, site_of
from mailer.accounts.profile import THEMES, change_password, change_profile
from mailer.accounts.rights import Actor
from mailer.accounts.sessions import end_sessions, list_sessions, session_now
from mailer.accounts.throttle import Try
from mailer.web.account.proof import proven
from mailer.web.account.recovery import shown_once
from mailer.web.browser_names import browser_name
from mailer.web.deps import READ, FormFields, Parts, PartsDep
from mailer.web.signed_in import Own

router = APIRouter()

WAYS = {"password": "password", "passkey": "passkey", "provider": "identity provider"}


@router.api_route("/desk/you", methods=READ)
def look(request: Request, parts: PartsDep, actor: Own) -> Response:
    """All of it on one page."""
    with parts.session() as session:
        return parts.desk.page(
            request,
            "you.html",
            actor,
            me=get_operator(session, actor.operator_id or 0),
            passkeys=list_passkeys(session, actor.operator_id or 0),
            codes_left=codes_left(session, actor.operator_id or 0),
            sessions=list_sessions(session, actor.operator_id or 0, session_now(session)),
            can_have_passkeys=site_of(parts.base_url) is not None,
            themes=THEMES,
            ways=WAYS,
            browser_name=browser_name,
        )


@router.post("/desk/you")
def change(fields: FormFields, parts: PartsDep, actor: Own) -> Response:
    """Name, clock and look."""
    with parts.session() as session:
        change_profile(
            session,
            actor,
            name=fields.get("name", ""),
            zone=fields.get("zone", ""),
            theme=fields.get("theme", ""),
        )
    return parts.desk.go("/desk/you", done="Your name, zone and look are kept.")


@router.post("/desk/you/password")
def password(fields: FormFields, parts: PartsDep, actor: Own) -> Response:
    """A new password, and out everywhere else."""
    parts.throttle.take(Try.PASSWORD, actor.who)
    with parts.session() as session:
        ended = change_password(
            session,
            actor,
            session_now(session),
            current=fields.get("current", ""),
            new=fields.get("new", ""),
            again=fields.get("again", ""),
        )
    parts.throttle.forget(Try.PASSWORD, actor.who)
    others = "" if not ended else f" You were signed out at {ended} other place{'' if ended == 1 else 's'}."
    return parts.desk.go("/desk/you", done=f"Your password is changed.{others}")


@router.post("/desk/you/codes")
def begin(request: Request, fields: FormFields, parts: PartsDep, actor: Own) -> Response:
    """A QR code for an app; it is shown on this answer and nowhere else."""
    with proven(parts, actor, fields) as session:
        seed = begin_totp(session, actor, parts.seal)
    return _seed_page(request, parts, actor, seed)


@router.post("/desk/you/codes/confirm")
def confirm(request: Request, fields: FormFields, parts: PartsDep, actor: Own) -> Response:
    """One-time codes are on once the app's first one fits."""
    parts.throttle.take(Try.FACTOR, actor.who)
    try:
        with parts.session() as session:
            codes = confirm_totp(session, actor, parts.seal, fields.get("code", ""), session_now(session))
    except WrongCode as error:
        with parts.session() as session:
            seed = pending_seed(session, actor, parts.seal)
        return _seed_page(request, parts, actor, seed, status=422, error=str(error))
    if codes:
        return shown_once(request, parts, actor, codes)
    return parts.desk.go("/desk/you", done="One-time codes are on. You are asked for one at every sign-in.")


@router.post("/desk/you/codes/off")
def off(fields: FormFields, parts: PartsDep, actor: Own) -> Response:
    """One-time codes are asked for no more."""
    with proven(parts, actor, fields) as session:
        end_totp(session, actor)
    return parts.desk.go("/desk/you", done="One-time codes are off.")


@router.post("/desk/you/sessions/others/end")
def end_others(parts: PartsDep, actor: Own) -> Response:
    """Out everywhere but here."""
    with parts.session() as session:
        ended = end_sessions(session, actor.operator_id or 0, session_now(session), but=actor.session_id)
    places = f"{ended} other place{'' if ended == 1 else 's'}"
    return parts.desk.go("/desk/you", done=f"You were signed out at {places}.")


@router.post("/desk/you/sessions/{session_id}/end")
def end_one(session_id: int, parts: PartsDep, actor: Own) -> Response:
    """Out at one place; one's own only."""
    with parts.session() as session:
        end_sessions(session, actor.operator_id or 0, session_now(session), only=session_id)
    return parts.desk.go("/desk/you", done="You were signed out there.")


def _seed_page(
    request: Request, parts: Parts, actor: Actor, seed: Seed, *, status: int = 200, **more: Any
) -> Response:
    picture = segno.make(seed.uri, error="m").svg_data_uri(scale=5, border=4, dark="#22302e", light="#fff")
    letters = " ".join(seed.letters[start : start + 4] for start in range(0, len(seed.letters), 4))
    values = {"error": "", **more}
    return parts.desk.page(
        request, "codes.html", actor, status=status, picture=picture, letters=letters, **values
    )
