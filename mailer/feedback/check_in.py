"""Check-ins: what a reader says of a week of the protocol, recorded, with what follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.clock import local_date
from mailer.errors import MailerError
from mailer.links import BadLink
from mailer.models import (
    Answer,
    CheckIn,
    Course,
    Delivery,
    Enrollment,
    EnrollmentState,
    Step,
    Subscriber,
)
from mailer.schedule.answers import answer_since
from mailer.schedule.decide import WEEK
from mailer.schedule.enroll import look_anew
from mailer.schedule.rounds import is_since_it_began

KEEPS_ANSWERS = (EnrollmentState.ACTIVE, EnrollmentState.FINISHED)
"""Whoever has left asked for no more to be kept about them."""


class WeekNotSent(MailerError):
    """This week has not come yet; tell of one that you have had."""


class Follows(StrEnum):
    """What comes of an answer: on to the next, this week once more, or its easier version."""

    ON = "on"
    AGAIN = "again"
    EASIER = "easier"


@dataclass(frozen=True)
class Asked:
    """A week's check-in as its page tells it.

    `week` is None when no week has come yet. `answer` is what was said since it was last sent. An answer
    to a week that `is_over` is kept, and changes nothing of what comes. `has_left`: nothing is kept.
    """

    week: int | None
    answer: Answer | None
    follows: Follows | None
    is_over: bool
    has_left: bool
    ask_whom: str


class _Step(NamedTuple):
    """What a check-in needs to know of a step, also of one that is in use no more."""

    id: int
    key: str
    day: int
    week: int | None
    instead_of: str
    easier_than: str
    is_retired: bool


@dataclass(frozen=True)
class _Standing:
    """Where somebody is with the weeks of their course: `sent` are step ids in the order of their mails."""

    delivery: Delivery
    enrollment: Enrollment
    course: Course
    steps: dict[int, _Step]
    sent: tuple[int, ...]

    def week_of(self, step_id: int | None) -> int | None:
        """The week that a step is about; an easier version is about that of the step it eases."""
        step = self.steps.get(step_id) if step_id is not None else None
        if step is None or not step.easier_than:
            return step.week if step else None
        eased = (one.week for one in self.steps.values() if one.key == step.easier_than)
        return next(eased, step.week)

    @property
    def weeks(self) -> list[int]:
        """The weeks that have come, in their order; one that came twice is there twice."""
        return [week for week in map(self.week_of, self.sent) if week is not None]


def follows(answer: Answer, *, times: int, has_easier: bool, has_next: bool) -> Follows:
    """What an answer means for what comes next, as `schedule.decide` will carry it out.

    `times` is how often the week was sent again before; `has_next` says that something follows the week.
    """
    if answer is Answer.DONE or not has_next or times > 1:
        return Follows.ON
    if times == 0 and (answer is Answer.NOT_YET or not has_easier):
        return Follows.AGAIN
    return Follows.EASIER if has_easier else Follows.ON


def look_at(session: Session, delivery_id: int, week: int | None = None) -> Asked:
    """What the check-in of this mail is about, changing nothing; raises BadLink.

    It is about `week` if that one has come, else about the mail's own, else about the newest.
    """
    standing = _standing(session, delivery_id)
    return _asked(session, standing, _week_meant(standing, week))


def record(session: Session, delivery_id: int, week: int, answer: Answer, now: datetime) -> Asked:
    """The reader says `answer` of `week`. The newest counts, and the same one twice is one.

    Kept for good, and, as long as the week is the newest that came, told to their pace, of which the tick
    decides anew when it comes once more: nothing leaves before. Raises BadLink or WeekNotSent.
    """
    standing = _standing(session, delivery_id, is_to_change=True)
    if _week_meant(standing, week) != week:
        raise WeekNotSent
    enrollment, times = standing.enrollment, _times(standing.enrollment, week)
    if enrollment.state not in KEEPS_ANSWERS:
        return _asked(session, standing, week)
    if answer_since(session, enrollment.id, week, times) != answer:
        session.add(
            CheckIn(
                enrollment_id=enrollment.id,
                subscriber_id=enrollment.subscriber_id,
                course_id=enrollment.course_id,
                week=week,
                times=times,
                answer=answer,
                at=now,
                delivery_id=delivery_id,
            )
        )
    if not _is_over(standing, week):
        enrollment.answers = {**enrollment.answers, str(week): str(answer)}
        if answer is not Answer.DONE:
            # The week's own hours may let it come once more on an earlier day than the next one could.
            # A pause that is over is still written there.
            until = enrollment.paused_until
            if until is None or until <= _today(session, standing, now):
                look_anew(session, Enrollment.id == enrollment.id, now)
    session.flush()
    return _asked(session, standing, week)


def _standing(session: Session, delivery_id: int, *, is_to_change: bool = False) -> _Standing:
    """Where the reader of this mail is, with their enrollment locked when it is to be changed."""
    delivery = session.get(Delivery, delivery_id)
    if delivery is None or delivery.enrollment_id is None:
        raise BadLink
    query = select(Enrollment).where(Enrollment.id == delivery.enrollment_id)
    if is_to_change:
        # Read again under the lock: the tick may have sent the next week since.
        query = query.with_for_update(key_share=True).execution_options(populate_existing=True)
    enrollment = session.scalars(query).one_or_none()
    if enrollment is None:
        raise BadLink
    course = session.get_one(Course, enrollment.course_id)
    columns = (Step.id, Step.key, Step.day, Step.week, Step.instead_of, Step.easier_than)
    rows = session.execute(
        select(*columns, Step.retired_at.is_not(None)).where(Step.course_id == course.id).order_by(Step.day)
    )
    steps = {row[0]: _Step(*row) for row in rows}
    return _Standing(delivery, enrollment, course, steps, _sent(session, enrollment))


def _today(session: Session, standing: _Standing, now: datetime) -> date:
    """The day on which it is for the reader."""
    subscriber = session.get_one(Subscriber, standing.enrollment.subscriber_id)
    return local_date(now, subscriber.zone or standing.course.zone)


def _sent(session: Session, enrollment: Enrollment) -> tuple[int, ...]:
    """The steps whose mails were due since this round of the course began, oldest first."""
    rows = session.scalars(
        select(Delivery.step_id)
        .where(is_since_it_began(enrollment), Delivery.step_id.is_not(None))
        .order_by(Delivery.id)
    )
    return tuple(step_id for step_id in rows if step_id is not None)


def _week_meant(standing: _Standing, week: int | None) -> int | None:
    weeks, own = standing.weeks, standing.week_of(standing.delivery.step_id)
    if week is not None and (week in weeks or week == own):
        return week
    if own is not None:
        return own
    return weeks[-1] if weeks else None


def _is_over(standing: _Standing, week: int) -> bool:
    """Whether another week has come since, or the whole course is over."""
    weeks = standing.weeks
    return standing.enrollment.state != EnrollmentState.ACTIVE or not weeks or weeks[-1] != week


def _times(enrollment: Enrollment, week: int) -> int:
    return int(enrollment.repeats.get(str(week), 0))


def _what_follows(standing: _Standing, week: int, answer: Answer) -> Follows:
    in_use = [step for step in standing.steps.values() if not step.is_retired]
    path = [step for step in in_use if not step.easier_than and not step.instead_of]
    own = next((step for step in path if step.week == week), None)
    if own is None:
        return Follows.ON
    has_next = any(
        step.day > own.day and (step.week is not None or step.day - own.day >= WEEK) for step in path
    )
    has_easier = any(step.easier_than == own.key for step in in_use)
    times = _times(standing.enrollment, week)
    return follows(answer, times=times, has_easier=has_easier, has_next=has_next)


def _asked(session: Session, standing: _Standing, week: int | None) -> Asked:
    enrollment = standing.enrollment
    has_left = enrollment.state not in KEEPS_ANSWERS
    ask_whom = str(standing.course.flow.get("ask_whom", ""))
    if week is None or has_left:
        return Asked(week, None, None, False, has_left, ask_whom)
    times = _times(enrollment, week)
    said = answer_since(session, enrollment.id, week, times)
    answer = Answer(said) if said else None
    what = _what_follows(standing, week, answer) if answer else None
    return Asked(week, answer, what, _is_over(standing, week), has_left, ask_whom)
