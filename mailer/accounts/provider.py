"""Signing in as whom the identity provider knows: who has a login, an invitation, or a role there."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.accounts.invitations import use_of
from mailer.accounts.oidc import Identity
from mailer.accounts.operators import add_operator, find_operator
from mailer.accounts.record import record
from mailer.accounts.rights import Actor
from mailer.accounts.sessions import actor_of, begin_session
from mailer.errors import Refused
from mailer.models import Operator, Role

WAY = "provider"


def sign_in_as(session: Session, who: Identity, now: datetime, *, browser: str) -> str:
    """The secret for the cookie of a new session; a second factor is the provider's to ask for.

    Raises Refused for whom nobody invited, whose address is not proven there, and who is suspended.
    """
    operator = session.scalar(select(Operator).where(Operator.oidc_subject == who.subject))
    if operator is None:
        operator = _first_time(session, who, now)
    if operator.disabled_at is not None:
        raise Refused(f"{operator.email} is suspended here. Ask an owner.")
    return begin_session(session, operator, now, needs_factor=False, browser=browser, way=WAY)


def _first_time(session: Session, who: Identity, now: datetime) -> Operator:
    """Somebody by their address, which is asked for once: later they may change it at the provider."""
    if not who.email:
        raise Refused("The identity provider does not say that your address is proven. Ask those who run it.")
    operator = find_operator(session, who.email)
    if operator is None:
        operator = _newcomer(session, who, now)
    elif operator.oidc_subject is not None:
        raise Refused(f"{operator.email} belongs to another account of the identity provider. Ask an owner.")
    operator.oidc_subject = who.subject
    record(session, actor_of(operator), "provider link", 1)
    return operator


def _newcomer(session: Session, who: Identity, now: datetime) -> Operator:
    invitation = use_of(session, who.email, now)
    if invitation is not None:
        by, role = Actor(who=invitation.invited_by, role=Role.OWNER), Role(invitation.role)
    elif who.role is not None:
        by, role = Actor(who="identity provider", role=Role.OWNER), who.role
    else:
        raise Refused(f"Nobody invited {who.email} to work here. Ask an owner for an invitation.")
    return add_operator(session, by, who.email, role, now, name=who.name)
