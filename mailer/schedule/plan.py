"""The tick: enrollments that are due become delivery rows."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, select, text, update
from sqlalchemy.orm import Session

from mailer import outbox
from mailer.clock import local_date
from mailer.db import as_array, written_out
from mailer.models import (
    Delivery,
    DeliveryKind,
    DeliveryState,
    Enrollment,
    EnrollmentState,
    Subscriber,
)
from mailer.schedule.courses import CoursePlan, load_plan
from mailer.schedule.decide import Decision, Finish, Place, Send, StepPlan, Wait, decide
from mailer.schedule.timing import Anchor

OPEN = (DeliveryState.PLANNED, DeliveryState.SENDING, DeliveryState.HELD, DeliveryState.QUARANTINED)
"""While the last mail is in one of these the next one waits: no lesson is passed over silently."""

UNDECIDED_WAIT = timedelta(hours=1)

log = logging.getLogger(__name__)

IS_ACTIVE: ColumnElement[bool] = Enrollment.state == written_out(EnrollmentState.ACTIVE)


@dataclass
class _Batch:
    """What one tick writes: delivery rows, and what changes on the enrollments.

    `decided` remembers what was decided for a place in a course: many people stand at the same one.
    """

    decided: dict[tuple[int, Place], tuple[Decision, Decision]] = field(default_factory=dict)
    deliveries: list[outbox.NewDelivery] = field(default_factory=list)
    changes: list[dict[str, Any]] = field(default_factory=list)


def plan_due(session: Session, now: datetime, limit: int = 1000) -> int:
    """Write a delivery row for every enrollment whose next step is due at `now`.

    Returns how many enrollments were looked at, `limit` at most; ask again until it is 0. Running it
    twice, also at the same time, plans each mail once: rows are locked, and the dedup key is unique.
    """
    due = session.execute(
        select_places()
        .where(IS_ACTIVE, Enrollment.next_due_at <= now)
        .order_by(Enrollment.next_due_at)
        .limit(limit)
        .with_for_update(of=Enrollment, key_share=True, skip_locked=True)
    ).all()
    plans: dict[int, CoursePlan] = {}
    batch = _Batch()
    for row in due:
        if row.course_id not in plans:
            plans[row.course_id] = load_plan(session, row.course_id)
        try:
            _decide_one(row, plans[row.course_id], now, batch)
        except Exception:
            # One row that cannot be decided must not keep everybody else waiting.
            fields = {"event": "enrollment.undecided", "enrollment_id": row.id}
            log.exception("Enrollment %s cannot be decided", row.id, extra=fields)
            session.execute(
                update(Enrollment).where(Enrollment.id == row.id).values(next_due_at=now + UNDECIDED_WAIT)
            )
    added = outbox.write(session, batch.deliveries, now)
    apply_changes(session, batch.changes, added)
    return len(due)


def select_places() -> Select[Any]:
    """Enrollments with all that `place_of` needs."""
    columns: tuple[Any, ...] = (
        Enrollment.id,
        Enrollment.course_id,
        Enrollment.subscriber_id,
        Enrollment.anchor_date,
        Enrollment.anchor_day,
        Enrollment.last_day,
        Enrollment.last_delivery_id,
        Enrollment.round,
        Enrollment.created_at,
        Subscriber.zone,
        Delivery.state.label("last_state"),
        Delivery.settled_at.label("last_settled_at"),
    )
    return (
        select(*columns)
        .join(Subscriber, Subscriber.id == Enrollment.subscriber_id)
        .outerjoin(Delivery, Delivery.id == Enrollment.last_delivery_id)
    )


def place_of(row: Any, course_zone: str) -> Place:
    """Where somebody is in their course, from a row of `select_places`."""
    zone = row.zone or course_zone
    return Place(
        zone=zone,
        anchor=Anchor(row.anchor_date, row.anchor_day),
        last_day=row.last_day,
        is_last_open=row.last_state in OPEN,
        last_left_on=_left_on(row, zone),
    )


def _decide_one(row: Any, plan: CoursePlan, now: datetime, batch: _Batch) -> None:
    place = place_of(row, plan.zone)
    known = batch.decided.get((plan.id, place))
    if known is None:
        known = batch.decided[plan.id, place] = _decide_twice(place, plan, now)
    decision, following = known
    match decision:
        case Finish():
            batch.changes.append(change_of(row, state=EnrollmentState.FINISHED, ended_at=now))
        case Wait(until, anchor):
            batch.changes.append(change_of(row, anchor=anchor, next_due_at=until))
        case Send(step, due_at, anchor):
            lesson = lesson_of(row, plan, step, due_at)
            # First what may fail: a mail must not stay in the batch without its reader's next place.
            change = _after_send(row, decision, following, lesson.dedup_key, now)
            batch.deliveries.append(lesson)
            batch.changes.append(change)


def lesson_of(row: Any, plan: CoursePlan, step: StepPlan, due_at: datetime) -> outbox.NewDelivery:
    """The mail of `step` for the reader of a row of `select_places`."""
    return outbox.NewDelivery(
        dedup_key=outbox.dedup_key(DeliveryKind.STEP, plan.id, step.key, row.subscriber_id, row.round),
        kind=DeliveryKind.STEP,
        subscriber_id=row.subscriber_id,
        message_id=step.message_id,
        list_id=plan.list_id,
        due_at=due_at,
        began_at=row.created_at,
        course_id=plan.id,
        step_id=step.id,
        enrollment_id=row.id,
    )


def _left_on(row: Any, zone: str) -> date | None:
    """On which day in the reader's zone the last mail left; None while it has not, or never will."""
    if row.last_settled_at is None or row.last_state not in (DeliveryState.ACCEPTED, DeliveryState.UNCERTAIN):
        return None
    return local_date(row.last_settled_at, zone)


