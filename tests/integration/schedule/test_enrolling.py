"""Who is in a course, from when, and how often."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from mailer.audience.subscribers import Person, add_subscriber
from mailer.audience.suppression import suppress
from mailer.feedback.record import confirm_subscription, leave
from mailer.models import (
    Course,
    Delivery,
    DeliveryKind,
    Enrollment,
    EnrollmentState,
    Suppression,
    SuppressionReason,
)
from mailer.schedule.enroll import NotOnTheList, enroll, enroll_list, stop
from tests.support.cast import (
    ADA,
    BEN,
    CLEO,
    join,
    join_course,
    publish_folder,
    subscription_of,
    write_course,
)

DAY = timedelta(days=1)


@pytest.fixture
def course(session: Session, tmp_path: Path, now: datetime) -> Course:
    """The course "calm", whose readers need not confirm; lessons at eight on days 1, 2 and 4."""
    return publish_folder(session, write_course(tmp_path / "calm"), now)


@pytest.fixture
def asking(session: Session, tmp_path: Path, now: datetime) -> Course:
    """The same with a confirmation."""
    return publish_folder(session, write_course(tmp_path / "calm", opt_in="double"), now)


def welcomes(session: Session) -> int:
    return session.scalar(select(func.count()).where(Delivery.kind == DeliveryKind.WELCOME)) or 0


@pytest.mark.parametrize(
    ("zone", "moment", "anchor", "first_lesson"),
    [
        # Monday 07:00 in London: the first lesson is on Tuesday at eight.
        ("Europe/London", "2026-03-02T07:00", date(2026, 3, 2), "2026-03-03T08:00"),
        # The same moment is still Sunday in Honolulu (21:00, ten hours behind): Monday at eight there.
        ("Pacific/Honolulu", "2026-03-02T07:00", date(2026, 3, 1), "2026-03-02T18:00"),
        # In Kiritimati it is Monday 21:00, fourteen hours ahead: Tuesday 08:00 there is Monday 18:00.
        ("Pacific/Kiritimati", "2026-03-02T07:00", date(2026, 3, 2), "2026-03-02T18:00"),
        # Kathmandu is 5:45 ahead.
        ("Asia/Kathmandu", "2026-03-02T07:00", date(2026, 3, 2), "2026-03-03T02:15"),
        # Somebody joins at two in the night: the next day is the next day, not this morning.
        ("Europe/London", "2026-03-02T02:00", date(2026, 3, 2), "2026-03-03T08:00"),
        # A minute before midnight and a minute after.
        ("Europe/Berlin", "2026-03-02T22:59", date(2026, 3, 2), "2026-03-03T07:00"),
        ("Europe/Berlin", "2026-03-02T23:01", date(2026, 3, 3), "2026-03-04T07:00"),
        # Clocks go forward in the night between: eight is eight.
        ("Europe/Berlin", "2026-03-28T20:00", date(2026, 3, 28), "2026-03-29T06:00"),
    ],
)
def test_the_welcome_leaves_at_once_and_the_first_lesson_on_the_next_local_day(
    session: Session, asking: Course, zone: str, moment: str, anchor: date, first_lesson: str
) -> None:
    at = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    ada = join_course(session, asking, ADA, at - DAY, zone)
    assert welcomes(session) == 0
    confirm_subscription(session, subscription_of(session, ada).id, "page", at)
    enrollment = session.scalars(select(Enrollment)).one()
    assert (enrollment.state, enrollment.anchor_date, enrollment.anchor_day) == ("active", anchor, 0)
    assert enrollment.next_due_at == datetime.fromisoformat(first_lesson).replace(tzinfo=UTC)
    welcome = session.scalars(select(Delivery).where(Delivery.kind == DeliveryKind.WELCOME)).one()
    assert (welcome.due_at, welcome.id) == (at, enrollment.last_delivery_id)


def test_who_has_no_zone_lives_in_the_courses(session: Session, course: Course, now: datetime) -> None:
    course.zone = "Asia/Tokyo"
    ada = join(session, ADA, now)
    ada.zone = None
    enrollment = enroll(session, course, ada, now)
    assert enrollment.next_due_at == datetime(2026, 3, 2, 23, 0, tzinfo=UTC)  # 08:00 on the 3rd in Tokyo


def test_enrolling_twice_changes_nothing(session: Session, course: Course, now: datetime) -> None:
    ada = join_course(session, course, ADA, now)
    before = session.execute(select(Enrollment.__table__)).all()
    enroll(session, course, ada, now + DAY)
    assert enroll_list(session, course, now + DAY) == 0
    assert session.execute(select(Enrollment.__table__)).all() == before
    assert welcomes(session) == 1


def test_who_is_not_on_the_list_or_has_left_is_not_enrolled(
    session: Session, course: Course, now: datetime
) -> None:
    with pytest.raises(NotOnTheList, match="has not agreed"):
        enroll(session, course, add_subscriber(session, Person(ADA)), now)
    ben = join_course(session, course, BEN, now)
    leave(session, ben.id, course.list_id, source="page", now=now)
    with pytest.raises(NotOnTheList):
        enroll(session, course, ben, now)
    assert enroll_list(session, course, now) == 0


def test_everybody_on_the_list_is_enrolled_and_who_has_not_confirmed_waits(
    session: Session, asking: Course, now: datetime
) -> None:
    people = [join(session, f"reader{number}@reader.example", now) for number in range(5)]
    confirm_subscription(session, subscription_of(session, people[0]).id, "page", now)
    join_course(session, asking, ADA, now)
    assert [enroll_list(session, asking, now, limit=2) for _ in range(4)] == [2, 2, 1, 0]
    states = session.scalars(select(Enrollment.state).order_by(Enrollment.subscriber_id)).all()
    assert states == ["active", *["waiting"] * 5]
    confirm_subscription(session, subscription_of(session, people[1]).id, "page", now)
    assert welcomes(session) == 2
    first = session.scalars(select(Enrollment).where(Enrollment.subscriber_id == people[0].id)).one()
    assert first.next_due_at == datetime(2026, 3, 3, 8, 0, tzinfo=UTC)
    assert first.last_delivery_id is not None


def test_cleo_whose_address_bounced_does_not_begin_again_until_it_is_mailed(
    session: Session, course: Course, now: datetime
) -> None:
    cleo = join_course(session, course, CLEO, now)
    suppress(session, CLEO, SuppressionReason.HARD_BOUNCE, now)
    stop(session, cleo.id, "the address bounced", now)
    session.expire_all()
    assert enroll(session, course, cleo, now + DAY).state == EnrollmentState.STOPPED
    assert enroll_list(session, course, now + DAY) == 0
    session.execute(delete(Suppression))
    assert enroll_list(session, course, now + DAY) == 1
    assert enroll(session, course, cleo, now + DAY).round == 2


def test_who_finished_goes_through_it_again_only_by_a_new_consent(
    session: Session, course: Course, now: datetime
) -> None:
    ada = join_course(session, course, ADA, now)
    enrollment = session.scalars(select(Enrollment)).one()
    enrollment.state, enrollment.ended_at, enrollment.next_due_at = (
        EnrollmentState.FINISHED,
        now + 4 * DAY,
        None,
    )
    session.flush()
    assert enroll(session, course, ada, now + 5 * DAY).state == EnrollmentState.FINISHED
    assert enroll_list(session, course, now + 5 * DAY) == 0

    leave(session, ada.id, course.list_id, source="page", now=now + 6 * DAY)
    join(session, ADA, now + 7 * DAY)
    confirm_subscription(session, subscription_of(session, ada).id, "page", now + 7 * DAY)
    assert enroll_list(session, course, now + 7 * DAY) == 1
    assert (enrollment.state, enrollment.round, enrollment.last_day) == ("active", 2, 0)
    assert welcomes(session) == 2
