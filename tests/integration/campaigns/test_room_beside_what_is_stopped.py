"""What cannot leave takes no room: a course on hold keeps no other course and no campaign waiting."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from mailer.db import session_scope
from mailer.delivery.holds import pause
from mailer.models import Course, Delivery, HoldScope, Sender, Transport
from mailer.schedule.cap import Cap, set_cap
from mailer.schedule.courses import get_course
from mailer.schedule.enroll import enroll
from mailer.schedule.stopped import stopped_courses
from tests.support.campaigns import set_going
from tests.support.cast import ADA, join, publish_folder, write_course
from tests.support.house import House


@pytest.fixture
def both(spring: House, tmp_path: Path) -> House:
    """One mail a day; Ada is in calm and in more, whose lessons fall on the same hours."""
    folder = write_course(tmp_path / "more")
    course = folder / "course.toml"
    course.write_text(course.read_text(encoding="utf-8").replace('"calm"', '"more"'), encoding="utf-8")
    spring.enroll(ADA)
    with session_scope(spring.sessions) as session:
        set_cap(session, Cap(per_day=1))
        publish_folder(session, folder, spring.at)
        enroll(session, get_course(session, "more"), join(session, ADA, spring.at, list_="more"), spring.at)
    spring.send()  # the welcomes
    return spring


def stop(house: House, scope: HoldScope, target: str) -> None:
    with session_scope(house.sessions) as session:
        pause(session, scope, target, house.at, who="ann")


def live(house: House, days: int) -> None:
    """Twice a day: after the lessons' hour, and in the evening."""
    for _ in range(2 * days):
        house.go_to(house.at + timedelta(hours=12))
        house.send()


def accepted(house: House) -> dict[str, int]:
    """How many mails were accepted, by their course, or else their kind; without welcomes."""
    with session_scope(house.sessions) as session:
        what = func.coalesce(Course.slug, Delivery.kind)
        rows = session.execute(
            select(what, func.count())
            .select_from(Delivery)
            .outerjoin(Course, Course.id == Delivery.course_id)
            .where(Delivery.state == "accepted", Delivery.kind != "welcome")
            .group_by(what)
        )
        return dict(rows.all())


def test_a_course_goes_on_beside_one_that_is_on_hold(both: House) -> None:
    stop(both, HoldScope.COURSE, "calm")
    live(both, 8)
    # Lessons on days 1, 2 and 4; both planned their first, and that of calm waits.
    assert accepted(both) == {"more": 3}
    assert both.states()["planned"] == 1


def test_a_campaign_leaves_beside_courses_that_are_on_hold(both: House) -> None:
    stop(both, HoldScope.COURSE, "calm")
    stop(both, HoldScope.COURSE, "more")
    live(both, 3)
    # Of two courses that are stopped one has planned its lesson; the other's is due, and waits for room.
    assert both.states()["planned"] == 1
    set_going(both)
    both.send()
    assert accepted(both) == {"campaign": 1}


def test_a_campaign_leaves_while_the_lane_of_courses_is_on_hold(both: House) -> None:
    stop(both, HoldScope.LANE, "course")
    live(both, 3)
    set_going(both)
    both.send()
    assert accepted(both) == {"campaign": 1}


def test_courses_are_stopped_by_their_sender_and_by_paused_transports(both: House) -> None:
    with session_scope(both.sessions) as session:
        assert stopped_courses(session) == frozenset()
        session.execute(update(Transport).values(paused_at=both.at))
        assert len(stopped_courses(session)) == 2
        session.execute(update(Transport).values(paused_at=None))
        calm = get_course(session, "calm")
        pause(session, HoldScope.SENDER, session.get_one(Sender, calm.sender_id).slug, both.at, who="ann")
        assert calm.id in stopped_courses(session)
