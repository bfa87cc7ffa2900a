"""Counting deliveries by state as they change, so that nobody has to count a million rows to know.

Whoever changes states writes a few `moves` in the same transaction: rows that are only added, so nobody waits
for anybody. The tick folds old ones into `tallies`; a count is the sum of both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.orm import Session

from mailer.db import as_array
from mailer.models import DeliveryState

KEPT = timedelta(days=2)
"""How long moves are kept one by one: what "in the last minute" and "today" are read from."""


FORGOTTEN = "forgotten"
"""What those count as that were deleted: with their person, or because they were old."""


class Place(NamedTuple):
    """What is counted apart: one lane, source, kind and step."""

    lane: str
    source: str
    kind: str
    step_id: int | None


class Change(NamedTuple):
    """From one state (None: the delivery is new) to another. `transport_id` is for ends by a server."""

    place: Place
    old: str | None
    new: str
    transport_id: int | None = None


_ADD = text("""
    INSERT INTO moves (lane, source, kind, step_id, transport_id, old_state, new_state, mails)
    SELECT * FROM unnest(
        CAST(:lane AS text[]), CAST(:source AS text[]), CAST(:kind AS text[]), CAST(:step_id AS bigint[]),
        CAST(:transport_id AS bigint[]), CAST(:old AS text[]), CAST(:new AS text[]), CAST(:mails AS bigint[])
    )
    """)


def note(session: Session, changes: Mapping[Change, int]) -> None:
    """Write what has changed in this transaction; what only goes to or comes from a worker is left out."""
    counted: Counter[Change] = Counter()
    for change, mails in changes.items():
        old, new = _counted_as(change.old), _counted_as(change.new)
        # A deferral stays planned, and is what a transport is judged by.
        if old != new or change.transport_id is not None:
            counted[change._replace(old=old, new=new or "")] += mails
    rows = [(change, mails) for change, mails in counted.items() if mails]
    if rows:
        session.execute(
            _ADD,
            {
                "lane": as_array(change.place.lane for change, _ in rows),
                "source": as_array(change.place.source for change, _ in rows),
                "kind": as_array(change.place.kind for change, _ in rows),
                "step_id": as_array(change.place.step_id for change, _ in rows),
                "transport_id": as_array(change.transport_id for change, _ in rows),
                "old": as_array(change.old for change, _ in rows),
                "new": as_array(change.new for change, _ in rows),
                "mails": as_array(mails for _, mails in rows),
            },
        )


def _counted_as(state: str | None) -> str | None:
    return DeliveryState.PLANNED if state == DeliveryState.SENDING else state


# Both sides of every move, with what was folded before.
SUMS = """
    SELECT lane, source, kind, step_id, state, sum(mails)::bigint AS mails
    FROM (
        SELECT lane, source, kind, step_id, state, mails FROM tallies
        UNION ALL
        SELECT lane, source, kind, step_id, new_state, mails FROM moves WHERE NOT is_folded
        UNION ALL
        SELECT lane, source, kind, step_id, old_state, -mails FROM moves
        WHERE NOT is_folded AND old_state IS NOT NULL
    ) AS sides
