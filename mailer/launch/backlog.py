"""What is overdue while mail is on hold, and what each policy would do about it. Writes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, text, true
from sqlalchemy.orm import Session

from mailer.db import written_out
from mailer.models import (
    Campaign,
    Course,
    Delivery,
    DeliveryKind,
    DeliveryState,
    Enrollment,
    EnrollmentState,
    Lane,
    Message,
    Subscriber,
)
from mailer.outbox import PAUSED_BY_READER
from mailer.schedule.catchup import STALE_AFTER, CatchUp, Policy, catch_up
from mailer.schedule.courses import CoursePlan, load_plan
from mailer.schedule.decide import StepPlan
from mailer.schedule.plan import CHOSEN, IS_ACTIVE, OPEN, place_of


@dataclass
class Effect:
    """What a policy would do: mails that leave late, and that are passed over; readers, of whom `over` get
    no further mail of the course. `delay`: by how many days the course ends later, at most."""

    late: int = 0
    passed_over: int = 0
    over: int = 0
    delay: int = 0

    def add(self, plan: CatchUp, readers: int) -> None:
        """The same plan for so many readers."""
        self.late += readers * len(plan.late)
        self.passed_over += readers * len(plan.passed_over)
        self.over += readers * plan.is_over
        self.delay = max(self.delay, plan.delay)


@dataclass
class Overdue:
    """What is overdue of one course, or of one campaign: its `name` is the slug."""

    lane: str
    name: str
    people: int = 0
    mails: int = 0
    oldest: datetime | None = None
    effects: dict[Policy, Effect] = field(default_factory=lambda: {policy: Effect() for policy in Policy})

    def is_older(self, moment: datetime | None) -> None:
        """Take note of a mail that was due then."""
        if moment is not None:
            self.oldest = min(self.oldest or moment, moment)


@dataclass(frozen=True)
class Backlog:
    """All of it at the business moment `at`. `per_minute` is what left in the busiest minute lately."""

    at: datetime
    stale_after: timedelta
    overdue: Sequence[Overdue]
    per_minute: Mapping[str, int]

    def total(self, policy: Policy) -> Effect:
        """What a policy would do in all."""
        effects = [each.effects[policy] for each in self.overdue]
        return Effect(
            late=sum(effect.late for effect in effects),
            passed_over=sum(effect.passed_over for effect in effects),
            over=sum(effect.over for effect in effects),
            delay=max((effect.delay for effect in effects), default=0),
        )

    @property
    def first_wave(self) -> int:
        """How many mails can leave on the first day at most: one for each reader."""
        return sum(each.people for each in self.overdue)

    @property
    def drain_minutes(self) -> float | None:
        """How long the first wave takes at the recent rate; None when no rate is known."""
        rates = [self.per_minute.get(each.lane) for each in self.overdue]
        if not self.overdue or None in rates:
            return None
        return sum(each.people / self.per_minute[each.lane] for each in self.overdue)


def backlog(
    session: Session,
    now: datetime,
    lanes: Sequence[Lane] = (Lane.COURSE, Lane.CAMPAIGN),
    stale_after: timedelta = STALE_AFTER,
) -> Backlog:
    """What is overdue in these lanes at `now`; the readers who stand at one place are counted together."""
    found: dict[tuple[str, str], Overdue] = {}
    if Lane.COURSE in lanes:
        _add_readers(session, now, stale_after, found)
    _add_other_mails(session, now, lanes, stale_after, found)
    overdue = tuple(found[key] for key in sorted(found))
    return Backlog(now, stale_after, overdue, _rates(session))


def is_waiting(lanes: Sequence[Lane], now: datetime) -> ColumnElement[bool]:
    """Mails that were planned in these lanes and have not left, by the partial index of what is planned.

    One that waits because its reader paused the course is not late.
    """
    in_lanes = or_(*(Delivery.lane == written_out(lane) for lane in lanes))
    is_planned = and_(Delivery.state == written_out(DeliveryState.PLANNED), Delivery.due_at <= now)
    waits_for_reader = and_(Delivery.reason == PAUSED_BY_READER, Delivery.next_attempt_at > now)
    return and_(in_lanes, is_planned, ~waits_for_reader)


def is_a_readers_last() -> ColumnElement[bool]:
    """Lessons that a reader's place in the course hangs on; what becomes of them is decided with it."""
    return and_(
        Delivery.kind == DeliveryKind.STEP,
        select(Enrollment.id)
        .where(
            Enrollment.id == Delivery.enrollment_id,
            Enrollment.state == EnrollmentState.ACTIVE,
            Enrollment.last_delivery_id == Delivery.id,
        )
        .exists(),
    )


