"""A sample of each lane for each minute, folded into hours when they are old; see reports/history.py.

Kept bounded: minutes for two days, hours for a quarter of a year.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from mailer.db import clock_now
from mailer.models import LaneSample, Span
from mailer.reports.queues import QueueStatus

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
SETTLES = timedelta(seconds=10)
"""How long after its end a minute is counted: what was written in it has been committed by then."""

KEPT = {Span.MINUTE: timedelta(days=2), Span.HOUR: timedelta(days=92)}

# Both ends of the index on `at`; a deferral is a move that stays planned and names a transport.
_MOVED = text("""
    SELECT lane,
        coalesce(sum(mails) FILTER (WHERE new_state = 'accepted'), 0)::bigint AS sent,
        coalesce(sum(mails) FILTER (WHERE new_state = 'planned' AND transport_id IS NOT NULL), 0)::bigint
            AS put_off,
        coalesce(sum(mails) FILTER (WHERE new_state IN ('bounced', 'failed') AND transport_id IS NOT NULL), 0)
            ::bigint AS refused
    FROM moves WHERE at >= :begin AND at < :end GROUP BY lane
    """)
_FOLD = text("""
    INSERT INTO lane_samples (span, at, lane, sent, put_off, refused, waiting, set_aside, oldest)
    SELECT 'hour', date_trunc('hour', at, 'UTC'), lane, sum(sent)::bigint, sum(put_off)::bigint,
        sum(refused)::bigint, max(waiting), max(set_aside), max(oldest)
    FROM lane_samples
    WHERE span = 'minute' AND at >= :begin AND at < :end
    GROUP BY 2, 3
    ON CONFLICT (span, at, lane) DO NOTHING
    """)


def take_sample(session: Session, status: QueueStatus) -> bool:
    """Write the minute that ended last, by the database's clock; False when that was done already.

    A minute in which nobody took one stays missing: what waited then, nobody knows.
    """
    clock = clock_now(session)
    begin = (clock - SETTLES).replace(second=0, microsecond=0) - MINUTE
    moved = {row.lane: row for row in session.execute(_MOVED, {"begin": begin, "end": begin + MINUTE})}
    rows = []
    for lane in status.lanes:
        row = moved.get(lane.lane)
        counts = {name: getattr(row, name) if row else 0 for name in ("sent", "put_off", "refused")}
        waits = {"waiting": lane.waiting + lane.on_their_way, "set_aside": lane.held + lane.quarantined}
        rows.append(
            {"span": Span.MINUTE, "at": begin, "lane": lane.lane, "oldest": lane.oldest or 0.0}
            | counts
            | waits
        )
    written = session.execute(
        insert(LaneSample).values(rows).on_conflict_do_nothing().returning(LaneSample.lane)
    )
    if not written.all():
        return False
    _fold(session, begin)
    return True


def _fold(session: Session, minute: datetime) -> None:
    """Write the hours that have ended and are not written, and forget what is older than it is kept."""
    hour = minute.replace(minute=0)
    last = session.scalar(select(func.max(LaneSample.at)).where(LaneSample.span == Span.HOUR))
    begin = max(last + HOUR if last else hour - KEPT[Span.MINUTE], hour - KEPT[Span.MINUTE])
    if begin < hour:
        session.execute(_FOLD, {"begin": begin, "end": hour})
    for span, kept in KEPT.items():
        session.execute(delete(LaneSample).where(LaneSample.span == span, LaneSample.at < minute - kept))
