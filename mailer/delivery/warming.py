"""Warm-up plans in force: each day's ceiling is a limit of its own, made from how the day before went."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import ColumnElement, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from mailer.delivery.warmup import WarmupDay, WarmupPlan, ceiling_after
from mailer.models import LimitOrigin, Period, SendLimit, Suppression, SuppressionReason, Transport


def begin_warmup(session: Session, transport: Transport, plan: WarmupPlan, now: datetime) -> None:
    """Put a transport under a plan, from today on; `now` is the database's clock."""
    transport.warmup_first, transport.warmup_target = plan.first, plan.target
    transport.warmup_growth, transport.warmup_day = plan.growth, now.date()
    _put_ceiling(session, transport.id, plan.first, now)


def end_warmup(session: Session, transport: Transport) -> None:
    """Let the transport carry what its other limits allow."""
    transport.warmup_first = transport.warmup_target = transport.warmup_day = None
    session.execute(delete(SendLimit).where(*_of(transport.id)))


def begin_days(session: Session, transport_ids: Collection[int], today: date) -> bool:
    """Make today's ceilings for those whose newest is of an earlier day; whether there were any.

    The caller has locked their limits.
    """
    rows = session.execute(
        update(Transport)
        .where(Transport.id.in_(transport_ids), Transport.warmup_day < today)
        .values(warmup_day=today)
        .returning(Transport.id, Transport.warmup_first, Transport.warmup_target, Transport.warmup_growth)
    ).all()
    for row in rows:
        _begin_day(session, row.id, WarmupPlan(row.warmup_first, row.warmup_target, row.warmup_growth), today)
    return bool(rows)


def ceiling_of(session: Session, transport_id: int) -> int | None:
    """How many mails the warm-up allows today."""
    return session.execute(select(SendLimit.most).where(*_of(transport_id))).scalar_one_or_none()


def _begin_day(session: Session, transport_id: int, plan: WarmupPlan, today: date) -> None:
    ceiling = ceiling_of(session, transport_id) or plan.first
    following = ceiling_after(plan, _yesterday(session, transport_id, ceiling, today))
    if following is None:
        ended = {"warmup_first": None, "warmup_target": None, "warmup_day": None}
        session.execute(update(Transport).where(Transport.id == transport_id).values(ended))
        session.execute(delete(SendLimit).where(*_of(transport_id)))
    else:
        session.execute(update(SendLimit).where(*_of(transport_id)).values(most=following))


_RESULTS = text("""
    SELECT coalesce(sum(mails) FILTER (WHERE new_state = 'accepted'), 0)::bigint AS accepted,
           coalesce(sum(mails) FILTER (WHERE new_state = 'planned'), 0)::bigint AS deferred
    FROM moves WHERE transport_id = :transport AND at >= :since AND at < :until
    """)


def results(session: Session, transport_id: int, since: datetime, until: datetime) -> tuple[int, int]:
    """Mails accepted and deferred by a transport; moves are kept for two days."""
    values = {"transport": transport_id, "since": since, "until": until}
    row = session.execute(_RESULTS, values).one()
    return row.accepted, row.deferred


def _yesterday(session: Session, transport_id: int, ceiling: int, today: date) -> WarmupDay:
    """How the day before went; complaints are counted whichever way the mail had gone, to be careful."""
    until = datetime.combine(today, time(0), UTC)
    since = until - timedelta(days=1)
    accepted, deferred = results(session, transport_id, since, until)
    complaints = session.execute(
        select(func.count())
        .select_from(Suppression)
        .where(
            Suppression.reason == SuppressionReason.COMPLAINT, Suppression.at >= since, Suppression.at < until
        )
    ).scalar_one()
    return WarmupDay(ceiling, accepted, deferred, complaints)


def _put_ceiling(session: Session, transport_id: int, ceiling: int, now: datetime) -> None:
    # What has gone out today counts, so that a plan begun in the afternoon is kept on that day too.
    accepted, _ = results(session, transport_id, datetime.combine(now.date(), time(0), UTC), now)
    state = {"most": ceiling, "day": now.date(), "used": accepted, "filled_at": now, "since": now}
    session.execute(
        insert(SendLimit)
        .values(transport_id=transport_id, period=Period.DAY, origin=LimitOrigin.WARMUP, **state)
        .on_conflict_do_update(
            index_elements=["transport_id", "domain_group", "period", "origin"], set_=state
        )
    )


def _of(transport_id: int) -> tuple[ColumnElement[bool], ...]:
    return SendLimit.transport_id == transport_id, SendLimit.origin == LimitOrigin.WARMUP
