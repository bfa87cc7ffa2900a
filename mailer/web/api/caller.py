"""Which program asks, by its token, and whether it may.

Every route names in its signature what it takes: `actor: Send`, or `Anybody` for any token in force. A test
reads those and tries each route with each right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy.orm import Session

from mailer.accounts.factor import lacks_factor
from mailer.accounts.operators import get_operator
from mailer.accounts.rights import Actor, Right
from mailer.accounts.sessions import session_now
from mailer.accounts.tokens import find_token
from mailer.web.api.limits import Limiter
from mailer.web.api.problems import FactorNeeded, TokenNeeded
from mailer.web.deps import Parts, PartsDep

SCHEME = HTTPBearer(
    scheme_name="token",
    description="A token that somebody made at their page of API tokens. It may what its scopes say, and "
    "never more than whoever made it.",
    auto_error=False,
)

Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(SCHEME)]


@dataclass(frozen=True)
class Bearer:
    """A dependency that lets in whose token has `right` (None: any in force), and counts the request."""

    right: Right | None

    def __call__(self, request: Request, parts: PartsDep, credentials: Credentials) -> Actor:
        actor = _find(parts, credentials)
        limiter: Limiter = request.app.state.limiter
        limiter.count(actor.token_id or 0, request.state.headers)
        if self.right is not None:
            actor.require(self.right)
        return actor


def _find(parts: Parts, credentials: HTTPAuthorizationCredentials | None) -> Actor:
    if credentials is None:
        raise TokenNeeded
    with parts.session() as session:
        actor = find_token(session, credentials.credentials, session_now(session))
        lacks = actor is not None and _lacks(session, parts, actor)
    if actor is None:
        raise TokenNeeded("This token is unknown, has ended, or was revoked.")
    if lacks:
        raise FactorNeeded
    return actor


def _lacks(session: Session, parts: Parts, actor: Actor) -> bool:
    """Whether the token's owner has to set up a second factor first, as at the desk.

    A provider sees to it for who has no password here.
    """
    least = parts.settings.second_factor
    if least == "optional":
        return False
    owner = get_operator(session, actor.operator_id or 0)
    return owner.password_hash is not None and lacks_factor(session, owner, least)


Anybody = Annotated[Actor, Depends(Bearer(None))]
See = Annotated[Actor, Depends(Bearer(Right.SEE))]
Write = Annotated[Actor, Depends(Bearer(Right.WRITE))]
Send = Annotated[Actor, Depends(Bearer(Right.SEND))]
Audience = Annotated[Actor, Depends(Bearer(Right.AUDIENCE))]
Export = Annotated[Actor, Depends(Bearer(Right.EXPORT))]
Run = Annotated[Actor, Depends(Bearer(Right.RUN))]
Manage = Annotated[Actor, Depends(Bearer(Right.MANAGE))]