def may_be_stale(lanes: Sequence[Lane]) -> ColumnElement[bool]:
    """Mails that a policy may pass over. Readers wait for welcomes and confirmations, so those are not
    among them, except where the transactional lane is on hold too: in a copy or an older state of a
    database every mail may have left already."""
    if Lane.TRANSACTIONAL in lanes:
        return true()
    return or_(Delivery.kind == DeliveryKind.STEP, Delivery.lane == Lane.CAMPAIGN)


def is_stale(lanes: Sequence[Lane], stale_after: timedelta, now: datetime) -> ColumnElement[bool]:
    """Mails that a policy may pass over and that are too late, not counting the time of a reader's pause."""
    # A day begins twelve hours after it does in UTC at the latest, and has the reader's hour within a day.
    went_on_by = (now - stale_after - timedelta(hours=36)).date()
    has_paused = (
        select(Enrollment.id)
        .where(Enrollment.id == Delivery.enrollment_id, Enrollment.paused_until > went_on_by)
        .exists()
    )
    return and_(may_be_stale(lanes), Delivery.due_at < now - stale_after, ~has_paused)


def reader_backlog(
    row: Any, plan: CoursePlan, now: datetime, policy: Policy, stale_after: timedelta
) -> CatchUp:
    """What a policy does about the reader of a row of `select_places` with `last_kind` and `paused_until`.

    A reader whose last mail is with a worker or set aside has nothing overdue but that.
    """
    place = place_of(row, plan.zone, weeks=plan.weeks)
    waiting = waiting_step(row, plan)
    if row.last_state in OPEN and row.last_state != DeliveryState.PLANNED:
        return CatchUp((), (), place.anchor)
    return catch_up(
        place,
        plan.steps,
        now,
        policy,
        stale_after=stale_after,
        waiting=waiting,
        paused_until=row.paused_until,
    )


def waiting_step(row: Any, plan: CoursePlan) -> StepPlan | None:
    """The step whose mail was planned last and has not left; None when there is none such."""
    if row.last_state != DeliveryState.PLANNED or row.last_kind != DeliveryKind.STEP:
        return None
    return next((step for step in plan.steps if step.day == row.last_day), None)


def _add_readers(
    session: Session, now: datetime, stale_after: timedelta, found: dict[tuple[str, str], Overdue]
) -> None:
    plans: dict[int, CoursePlan] = {}
    for row in _groups(session, now):
        plan = plans.get(row.course_id) or plans.setdefault(row.course_id, load_plan(session, row.course_id))
        planned = {policy: reader_backlog(row, plan, now, policy, stale_after) for policy in Policy}
        mails = len(planned[Policy.SHIFT].late)
        if not mails:
            continue
        entry = found.setdefault((Lane.COURSE, plan.slug), Overdue(Lane.COURSE, plan.slug))
        entry.people += row.readers
        entry.mails += mails * row.readers
        entry.is_older(row.oldest)
        for policy, each in planned.items():
            entry.effects[policy].add(each, row.readers)


