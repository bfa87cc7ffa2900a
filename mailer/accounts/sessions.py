"""Being signed in: a row for each browser; it ends when told to, when idle for long, or when it is old."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from mailer.accounts.rights import Actor
from mailer.accounts.secrets import hashed, new_secret
from mailer.db import clock_now
from mailer.models import Operator, OperatorSession, Role

IDLE = timedelta(days=7)
OLDEST = timedelta(days=30)
FACTOR_WITHIN = timedelta(minutes=10)
"""How long the second factor may take after the password."""

KEPT = timedelta(days=365)
"""Sessions that ended are kept for so long: they say when somebody was here last."""

NOTED = timedelta(minutes=1)
"""`seen_at` is written this often at most: a page costs a write no more than once a minute."""


@dataclass(frozen=True)
class SignedIn:
    """Who a cookie stands for; with `needs_factor` they may only give their second factor."""

    actor: Actor
    needs_factor: bool
    way: str


def begin_session(
    session: Session, operator: Operator, now: datetime, *, needs_factor: bool, browser: str, way: str
) -> str:
    """Sign `operator` in; returns the secret for the cookie, which is kept nowhere."""
    secret = new_secret()
    session.add(
        OperatorSession(
            operator_id=operator.id,
            token_hash=hashed(secret),
            needs_factor=needs_factor,
            created_at=now,
            seen_at=now,
            browser=browser[:200],
            way=way,
        )
    )
    session.flush()
    return secret


def find_session(session: Session, secret: str, now: datetime) -> SignedIn | None:
    """Who is signed in with this cookie, or None when it is unknown, ended, idle too long or too old."""
    row = session.execute(
        select(OperatorSession, Operator)
        .join(Operator, Operator.id == OperatorSession.operator_id)
        .where(OperatorSession.token_hash == hashed(secret))
    ).one_or_none()
    if row is None:
        return None
    found, operator = row
    if operator.disabled_at is not None or has_ended(found, now):
        return None
    if now - found.seen_at > NOTED:
        session.execute(update(OperatorSession).where(OperatorSession.id == found.id).values(seen_at=now))
    return SignedIn(actor_of(operator, found.id), found.needs_factor, found.way)


def list_sessions(session: Session, operator_id: int, now: datetime) -> list[OperatorSession]:
    """Where somebody is signed in, last used first."""
    asked = select(OperatorSession).where(
        OperatorSession.operator_id == operator_id,
        OperatorSession.ended_at.is_(None),
        OperatorSession.created_at > now - OLDEST,
    )
    found = session.scalars(asked.order_by(OperatorSession.seen_at.desc())).all()
    return [one for one in found if not has_ended(one, now)]


def has_ended(found: OperatorSession, now: datetime) -> bool:
    """Whether nobody can go on with it."""
    oldest = FACTOR_WITHIN if found.needs_factor else OLDEST
    return found.ended_at is not None or now - found.seen_at > IDLE or now - found.created_at > oldest


def end_sessions(
    session: Session, operator_id: int, now: datetime, *, only: int | None = None, but: int | None = None
) -> int:
    """Sign an operator out: everywhere, at the session `only`, or everywhere `but` there; how many ended."""
    ending = update(OperatorSession).where(
        OperatorSession.operator_id == operator_id, OperatorSession.ended_at.is_(None)
    )
    if only is not None:
        ending = ending.where(OperatorSession.id == only)
    if but is not None:
        ending = ending.where(OperatorSession.id != but)
    ended = session.scalars(ending.values(ended_at=now).returning(OperatorSession.id)).all()
    return len(ended)


def drop_old_sessions(session: Session, now: datetime) -> int:
    """Forget those that nobody used for a year; how many."""
    old = delete(OperatorSession).where(OperatorSession.seen_at < now - KEPT)
    return len(session.scalars(old.returning(OperatorSession.id)).all())


def actor_of(operator: Operator, session_id: int | None = None) -> Actor:
    """This person, as one who does something."""
    return Actor(
        who=operator.email,
        role=Role(operator.role),
        operator_id=operator.id,
        session_id=session_id,
        name=operator.name or operator.email.partition("@")[0],
        zone=operator.zone,
        theme=operator.theme,
    )


def session_now(session: Session) -> datetime:
    """The database's own clock: who is signed in does not depend on a demo's stepped time."""
    return clock_now(session)
