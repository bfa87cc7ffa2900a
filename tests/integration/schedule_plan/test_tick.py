"""The tick while the course changes under its readers: nobody is stuck, nobody gets a mail twice."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from itertools import count
from threading import Thread
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import event, func, insert, select, text, update

from mailer.db import session_scope
from mailer.feedback.record import change_details
from mailer.models import (
    Delivery,
    DeliveryState,
    Enrollment,
    EnrollmentState,
    Step,
    Subscriber,
    Subscription,
    SubscriptionState,
)
from mailer.schedule.courses import get_course
from mailer.schedule.plan import plan_due
from tests.support.cast import ADA, BEN
from tests.support.desk import CALM, Desk

ACCEPTED = DeliveryState.ACCEPTED


def left_at(desk: Desk, zone: str = "Europe/London") -> list[str]:
    """When each mail but the welcome left, by the reader's own clock."""
    with session_scope(desk.sessions) as session:
        rows = session.execute(
            select(Step.key, Delivery.settled_at)
            .join(Step, Step.id == Delivery.step_id)
            .where(Delivery.state == ACCEPTED)
            .order_by(Delivery.created_at, Delivery.id)
        )
        return [f"{key} {at.astimezone(ZoneInfo(zone)):%d %H:%M}" for key, at in rows if at]


def test_a_course_is_lived_through_and_finished(desk: Desk) -> None:
    desk.house.enroll(ADA)
    desk.live_to(5)
    assert left_at(desk) == ["hello 03 08:00", "rest 04 08:00", "walk 06 08:00"]
    enrollment = desk.enrollment_of(ADA)
    assert (enrollment.state, enrollment.next_due_at, enrollment.last_day) == ("finished", None, 4)
    assert enrollment.ended_at == datetime(2026, 3, 6, 8, tzinfo=UTC)
    assert desk.statement().is_balanced


def test_a_step_that_is_moved_while_people_wait_for_it_comes_on_its_new_day(desk: Desk) -> None:
    desk.house.enroll(ADA)
    desk.live_to(2)
    desk.write({**CALM, "walk": 6})
    desk.publish()
    desk.live_to(5)
    assert desk.mails_of(ADA) == ["hello", "rest"]
    desk.live_to(7)
    assert left_at(desk)[-1] == "walk 08 08:00"
    assert desk.statement().is_balanced


def test_a_step_moved_to_a_day_that_is_over_comes_today(desk: Desk) -> None:
    desk.write({"hello": 1, "rest": 2, "walk": 7})
    desk.publish()
    desk.house.enroll(ADA)
    desk.live_to(5)
    desk.write({"hello": 1, "rest": 2, "walk": 3})
    assert desk.changes() == [("move", "walk", "day 7 08:00 to day 3 08:00", 1)]
    desk.publish()
    desk.live_to(5, hour=10)
    assert left_at(desk)[-1] == "walk 07 09:00"
    assert desk.enrollment_of(ADA).state == "finished"
    assert desk.statement().is_balanced


def test_a_new_hour_counts_from_the_next_mail_on(desk: Desk) -> None:
    desk.house.enroll(ADA)
    desk.live_to(1)
    desk.edit("02-rest.md", "day: 2", "day: 2\nsend_time: 19:30")
    desk.publish()
    desk.live_to(3)
    assert left_at(desk) == ["hello 03 08:00", "rest 04 19:30"]


def test_when_the_awaited_step_is_retired_the_next_one_comes(desk: Desk) -> None:
    desk.house.enroll(ADA)
    desk.live_to(1)
    desk.write({"hello": 1, "walk": 4})
    desk.publish()
    desk.live_to(5)
    assert desk.mails_of(ADA) == ["hello", "walk"]
    assert desk.statement().is_balanced


def test_when_the_last_step_is_retired_the_course_is_finished(desk: Desk) -> None:
    desk.house.enroll(ADA)
    desk.live_to(2)
    desk.write({"hello": 1, "rest": 2})
    desk.publish()
    desk.house.send()
    assert desk.enrollment_of(ADA).state == "finished"
    assert desk.statement().is_balanced


def test_a_step_added_on_a_day_that_is_over_is_not_sent_and_puts_nothing_off(desk: Desk) -> None:
    desk.write({"hello": 1, "rest": 2, "walk": 7})
    desk.publish()
    desk.house.enroll(ADA)
    desk.live_to(3)
    desk.house.enroll(BEN)
    desk.live_to(5)  # day 5 for Ada, day 2 for Ben; the next of Ada's mails is that of day 7
    desk.write({"hello": 1, "rest": 2, "pause": 3, "breath": 4, "walk": 7})
    assert desk.changes() == [("add", "pause", "day 3 08:00", 1), ("add", "breath", "day 4 08:00", 1)]
    desk.publish()
    desk.live_to(11)
    assert desk.mails_of(ADA) == ["hello", "rest", "walk"]
    assert desk.mails_of(BEN) == ["hello", "rest", "pause", "breath", "walk"]
    assert "walk 09 08:00" in left_at(desk)  # Ada's day 7
    assert desk.statement().is_balanced