def _groups(session: Session, now: datetime) -> Iterator[Any]:
    """Places in courses with how many readers stand there: those who are due, and those whose mail waits."""
    is_due = Enrollment.next_due_at <= now
    waits = and_(
        or_(Enrollment.next_due_at.is_(None), Enrollment.next_due_at > now), is_waiting([Lane.COURSE], now)
    )
    yield from session.execute(_group(is_due, is_outer=True))
    yield from session.execute(_group(waits, is_outer=False))


# Zones differ by quarters of an hour at least, so a quarter has one date everywhere.
PLACES: tuple[Any, ...] = (
    *(Enrollment.course_id, Enrollment.anchor_date, Enrollment.anchor_day, Enrollment.last_day),
    *CHOSEN,
    Enrollment.paused_until,
    *(Subscriber.zone, Delivery.state.label("last_state"), Delivery.kind.label("last_kind")),
    Delivery.step_id.label("last_step_id"),
    func.date_bin(text("interval '15 minutes'"), Delivery.settled_at, text("timestamptz 'epoch'")).label(
        "last_settled_at"
    ),
)
"""Where a reader stands in a course, as far as it makes a difference: to be grouped by."""


def _group(condition: ColumnElement[bool], *, is_outer: bool) -> Select[Any]:
    is_waiting_row = Delivery.state == DeliveryState.PLANNED
    return (
        select(
            *PLACES,
            func.count().label("readers"),
            func.least(
                func.min(Enrollment.next_due_at), func.min(Delivery.due_at).filter(is_waiting_row)
            ).label("oldest"),
        )
        .join(Subscriber, Subscriber.id == Enrollment.subscriber_id)
        .join(Delivery, Delivery.id == Enrollment.last_delivery_id, isouter=is_outer)
        .where(IS_ACTIVE, condition)
        .group_by(*PLACES)
    )


def _add_other_mails(
    session: Session,
    now: datetime,
    lanes: Sequence[Lane],
    stale_after: timedelta,
    found: dict[tuple[str, str], Overdue],
) -> None:
    """Mails that wait and that no reader's place hangs on: welcomes, last lessons, and campaigns."""
    is_counted = (
        select(Enrollment.id)
        .where(Enrollment.id == Delivery.enrollment_id, IS_ACTIVE, Enrollment.next_due_at <= now)
        .exists()
    )
    name = func.coalesce(Course.slug, Campaign.slug, Message.source)
    rows = session.execute(
        select(
            Delivery.lane,
            name.label("name"),
            func.count().label("mails"),
            func.count(Delivery.subscriber_id.distinct()).filter(~is_counted).label("people"),
            func.count().filter(is_stale(lanes, stale_after, now)).label("stale"),
            func.min(Delivery.due_at).label("oldest"),
        )
        .join(Message, Message.id == Delivery.message_id)
        .outerjoin(Course, Course.id == Delivery.course_id)
        .outerjoin(Campaign, Campaign.id == Delivery.campaign_id)
        .where(is_waiting(lanes, now), ~is_a_readers_last())
        .group_by(Delivery.lane, name)
    )
    for row in rows:
        entry = found.setdefault((row.lane, row.name), Overdue(row.lane, row.name))
        entry.people += row.people
        entry.mails += row.mails
        entry.is_older(row.oldest)
        for policy, effect in entry.effects.items():
            passed_over = row.stale if policy == Policy.SKIP_STALE else 0
            effect.passed_over += passed_over
            effect.late += row.mails - passed_over


BUSIEST = text("""
    SELECT lane, max(accepted) FROM (
        SELECT lane, sum(mails)::bigint AS accepted FROM moves
        WHERE new_state = 'accepted' GROUP BY lane, date_trunc('minute', at)
    ) AS minutes
    GROUP BY lane
    """)


def _rates(session: Session) -> dict[str, int]:
    """Accepted mails in the busiest minute of those that moves are kept of, by lane."""
    rows = session.execute(BUSIEST)
    return {lane: number for lane, number in rows}  # noqa: C416  (a row is not a pair for mypy)
