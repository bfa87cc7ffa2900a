"""Changing what others who work here may do. Whoever is the last owner stays one."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from mailer.accounts.factor import drop_codes_of_none
from mailer.accounts.operators import get_operator, owners_besides
from mailer.accounts.record import record
from mailer.accounts.rights import Actor
from mailer.accounts.sessions import end_sessions
from mailer.errors import Refused
from mailer.models import Operator, Passkey, Role

LAST_OWNER = "{who} is the last owner; make somebody else an owner first."


def change_role(session: Session, actor: Actor, operator_id: int, role: Role) -> Operator:
    """Give somebody another role, in force with their next page; raises NotFound, or Refused (last owner)."""
    operator = _locked(session, operator_id)
    if operator.role == role:
        return operator
    if role is not Role.OWNER:
        _refuse_last_owner(session, operator)
    before, operator.role = operator.role, role
    record(session, actor, "user role", 1, email=operator.email, role=role, before=before)
    return operator


def suspend(session: Session, actor: Actor, operator_id: int, now: datetime) -> Operator:
    """Sign somebody out everywhere and let them in no more, and no token of theirs.

    Raises NotFound, and Refused for oneself and for the last owner.
    """
    operator = _locked(session, operator_id)
    if operator.id == actor.operator_id:
        raise Refused("You cannot suspend yourself; ask another owner.")
    if operator.disabled_at is not None:
        return operator
    _refuse_last_owner(session, operator)
    operator.disabled_at = now
    ended = end_sessions(session, operator.id, now)
    record(session, actor, "user suspend", 1, email=operator.email, sessions_ended=ended)
    return operator


def restore(session: Session, actor: Actor, operator_id: int) -> Operator:
    """Let somebody in again, in the role they had; their tokens work again, too. Raises NotFound."""
    operator = _locked(session, operator_id)
    if operator.disabled_at is not None:
        operator.disabled_at = None
        record(session, actor, "user restore", 1, email=operator.email, role=operator.role)
    return operator


def remove(session: Session, actor: Actor, operator_id: int) -> Operator:
    """Forget somebody's login, with their sessions, passkeys and tokens; what they did stays on record.

    Raises NotFound, and Refused for oneself and for the last owner.
    """
    operator = _locked(session, operator_id)
    if operator.id == actor.operator_id:
        raise Refused("You cannot remove yourself; ask another owner.")
    _refuse_last_owner(session, operator)
    session.delete(operator)
    session.flush()
    record(session, actor, "user remove", 1, email=operator.email, role=operator.role)
    return operator


def sign_out_everywhere(session: Session, actor: Actor, operator_id: int, now: datetime) -> int:
    """Sign somebody out at all browsers; how many. Raises NotFound."""
    operator = get_operator(session, operator_id)
    ended = end_sessions(session, operator.id, now)
    record(session, actor, "user sign out", ended, email=operator.email)
    return ended


def take_factor_away(session: Session, actor: Actor, operator_id: int) -> Operator:
    """For who lost their device and recovery codes: the password alone lets them in.

    Raises NotFound, and Refused for oneself.
    """
    operator = _locked(session, operator_id)
    if operator.id == actor.operator_id:
        raise Refused("Your own second factor is turned off at Your login.")
    operator.totp_sealed = operator.totp_since = None
    session.execute(delete(Passkey).where(Passkey.operator_id == operator.id))
    session.flush()
    drop_codes_of_none(session, operator)
    record(session, actor, "second factor off", 1, email=operator.email, kind="all")
    return operator


def _refuse_last_owner(session: Session, operator: Operator) -> None:
    is_one = operator.role == Role.OWNER and operator.disabled_at is None
    if is_one and not owners_besides(session, operator.id):
        raise Refused(LAST_OWNER.format(who=operator.email))


def _locked(session: Session, operator_id: int) -> Operator:
    """Somebody, with all owners locked: of two who demote each other at once, the second is the last."""
    session.execute(
        select(Operator.id).where(Operator.role == Role.OWNER).order_by(Operator.id).with_for_update()
    )
    operator = get_operator(session, operator_id)
    session.refresh(operator, with_for_update=True)
    return operator
