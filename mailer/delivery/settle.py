"""Recording how sending went, and what follows from it."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from mailer import tally
from mailer.audience.soft_bounces import count_soft_bounces, forget_soft_bounces
from mailer.audience.suppression import find_suppression, suppress
from mailer.db import as_array
from mailer.delivery.claim import lock_batch
from mailer.delivery.outcome import Outcome
from mailer.delivery.policy import Policy
from mailer.delivery.reasons import kind_of
from mailer.delivery.states import ENDS
from mailer.models import DeliveryState, Event, EventKind, SuppressionReason, WebhookKind
from mailer.schedule import enroll
from mailer.webhooks.tell import Fact, tell

# Most of what is written by far, so in one narrow statement of its own.
_ACCEPT = text("""
    UPDATE deliveries AS d
    SET state = 'accepted', reason = '', batch_id = NULL, settled_at = :now, attempts = d.attempts + 1,
        code = o.code, reply = o.reply
    FROM unnest(
        CAST(:ids AS bigint[]), CAST(:codes AS smallint[]), CAST(:replies AS text[])
    ) AS o (id, code, reply)
    WHERE d.id = o.id AND d.state = 'sending' AND d.batch_id = :batch
    RETURNING d.id
    """)
_WRITE = text("""
    UPDATE deliveries AS d
    SET state = o.state, reason = o.reason, batch_id = NULL,
        settled_at = CASE WHEN o.is_end THEN :now ELSE d.settled_at END,
        next_attempt_at = CASE
            WHEN o.state <> 'planned' THEN d.next_attempt_at
            WHEN o.until IS NOT NULL THEN o.until
            WHEN o.wait > 0 THEN :now + o.wait * interval '1 second'
            ELSE d.next_attempt_at END,
        attempts = d.attempts + o.tried, deferrals = d.deferrals + o.deferrals, cuts = d.cuts + o.cuts,
        crashes = d.crashes + o.crashes, code = coalesce(o.code, d.code), reply = coalesce(o.reply, d.reply),
        no_room_since = o.no_room_since,
        because = CASE
            WHEN strpos(coalesce(d.because, ''), o.because) > 0 THEN d.because
            ELSE concat_ws('; ', d.because, nullif(o.because, '')) END
    FROM unnest(
        CAST(:ids AS bigint[]), CAST(:states AS text[]), CAST(:reasons AS text[]), CAST(:ends AS boolean[]),
        CAST(:waits AS float[]), CAST(:until AS timestamptz[]), CAST(:tried AS smallint[]),
        CAST(:deferrals AS smallint[]), CAST(:cuts AS smallint[]), CAST(:crashes AS smallint[]),
        CAST(:codes AS smallint[]), CAST(:replies AS text[]), CAST(:because AS text[]),
        CAST(:no_room_since AS timestamptz[])
    ) AS o (id, state, reason, is_end, wait, until, tried, deferrals, cuts, crashes, code, reply, because,
            no_room_since)
    WHERE d.id = o.id AND d.state = 'sending' AND d.batch_id = :batch
    RETURNING d.id
    """)
# The batch was given away, but the server has the mail: it must not be sent again by whoever has it next.
_EVIDENCE = text("""
    WITH was AS (
        SELECT id, state FROM deliveries
        WHERE id = :id AND state IN ('planned', 'uncertain') FOR UPDATE
    )
    UPDATE deliveries AS d
    SET state = 'accepted', reason = 'accepted by a worker that had lost it', settled_at = :now,
        attempts = d.attempts + 1, code = :code, reply = :reply
    FROM was WHERE d.id = was.id RETURNING was.state
    """)
_NOTE = text("""
    INSERT INTO attempts (delivery_id, at, outcome, code, reply, kind, transport_id)
    SELECT id, :now, outcome, code, reply, kind, CAST(:transport_id AS bigint)
    FROM unnest(
        CAST(:ids AS bigint[]), CAST(:outcomes AS text[]),
        CAST(:codes AS smallint[]), CAST(:replies AS text[]), CAST(:kinds AS text[])
    ) AS a (id, outcome, code, reply, kind)
    """)
_END = text("DELETE FROM batches WHERE id = :batch")


def record(
    session: Session,
    batch_id: int,
    token: uuid.UUID,
    outcomes: Sequence[Outcome],
    now: datetime,
    policy: Policy,
    *,
    transport_id: int | None = None,
    is_last: bool = False,
) -> Counter[DeliveryState] | None:
    """Write the outcomes of a batch, or None when it is that token's no more (only what was taken counts).

    A hard bounce suppresses the address and stops the person's courses; enough soft ones in a row suppress it
    for a while, as `policy` says. `is_last` ends the batch. Returns how
    many rows went into each state.
    """
    if not lock_batch(session, batch_id, token):
        _keep_evidence(session, outcomes, now, transport_id)
        return None
    # In the order of their ids, so that two who write the same rows wait for each other, not in a ring.
    outcomes = sorted(outcomes, key=_id_of)
    accepted = [one for one in outcomes if one.state == DeliveryState.ACCEPTED]
    others = [one for one in outcomes if one.state != DeliveryState.ACCEPTED]
    ours = _accept(session, batch_id, accepted, now) | _write(session, batch_id, others, now)
    mine = [one for one in others if one.row.id in ours]
    for outcome in mine:
        if outcome.state == DeliveryState.BOUNCED:
            _bounced(session, outcome, now, policy)
    forget_soft_bounces(session, [one.row.subscriber_id for one in accepted if one.row.id in ours])
    _count_soft_bounces(session, [one for one in mine if one.is_soft_bounce], now, policy)
    _keep_waiting(session, mine, now)
    _note(session, [one for one in mine if one.was_tried], now, transport_id)
    moved = [one for one in outcomes if one.row.id in ours]
    _count(session, moved, transport_id)
    if is_last:
        session.execute(_END, {"batch": batch_id})
    return Counter(one.state for one in moved)


def _id_of(outcome: Outcome) -> int:
    return outcome.row.id


def _accept(session: Session, batch_id: int, outcomes: Sequence[Outcome], now: datetime) -> set[int]:
    if not outcomes:
        return set()
    written = session.execute(
        _ACCEPT,
        {
            "now": now,
            "batch": batch_id,
            "ids": as_array(outcome.row.id for outcome in outcomes),
            "codes": as_array(outcome.reply.code if outcome.reply else None for outcome in outcomes),
            "replies": as_array(outcome.reply.text if outcome.reply else None for outcome in outcomes),
        },
    )
    return set(written.scalars().all())


def _write(session: Session, batch_id: int, outcomes: Sequence[Outcome], now: datetime) -> set[int]:
    """Write the states; the ids of the rows that were still ours."""
    if not outcomes:
        return set()
    replies = [outcome.reply for outcome in outcomes]
    written = session.execute(
        _WRITE,
        {
            "now": now,
            "batch": batch_id,
            "ids": as_array(outcome.row.id for outcome in outcomes),
            "states": as_array(outcome.state for outcome in outcomes),
            "reasons": as_array(outcome.reason for outcome in outcomes),
            "ends": as_array(outcome.state in ENDS for outcome in outcomes),
            "waits": as_array(outcome.wait.total_seconds() for outcome in outcomes),
            "until": as_array(outcome.until for outcome in outcomes),
            "tried": as_array(int(outcome.was_tried) for outcome in outcomes),
            "deferrals": as_array(int(outcome.is_deferral) for outcome in outcomes),
            "cuts": as_array(int(outcome.is_cut) for outcome in outcomes),
            "crashes": as_array(int(outcome.is_crash) for outcome in outcomes),
            "codes": as_array(reply.code if reply else None for reply in replies),
            "replies": as_array(reply.text if reply else None for reply in replies),
            "because": as_array(outcome.because for outcome in outcomes),
            "no_room_since": as_array(outcome.no_room_since for outcome in outcomes),
        },
    )
    return set(written.scalars().all())


def _keep_evidence(
    session: Session, outcomes: Sequence[Outcome], now: datetime, transport_id: int | None
) -> None:
    """What a server has taken counts as taken, whoever was to send it; a second copy is written down."""
    for outcome in outcomes:
        if outcome.state != DeliveryState.ACCEPTED or outcome.reply is None:
            continue
        values = {
            "id": outcome.row.id,
            "now": now,
            "code": outcome.reply.code,
            "reply": outcome.reply.text,
        }
        was = session.execute(_EVIDENCE, values).scalar_one_or_none()
        if was is None:
            _note(session, [outcome], now, transport_id)
        else:
            change = tally.Change(outcome.row.place, was, DeliveryState.ACCEPTED)
            tally.note(session, {change: 1})


def _note(session: Session, outcomes: Sequence[Outcome], now: datetime, transport_id: int | None) -> None:
    """An attempt for each: what the server answered, or what went wrong."""
    if outcomes:
        replies = [outcome.reply for outcome in outcomes]
        session.execute(
            _NOTE,
            {
                "now": now,
                "ids": as_array(outcome.row.id for outcome in outcomes),
                "outcomes": as_array(outcome.state for outcome in outcomes),
                "codes": as_array(reply.code if reply else None for reply in replies),
                "kinds": as_array(kind_of(outcome) for outcome in outcomes),
                "transport_id": transport_id,
                "replies": as_array(
                    reply.text if reply else outcome.reason
                    for outcome, reply in zip(outcomes, replies, strict=True)
                ),
            },
        )


def _count(session: Session, outcomes: Sequence[Outcome], transport_id: int | None) -> None:
    changes = Counter(
        (outcome.row.place, outcome.state, transport_id if outcome.was_tried else None)
        for outcome in outcomes
    )
    tally.note(
        session,
        {
            tally.Change(place, DeliveryState.SENDING, state, transport): mails
            for (place, state, transport), mails in changes.items()
        },
    )


def _bounced(session: Session, outcome: Outcome, now: datetime, policy: Policy) -> None:
    row = outcome.row
    words = outcome.reply.text if outcome.reply else ""
    # In the order in which a reader's own leaving takes these rows, or the two could block each other.
    enroll.stop(session, row.subscriber_id, "the address bounced", now)
    until = None if policy.hard_bounce_ends is None else now + policy.hard_bounce_ends
    suppress(session, row.email, SuppressionReason.HARD_BOUNCE, now, detail=words, until=until)
    session.add(
        Event(
            kind=EventKind.BOUNCED, at=now, subscriber_id=row.subscriber_id, delivery_id=row.id, detail=words
        )
    )
    tell(session, WebhookKind.BOUNCED, now, [Fact(row.subscriber_id, {"answer": words})])


def _count_soft_bounces(session: Session, outcomes: Sequence[Outcome], now: datetime, policy: Policy) -> None:
    people = [outcome.row.subscriber_id for outcome in outcomes]
    rule = policy.soft_bounces
    for subscriber_id in count_soft_bounces(session, people, rule, now):
        if rule.ends is None:
            enroll.stop(session, subscriber_id, "the mailbox took no mail", now)
        else:
            # Their lessons wait for them, rather than be planned one by one and not sent.
            enroll.wait_until(session, subscriber_id, now + rule.ends)


def _keep_waiting(session: Session, outcomes: Sequence[Outcome], now: datetime) -> None:
    """A course that was published anew has planned something for somebody who waits: let them wait on."""
    for outcome in outcomes:
        if outcome.state == DeliveryState.SUPPRESSED and outcome.reason == SuppressionReason.SOFT_BOUNCE:
            found = find_suppression(session, outcome.row.email, now)
            if found is not None and found.until is not None:
                enroll.wait_until(session, outcome.row.subscriber_id, found.until)
