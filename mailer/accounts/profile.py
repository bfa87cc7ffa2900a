"""What people change about their own login: name, clock, look and password."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from mailer.accounts.operators import get_operator
from mailer.accounts.passwords import check_password, hash_password, is_password
from mailer.accounts.record import record
from mailer.accounts.rights import Actor
from mailer.accounts.sessions import end_sessions
from mailer.clock import zone as zone_of
from mailer.errors import Refused
from mailer.models import Operator

THEMES = {"auto": "As the machine is set", "light": "Light", "dark": "Dark"}


def change_profile(session: Session, actor: Actor, *, name: str, zone: str, theme: str) -> None:
    """Name, clock and look of one's own pages; raises UnknownZone, or Refused for a look that is none."""
    if theme not in THEMES:
        raise Refused(f"The look is one of {', '.join(THEMES)}.")
    operator = get_operator(session, actor.operator_id or 0)
    operator.name = " ".join(name.split())[:200]
    operator.zone = zone_of(zone.strip()).key
    operator.theme = theme


def prove(session: Session, actor: Actor, password: str) -> Operator:
    """Have somebody say their password again: a browser that was left open must not change who gets in.

    Who only comes from the identity provider has none to say. Raises Refused.
    """
    operator = get_operator(session, actor.operator_id or 0)
    if operator.password_hash is not None and not is_password(password, operator.password_hash):
        raise Refused("Your current password is another one; nothing was changed.")
    return operator


def change_password(
    session: Session, actor: Actor, now: datetime, *, current: str, new: str, again: str
) -> int:
    """A new password, and out in all other browsers; how many those were. Raises Refused."""
    operator = prove(session, actor, current)
    if new != again:
        raise Refused("The two new passwords are not the same; nothing was changed.")
    check_password(new, about=operator.email)
    operator.password_hash = hash_password(new)
    ended = end_sessions(session, operator.id, now, but=actor.session_id)
    record(session, actor, "password change", 1, sessions_ended=ended)
    return ended
