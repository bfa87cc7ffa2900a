"""A reader of two courses under a cap: the dates that each course's page tells are those that come true."""

from __future__ import annotations

from datetime import datetime, time

import pytest
from sqlalchemy import select

from mailer.db import session_scope
from mailer.models import Course, Delivery, DeliveryState, Enrollment, Step, Subscriber
from mailer.reports.progress import journey
from mailer.schedule.cap import Cap, set_cap
from mailer.schedule.courses import get_course
from mailer.schedule.enroll import enroll
from tests.support.cast import ADA, publish_folder, step_file, write_course
from tests.support.desk import Desk

CAPS = (
    Cap(per_day=1),
    Cap(per_week=3),
    Cap(per_day=1, per_week=4, quiet_from=time(22), quiet_until=time(9)),
)


@pytest.fixture
def both(desk: Desk) -> Desk:
    """Ada is in "calm" and in "walks", whose lessons fall on the same days, half an hour apart."""
    steps = {f"{day}.md": step_file(f"w{day}", day) for day in range(1, 6)}
    walks = write_course(desk.folder.parent / "walks", steps)
    course = walks / "course.toml"
    text = course.read_text().replace('slug = "calm"', 'slug = "walks"').replace("08:00", "08:30")
    course.write_text(text)
    with session_scope(desk.sessions) as session:
        publish_folder(session, walks, desk.start)
    desk.house.enroll(ADA)
    with session_scope(desk.sessions) as session:
        ada = session.execute(select(Subscriber).where(Subscriber.email == ADA)).scalar_one()
        enroll(session, get_course(session, "walks"), ada, desk.start)
    return desk


def foretold(desk: Desk) -> list[tuple[str, datetime]]:
    """What both pages say is to come."""
    with session_scope(desk.sessions) as session:
        rows = session.execute(select(Enrollment.id, Course.title).join(Course)).all()
        keys = dict(session.execute(select(Step.id, Step.key)).all())
        ways = [journey(session, row.id, desk.house.at) for row in rows]
    return sorted((keys[one.step_id], one.at) for way in ways for one in way.ahead)


def came(desk: Desk) -> list[tuple[str, datetime]]:
    with session_scope(desk.sessions) as session:
        rows = session.execute(
            select(Step.key, Delivery.settled_at)
            .join(Step, Step.id == Delivery.step_id)
            .where(Delivery.state == DeliveryState.ACCEPTED)
        )
        return sorted((row.key, row.settled_at) for row in rows)


@pytest.mark.parametrize("cap", CAPS, ids=str)
@pytest.mark.parametrize("day", [0, 3])
def test_what_both_pages_tell_comes_true(both: Desk, cap: Cap, day: int) -> None:
    with session_scope(both.sessions) as session:
        set_cap(session, cap)
    both.live_to(day, hour=12)
    had = came(both)
    told = foretold(both)
    assert len(had) + len(told) == 8
    both.live_to(40)
    assert [one for one in came(both) if one not in had] == told


def test_without_a_cap_they_come_on_the_same_days(both: Desk) -> None:
    told = foretold(both)
    assert len({moment.date() for _, moment in told}) == 5
    assert len(told) == 8
