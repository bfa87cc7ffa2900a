"""Recording how sending went, and what follows from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from mailer.audience.suppression import suppress
from mailer.db import as_array
from mailer.delivery.outcome import Outcome
from mailer.delivery.states import ENDS
from mailer.models import DeliveryState, Event, EventKind, SuppressionReason
from mailer.schedule import enroll

# One statement for a whole group: a round trip and a commit for each mail would be most of its cost.
# A row that the server has taken counts as taken, whoever may have it by now: it must not be sent again.
WRITE = text("""
    UPDATE deliveries AS d
    SET state = o.state, reason = o.reason, token = NULL, lease_until = NULL,
        settled_at = CASE WHEN o.is_end THEN :now ELSE d.settled_at END,
        next_attempt_at =
            CASE WHEN o.state = 'planned' THEN :now + o.wait * interval '1 second' ELSE d.next_attempt_at END,
        deferrals = d.deferrals + o.deferrals, cuts = d.cuts + o.cuts, crashes = d.crashes + o.crashes
    FROM unnest(
        CAST(:ids AS bigint[]), CAST(:tokens AS uuid[]), CAST(:states AS text[]), CAST(:reasons AS text[]),
        CAST(:ends AS boolean[]), CAST(:waits AS float[]),
        CAST(:deferrals AS smallint[]), CAST(:cuts AS smallint[]), CAST(:crashes AS smallint[])
    ) AS o (id, token, state, reason, is_end, wait, deferrals, cuts, crashes)
    WHERE d.id = o.id
      AND ((d.token = o.token AND d.state = 'sending') OR (o.state = 'accepted' AND d.state = 'planned'))
    RETURNING d.id
    """)
NOTE = text("""
    INSERT INTO attempts (delivery_id, at, outcome, code, reply)
    SELECT id, :now, outcome, code, reply
    FROM unnest(
        CAST(:ids AS bigint[]), CAST(:outcomes AS text[]),
        CAST(:codes AS smallint[]), CAST(:replies AS text[])
    ) AS a (id, outcome, code, reply)
    """)


def record(session: Session, outcomes: Sequence[Outcome], now: datetime) -> Counter[DeliveryState]:
    """Write the outcomes whose rows are still ours (the token fences), and an attempt for each.

    A hard bounce suppresses the address and stops the person's courses. Returns how many rows went
    into each state.
    """
    if not outcomes:
        return Counter()
    ours = _write(session, outcomes, now)
    mine = [outcome for outcome in outcomes if outcome.row.id in ours]
    for outcome in mine:
        if outcome.state == DeliveryState.BOUNCED:
            _bounced(session, outcome, now)
    _note(session, [outcome for outcome in mine if outcome.was_tried], now)
    return Counter(outcome.state for outcome in mine)


def _write(session: Session, outcomes: Sequence[Outcome], now: datetime) -> set[int]:
    """Write the states; the ids of the rows that were still ours."""
    # In the order of their ids, so that two who write the same rows wait for each other, not in a ring.
    outcomes = sorted(outcomes, key=lambda outcome: outcome.row.id)
    written = session.execute(
        WRITE,
        {
            "now": now,
            "ids": as_array(outcome.row.id for outcome in outcomes),
            "tokens": as_array(outcome.row.token for outcome in outcomes),
            "states": as_array(outcome.state for outcome in outcomes),
            "reasons": as_array(outcome.reason for outcome in outcomes),
            "ends": as_array(outcome.state in ENDS for outcome in outcomes),
            "waits": as_array(outcome.wait.total_seconds() for outcome in outcomes),
            "deferrals": as_array(int(outcome.is_deferral) for outcome in outcomes),
            "cuts": as_array(int(outcome.is_cut) for outcome in outcomes),
            "crashes": as_array(int(outcome.is_crash) for outcome in outcomes),
        },
    )
    return set(written.scalars())


def _note(session: Session, outcomes: Sequence[Outcome], now: datetime) -> None:
    """An attempt for each: what the server answered, or what went wrong."""
    if outcomes:
        replies = [outcome.reply for outcome in outcomes]
        session.execute(
            NOTE,
            {
                "now": now,
                "ids": as_array(outcome.row.id for outcome in outcomes),
                "outcomes": as_array(outcome.state for outcome in outcomes),
                "codes": as_array(reply.code if reply else None for reply in replies),
                "replies": as_array(
                    reply.text if reply else outcome.reason
                    for outcome, reply in zip(outcomes, replies, strict=True)
                ),
            },
        )


def _bounced(session: Session, outcome: Outcome, now: datetime) -> None:
    row = outcome.row
    words = outcome.reply.text if outcome.reply else ""
    # In the order in which a reader's own leaving takes these rows, or the two could block each other.
    enroll.stop(session, row.subscriber_id, "the address bounced", now)
    suppress(session, row.email, SuppressionReason.HARD_BOUNCE, now, detail=words)
    session.add(
        Event(
            kind=EventKind.BOUNCED, at=now, subscriber_id=row.subscriber_id, delivery_id=row.id, detail=words
        )
    )