"""
_COUNTS = SUMS + "WHERE source = ANY(CAST(:sources AS text[])) OR :sources IS NULL GROUP BY 1, 2, 3, 4, 5"


def counts(session: Session, sources: Iterable[str] | None = None) -> dict[tuple[Place, str], int]:
    """Deliveries by place and state, of these sources or of all; nothing that is 0. See `Move`."""
    named = None if sources is None else as_array(sources)
    rows = session.execute(text(_COUNTS), {"sources": named})
    return {
        (Place(row.lane, row.source, row.kind, row.step_id), row.state): row.mails
        for row in rows
        if row.mails
    }


def by_source(session: Session, sources: Iterable[str]) -> dict[str, Counter[str]]:
    """Deliveries of each of these sources by state."""
    states: dict[str, Counter[str]] = {source: Counter() for source in sources}
    for (place, state), mails in counts(session, states).items():
        states[place.source][state] += mails
    return states


_TOTAL = f"SELECT coalesce(sum(mails), 0)::bigint FROM ({SUMS} GROUP BY 1, 2, 3, 4, 5) AS s"  # noqa: S608


def total(session: Session) -> int:
    """How many deliveries there ever were, those that were forgotten among them."""
    return int(session.execute(text(_TOTAL)).scalar_one())


# One statement, so that a move is counted on one side only whenever somebody looks.
_FOLD = """
    WITH folded AS (
        UPDATE moves SET is_folded = true
        WHERE id IN (SELECT id FROM moves WHERE NOT is_folded ORDER BY id LIMIT :limit FOR UPDATE SKIP LOCKED)
        RETURNING lane, source, kind, step_id, old_state, new_state, mails
    ), sides AS (
        SELECT lane, source, kind, step_id, new_state AS state, mails FROM folded
        UNION ALL
        SELECT lane, source, kind, step_id, old_state, -mails FROM folded WHERE old_state IS NOT NULL
    ), added AS (
        INSERT INTO tallies AS t (lane, source, kind, step_id, state, mails)
        SELECT lane, source, kind, step_id, state, sum(mails) FROM sides GROUP BY 1, 2, 3, 4, 5
        ON CONFLICT (source, kind, step_id, lane, state) DO UPDATE SET mails = t.mails + excluded.mails
        RETURNING 1
    )
    SELECT count(*) FROM folded
"""
_FORGET = "DELETE FROM moves WHERE is_folded AND at < clock_timestamp() - CAST(:kept AS interval)"


def fold(session: Session, limit: int = 10_000) -> int:
    """Add what has moved to the tallies, and drop what is older than KEPT; how many moves were folded."""
    folded = session.execute(text(_FOLD), {"limit": limit}).scalar_one()
    session.execute(text(_FORGET), {"kept": KEPT})
    return int(folded)


_RECOUNT = """
    WITH counted AS (
        SELECT lane, source, kind, step_id, CASE state WHEN 'sending' THEN 'planned' ELSE state END AS state,
               count(*) AS mails
        FROM deliveries GROUP BY 1, 2, 3, 4, 5
    ), kept AS (
        SELECT * FROM ({sums} GROUP BY 1, 2, 3, 4, 5) AS s WHERE mails <> 0 AND state <> :forgotten
    )
    SELECT coalesce(c.source, k.source) AS source, coalesce(c.state, k.state) AS state,
           coalesce(c.mails, 0) AS counted, coalesce(k.mails, 0) AS kept
    FROM counted c FULL JOIN kept k
      ON (c.lane, c.source, c.kind, c.state) = (k.lane, k.source, k.kind, k.state)
     AND coalesce(c.step_id, 0) = coalesce(k.step_id, 0)
    WHERE coalesce(c.mails, 0) <> coalesce(k.mails, 0)
    ORDER BY 1, 2
"""


class Wrong(NamedTuple):
    """A count that is not what a recount finds."""

    source: str
    state: str
    counted: int
    kept: int


def recount(session: Session) -> list[Wrong]:
    """Count every delivery and hold it against the tallies: what differs. Reads the whole table."""
    query = _RECOUNT.format(sums=SUMS)
    return [Wrong(*row) for row in session.execute(text(query), {"forgotten": FORGOTTEN})]


_REPLACE = """
    INSERT INTO tallies (lane, source, kind, step_id, state, mails)
    SELECT lane, source, kind, step_id, CASE state WHEN 'sending' THEN 'planned' ELSE state END, count(*)
    FROM deliveries GROUP BY 1, 2, 3, 4, 5
"""


def mend(session: Session) -> list[Wrong]:
    """Put the tallies right by a recount; returns what was wrong. Nobody's states change meanwhile."""
    session.execute(text("LOCK TABLE moves IN EXCLUSIVE MODE"))
    wrong = recount(session)
    if wrong:
        session.execute(text("UPDATE moves SET is_folded = true WHERE NOT is_folded"))
        session.execute(text("DELETE FROM tallies WHERE state <> :forgotten"), {"forgotten": FORGOTTEN})
        session.execute(text(_REPLACE))
    return wrong