def _decide_twice(place: Place, plan: CoursePlan, now: datetime) -> tuple[Decision, Decision]:
    """What happens now, and, where that is a mail, what follows once it has left."""
    decision = decide(place, plan.steps, now)
    if not isinstance(decision, Send):
        return decision, decision
    after = Place(place.zone, decision.anchor, decision.step.day, last_left_on=local_date(now, place.zone))
    return decision, decide(after, plan.steps, now)


def _after_send(row: Any, send: Send, following: Decision, key: str, now: datetime) -> dict[str, Any]:
    """The enrollment after `send`: at the step's day, due again when the step after it is."""
    change: dict[str, Any] = {"last_day": send.step.day, "dedup_key": key}
    if isinstance(following, Finish):
        return change_of(row, **change, anchor=send.anchor, state=EnrollmentState.FINISHED, ended_at=now)
    # Its anchor is already the shifted one when this mail is late, so that all who ask see true dates.
    until = following.until if isinstance(following, Wait) else now
    return change_of(row, **change, anchor=following.anchor, next_due_at=until)


def change_of(row: Any, *, anchor: Anchor | None = None, **values: Any) -> dict[str, Any]:
    """The enrollment of a row of `select_places` with these values, for `apply_changes`."""
    anchor = anchor or Anchor(row.anchor_date, row.anchor_day)
    return {
        "enrollment": row.id,
        "state": EnrollmentState.ACTIVE,
        "ended_at": None,
        "next_due_at": None,
        "last_day": row.last_day,
        "last_delivery_id": row.last_delivery_id,
        "anchor_date": anchor.on,
        "anchor_day": anchor.day,
        **values,
    }


CHANGED = (
    *("enrollment", "state", "ended_at", "next_due_at", "last_day", "last_delivery_id"),
    *("anchor_date", "anchor_day"),
)
APPLY = text("""
    UPDATE enrollments AS e
    SET state = c.state, ended_at = c.ended_at, next_due_at = c.next_due_at, last_day = c.last_day,
        last_delivery_id = c.last_delivery_id, anchor_date = c.anchor_date, anchor_day = c.anchor_day
    FROM unnest(
        CAST(:enrollment AS bigint[]), CAST(:state AS text[]), CAST(:ended_at AS timestamptz[]),
        CAST(:next_due_at AS timestamptz[]), CAST(:last_day AS smallint[]),
        CAST(:last_delivery_id AS bigint[]), CAST(:anchor_date AS date[]), CAST(:anchor_day AS smallint[])
    ) AS c (id, state, ended_at, next_due_at, last_day, last_delivery_id, anchor_date, anchor_day)
    WHERE e.id = c.id
    """)


def apply_changes(session: Session, changes: Sequence[dict[str, Any]], added: Mapping[str, int]) -> None:
    """Write what `change_of` said of enrollments. A step that was planned before just moves the place on.

    A change with a `dedup_key` goes to the delivery that `added` has for it.
    """
    if not changes:
        return
    for change in changes:
        key = change.pop("dedup_key", None)
        change["last_delivery_id"] = added.get(key, change["last_delivery_id"])
    session.execute(APPLY, {name: as_array(change[name] for change in changes) for name in CHANGED})
