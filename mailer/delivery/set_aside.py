"""Rows that wait for a limit of their domain, out of the way of all others until their turn comes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from mailer.db import as_array
from mailer.delivery.ways import Ways

WAITS = "waits: "
"""How the reason of such a row begins; the limit follows, as in "waits: 120 an hour to outlook"."""

# Who has waited before and found the bucket empty, because something more urgent came, is next in line, not
# sent to its end.
_AGAIN = text("""
    SELECT id FROM deliveries WHERE id = ANY (CAST(:ids AS bigint[])) AND reason LIKE 'waits: %'
    """)
_MOVE = text("""
    UPDATE deliveries AS d
    SET next_attempt_at = o.until, reason = CAST(:reason AS text)
    FROM unnest(CAST(:ids AS bigint[]), CAST(:until AS timestamptz[])) AS o (id, until)
    WHERE d.id = o.id AND d.state = 'planned'
    """)
_RELEASE = text("""
    UPDATE deliveries SET next_attempt_at = :now, reason = ''
    WHERE state = 'planned' AND reason LIKE :reason AND next_attempt_at > :now
    RETURNING id
    """)


def set_aside(
    session: Session, ways: Ways, sender_id: int | None, group: str, ids: Sequence[int], now: datetime
) -> None:
    """Have due rows to `group` wait until there is a token for each; nothing is counted against them.

    `now` is business time. A row is moved about once, however many stand before it: each gets a moment of
    its own. Rows that wait for the transport as a whole stay where they are.
    """
    limits = ways.waiting_for(sender_id, group)
    if not limits:
        return
    again = set(session.execute(_AGAIN, {"ids": as_array(ids)}).scalars())
    first, fresh = [one for one in ids if one in again], [one for one in ids if one not in again]
    soonest = min(limits, key=lambda limit: ways.allowances.next_at(limit.transport_id, group))
    start = ways.allowances.next_at(soonest.transport_id, group)
    moments = [start + number * soonest.spacing / len(limits) for number in range(len(first))]
    moments += ways.allowances.promise(limits, len(fresh))
    # Limits go by the database's clock, deliveries by business time.
    moments = [now + (moment - ways.allowances.now) for moment in moments]
    values = {"ids": as_array(first + fresh), "until": as_array(moments), "reason": f"{WAITS}{soonest}"}
    session.execute(_MOVE, values)


def release(session: Session, group: str, now: datetime) -> int:
    """Have whatever waits for a limit of `group` looked at again: the limit has changed."""
    values = {"reason": f"{WAITS}%to {group}%", "now": now}
    return len(session.execute(_RELEASE, values).all())
