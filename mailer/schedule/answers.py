"""What readers said of their weeks: the newest answer of each counts."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from mailer.db import as_array

# What was said before the course was begun anew is past.
_NEWEST = text("""
    SELECT DISTINCT ON (c.enrollment_id, c.week) c.enrollment_id, c.week, c.answer, c.times, c.at
    FROM check_ins AS c JOIN enrollments AS e ON e.id = c.enrollment_id
    WHERE c.enrollment_id = ANY (CAST(:ids AS bigint[])) AND (e.begun_at IS NULL OR c.at >= e.begun_at)
    ORDER BY c.enrollment_id, c.week, c.id DESC
    """)

NO_ANSWERS: Mapping[int, str] = {}


def newest_answers(session: Session, enrollment_ids: Collection[int]) -> dict[int, dict[int, str]]:
    """By enrollment and week what was said last, in this round of the course; one query for all."""
    found: dict[int, dict[int, str]] = {}
    for row in _rows(session, enrollment_ids):
        found.setdefault(row.enrollment_id, {})[row.week] = row.answer
    return found


def answer_since(session: Session, enrollment_id: int, week: int, times: int) -> str | None:
    """What was said last of a week since it was sent for the `times`-th time again; None for silence."""
    for row in _rows(session, [enrollment_id]):
        if row.week == week and row.times == times:
            return str(row.answer)
    return None


def _rows(session: Session, enrollment_ids: Collection[int]) -> list[Row[Any]]:
    if not enrollment_ids:
        return []
    return list(session.execute(_NEWEST, {"ids": as_array(sorted(set(enrollment_ids)))}))
