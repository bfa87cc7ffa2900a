"""People with a login: the first owner, and who is there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mailer.accounts.passwords import check_password, hash_password
from mailer.accounts.record import record
from mailer.accounts.rights import Actor
from mailer.audience.addresses import normalise
from mailer.errors import NotFound, Refused
from mailer.models import Operator, Role


def find_operator(session: Session, email: str) -> Operator | None:
    """The operator of this address, whatever its case."""
    return session.scalar(select(Operator).where(func.lower(Operator.email) == email.strip().lower()))


def get_operator(session: Session, operator_id: int) -> Operator:
    """The operator of this id; raises NotFound."""
    operator = session.get(Operator, operator_id)
    if operator is None:
        raise NotFound("There is nobody with this login; `steadypost user list` shows all.")
    return operator


def list_operators(session: Session) -> Sequence[Operator]:
    """Everybody, those who may most first."""
    people = session.scalars(select(Operator).order_by(func.lower(Operator.email))).all()
    ranks = list(Role)
    return sorted(people, key=lambda one: (one.disabled_at is not None, -ranks.index(Role(one.role))))


def is_set_up(session: Session) -> bool:
    """Whether somebody can sign in at all."""
    return session.scalar(select(Operator.id).where(Operator.disabled_at.is_(None)).limit(1)) is not None


def add_operator(
    session: Session,
    actor: Actor,
    email: str,
    role: Role,
    now: datetime,
    *,
    name: str = "",
    password: str | None = None,
) -> Operator:
    """Somebody new; raises Refused for an address that is none or is taken, or a weak password."""
    address, _ = normalise(email)
    if find_operator(session, address) is not None:
        raise Refused(f"{address} has a login already.")
    if password is not None:
        check_password(password, about=address)
    operator = Operator(
        email=address,
        name=" ".join(name.split())[:200],
        role=role,
        password_hash=None if password is None else hash_password(password),
        created_at=now,
    )
    session.add(operator)
    session.flush()
    record(session, actor, "user add", 1, email=address, role=role)
    return operator


def owners_besides(session: Session, operator_id: int) -> int:
    """How many other owners could sign in if this one could not."""
    return (
        session.scalar(
            select(func.count())
            .select_from(Operator)
            .where(Operator.role == Role.OWNER, Operator.disabled_at.is_(None), Operator.id != operator_id)
        )
        or 0
    )
