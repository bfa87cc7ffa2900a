"""Signing in with a password: the first of the two factors."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from mailer.accounts.operators import find_operator
from mailer.accounts.passwords import is_password
from mailer.accounts.sessions import begin_session


@dataclass(frozen=True)
class Refusal:
    """Nobody was signed in; the words do not tell whether the address is known."""

    words: str = "Address and password do not go together. Passwords are case-sensitive."


def sign_in(session: Session, email: str, password: str, now: datetime, *, browser: str) -> str | Refusal:
    """The secret for the cookie of a new session, which still needs the second factor if there is one."""
    operator = find_operator(session, email)
    known = operator.password_hash if operator is not None and operator.disabled_at is None else None
    if not is_password(password, known) or operator is None:
        return Refusal()
    needs_factor = operator.totp_since is not None
    return begin_session(session, operator, now, needs_factor=needs_factor, browser=browser, way="password")
