"""One reader's enrollment while their pace is changed: locked against the tick, then written down."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.audience.suppression import find_suppression
from mailer.clock import instant_of, local_date
from mailer.models import Delivery, DeliveryState, Enrollment, EnrollmentState, PaceChange, Subscriber
from mailer.schedule.courses import CoursePlan, load_plan
from mailer.schedule.place import Place, StepPlan, date_of, shifted
from mailer.schedule.plan import place_of, select_places
from mailer.schedule.timing import Anchor


class What(StrEnum):
    """What a reader may want of their course's pace."""

    NEXT = "next"
    GAP = "gap"
    PAUSE = "pause"
    RESUME = "resume"
    HOUR = "hour"
    ZONE = "zone"
    WEEKDAYS = "weekdays"
    REPEAT = "repeat"
    START_OVER = "start-over"
    STOP = "stop"


@dataclass(frozen=True)
class Asker:
    """Who asks: by which page or command, from which mail.

    `seen` is the newest change that their page showed (0: none). The same wish once more from a page that
    did not show it yet is a form that was sent twice, and is done once.
    """

    who: str
    delivery_id: int | None = None
    seen: int | None = None


def _as_is(value: Any) -> Any:
    return value


def _moment(reader: Callable[[str], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else reader(value)


COLUMNS: Mapping[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("state", "reason", "anchor_day", "last_day", "last_delivery_id", "round"), _as_is),
    **dict.fromkeys(("gap", "weekdays", "answers", "repeats", "extras", "last_extras"), _as_is),
    "anchor_date": _moment(date.fromisoformat),
    "paused_until": _moment(date.fromisoformat),
    "send_time": _moment(time.fromisoformat),
    "ended_at": _moment(datetime.fromisoformat),
    "asked_at": _moment(datetime.fromisoformat),
    "begun_at": _moment(datetime.fromisoformat),
}
"""What a change keeps of an enrollment, and how each is read back from JSON."""


@dataclass
class Case:
    """The enrollment under its lock; `before`, `place` and `newest` stay as they were when it was taken."""

    session: Session
    enrollment: Enrollment
    subscriber: Subscriber
    plan: CoursePlan
    place: Place
    before: dict[str, Any]
    newest: PaceChange | None
    asker: Asker
    now: datetime

    @property
    def today(self) -> date:
        """The reader's own day."""
        return local_date(self.now, self.place.zone)

    @property
    def is_running(self) -> bool:
        """Whether mails of the course are to come."""
        return self.enrollment.state == EnrollmentState.ACTIVE

    @property
    def paused_days(self) -> int:
        """How many days of a pause are left; 0 without one."""
        until = self.enrollment.paused_until
        return max(0, (until - self.today).days) if until else 0

    def is_said_already(self, what: What) -> bool:
        """Whether this wish was done since its page was made: a form that was sent twice."""
        newest, seen = self.newest, self.asker.seen
        return newest is not None and seen is not None and newest.id > seen and newest.what == what

    def next_step(self) -> StepPlan | None:
        """The first step that was not planned yet, whoever gets another one in its place."""
        later = (s for s in self.plan.steps if s.day > self.place.last_day and not s.instead_of)
        return next(later, None)

    @property
    def is_at_end(self) -> bool:
        """Whether nothing of the course is left to come."""
        return self.next_step() is None and not (self.place.extras or self.place.last_extras)

    def next_date(self, step: StepPlan) -> date:
        """The day on which `step` belongs: not one that is over, nor one on which another mail leaves."""
        anchor = shifted(self.place, self.plan.steps)
        return max(date_of(self.place, anchor, step.day, self.plan.steps), self.first_free)

    @property
    def first_free(self) -> date:
        """The first day for a further mail: not one on which the last one leaves."""
        if self.place.is_last_open:
            return self.today + timedelta(days=1)
        left_on = self.place.last_left_on
        return self.today if left_on is None else max(self.today, left_on + timedelta(days=1))

    def put(self, step: StepPlan, on: date) -> None:
        """Have `step` come on this day; all that follows keeps its distance from it."""
        self.enrollment.anchor_date, self.enrollment.anchor_day = on, step.day

    def last_mail(self) -> Delivery | None:
        """The mail planned last, as it is now."""
        number = self.enrollment.last_delivery_id
        return self.session.get(Delivery, number, populate_existing=True) if number else None

    def is_being_sent(self) -> bool:
        """Whether a worker has the last mail at this moment."""
        mail = self.last_mail()
        return mail is not None and mail.state == DeliveryState.SENDING

    def look_again(self) -> None:
        """Have the tick decide anew, at once, or once a pause is over where it would send an extra in it."""
        enrollment = self.enrollment
        stopped = find_suppression(self.session, self.subscriber.email, self.now)
        if not self.is_running:
            enrollment.next_due_at = None
        elif stopped is not None and stopped.until is not None:
            enrollment.next_due_at = stopped.until  # as `enroll.wait_until` has it
        elif self.paused_days and enrollment.paused_until and (enrollment.extras or enrollment.last_extras):
            enrollment.next_due_at = instant_of(enrollment.paused_until, time(), self.place.zone)
        else:
            enrollment.next_due_at = self.now

    def record(self, what: What) -> PaceChange | None:
        """Write the change down, and have the tick decide anew; None when it changed nothing."""
        after = kept(self.enrollment, self.subscriber)
        if after == self.before:
            return None
        self.look_again()
        asker = self.asker
        change = PaceChange(
            enrollment_id=self.enrollment.id,
            at=self.now,
            who=asker.who,
            what=what,
            before=self.before,
            after=after,
            delivery_id=asker.delivery_id,
        )
        self.session.add(change)
        self.session.flush()
        return change


def open_case(session: Session, enrollment_id: int, asker: Asker, now: datetime) -> Case:
    """Lock the enrollment against the tick and other changes, and read all that a change needs."""
    # As `enroll` and the tick do it: mails may refer to the row meanwhile.
    enrollment = session.execute(
        select(Enrollment)
        .where(Enrollment.id == enrollment_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).scalar_one()
    subscriber = session.get_one(Subscriber, enrollment.subscriber_id)
    plan = load_plan(session, enrollment.course_id)
    newest = session.execute(
        select(PaceChange)
        .where(PaceChange.enrollment_id == enrollment_id, PaceChange.undone_at.is_(None))
        .order_by(PaceChange.id.desc())
        .limit(1)
    ).scalar_one_or_none()
    before = kept(enrollment, subscriber)
    place = _place(session, enrollment, plan, now)
    return Case(session, enrollment, subscriber, plan, place, before, newest, asker, now)


def _place(session: Session, enrollment: Enrollment, plan: CoursePlan, now: datetime) -> Place:
    row = session.execute(select_places().where(Enrollment.id == enrollment.id)).one()
    if row.anchor_date is None:  # waits for consent
        zone = row.zone or plan.zone
        return Place(zone, Anchor(local_date(now, zone), 0), 0)
    return place_of(row, plan.zone, weeks=plan.weeks)


def kept(enrollment: Enrollment, subscriber: Subscriber) -> dict[str, Any]:
    """The columns of a change, as JSON can hold them; the zone is its subscriber's."""
    values: dict[str, Any] = {"zone": subscriber.zone}
    for name in COLUMNS:
        value = getattr(enrollment, name)
        # datetime is a date too.
        values[name] = value.isoformat() if isinstance(value, date | time) else value
    return values


def put_back(enrollment: Enrollment, change: PaceChange) -> None:
    """Give the columns that `change` has changed the values from before it; all others stay."""
    before, after = change.before, change.after
    for name, read in COLUMNS.items():
        # The two halves of the anchor go together.
        names = ("anchor_date", "anchor_day") if name.startswith("anchor") else (name,)
        # Changes of before an upgrade lack what it brought.
        if any(before.get(one) != after.get(one) for one in names):
            setattr(enrollment, name, read(before[name]))
