"""API tokens: what one's programs show."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from fastapi import APIRouter, Request, Response

from mailer.accounts.rights import MEANING, ROLES, Actor, Right, rights_of
from mailer.accounts.sessions import session_now
from mailer.accounts.tokens import (
    is_in_force,
    list_all_tokens,
    list_tokens,
    new_token,
    revoke_token,
    scopes_of,
)
from mailer.errors import MailerError, Refused
from mailer.models import Role
from mailer.web.account.proof import has_password, proven
from mailer.web.deps import READ, FormFields, Parts, PartsDep
from mailer.web.signed_in import Anybody

router = APIRouter()

LASTS = {"30": "30 days", "90": "90 days", "365": "a year", "": "until it is revoked"}


@router.api_route("/desk/tokens", methods=READ)
def look(request: Request, parts: PartsDep, actor: Anybody) -> Response:
    """One's tokens; who manages people sees everybody's."""
    return _page(request, parts, actor)


@router.post("/desk/tokens")
def make(request: Request, fields: FormFields, parts: PartsDep, actor: Anybody) -> Response:
    """A new one, shown on this answer and nowhere else."""
    try:
        with proven(parts, actor, fields) as session:
            now = session_now(session)
            secret = new_token(
                *(session, actor, fields.get("name", ""), _rights(fields)),
                _ends(fields.get("lasts", "90"), now),
                now,
            )
    except MailerError as error:
        return _page(request, parts, actor, status=422, error=str(error), given=fields)
    return _page(request, parts, actor, secret=secret)


@router.post("/desk/tokens/{token_id}/revoke")
def revoke(token_id: int, parts: PartsDep, actor: Anybody) -> Response:
    """It opens nothing any more, at once."""
    with parts.session() as session:
        token = revoke_token(session, actor, token_id, session_now(session))
        return parts.desk.go("/desk/tokens", done=f"The token {token.name} opens nothing any more.")


def _page(
    request: Request,
    parts: Parts,
    actor: Actor,
    *,
    status: int = 200,
    secret: str = "",
    error: str = "",
    given: Mapping[str, str] | None = None,
) -> Response:
    with parts.session() as session:
        mine = list_tokens(session, actor.operator_id or 0)
        others = (
            [one for one in list_all_tokens(session) if one[0].operator_id != actor.operator_id]
            if actor.may(Right.MANAGE)
            else []
        )
        now = session_now(session)
        return parts.desk.page(
            request,
            "tokens.html",
            actor,
            has_password=has_password(session, actor),
            status=status,
            mine=mine,
            others=others,
            secret=secret,
            error=error,
            given=given or {},
            roles=[role for role in ROLES if rights_of(role) <= actor.rights],
            rights={right: MEANING[right] for right in Right if actor.may(right)},
            lasts=LASTS,
            scopes_of=scopes_of,
            works=lambda token: is_in_force(token, now),
        )


def _rights(fields: Mapping[str, str]) -> frozenset[Right]:
    """What was ticked, and all that a chosen role may."""
    ticked = frozenset(right for right in Right if fields.get(f"right_{right}"))
    role = fields.get("role", "")
    try:
        return ticked | (rights_of(Role(role)) if role else frozenset())
    except ValueError:
        raise Refused(f"The role is one of {', '.join(ROLES)}.") from None


def _ends(days: str, now: datetime) -> datetime | None:
    if days not in LASTS:
        raise Refused("Choose for how long the token works.")
    return now + timedelta(days=int(days)) if days else None
