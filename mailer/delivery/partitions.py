"""A table for each month of deliveries, attempts and events, made ahead and dropped whole when it is old.

Dropping a month costs nothing per row, where deleting its mails would cost more than writing them did.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from mailer.db import impatient
from mailer.outbox import FIRST_YEAR, first_id, period_of
from mailer.tally import FORGOTTEN

AHEAD = 2
"""Months that have a table before they begin, this one included."""
PATIENCE = "2s"
"""Making or dropping a table waits for everybody who reads it; longer than this, and it is tried later."""

_NAME = re.compile(r"deliveries_(\d{4})_(\d{2})").fullmatch


@dataclass(frozen=True)
class Month:
    """One month (UTC) by its period; see `outbox.period_of`."""

    period: int

    @property
    def begins(self) -> datetime:
        return datetime(FIRST_YEAR + (self.period - 1) // 12, (self.period - 1) % 12 + 1, 1, tzinfo=UTC)

    @property
    def ends(self) -> datetime:
        return Month(self.period + 1).begins

    @property
    def suffix(self) -> str:
        return f"{self.begins:%Y_%m}"


def months_kept(session: Session) -> list[Month]:
    """The months that have tables, oldest first."""
    names = session.execute(
        text("""
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'deliveries'::regclass ORDER BY c.relname
        """)
    ).scalars()
    found = [match for name in names if (match := _NAME(name))]
    return [Month((int(year) - FIRST_YEAR) * 12 + int(month)) for year, month in (m.groups() for m in found)]


def make_ahead(session: Session, now: datetime) -> list[Month]:
    """Make the tables of this month and the next where they are missing; returns the months made.

    A month with rows that were written before it had a table is left in the table for the rest.
    """
    there = {month.period for month in months_kept(session)}
    first = max(1, period_of(now))
    missing = [Month(period) for period in range(first, first + AHEAD) if period not in there]
    return [month for month in missing if _try(session, _make, month)]


def drop_old(session: Session, now: datetime, months: int) -> list[Month]:
    """Drop the tables of months that ended more than `months` months ago, and with them their mails.

    A month is kept while one of its mails is open, or somebody who began in it is still in their course. What
    the mails came to stays in the tallies as forgotten. Returns the months dropped.
    """
    oldest = period_of(now) - months
    old = [month for month in months_kept(session) if month.period < oldest]
    return [month for month in old if not _is_alive(session, month) and _try(session, _drop, month)]


def _try(session: Session, change: Callable[[Session, Month], bool], month: Month) -> bool:
    """Whether the change could be made without keeping anybody waiting."""
    try:
        with impatient(session, PATIENCE):
            return change(session, month)
    except OperationalError:
        return False  # somebody is reading; another time


def _statements(session: Session, statements: Sequence[str]) -> None:
    for statement in statements:
        session.execute(text(statement))


def _make(session: Session, month: Month) -> bool:
    ids = f"FROM ({first_id(month.period)}) TO ({first_id(month.period + 1)})"
    moments = f"FROM ('{month.begins.isoformat()}') TO ('{month.ends.isoformat()}')"
    if _rest_has(session, month):
        return False
    suffix = month.suffix
    _statements(
        session,
        [
            f"CREATE TABLE deliveries_{suffix} PARTITION OF deliveries FOR VALUES {ids} "
            "WITH (fillfactor = 80)",
            f"CREATE UNIQUE INDEX uq_deliveries_{suffix}_dedup_key ON deliveries_{suffix} (dedup_key)",
            f"CREATE TABLE attempts_{suffix} PARTITION OF attempts FOR VALUES {ids}",
            f"CREATE TABLE events_{suffix} PARTITION OF events FOR VALUES {moments}",
        ],
    )
    return True


def _rest_has(session: Session, month: Month) -> bool:
    found = session.execute(
        text("""
        SELECT EXISTS (SELECT FROM deliveries_rest WHERE id >= :first AND id < :next)
            OR EXISTS (SELECT FROM attempts_rest WHERE delivery_id >= :first AND delivery_id < :next)
            OR EXISTS (SELECT FROM events_rest WHERE at >= :begins AND at < :ends)
        """),
        {
            "first": first_id(month.period),
            "next": first_id(month.period + 1),
            "begins": month.begins,
            "ends": month.ends,
        },
    )
    return bool(found.scalar_one())


def _is_alive(session: Session, month: Month) -> bool:
    """Whether a mail of the month is open, or somebody who began in it may still get one."""
    found = session.execute(
        text(f"""
        SELECT EXISTS (
            SELECT FROM deliveries_{month.suffix}
            WHERE state IN ('planned', 'sending', 'held', 'quarantined')
        ) OR EXISTS (
            SELECT FROM enrollments
            WHERE state IN ('waiting', 'active') AND created_at >= :begins AND created_at < :ends
        )
        """),  # noqa: S608 (a month's name)
        {"begins": month.begins, "ends": month.ends},
    )
    return bool(found.scalar_one())


def _drop(session: Session, month: Month) -> bool:
    suffix = month.suffix
    session.execute(
        text(f"""
        INSERT INTO moves (lane, source, kind, step_id, old_state, new_state, mails)
        SELECT lane, source, kind, step_id, state, :forgotten, count(*)
        FROM deliveries_{suffix} GROUP BY 1, 2, 3, 4, 5
        """),  # noqa: S608
        {"forgotten": FORGOTTEN},
    )
    _statements(session, [f"DROP TABLE {name}_{suffix}" for name in ("attempts", "events", "deliveries")])
    session.execute(
        text("UPDATE instance SET kept_since = greatest(kept_since, :ends)"), {"ends": month.ends}
    )
    return True
