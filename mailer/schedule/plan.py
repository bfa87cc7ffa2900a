"""The tick: enrollments that are due become delivery rows."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select, text, update
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
    WebhookKind,
)
from mailer.schedule.cap import Cap, lessons_of, read_cap, with_room
from mailer.schedule.conditions import NOT_ASKED, Met, look
from mailer.schedule.courses import CoursePlan, load_plan
from mailer.schedule.decide import RECHECK, Decision, Finish, Send, Skip, Stop, Wait, after, decide, past
from mailer.schedule.follow import follow
from mailer.schedule.place import NO_WEEKS, Place, StepPlan, Weeks
from mailer.schedule.reasons import UNDECIDED, as_written, reason_of
from mailer.schedule.stopped import stopped_courses
from mailer.schedule.timing import Anchor
from mailer.webhooks.tell import Fact, tell

OPEN = (DeliveryState.PLANNED, DeliveryState.SENDING, DeliveryState.HELD, DeliveryState.QUARANTINED)
"""While the last mail is in one of these the next one waits: no lesson is passed over silently."""

PLANNING_UNDER_A_CAP = 7_318_003
"""PostgreSQL's advisory lock of a tick while there is a cap on a person's mails."""

UNDECIDED_WAIT = timedelta(hours=1)

log = logging.getLogger(__name__)

_Lessons = dict[int, list[datetime]]

IS_ACTIVE: ColumnElement[bool] = Enrollment.state == written_out(EnrollmentState.ACTIVE)


@dataclass(frozen=True)
class _Course:
    """A course with what its readers meet of its rules; a chain of decisions is made once for each place.

    `lessons` are those that it makes room for, by reader; its own count in each of `counted_in`.
    """

    plan: CoursePlan
    met: Mapping[int, Met]
    cap: Cap | None = None
    lessons: _Lessons = field(default_factory=dict)
    counted_in: Sequence[_Lessons] = ()
    decided: dict[Place, _Chain] = field(default_factory=dict)


@dataclass(frozen=True)
class _Chain:
    """What happens to a reader now: what is passed over, what is decided then, and where they stand after it.

    `following` is what comes after a mail; `place` is before it, `then` after it. `because` is why that mail
    leaves so, None where it leaves as it is written.
    """

    skips: tuple[Skip, ...]
    place: Place
    decision: Send | Wait | Stop | Finish
    then: Place
    following: Decision
    because: str | None = None


@dataclass
class _Batch:
    """What one tick writes: delivery rows, of which some are passed over, and what changes on enrollments."""

    deliveries: list[outbox.NewDelivery] = field(default_factory=list)
    skipped: dict[str, list[str]] = field(default_factory=dict)
    changes: list[dict[str, Any]] = field(default_factory=list)
    wishes: list[dict[str, Any]] = field(default_factory=list)
    finished: list[tuple[CoursePlan, int, int]] = field(default_factory=list)


def plan_due(session: Session, now: datetime, limit: int = 1000) -> int:
    """Write a delivery row for every enrollment whose next step is due at `now`.

    Returns how many enrollments were looked at, `limit` at most; ask again until it is 0. Running it
    twice, also at the same time, plans each mail once: rows are locked, and the dedup key is unique.
    """
    cap = read_cap(session)
    if cap is not None:
        # Two ticks at once would each find room for one lesson of the same person's two courses.
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": PLANNING_UNDER_A_CAP})
    due = session.execute(
        select_places()
        .where(IS_ACTIVE, Enrollment.next_due_at <= now)
        .order_by(Enrollment.next_due_at)
        .limit(limit)
        .with_for_update(of=Enrollment, key_share=True, skip_locked=True)
    ).all()
    courses = _courses(session, due, cap, now)
    batch = _Batch()
    undecided = [row.id for row in due if row.course_id not in courses]
    for row in due:
        if row.course_id not in courses:
            continue
        try:
            _decide_one(row, courses[row.course_id], now, batch)
        except Exception:
            # One row that cannot be decided must not keep everybody else waiting.
            fields = {"event": "enrollment.undecided", "enrollment_id": row.id}
            log.exception("Enrollment %s cannot be decided", row.id, extra=fields)
            undecided.append(row.id)
    if undecided:
        later = {"next_due_at": now + UNDECIDED_WAIT, "reason": UNDECIDED}
        session.execute(update(Enrollment).where(Enrollment.id.in_(undecided)).values(later))
    added = outbox.write(session, batch.deliveries, now)
    for reason, keys in batch.skipped.items():
        outbox.skip(session, [added[key] for key in keys if key in added], reason, now)
    apply_changes(session, batch.changes, added)
    apply_wishes(session, batch.wishes)
    done = [
        Fact(subscriber_id, {"course": plan.slug})
        for plan, enrollment_id, subscriber_id in batch.finished
        if follow(session, plan, enrollment_id, subscriber_id, now)
    ]
    tell(session, WebhookKind.COURSE_FINISHED, now, done)
    return len(due)


def _courses(session: Session, due: Sequence[Any], cap: Cap | None, now: datetime) -> dict[int, _Course]:
    people: dict[int, list[int]] = {}
    for row in due:
        people.setdefault(row.course_id, []).append(row.subscriber_id)
    going, whole, stopped = _lessons(session, due, cap, now)
    courses = {}
    for course_id, subscriber_ids in people.items():
        plan = load_plan(session, course_id)
        try:
            with session.begin_nested():
                met = look(session, plan, subscriber_ids, now)
        except Exception:
            # Its readers wait; those of all other courses do not.
            fields = {"event": "course.undecided", "course_id": course_id}
            log.exception("The rules of course %s cannot be asked", course_id, extra=fields)
            continue
        if course_id in stopped:
            courses[course_id] = _Course(plan, met, cap, whole, (whole,))
        else:
            counted_in = (going,) if going is whole else (going, whole)
            courses[course_id] = _Course(plan, met, cap, going, counted_in)
    return courses


def _lessons(
    session: Session, due: Sequence[Any], cap: Cap | None, now: datetime
) -> tuple[_Lessons, _Lessons, frozenset[int]]:
    """The lessons of these readers without what waits in stopped courses, all of them, and those courses.

    A course that goes on does not wait for one that is stopped. Two that are stopped do share the days: what
    waits in them leaves when they are resumed.
    """
    if cap is None:
        none: _Lessons = {}
        return none, none, frozenset()
    people = [row.subscriber_id for row in due]
    stopped = stopped_courses(session)
    whole = dict(lessons_of(session, people, now))
    return dict(lessons_of(session, people, now, stopped)) if stopped else whole, whole, stopped


MOSTLY_EMPTY: tuple[tuple[Any, str], ...] = (
    *((Enrollment.answers, "'{}'::jsonb"), (Enrollment.repeats, "'{}'::jsonb")),
    *((Enrollment.extras, "'{}'::bigint[]"), (Enrollment.last_extras, "'{}'::bigint[]")),
)
CHOSEN: tuple[Any, ...] = (
    *(Enrollment.gap, Enrollment.send_time, Enrollment.weekdays, Enrollment.asked_at),
    # Nearly everybody's are empty, and reading empty ones would be a fifth of what planning costs.
    *(func.nullif(column, text(empty)).label(column.key) for column, empty in MOSTLY_EMPTY),
)
"""What readers choose and answer, as far as it moves their mails; None where there is nothing."""


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
        *CHOSEN,
        Subscriber.zone,
        Subscriber.language,
        Delivery.state.label("last_state"),
        Delivery.settled_at.label("last_settled_at"),
        Delivery.kind.label("last_kind"),
        Delivery.step_id.label("last_step_id"),
    )
    return (
        select(*columns)
        .join(Subscriber, Subscriber.id == Enrollment.subscriber_id)
        .outerjoin(Delivery, Delivery.id == Enrollment.last_delivery_id)
    )


def place_of(row: Any, course_zone: str, met: Met = NOT_ASKED, weeks: Weeks = NO_WEEKS) -> Place:
    """Where somebody is in their course, from a row of `select_places`; `weeks` are those of its mails."""
    zone = row.zone or course_zone
    return Place(
        zone=zone,
        anchor=Anchor(row.anchor_date, row.anchor_day),
        last_day=row.last_day,
        is_last_open=row.last_state in OPEN,
        last_left_on=_left_on(row, zone),
        gap=row.gap,
        send_time=row.send_time,
        weekdays=row.weekdays,
        is_asked=row.asked_at is not None,
        answers=_by_week(row.answers) if row.answers else (),
        repeats=_by_week(row.repeats) if row.repeats else (),
        extras=tuple(row.extras) if row.extras else (),
        last_extras=tuple(row.last_extras) if row.last_extras else (),
        holds=met.holds,
        stop=met.stop,
        repeated_week=weeks.repeated_by(row.last_step_id, is_repeat=row.last_kind == DeliveryKind.REPEAT),
    )


def _by_week(values: Mapping[str, Any]) -> tuple[tuple[int, Any], ...]:
    return tuple(sorted((int(week), value) for week, value in values.items()))


def _decide_one(row: Any, course: _Course, now: datetime, batch: _Batch) -> None:
    plan = course.plan
    place = place_of(row, plan.zone, course.met.get(row.subscriber_id, NOT_ASKED), plan.weeks)
    if course.cap is not None:
        place = with_room(place, course.cap, course.lessons.get(row.subscriber_id, ()), now)
    chain = course.decided.get(place)
    if chain is None:
        chain = course.decided[place] = _chain(place, plan, now)
    mails = _passed_over(row, plan, chain, batch)
    lesson = change = None
    match chain.decision:
        case Finish():
            change = _ended(row, chain, EnrollmentState.FINISHED, now)
        case Stop(rule):
            change = _ended(row, chain, EnrollmentState.STOPPED, now)
            batch.wishes.append({"enrollment": row.id, "reason": f"its rule: {rule}"})
        case Wait(until, anchor):
            change = change_of(row, anchor=anchor, last_day=chain.place.last_day, next_due_at=until)
        case Send() as send:
            lesson = lesson_of(row, plan, send.step, send.due_at, send, chain.because)
            # First what may fail: a mail must not stay in the batch without its reader's next place.
            change = _after_send(row, chain, lesson.dedup_key, now, is_followed=plan.ways.is_followed)
            for lessons in course.counted_in:
                lessons.setdefault(row.subscriber_id, []).append(now)
    if chain.then.wishes != place.wishes:
        batch.wishes.append(_wishes(row.id, chain.then))
    if change["state"] == EnrollmentState.FINISHED:
        batch.finished.append((plan, row.id, row.subscriber_id))
    batch.deliveries += [*mails, lesson] if lesson else mails
    batch.changes.append(change)


def _passed_over(row: Any, plan: CoursePlan, chain: _Chain, batch: _Batch) -> list[outbox.NewDelivery]:
    """Rows for what is passed over, so that the statement adds up and `why` can tell."""
    mails = []
    for skip in chain.skips:
        for step in skip.steps:
            mail = lesson_of(row, plan, step, skip.due_at)
            mails.append(mail)
            batch.skipped.setdefault(skip.reason, []).append(mail.dedup_key)
    return mails


def _chain(place: Place, plan: CoursePlan, now: datetime) -> _Chain:
    """Decide until something else is to be done than passing over a step."""
    skips = []
    decision = decide(place, plan.steps, now, plan.ways)
    while isinstance(decision, Skip):
        skips.append(decision)
        place = past(place, decision)
        decision = decide(place, plan.steps, now, plan.ways)
    if not isinstance(decision, Send):
        return _Chain(tuple(skips), place, decision, place, decision)
    then = after(place, decision, plan.steps, local_date(now, place.zone))
    following = decide(then, plan.steps, now, plan.ways)
    because = reason_of(place, decision, plan.steps, now)
    told = None if because == as_written(decision.step) else because
    return _Chain(tuple(skips), place, decision, then, following, told)


def lesson_of(
    row: Any,
    plan: CoursePlan,
    step: StepPlan,
    due_at: datetime,
    send: Send | None = None,
    because: str | None = None,
) -> outbox.NewDelivery:
    """The mail of `step` for the reader of a row of `select_places`."""
    is_repeat = send is not None and send.repeats is not None and not step.easier_than
    kind = DeliveryKind.REPEAT if is_repeat else DeliveryKind.STEP
    key = step.key
    if send is not None and step.easier_than and (times := (row.repeats or {}).get(str(send.repeats))):
        # Too hard, and then not yet: the easier version comes twice, and must not count as planned before.
        key = f"{key}+{times}"
    return outbox.NewDelivery(
        dedup_key=outbox.dedup_key(kind, plan.id, key, row.subscriber_id, row.round),
        kind=kind,
        subscriber_id=row.subscriber_id,
        message_id=step.message_in(row.language),
        list_id=plan.list_id,
        due_at=due_at,
        began_at=row.created_at,
        course_id=plan.id,
        step_id=step.id,
        enrollment_id=row.id,
        because=because,
    )


def _left_on(row: Any, zone: str) -> date | None:
    """On which day in the reader's zone the last mail left; None while it has not, or never will."""
    if row.last_settled_at is None or row.last_state not in (DeliveryState.ACCEPTED, DeliveryState.UNCERTAIN):
        return None
    return local_date(row.last_settled_at, zone)


