"""Mails one by one, and what people did to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mailer.delivery.ledger import Filter
from mailer.models import Action, Attempt, Campaign, Course, Delivery, Step, Subscriber


@dataclass(frozen=True)
class LedgerRow:
    """One mail: `mail` is the step's key, the campaign's slug or the kind.

    `reply` is what a server said last (empty: nothing).
    """

    id: int
    subscriber_id: int
    email: str
    course: str | None
    mail: str
    state: str
    reason: str
    due_at: datetime
    next_attempt_at: datetime
    settled_at: datetime | None
    attempts: int
    reply: str

    def as_values(self) -> dict[str, Any]:
        """For programs; moments as ISO 8601."""
        moments = ("due_at", "next_attempt_at", "settled_at")
        values = asdict(self)
        return values | {name: values[name].isoformat() if values[name] else None for name in moments}


COLUMNS = tuple(each.name for each in fields(LedgerRow) if each.name != "reply")


def ledger_rows(session: Session, filter_: Filter, limit: int, after: int = 0) -> list[LedgerRow]:
    """The mails that the filter names, oldest first, those after the id `after`, `limit` at most.

    Raises NotFound or BadAddress.
    """
    chosen = select(Delivery.id).where(*filter_.conditions(session), Delivery.id > after)
    return rows_of(session, chosen.order_by(Delivery.id).limit(limit).scalar_subquery())


def rows_of(session: Session, ids: Any) -> list[LedgerRow]:
    """The mails of these ids (values, or a query of them), oldest first."""
    rows = session.execute(
        select(
            *(Delivery.id, Delivery.subscriber_id, Subscriber.email, Course.slug.label("course")),
            func.coalesce(Step.key, Campaign.slug, Delivery.kind).label("mail"),
            *(Delivery.state, Delivery.reason, Delivery.due_at, Delivery.next_attempt_at),
            *(Delivery.settled_at, Delivery.attempts, Delivery.code, Delivery.reply),
        )
        .join(Subscriber, Subscriber.id == Delivery.subscriber_id)
        .outerjoin(Course, Course.id == Delivery.course_id)
        .outerjoin(Step, Step.id == Delivery.step_id)
        .outerjoin(Campaign, Campaign.id == Delivery.campaign_id)
        .where(Delivery.id.in_(ids))
        .order_by(Delivery.id)
    ).all()
    return [
        LedgerRow(**{name: row._mapping[name] for name in COLUMNS}, reply=_said(row.code, row.reply))
        for row in rows
    ]


def attempts_of(session: Session, delivery_id: int) -> Sequence[Attempt]:
    """The conversations about a mail that did not end with its first acceptance, oldest first."""
    rows = select(Attempt).where(Attempt.delivery_id == delivery_id).order_by(Attempt.id)
    return session.execute(rows).scalars().all()


def _said(code: int | None, reply: str | None) -> str:
    return f"{code or ''} {reply or ''}".strip()


def action_log(session: Session, limit: int) -> Sequence[Action]:
    """What people did, newest first, `limit` at most."""
    newest = select(Action).order_by(Action.at.desc(), Action.id.desc()).limit(limit)
    return session.execute(newest).scalars().all()
