"""The only writer of new delivery rows: one row for one mail to one person, ever."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from mailer.db import as_array, ask_to_wake
from mailer.models import DeliveryKind, Lane

LANE_OF = {
    DeliveryKind.CONFIRM: Lane.TRANSACTIONAL,
    DeliveryKind.WELCOME: Lane.COURSE,
    DeliveryKind.STEP: Lane.COURSE,
}


@dataclass(frozen=True)
class NewDelivery:
    """A mail that is due. `dedup_key` (see `dedup_key`) says which mail it is, whoever plans it."""

    dedup_key: str
    kind: DeliveryKind
    subscriber_id: int
    message_id: int
    list_id: int
    due_at: datetime
    course_id: int | None = None
    step_id: int | None = None
    enrollment_id: int | None = None
    lane: Lane | None = None
    """The kind's own lane, unless said otherwise."""


PLAIN = (
    *("dedup_key", "subscriber_id", "message_id", "list_id"),
    *("course_id", "step_id", "enrollment_id"),
)

# All rows in one statement: one for each would be most of what planning costs.
INSERT = text("""
    INSERT INTO deliveries (
        dedup_key, kind, lane, subscriber_id, message_id, list_id,
        course_id, step_id, enrollment_id, due_at, next_attempt_at
    )
    SELECT n.*, greatest(n.due_at, :now)
    FROM unnest(
        CAST(:dedup_key AS text[]), CAST(:kind AS text[]), CAST(:lane AS text[]),
        CAST(:subscriber_id AS bigint[]), CAST(:message_id AS bigint[]), CAST(:list_id AS bigint[]),
        CAST(:course_id AS bigint[]), CAST(:step_id AS bigint[]), CAST(:enrollment_id AS bigint[]),
        CAST(:due_at AS timestamptz[])
    ) AS n (dedup_key, kind, lane, subscriber_id, message_id, list_id,
            course_id, step_id, enrollment_id, due_at)
    ON CONFLICT (dedup_key) DO NOTHING
    RETURNING dedup_key, id
    """)


def dedup_key(kind: DeliveryKind, source: str | int, step: str, subscriber_id: int, round_: int = 1) -> str:
    """What makes a mail the same mail: kind, source, step key, subscriber and round.

    A week that is repeated is a new round; planning it twice is not.
    """
    return f"{kind}:{source}:{step}:{subscriber_id}:{round_}"


def lane_of(row: NewDelivery) -> Lane:
    """The queue that this mail waits in."""
    return row.lane or LANE_OF[row.kind]


def write(session: Session, rows: Sequence[NewDelivery], now: datetime) -> dict[str, int]:
    """Add the rows whose dedup key is new; returns delivery ids by dedup key, of those added only."""
    if not rows:
        return {}
    added = session.execute(
        INSERT,
        {
            "now": now,
            "due_at": as_array(row.due_at for row in rows),
            "lane": as_array(lane_of(row) for row in rows),
            "kind": as_array(row.kind for row in rows),
            **{name: as_array(getattr(row, name) for row in rows) for name in PLAIN},
        },
    ).all()
    keys: dict[str, int] = {row.dedup_key: row.id for row in added}
    for lane in {lane_of(row) for row in rows if row.dedup_key in keys}:
        ask_to_wake(session, lane)
    return keys