def test_a_step_added_for_today_after_its_hour_comes_at_once(desk: Desk) -> None:
    desk.house.enroll(ADA)
    desk.live_to(3, hour=11)
    desk.write({"hello": 1, "rest": 2, "pause": 3, "walk": 4})
    desk.publish()
    desk.live_to(5)
    assert left_at(desk)[2:] == ["pause 05 11:00", "walk 06 08:00"]
    assert desk.statement().is_balanced


def test_a_step_added_before_one_that_an_outage_held_back_is_not_skipped(desk: Desk) -> None:
    desk.house.enroll(ADA)
    desk.live_to(1)
    desk.house.go_to(desk.start.replace(hour=12) + timedelta(days=5))  # nothing ran for four days
    desk.write({"hello": 1, "rest": 2, "pause": 3, "walk": 4})
    desk.publish()
    desk.live_to(9)
    assert left_at(desk) == ["hello 03 08:00", "rest 07 12:00", "pause 08 08:00", "walk 09 08:00"]
    assert desk.statement().is_balanced


def test_after_an_outage_the_course_goes_on_from_where_it_was(desk: Desk) -> None:
    desk.house.enroll(ADA)
    desk.live_to(1)
    desk.house.go_to(desk.start.replace(hour=6) + timedelta(days=5))
    assert desk.house.send() == {}  # not in the middle of the night, but at eight
    desk.live_to(5)
    # Day 2 is now this day, and the rest keeps its distance; nothing counts as missing meanwhile.
    assert desk.statement().is_balanced
    desk.live_to(8)
    assert left_at(desk) == ["hello 03 08:00", "rest 07 08:00", "walk 09 08:00"]


def test_publishing_while_mails_are_on_their_way_sends_what_was_planned(desk: Desk) -> None:
    desk.house.enroll(ADA)
    desk.live_to(1, hour=7)
    desk.house.go_to(desk.start.replace(hour=8) + timedelta(days=1))
    desk.house.plan()
    desk.write({"hello": 1, "rest": 2, "walk": 4}, hello="Another idea.", rest="Another idea.")
    desk.publish()
    desk.house.plan()
    desk.live_to(2)
    bodies = [mail.get_body(("plain",)).get_content() for mail in desk.server.mails]  # type: ignore[union-attr]
    assert ["One idea." in body for body in bodies[1:]] == [True, False]
    assert desk.mails_of(ADA) == ["hello", "rest"]


def test_retiring_a_step_that_is_on_its_way_does_not_take_it_back(desk: Desk) -> None:
    desk.house.enroll(ADA)
    desk.live_to(1, hour=7)
    desk.house.go_to(desk.start.replace(hour=8) + timedelta(days=1))
    desk.house.plan()
    desk.write({"rest": 2, "walk": 4})
    desk.publish()
    desk.live_to(5)
    assert left_at(desk) == ["hello 03 08:00", "rest 04 08:00", "walk 06 08:00"]
    assert desk.statement().is_balanced


def test_the_next_mail_waits_for_the_one_before_it(desk: Desk) -> None:
    desk.house.enroll(ADA)
    desk.live_to(1, hour=7)
    desk.server.replies["RCPT"] = ["451 4.7.1 later"] * 10  # until a quarter to twelve on the next day
    desk.live_to(2)
    assert desk.mails_of(ADA) == ["hello"]
    statement = desk.statement()
    assert (statement.open, statement.missing) == (1, 0)
    desk.server.replies.clear()
    desk.live_to(9)
    # Never two on one day. A try that would have come in the night of the 4th waited for eight, and the
    # one after it came four hours later.
    assert left_at(desk) == ["hello 04 12:00", "rest 05 08:00", "walk 07 08:00"]
    assert desk.statement().is_balanced


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        # Ada had hello at 08:00 in London. In New York rest comes at 08:00 there, five hours later …
        ("America/New_York", ["hello 03 03:00", "rest 04 08:00", "walk 06 08:00"]),
        # … and in Auckland hello arrived at 21:00, still on the 3rd, so rest is due on the 4th, 08:00.
        ("Pacific/Auckland", ["hello 03 21:00", "rest 04 08:00", "walk 06 08:00"]),
        # In Kiritimati (+14) it was 22:00 already.
        ("Pacific/Kiritimati", ["hello 03 22:00", "rest 04 08:00", "walk 06 08:00"]),
    ],
)
def test_a_reader_who_moves_gets_the_next_mail_at_the_new_hour(
    desk: Desk, zone: str, expected: list[str]
) -> None:
    ada = desk.house.enroll(ADA)
    desk.live_to(1, hour=10)
    with session_scope(desk.sessions) as session:
        change_details(session, ada, name="Ada", language="en", zone_name=zone, now=desk.house.at)
    desk.live_to(6)
    assert left_at(desk, zone) == expected
    assert desk.statement().is_balanced


