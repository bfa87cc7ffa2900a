"""Invitations: a link that makes somebody's login, and links that let somebody choose a new password.

The link holds 32 random bytes, of which only the hash is kept: it cannot be forged, works once, and is of no
use after a week, or once it was withdrawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from mailer.accounts.factor import has_factor
from mailer.accounts.operators import add_operator, find_operator, get_operator
from mailer.accounts.passwords import check_password, hash_password
from mailer.accounts.record import record
from mailer.accounts.rights import Actor
from mailer.accounts.secrets import hashed, new_secret
from mailer.accounts.sessions import actor_of, begin_session, end_sessions
from mailer.accounts.sign_in import Begun
from mailer.audience.addresses import normalise
from mailer.errors import NotFound, Refused
from mailer.models import Invitation, Operator, Role

VALID = timedelta(days=7)
FORGOTTEN = timedelta(minutes=30)
"""For so long a link works that somebody asked for who forgot their password."""


class NoInvitation(NotFound):
    """A link that opens nothing."""

    def __init__(self) -> None:
        super().__init__(
            "This link was used, was withdrawn or has run out. Ask for another at “Forgotten your "
            "password?”, or an owner here for an invitation."
        )


@dataclass(frozen=True)
class Invited:
    """A new invitation, and the secret of its link, which is kept nowhere."""

    invitation: Invitation
    secret: str


def invite(session: Session, actor: Actor, email: str, role: Role, now: datetime) -> Invited:
    """Invite somebody to work here; what they were sent before opens nothing any more.

    Raises BadAddress, and Refused for who has a login already.
    """
    address, _ = normalise(email)
    if find_operator(session, address) is not None:
        raise Refused(f"{address} has a login already.")
    _withdraw(session, now, func.lower(Invitation.email) == address.lower())
    invited = _made(session, actor, address, role, now, operator_id=None)
    record(session, actor, "user invite", 1, email=address, role=role)
    return invited


def invite_back(session: Session, actor: Actor, operator_id: int, now: datetime) -> Invited:
    """A link for somebody else who works here to choose a new password.

    Raises NotFound, and Refused for who is suspended and for oneself.
    """
    operator = get_operator(session, operator_id)
    if operator.id == actor.operator_id:
        raise Refused("Your own password is changed at Your login.")
    if operator.disabled_at is not None:
        raise Refused(f"{operator.email} is suspended; restore them first.")
    _withdraw(session, now, Invitation.operator_id == operator.id)
    invited = _made(session, actor, operator.email, Role(operator.role), now, operator_id=operator.id)
    record(session, actor, "user new password", 1, email=operator.email)
    return invited


def find_way_back(session: Session, email: str, now: datetime) -> Invited | None:
    """A link to a new password for who forgot theirs; None when nobody signs in with this address and one.

    Whoever comes by the identity provider only is not given a way around it. Links that were asked for before
    stay good until one is used: a stranger who asks takes nothing away.
    """
    operator = find_operator(session, email)
    if operator is None or operator.disabled_at is not None or operator.password_hash is None:
        return None
    them = actor_of(operator)
    role = Role(operator.role)
    invited = _made(session, them, operator.email, role, now, operator_id=operator.id, valid=FORGOTTEN)
    record(session, them, "password forgotten", 1)
    return invited


def open_invitations(session: Session, now: datetime) -> Sequence[Invitation]:
    """Invitations of new people that can still be accepted, newest first."""
    asked = select(Invitation).where(*_open(now), Invitation.operator_id.is_(None))
    return session.scalars(asked.order_by(Invitation.id.desc())).all()


def withdraw(session: Session, actor: Actor, invitation_id: int, now: datetime) -> Invitation:
    """Have an invitation open nothing any more; raises NotFound."""
    invitation = session.get(Invitation, invitation_id)
    if invitation is None:
        raise NotFound("There is no such invitation.")
    if _withdraw(session, now, Invitation.id == invitation_id):
        record(session, actor, "user uninvite", 1, email=invitation.email)
    return invitation


def find_invitation(session: Session, secret: str, now: datetime) -> Invitation:
    """The invitation of a link; raises NoInvitation. Locked: of two who use it at once, one gets in."""
    asked = select(Invitation).where(Invitation.token_hash == hashed(secret), *_open(now))
    found = session.scalar(asked.with_for_update())
    if found is None:
        raise NoInvitation
    return found


def accept(
    session: Session, secret: str, name: str, password: str, again: str, now: datetime, *, browser: str
) -> Begun:
    """Use a link: a new login, or a new password for an old one, and signed in.

    Whoever had a second factor still has to show it. Raises NoInvitation, and Refused for a password that
    is none or is not the same twice.
    """
    invitation = find_invitation(session, secret, now)
    if password != again:
        raise Refused("The two passwords are not the same.")
    if invitation.operator_id is None:
        operator = _new_operator(session, invitation, name, password, now)
    else:
        operator = _new_password(session, invitation, password, now)
    needs_factor = has_factor(session, operator)
    opened = begin_session(session, operator, now, needs_factor=needs_factor, browser=browser, way="password")
    return Begun(opened, needs_factor)


def use_of(session: Session, email: str, now: datetime) -> Invitation | None:
    """The open invitation of this address, for who proves it in another way than by the link; now used."""
    asked = select(Invitation).where(
        *_open(now), Invitation.operator_id.is_(None), func.lower(Invitation.email) == email.lower()
    )
    found = session.scalars(asked.order_by(Invitation.id.desc()).with_for_update()).first()
    if found is not None:
        found.used_at = now
    return found


def _new_operator(
    session: Session, invitation: Invitation, name: str, password: str, now: datetime
) -> Operator:
    invitation.used_at = now
    inviter = Actor(who=invitation.invited_by, role=Role.OWNER)
    return add_operator(
        session, inviter, invitation.email, Role(invitation.role), now, name=name, password=password
    )


def _new_password(session: Session, invitation: Invitation, password: str, now: datetime) -> Operator:
    operator = get_operator(session, invitation.operator_id or 0)
    if operator.disabled_at is not None:
        raise NoInvitation
    check_password(password, about=operator.email)
    invitation.used_at = now
    _withdraw(session, now, Invitation.operator_id == operator.id)
    operator.password_hash = hash_password(password)
    end_sessions(session, operator.id, now)
    who = Actor(who=operator.email, role=Role(operator.role), operator_id=operator.id)
    record(session, who, "password change", 1, by="link")
    return operator


def _made(
    session: Session,
    actor: Actor,
    email: str,
    role: Role,
    now: datetime,
    *,
    operator_id: int | None,
    valid: timedelta = VALID,
) -> Invited:
    secret = new_secret()
    invitation = Invitation(
        email=email,
        role=role,
        operator_id=operator_id,
        token_hash=hashed(secret),
        invited_by=actor.who,
        created_at=now,
        expires_at=now + valid,
    )
    session.add(invitation)
    session.flush()
    return Invited(invitation, secret)


def _withdraw(session: Session, now: datetime, *which: ColumnElement[bool]) -> int:
    ended = session.scalars(
        update(Invitation).where(*_open(now), *which).values(withdrawn_at=now).returning(Invitation.id)
    )
    return len(ended.all())


def _open(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        Invitation.used_at.is_(None),
        Invitation.withdrawn_at.is_(None),
        Invitation.expires_at > now,
    )