def _after_send(row: Any, chain: _Chain, key: str, now: datetime, *, is_followed: bool) -> dict[str, Any]:
    """The enrollment after its mail: at the step's day, due again when the step after it is."""
    change: dict[str, Any] = {"last_day": chain.then.last_day, "dedup_key": key}
    following = chain.following
    if isinstance(following, Finish) and is_followed:
        # What follows may ask whether this mail came; the course ends when it has.
        return change_of(row, **change, anchor=chain.then.anchor, next_due_at=now + RECHECK)
    if isinstance(following, Finish):
        state = EnrollmentState.FINISHED
        return change_of(row, **change, anchor=chain.then.anchor, state=state, ended_at=now)
    # Its anchor is already the shifted one when this mail is late, so that all who ask see true dates.
    if isinstance(following, Wait):
        return change_of(row, **change, anchor=following.anchor, next_due_at=following.until)
    return change_of(row, **change, anchor=chain.then.anchor, next_due_at=now)


def _ended(row: Any, chain: _Chain, state: EnrollmentState, now: datetime) -> dict[str, Any]:
    return change_of(row, last_day=chain.place.last_day, state=state, ended_at=now)


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
        last_delivery_id = c.last_delivery_id, anchor_date = c.anchor_date, anchor_day = c.anchor_day,
        reason = ''
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


def _wishes(enrollment_id: int, place: Place) -> dict[str, Any]:
    """What is left of what a reader asked for and answered, for `apply_wishes`."""
    return {
        "enrollment": enrollment_id,
        "asked_at": None,
        "answers": {str(week): answer for week, answer in place.answers},
        "repeats": {str(week): times for week, times in place.repeats},
        "extras": list(place.extras),
        "last_extras": list(place.last_extras),
    }


def apply_wishes(session: Session, wishes: Sequence[dict[str, Any]]) -> None:
    """Write what changed of readers' own wishes and answers: few among those who are due."""
    for wish in wishes:
        values = dict(wish)
        enrollment_id = values.pop("enrollment")
        session.execute(update(Enrollment).where(Enrollment.id == enrollment_id).values(**values))
