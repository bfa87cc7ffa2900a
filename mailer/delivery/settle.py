"""Recording how sending went, and what follows from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import insert, update
from sqlalchemy.orm import Session

from mailer.audience.suppression import suppress
from mailer.delivery.outcome import Outcome
from mailer.delivery.states import ENDS
from mailer.models import Attempt, Delivery, DeliveryState, Event, EventKind, SuppressionReason
from mailer.schedule import enroll


def record(session: Session, outcomes: Sequence[Outcome], now: datetime) -> Counter[DeliveryState]:
    """Write the outcomes whose rows are still ours (the token fences), and an attempt for each.

    A hard bounce suppresses the address and stops the person's courses. Returns how many rows went
    into each state.
    """
    counts: Counter[DeliveryState] = Counter()
    mine = [outcome for outcome in outcomes if _write(session, outcome, now)]
    for outcome in mine:
        counts[outcome.state] += 1
        if outcome.state == DeliveryState.BOUNCED:
            _bounced(session, outcome, now)
    tried = [_attempt(outcome, now) for outcome in mine if outcome.was_tried]
    if tried:
        session.execute(insert(Attempt), tried)
    return counts


def _write(session: Session, outcome: Outcome, now: datetime) -> bool:
    row = outcome.row
    values: dict[str, Any] = {
        "state": outcome.state,
        "reason": outcome.reason,
        "token": None,
        "lease_until": None,
    }
    if outcome.state in ENDS:
        values["settled_at"] = now
    if outcome.state == DeliveryState.PLANNED:
        values["next_attempt_at"] = now + outcome.wait
        values["deferrals"] = Delivery.deferrals + int(outcome.is_deferral)
        values["cuts"] = Delivery.cuts + int(outcome.is_cut)
        values["crashes"] = Delivery.crashes + int(outcome.is_crash)
    is_ours = (Delivery.token == row.token) & (Delivery.state == DeliveryState.SENDING)
    if outcome.state == DeliveryState.ACCEPTED:
        # The server has it, whoever may have the row by now: it must not be sent again.
        is_ours |= Delivery.state == DeliveryState.PLANNED
    written = session.execute(
        update(Delivery).where(Delivery.id == row.id, is_ours).values(values).returning(Delivery.id)
    ).scalar_one_or_none()
    return written is not None


def _bounced(session: Session, outcome: Outcome, now: datetime) -> None:
    row = outcome.row
    text = outcome.reply.text if outcome.reply else ""
    # In the order in which a reader's own leaving takes these rows, or the two could block each other.
    enroll.stop(session, row.subscriber_id, "the address bounced", now)
    suppress(session, row.email, SuppressionReason.HARD_BOUNCE, now, detail=text)
    session.add(
        Event(
            kind=EventKind.BOUNCED, at=now, subscriber_id=row.subscriber_id, delivery_id=row.id, detail=text
        )
    )


def _attempt(outcome: Outcome, now: datetime) -> dict[str, Any]:
    return {
        "delivery_id": outcome.row.id,
        "at": now,
        "outcome": outcome.state,
        "code": outcome.reply.code if outcome.reply else None,
        "reply": outcome.reply.text if outcome.reply else outcome.reason,
    }
