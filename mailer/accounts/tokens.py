"""API tokens: what a program shows to do a part of what its owner may."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from mailer.accounts.operators import get_operator
from mailer.accounts.record import record
from mailer.accounts.rights import Actor, Right
from mailer.accounts.secrets import hashed, new_secret
from mailer.accounts.sessions import actor_of
from mailer.errors import NotFound, Refused
from mailer.models import ApiToken, Operator

PREFIX = "sp_"
"""Tells a leaked token from any other string, for those who look for leaked secrets."""

HINT = len(PREFIX) + 4
"""How much of a token is kept as it is, so that people can tell theirs apart."""

MOST = 50
"""Tokens of one person that are in force; more is a program that makes them, and never takes one back."""

NOTED = timedelta(minutes=1)
"""`used_at` is written this often at most: a request costs a write no more than once a minute."""


def find_token(session: Session, secret: str, now: datetime) -> Actor | None:
    """Who a program acts for, or None when its token is unknown, revoked, too old, or its owner is suspended.

    The actor has the owner's role as it is now, and of its rights only the token's `scopes`. `now` is the
    database's own clock (`session_now`).
    """
    if not secret.startswith(PREFIX):
        return None
    row = session.execute(
        select(ApiToken, Operator)
        .join(Operator, Operator.id == ApiToken.operator_id)
        .where(ApiToken.token_hash == hashed(secret))
    ).one_or_none()
    if row is None:
        return None
    token, owner = row
    if owner.disabled_at is not None or not is_in_force(token, now):
        return None
    if token.used_at is None or now - token.used_at > NOTED:
        session.execute(update(ApiToken).where(ApiToken.id == token.id).values(used_at=now))
    person = actor_of(owner)
    return Actor(
        who=f"{owner.email} by token {token.name}",
        role=person.role,
        operator_id=owner.id,
        token_id=token.id,
        scopes=scopes_of(token),
        name=token.name,
        zone=owner.zone,
    )


def is_in_force(token: ApiToken, now: datetime) -> bool:
    """Whether it still opens anything."""
    return token.revoked_at is None and (token.expires_at is None or now < token.expires_at)


def scopes_of(token: ApiToken) -> frozenset[Right]:
    """Its scopes; a word that means nothing any more gives nothing."""
    return frozenset(right for right in Right if right in token.scopes)


def new_token(
    session: Session,
    actor: Actor,
    name: str,
    rights: Collection[Right],
    expires_at: datetime | None,
    now: datetime,
) -> str:
    """A token for a program of `actor`'s: its secret, which is shown once and kept nowhere.

    Raises Refused without a name or a right, and NotAllowed for a right that `actor` has not.
    """
    owner_id = _owner_of_new(actor)
    named = " ".join(name.split())[:100]
    if not named:
        raise Refused("Give the token a name that says which program has it.")
    if not rights:
        raise Refused("Choose at least one thing that the token may do.")
    for right in rights:
        actor.require(right)
    if expires_at is not None and expires_at <= now:
        raise Refused("The token would have ended already; choose a later day.")
    if sum(is_in_force(one, now) for one in list_tokens(session, owner_id)) >= MOST:
        raise Refused(f"You have {MOST} tokens in force; revoke one that is not needed any more.")
    secret = new_secret(PREFIX)
    scopes = [right.value for right in Right if right in rights]
    session.add(
        ApiToken(
            operator_id=owner_id,
            name=named,
            token_hash=hashed(secret),
            hint=secret[:HINT],
            scopes=scopes,
            created_at=now,
            expires_at=expires_at,
        )
    )
    session.flush()
    record(session, actor, "token make", 1, token=named, scopes=", ".join(scopes))
    return secret


def _owner_of_new(actor: Actor) -> int:
    if actor.token_id is not None:
        # A stolen token that ends tomorrow must not leave others behind.
        raise Refused("A token makes no tokens; sign in and make it there.")
    if actor.operator_id is None:
        raise Refused("A token belongs to somebody with a login; sign in and make it there.")
    return actor.operator_id


def list_tokens(session: Session, operator_id: int) -> Sequence[ApiToken]:
    """Somebody's tokens that were not revoked, newest first."""
    return session.scalars(
        select(ApiToken)
        .where(ApiToken.operator_id == operator_id, ApiToken.revoked_at.is_(None))
        .order_by(ApiToken.id.desc())
    ).all()


def list_all_tokens(session: Session) -> Sequence[tuple[ApiToken, Operator]]:
    """Everybody's tokens that were not revoked, with their owners, newest first."""
    rows = session.execute(
        select(ApiToken, Operator)
        .join(Operator, Operator.id == ApiToken.operator_id)
        .where(ApiToken.revoked_at.is_(None))
        .order_by(ApiToken.id.desc())
    )
    return [(token, owner) for token, owner in rows]


def revoke_token(session: Session, actor: Actor, token_id: int, now: datetime) -> ApiToken:
    """Have a token open nothing any more; one's own, or anybody's for who manages people.

    Raises NotFound for one that is not there or is somebody else's. Revoking it twice changes nothing.
    """
    token = session.get(ApiToken, token_id, with_for_update=True)
    is_theirs = token is not None and token.operator_id == actor.operator_id
    if token is None or not (is_theirs or actor.may(Right.MANAGE)):
        raise NotFound("There is no such token of yours.")
    if token.revoked_at is None:
        token.revoked_at = now
        owner = get_operator(session, token.operator_id)
        record(session, actor, "token revoke", 1, token=token.name, of=owner.email)
    return token
