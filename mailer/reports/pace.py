"""How a reader's course stands for them, and what they can choose: what their pace page shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.audience.subscribers import get_subscriber
from mailer.clock import local_date, zone
from mailer.errors import NotFound
from mailer.models import Course, Delivery, Enrollment, EnrollmentState, PaceChange, Step, Subscriber
from mailer.schedule.coming import find_coming
from mailer.schedule.courses import get_course


@dataclass(frozen=True)
class PacePage:
    """One reader's course. All dates and times are those of `zone`, which is theirs.

    `next_on` is the day on which the next mail leaves, with `next_at` its hour; both None when none comes.
    `is_now`: it leaves within moments. `is_last_open`: the one before it is still on its way.
    `newest` is the id of the newest change that stands, 0 without one.
    """

    enrollment_id: int
    course: str
    title: str
    state: str
    zone: str
    today: date
    subject: str
    next_on: date | None
    next_at: time | None
    is_now: bool
    is_last_open: bool
    gap: int | None
    send_time: time | None
    weekdays: int | None
    paused_until: date | None
    has_week: bool
    newest: int

    @property
    def is_running(self) -> bool:
        """Whether mails of it are to come."""
        return self.state == EnrollmentState.ACTIVE

    @property
    def is_paused(self) -> bool:
        """Whether it is paused today."""
        return self.is_running and self.paused_until is not None and self.paused_until > self.today


def find_pace_of_mail(session: Session, delivery_id: int, now: datetime) -> PacePage | None:
    """The course that a mail belongs to, as it stands for its reader; None when it belongs to none."""
    found = session.execute(
        select(Enrollment.id)
        .join(Delivery, Delivery.subscriber_id == Enrollment.subscriber_id)
        .where(Delivery.id == delivery_id, Delivery.course_id == Enrollment.course_id)
    ).scalar_one_or_none()
    return None if found is None else pace_of(session, found, now)


def enrollment_id_of(session: Session, email: str, course: str) -> int:
    """The enrollment of this person in this course; raises NotFound."""
    who, what = get_subscriber(session, email), get_course(session, course)
    found = session.execute(
        select(Enrollment.id).where(Enrollment.subscriber_id == who.id, Enrollment.course_id == what.id)
    ).scalar_one_or_none()
    if found is None:
        raise NotFound(f"{email} was never in the course {course}; `steadypost subscriber show` tells more.")
    return found


def pace_of(session: Session, enrollment_id: int, now: datetime) -> PacePage:
    """How this enrollment stands at `now`."""
    enrollment, course, own_zone = session.execute(
        select(Enrollment, Course, Subscriber.zone)
        .join(Course, Course.id == Enrollment.course_id)
        .join(Subscriber, Subscriber.id == Enrollment.subscriber_id)
        .where(Enrollment.id == enrollment_id)
        .execution_options(populate_existing=True)
    ).one()
    zone_name = own_zone or course.zone
    coming = find_coming(session, enrollment_id, now)
    local = coming.at.astimezone(zone(zone_name)) if coming else None
    return PacePage(
        enrollment_id=enrollment_id,
        course=course.slug,
        title=course.title,
        state=enrollment.state,
        zone=zone_name,
        today=local_date(now, zone_name),
        subject=_subject(session, coming.step_id) if coming else "",
        next_on=local.date() if local else None,
        next_at=local.time().replace(tzinfo=None) if local else None,
        is_now=coming is not None and coming.is_now,
        is_last_open=coming is not None and coming.is_last_open,
        gap=enrollment.gap,
        send_time=enrollment.send_time,
        weekdays=enrollment.weekdays,
        paused_until=enrollment.paused_until,
        has_week=_has_week(session, enrollment),
        newest=_newest(session, enrollment_id),
    )


def find_change(session: Session, enrollment_id: int, change_id: int) -> PaceChange | None:
    """A change of this enrollment's pace, None when it is another's or there is none."""
    found = session.get(PaceChange, change_id)
    return found if found is not None and found.enrollment_id == enrollment_id else None


def _subject(session: Session, step_id: int) -> str:
    """The subject as its author wrote it, empty when it only becomes one in the mail."""
    subject = session.get_one(Step, step_id).subject
    return "" if "{{" in subject or "{%" in subject else subject


def _has_week(session: Session, enrollment: Enrollment) -> bool:
    passed = select(Step.id).where(
        Step.course_id == enrollment.course_id,
        Step.retired_at.is_(None),
        Step.week.is_not(None),
        Step.instead_of == "",
        Step.easier_than == "",
        Step.day <= enrollment.last_day,
    )
    return session.execute(passed.limit(1)).one_or_none() is not None


def _newest(session: Session, enrollment_id: int) -> int:
    return (
        session.execute(
            select(PaceChange.id)
            .where(PaceChange.enrollment_id == enrollment_id, PaceChange.undone_at.is_(None))
            .order_by(PaceChange.id.desc())
            .limit(1)
        ).scalar_one_or_none()
        or 0
    )
