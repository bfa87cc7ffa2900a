"""Those who work here, as a table: who may what, who has a second factor, who was here last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mailer.accounts.operators import list_operators
from mailer.models import Operator, OperatorSession, Passkey


@dataclass(frozen=True)
class Colleague:
    """One of them; `seen_at` is None for who was never signed in."""

    operator: Operator
    has_factor: bool
    seen_at: datetime | None


def list_colleagues(session: Session) -> Sequence[Colleague]:
    """Everybody with a login, those who may most first."""
    last = select(OperatorSession.operator_id, func.max(OperatorSession.seen_at))
    rows = session.execute(last.group_by(OperatorSession.operator_id))
    seen: dict[int, datetime] = {who: when for who, when in rows}  # noqa: C416
    with_key = set(session.scalars(select(Passkey.operator_id).distinct()))
    return [
        Colleague(one, one.totp_since is not None or one.id in with_key, seen.get(one.id))
        for one in list_operators(session)
    ]
