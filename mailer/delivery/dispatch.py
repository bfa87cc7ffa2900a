"""Dispatch: due rows are offered to the workers in chunks, only a little ahead of what they can send."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.orm import Session

from mailer.db import written_out
from mailer.models import Delivery, DeliveryState, Lane

OFFER = timedelta(seconds=60)
"""How long an offer stands before its rows are offered again; the database's clock."""

CHUNK = {Lane.TRANSACTIONAL: 20, Lane.COURSE: 100, Lane.CAMPAIGN: 500}
"""Rows in one task. Small ones keep the urgent lanes quick and cost little when a worker is lost."""

ADVISORY_LOCK = 7_318_002
"""Its second half is the lane; see `migrations.ADVISORY_LOCK` for the other one."""

AHEAD = 10
"""Chunks on their way at the same time in one lane."""


def offer(session: Session, lane: Lane, now: datetime) -> list[list[int]]:
    """Ids to hand to the workers of `lane`: due rows in chunks, only a few chunks on their way.

    An offer that nobody took up (a broker emptied, a worker lost) lapses after OFFER and is made again.
    """
    lock = select(func.pg_try_advisory_xact_lock(ADVISORY_LOCK, list(Lane).index(lane)))
    if not session.execute(lock).scalar_one():
        return []  # somebody else is dispatching this lane at this moment
    chunk = CHUNK[lane]
    room = AHEAD * chunk - _on_their_way(session, lane, now, 2 * AHEAD * chunk)
    if room <= 0:
        return []
    due = (
        select(Delivery.id)
        .where(
            _is_due(lane, now),
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


def _is_due(lane: Lane, now: datetime) -> ColumnElement[bool]:
    """Due rows of a lane, by the partial index of what is planned."""
    return and_(
        Delivery.lane == written_out(lane),
        Delivery.state == written_out(DeliveryState.PLANNED),
        Delivery.next_attempt_at <= now,
    )


def _on_their_way(session: Session, lane: Lane, now: datetime, most: int) -> int:
    """How many of the first `most` due rows are offered: those come first, so no more need to be read."""
    first = (
        select(Delivery.offered_until)
        .where(_is_due(lane, now))
        .order_by(Delivery.next_attempt_at, Delivery.id)
        .limit(most)
        .subquery()
    )
    is_offered = first.c.offered_until > func.clock_timestamp()
    return session.execute(select(func.count()).select_from(first).where(is_offered)).scalar_one()
