"""Dispatch: due rows are offered to the workers in chunks, only a little ahead of what they can send."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from mailer.models import Delivery, DeliveryState, Lane

OFFER = timedelta(seconds=60)
"""How long an offer stands before its rows are offered again; the database's clock."""

CHUNK = {Lane.TRANSACTIONAL: 10, Lane.COURSE: 50, Lane.CAMPAIGN: 100}
"""Rows in one task. Small ones keep the urgent lanes quick and cost little when a worker is lost."""

AHEAD = 10
"""Chunks on their way at the same time in one lane."""


def offer(session: Session, lane: Lane, now: datetime) -> list[list[int]]:
    """Ids to hand to the workers of `lane`: due rows in chunks, only a few chunks on their way.

    An offer that nobody took up (a broker emptied, a worker lost) lapses after OFFER and is made again.
    """
    on_their_way = session.execute(
        select(func.count())
        .select_from(Delivery)
        .where(
            Delivery.lane == lane,
            Delivery.state == DeliveryState.PLANNED,
            Delivery.offered_until > func.clock_timestamp(),
        )
    ).scalar_one()
    chunk = CHUNK[lane]
    room = AHEAD * chunk - on_their_way
    if room <= 0:
        return []
    due = (
        select(Delivery.id)
        .where(
            Delivery.lane == lane,
            Delivery.state == DeliveryState.PLANNED,
            Delivery.next_attempt_at <= now,
            or_(Delivery.offered_until.is_(None), Delivery.offered_until < func.clock_timestamp()),
        )
        .order_by(Delivery.next_attempt_at, Delivery.id)
        .limit(room)
        .with_for_update(skip_locked=True)
    )
    ids = list(
        session.execute(
            update(Delivery)
            .where(Delivery.id.in_(due.scalar_subquery()))
            .values(offered_until=func.clock_timestamp() + OFFER)
            .returning(Delivery.id)
        ).scalars()
    )
    ids.sort()
    return [ids[start : start + chunk] for start in range(0, len(ids), chunk)]
