"""Signing in with a password: the first of the two factors."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from mailer.accounts.factor import has_factor
from mailer.accounts.operators import find_operator
from mailer.accounts.passwords import is_password
from mailer.accounts.sessions import begin_session


@dataclass(frozen=True)
class Refusal:
    """Nobody was signed in; the words do not tell whether the address is known."""

    words: str = "Address and password do not go together. Passwords are case-sensitive."


@dataclass(frozen=True)
class Begun:
    """Somebody was: the secret for the cookie, and whether their second factor is still to come."""

    secret: str
    needs_factor: bool


def sign_in(session: Session, email: str, password: str, now: datetime, *, browser: str) -> Begun | Refusal:
    """A new session, which still needs the second factor of whoever has one."""
    operator = find_operator(session, email)
    known = operator.password_hash if operator is not None and operator.disabled_at is None else None
    if not is_password(password, known) or operator is None:
        return Refusal()
    needs_factor = has_factor(session, operator)
    secret = begin_session(session, operator, now, needs_factor=needs_factor, browser=browser, way="password")
    return Begun(secret, needs_factor)
