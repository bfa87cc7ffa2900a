"""What a reader's own page shows of their course: weeks, letters had, and those to come with their dates."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from mailer.clock import local_date
from mailer.content.variables import CANNOT_RENDER
from mailer.errors import MailerError
from mailer.links import BadLink
from mailer.models import (
    Course,
    Delivery,
    DeliveryKind,
    DeliveryState,
    Enrollment,
    EnrollmentState,
    Step,
    Subscriber,
)
from mailer.render.context import About, MailLinks, Reader, build_context
from mailer.render.personalize import compiled
from mailer.schedule.answers import newest_answers
from mailer.schedule.dates import dates_of
from mailer.schedule.rounds import is_since_it_began

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Letter:
    """One mail of the course: its subject, the day in the reader's zone, the moment, and its week if any."""

    step_id: int
    title: str
    on: date
    at: datetime
    week: int | None
    is_repeat: bool


@dataclass(frozen=True)
class Week:
    """One week of the protocol and what was said of it; `has_come` says that it can be told of."""

    number: int
    answer: str | None
    has_come: bool


@dataclass(frozen=True)
class Journey:
    """Somebody's way through a course: `had` in the order in which it came, `ahead` as it stands now."""

    enrollment_id: int
    round: int
    course_title: str
    is_finished: bool
    is_stopped: bool
    weeks: tuple[Week, ...]
    had: tuple[Letter, ...]
    ahead: tuple[Letter, ...]

    @property
    def weeks_done(self) -> int:
        """How many weeks the reader called done."""
        return sum(week.answer == "done" for week in self.weeks)


def journey_of(session: Session, delivery_id: int, now: datetime) -> Journey:
    """The way through the course that this mail belongs to; raises BadLink when it belongs to none."""
    found = session.scalar(select(Delivery.enrollment_id).where(Delivery.id == delivery_id))
    if found is None:
        raise BadLink
    return journey(session, found, now)


def journey(session: Session, enrollment_id: int, now: datetime) -> Journey:
    """The way of an enrollment's reader through its course, as it stands at `now`."""
    enrollment, course, subscriber = session.execute(
        select(Enrollment, Course, Subscriber)
        .join(Course, Course.id == Enrollment.course_id)
        .join(Subscriber, Subscriber.id == Enrollment.subscriber_id)
        .where(Enrollment.id == enrollment_id)
    ).one()
    titles = _Titles(course, subscriber)
    had = tuple(_had(session, enrollment, titles))
    come = {letter.step_id for letter in had}
    return Journey(
        enrollment_id=enrollment.id,
        round=enrollment.round,
        course_title=course.title,
        is_finished=enrollment.state == EnrollmentState.FINISHED,
        is_stopped=enrollment.state == EnrollmentState.STOPPED,
        weeks=_weeks(session, enrollment, {letter.week for letter in had}),
        had=had,
        ahead=_foreseen(session, enrollment, come, titles, now),
    )


class _Titles:
    """Subjects as this reader sees them: an author may have written variables into them; and their zone."""

    def __init__(self, course: Course, subscriber: Subscriber) -> None:
        about = About(course.title, "", "", course.title, course.subtitle, course.days)
        reader = Reader(subscriber.email, subscriber.name, subscriber.language or "", subscriber.fields)
        links = MailLinks("", "", "", "")
        self._context = build_context(reader, about, links, language=course.language, base_url="")
        self._fallback = course.title
        self.zone = subscriber.zone or course.zone

    def of(self, subject: str) -> str:
        """The subject filled in; the course's title when that cannot be."""
        try:
            return " ".join(compiled(subject, is_html=False).render(self._context).split())
        except CANNOT_RENDER:
            return self._fallback


def _had(session: Session, enrollment: Enrollment, titles: _Titles) -> Iterator[Letter]:
    """What has left of what was due since this round began."""
    eased = aliased(Step)
    week = func.coalesce(Step.week, eased.week).label("week")
    columns: tuple[Any, ...] = (Step.id, Step.subject, week, Step.easier_than, Delivery.kind)
    rows = session.execute(
        select(*columns, Delivery.settled_at)
        .join(Step, Step.id == Delivery.step_id)
        .outerjoin(eased, (eased.course_id == Step.course_id) & (eased.key == Step.easier_than))
        .where(
            is_since_it_began(enrollment),
            Delivery.state.in_((DeliveryState.ACCEPTED, DeliveryState.UNCERTAIN)),
            Delivery.settled_at.is_not(None),
        )
        .order_by(Delivery.id)
    )
    for row in rows:
        at: datetime = row.settled_at
        is_repeat = row.kind == DeliveryKind.REPEAT or bool(row.easier_than)
        yield Letter(row.id, titles.of(row.subject), local_date(at, titles.zone), at, row.week, is_repeat)


def _weeks(session: Session, enrollment: Enrollment, come: set[int | None]) -> tuple[Week, ...]:
    numbers = session.scalars(
        select(Step.week)
        .where(Step.course_id == enrollment.course_id, Step.retired_at.is_(None), Step.week.is_not(None))
        .distinct()
        .order_by(Step.week)
    )
    said = newest_answers(session, [enrollment.id]).get(enrollment.id, {})
    weeks = sorted({*(number for number in numbers if number is not None), *said})
    return tuple(Week(number, said.get(number), number in come or number in said) for number in weeks)


def _foreseen(
    session: Session, enrollment: Enrollment, had: Collection[int], titles: _Titles, now: datetime
) -> tuple[Letter, ...]:
    """What is to come; nothing while nothing comes, or where an author's rule cannot be asked."""
    if enrollment.state != EnrollmentState.ACTIVE:
        return ()
    try:
        return tuple(_ahead(session, enrollment, had, titles, now))
    except MailerError as error:
        # The author mends it, and the tick says so each hour; a reader's answer must not be lost over it.
        log.warning("A reader's dates cannot be told: %s", error, extra={"event": "progress.undecided"})
        return ()


def _ahead(
    session: Session, enrollment: Enrollment, had: Collection[int], titles: _Titles, now: datetime
) -> Iterator[Letter]:
    """What is to come, by the tick's own decisions, if nothing is said or changed by then.

    `had` are the steps that came already.
    """
    columns = Step.id, Step.key, Step.subject, Step.week
    steps = session.execute(select(*columns).where(Step.course_id == enrollment.course_id)).all()
    known = {step.id: titles.of(step.subject) for step in steps}
    weeks = {step.key: step.week for step in steps}
    come = set(had)
    for mail in dates_of(session, enrollment, now):
        step = mail.step
        if mail.is_sent:
            week = weeks.get(step.easier_than, step.week)
            is_repeat = step.id in come or bool(step.easier_than)
            on = local_date(mail.due_at, titles.zone)
            yield Letter(step.id, known[step.id], on, mail.due_at, week, is_repeat)
            come.add(step.id)