def test_a_mail_that_crossed_midnight_by_moving_puts_the_next_one_off(desk: Desk) -> None:
    ada = desk.house.enroll(ADA, zone="America/Los_Angeles")
    desk.live_to(0, hour=20)  # hello left on the 2nd, 08:00 there, which in Auckland is the 3rd, 05:00
    with session_scope(desk.sessions) as session:
        change_details(
            session, ada, name="Ada", language="en", zone_name="Pacific/Auckland", now=desk.house.at
        )
    desk.live_to(6)
    assert left_at(desk, "Pacific/Auckland") == ["hello 03 05:00", "rest 04 08:00", "walk 06 08:00"]
    assert desk.statement().is_balanced


def _crowd(desk: Desk, size: int) -> None:
    """Many people whose first lesson is due on day 1 at eight, written as enrolling writes them."""
    with session_scope(desk.sessions) as session:
        course = get_course(session, "calm")
        people = [
            {
                "email": f"r{number}@reader.example",
                "email_key": f"r{number}@reader.example",
                "zone": "Etc/UTC",
            }
            for number in range(size)
        ]
        ids = session.execute(insert(Subscriber).returning(Subscriber.id), people).scalars().all()
        session.execute(
            insert(Subscription),
            [
                {
                    "subscriber_id": who,
                    "list_id": course.list_id,
                    "state": SubscriptionState.ACTIVE,
                    "changed_at": desk.start,
                }
                for who in ids
            ],
        )
        session.execute(
            insert(Enrollment),
            [
                {
                    "subscriber_id": who,
                    "course_id": course.id,
                    "state": EnrollmentState.ACTIVE,
                    "anchor_date": date(2026, 3, 2),
                    "next_due_at": desk.start.replace(hour=8) + timedelta(days=1),
                    "created_at": desk.start,
                }
                for who in ids
            ],
        )


def test_three_thousand_due_at_once_are_planned_in_batches_each_once(desk: Desk) -> None:
    _crowd(desk, 3000)
    desk.house.go_to(desk.start.replace(hour=8) + timedelta(days=1))
    looked_at: list[int] = []

    def tick() -> None:
        while True:
            with session_scope(desk.sessions) as session:
                found = plan_due(session, desk.house.at)
            looked_at.append(found)
            if not found:
                return

    ticks = [Thread(target=tick) for _ in range(2)]
    for thread in ticks:
        thread.start()
    for thread in ticks:
        thread.join()
    assert sum(looked_at) == 3000
    assert max(looked_at) == 1000
    with session_scope(desk.sessions) as session:
        rows = select(func.count(), func.count(Delivery.subscriber_id.distinct())).select_from(Delivery)
        assert tuple(session.execute(rows).one()) == (3000, 3000)
        following = session.execute(select(Enrollment.next_due_at).distinct()).scalars().all()
        assert following == [desk.start.replace(hour=8) + timedelta(days=2)]


def test_the_tick_reads_only_the_index_of_what_is_due(desk: Desk) -> None:
    _crowd(desk, 3000)
    with session_scope(desk.sessions) as session:
        # Most have finished long ago: the tick must not get slower with them.
        session.execute(
            update(Enrollment).where(Enrollment.id % 50 != 0).values(state="finished", next_due_at=None)
        )
    with desk.sessions() as session:
        session.execute(text("ANALYZE enrollments"))
        statements: list[str] = []
        event.listen(
            session.connection(),
            "before_cursor_execute",
            lambda _conn, _cursor, statement, *_rest: statements.append(statement),
        )
        plan_due(session, desk.house.at)
        (tick,) = (statement for statement in statements if "SKIP LOCKED" in statement)
        number = count(1)
        # The plan for every value of the parameters, as a prepared statement has it: the hardest case.
        numbered = re.sub(r"%\(\w+\)s", lambda _: f"${next(number)}", tick)
        plan = session.connection().exec_driver_sql(f"EXPLAIN (GENERIC_PLAN) {numbered}").scalars().all()
    assert any("ix_enrollments_due" in line for line in plan), plan
