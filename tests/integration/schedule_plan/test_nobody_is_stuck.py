"""Rare moments at which a reader could be left without their next lesson: each of them goes on."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import delete, select, text, update

from mailer.audience.lists import confirm, find_subscription
from mailer.audience.suppression import suppress
from mailer.db import impatient, session_scope
from mailer.feedback.record import leave
from mailer.models import (
    Course,
    Delivery,
    DeliveryState,
    Enrollment,
    MailingList,
    OptIn,
    PaceChange,
    Step,
    Subscriber,
    SuppressionReason,
)
from mailer.schedule import enroll, pace
from mailer.schedule.cap import Cap, set_cap
from mailer.schedule.courses import get_course
from mailer.schedule.pace_case import Asker
from tests.support.cast import ADA, CONSENT, join, publish_folder, write_course
from tests.support.desk import Desk

# The course "calm": hello on day 1, rest on day 2, walk on day 4, at 8. Day 0 is Monday, 2 March, at seven.
READER = Asker("the pace page")


def ask(desk: Desk, wish: Callable[..., PaceChange | None], *values: object) -> PaceChange | None:
    with session_scope(desk.sessions) as session:
        return wish(session, *values, READER, desk.house.at)


def lived(desk: Desk, slug: str = "calm", zone: str = "Europe/London") -> list[str]:
    """Each lesson of a course that left, by the reader's own clock."""
    with session_scope(desk.sessions) as session:
        rows = session.execute(
            select(Step.key, Delivery.settled_at)
            .join(Step, Step.id == Delivery.step_id)
            .join(Course, Course.id == Delivery.course_id)
            .where(Delivery.state == DeliveryState.ACCEPTED, Course.slug == slug)
            .order_by(Delivery.settled_at)
        )
        return [f"{key} {at.astimezone(ZoneInfo(zone)):%d %H:%M}" for key, at in rows if at]


def put_extra(desk: Desk, enrollment_id: int, key: str) -> None:
    """As publishing with `--past next` does it."""
    with session_scope(desk.sessions) as session:
        step_id = session.scalars(select(Step.id).where(Step.key == key)).one()
        session.get_one(Enrollment, enrollment_id).extras = [step_id]


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "Pacific/Auckland", "Europe/London", "America/Los_Angeles"])
def test_an_extra_comes_on_the_next_free_day_in_every_part_of_the_world(desk: Desk, zone: str) -> None:
    desk.house.enroll(ADA, zone=zone)
    desk.live_to(3, hour=0)
    ada = desk.enrollment_of(ADA)
    before = lived(desk, zone=zone)
    put_extra(desk, ada.id, "walk")
    desk.live_to(8)
    assert lived(desk, zone=zone)[len(before)].startswith("walk ")
    with session_scope(desk.sessions) as session:
        dues = session.scalars(select(Delivery.due_at)).all()
    # An age of two thousand years would make the first greylisting the last word.
    assert min(dues) >= desk.start


def write_more(desk: Desk, folder: Path, send_time: str = "09:00") -> None:
    """A second course "more", on a list of its own, of the same days, an hour later; Ada is in it too."""
    write_course(folder)
    toml = folder / "course.toml"
    text = toml.read_text(encoding="utf-8").replace('"calm"', '"more"')
    toml.write_text(text.replace('"08:00"', f'"{send_time}"'), encoding="utf-8")
    with session_scope(desk.sessions) as session:
        publish_folder(session, folder, desk.house.at)
        more = get_course(session, "more")
        enroll.enroll(session, more, join(session, ADA, desk.house.at, list_="more"), desk.house.at)


def test_under_a_cap_a_lesson_that_waits_for_its_paused_reader_keeps_no_other_course_waiting(
    desk: Desk, tmp_path: Path
) -> None:
    with session_scope(desk.sessions) as session:
        set_cap(session, Cap(per_day=1))
    desk.house.enroll(ADA)
    desk.house.send()
    ada = desk.enrollment_of(ADA).id
    desk.house.go_to(desk.start.replace(day=3, hour=8))
    desk.house.plan()
    ask(desk, pace.pause_until, ada, date(2026, 4, 20))
    write_more(desk, tmp_path / "more")
    desk.live_to(12)
    assert [line.split()[0] for line in lived(desk, "more")] == ["hello", "rest", "walk"]
    assert lived(desk, "calm") == []


def test_under_a_cap_a_lesson_that_is_set_aside_keeps_no_other_course_waiting(
    desk: Desk, tmp_path: Path
) -> None:
    with session_scope(desk.sessions) as session:
        set_cap(session, Cap(per_day=1))
    desk.house.enroll(ADA)
    desk.house.send()
    desk.house.go_to(desk.start.replace(day=3, hour=8))
    desk.house.plan()
    with session_scope(desk.sessions) as session:
        session.execute(update(Delivery).where(Delivery.state == "planned").values(state="held", reason="x"))
    write_more(desk, tmp_path / "more")
    for day in range(2, 12):  # day by day, for what is set aside is looked after every five minutes
        desk.house.go_to(desk.start.replace(hour=10) + timedelta(days=day))
        desk.house.send()
    assert [line.split()[0] for line in lived(desk, "more")] == ["hello", "rest", "walk"]


def test_a_cap_by_the_week_counts_the_lessons_of_the_course_itself(desk: Desk) -> None:
    with session_scope(desk.sessions) as session:
        set_cap(session, Cap(per_week=2))
    desk.house.enroll(ADA)
    desk.live_to(14)
    # hello on the 3rd and rest on the 4th are two within seven days; the 10th is the first day with room.
    assert lived(desk) == ["hello 03 08:00", "rest 04 08:00", "walk 10 08:00"]


def test_a_lesson_that_came_back_to_be_tried_again_is_not_lost_by_repeating_a_week_and_undoing_that(
    desk: Desk,
) -> None:
    desk.edit("01-hello.md", "kind: lesson", "kind: protocol\nweek: 1")
    desk.publish()
    desk.house.enroll(ADA)
    desk.live_to(1)
    ada = desk.enrollment_of(ADA).id
    desk.house.go_to(desk.start.replace(day=4, hour=8))
    desk.house.plan()
    with session_scope(desk.sessions) as session:
        session.execute(update(Delivery).where(Delivery.state == "planned").values(state="sending"))
    change = ask(desk, pace.repeat_week, ada)
    assert change is not None
    # The server said "later": the worker gives the row back.
    with session_scope(desk.sessions) as session:
        session.execute(update(Delivery).where(Delivery.state == "sending").values(state="planned"))
    ask(desk, pace.undo, change.id)
    desk.live_to(10)
    assert [line.split()[0] for line in lived(desk)] == ["hello", "rest", "walk"]


def test_a_last_lesson_that_starting_over_passed_over_comes_after_all_when_that_is_undone(desk: Desk) -> None:
    desk.house.enroll(ADA)
    desk.live_to(3)
    desk.house.go_to(desk.start.replace(day=6, hour=8))
    desk.house.plan()  # walk, with which the course ends
    ada = desk.enrollment_of(ADA)
    assert ada.state == "finished"
    change = ask(desk, pace.start_over, ada.id)
    assert change is not None
    ask(desk, pace.undo, change.id)
    desk.live_to(10)
    assert [line.split()[0] for line in lived(desk)] == ["hello", "rest", "walk"]
    assert desk.enrollment_of(ADA).state == "finished"


def test_who_confirmed_while_they_had_stopped_the_course_gets_it_once_stopping_is_undone(
    desk: Desk,
) -> None:
    with session_scope(desk.sessions) as session:
        session.execute(update(MailingList).values(opt_in=OptIn.DOUBLE))
    ada = desk.house.enroll(ADA)
    enrollment = desk.enrollment_of(ADA)
    assert enrollment.state == "waiting"
    change = ask(desk, pace.stop, enrollment.id)
    assert change is not None
    with session_scope(desk.sessions) as session:
        list_id = session.scalars(select(MailingList.id).where(MailingList.slug == "calm")).one()
        subscription = find_subscription(session, ada, list_id)
        assert subscription is not None
        confirm(session, subscription, CONSENT, desk.house.at)
        enroll.start_waiting(session, session.get_one(Subscriber, ada), list_id, desk.house.at)
    ask(desk, pace.undo, change.id)
    desk.live_to(6)
    assert [line.split()[0] for line in lived(desk)] == ["hello", "rest", "walk"]


def test_publishing_plans_nothing_for_somebody_whose_mailbox_takes_no_mail_for_now(desk: Desk) -> None:
    ada = desk.house.enroll(ADA)
    desk.live_to(1)
    until = desk.start + timedelta(days=20)
    with session_scope(desk.sessions) as session:
        suppress(session, ADA, SuppressionReason.SOFT_BOUNCE, desk.house.at, until=until)
        enroll.wait_until(session, ada, until)
    desk.live_to(3)
    desk.edit("03-walk.md", "One idea.", "Another idea.")
    desk.publish()
    ask(desk, pace.set_hour, desk.enrollment_of(ADA).id, time(9))
    ask(desk, pace.set_zone, desk.enrollment_of(ADA).id, "Europe/Paris")
    desk.live_to(30)
    assert [line.split()[0] for line in lived(desk)] == ["hello", "rest", "walk"]


def test_who_comes_back_gets_the_first_lesson_at_their_own_hour(desk: Desk) -> None:
    ada = desk.house.enroll(ADA)
    desk.house.send()
    enrollment_id = desk.enrollment_of(ADA).id
    ask(desk, pace.set_hour, enrollment_id, time(6))
    ask(desk, pace.stop, enrollment_id)
    with session_scope(desk.sessions) as session:
        course = get_course(session, "calm")
        enroll.enroll(session, course, session.get_one(Subscriber, ada), desk.house.at)
    desk.live_to(6)
    assert [line.split()[1:] for line in lived(desk)] == [["03", "06:00"], ["04", "06:00"], ["06", "06:00"]]


def test_who_leaves_everything_as_their_course_ends_waits_for_nothing_that_follows(
    desk: Desk, tmp_path: Path
) -> None:
    ada = desk.house.enroll(ADA)
    desk.live_to(3)
    write_more(desk, tmp_path / "more")
    with session_scope(desk.sessions) as session:
        get_course(session, "calm").flow = {"then": [{"course": "more", "when": ""}]}
        more = session.scalars(select(MailingList.id).where(MailingList.slug == "more")).one()
        session.execute(delete(Enrollment).where(Enrollment.course_id == get_course(session, "more").id))
    desk.house.go_to(desk.start.replace(day=6, hour=8))
    with session_scope(desk.sessions) as leaving, ThreadPoolExecutor() as pool:
        # She has pressed the button; the tick, which ends her course, would enroll her in the next one.
        find_subscription(leaving, ada, more)
        pool.submit(desk.house.plan).result(timeout=5)
        leave(leaving, ada, None, source="page", now=desk.house.at)
    desk.live_to(12)
    assert [line.split()[0] for line in lived(desk)] == ["hello", "rest"]
    assert lived(desk, "more") == []
    assert desk.enrollment_of(ADA).state == "stopped"


def test_who_has_only_an_extra_to_come_can_pause_for_it(desk: Desk) -> None:
    desk.house.enroll(ADA)
    desk.live_to(2)
    with session_scope(desk.sessions) as session:
        ada = session.scalars(select(Enrollment)).one()
        ada.last_extras = [session.scalars(select(Step.id).where(Step.key == "hello")).one()]
        ada.round += 1  # a round in which she has not had it
    desk.live_to(4, hour=10)  # walk has left; hello is to come tomorrow
    change = ask(desk, pace.pause_until, desk.enrollment_of(ADA).id, date(2026, 3, 12))
    assert change is not None
    desk.live_to(9)
    assert [line.split()[0] for line in lived(desk)] == ["hello", "rest", "walk"]
    desk.live_to(12)
    assert lived(desk)[3:] == ["hello 12 08:00"]
    assert desk.enrollment_of(ADA).state == "finished"


def with_an_extra_due(desk: Desk) -> int:
    """Ada had hello, and rest with its week; the tick has planned hello as an extra. Her enrollment's id."""
    desk.edit("02-rest.md", "kind: lesson", "kind: protocol\nweek: 1")
    desk.publish()
    desk.house.enroll(ADA)
    desk.live_to(2)  # hello, and rest with the week
    ada = desk.enrollment_of(ADA)
    with session_scope(desk.sessions) as session:
        session.get_one(Enrollment, ada.id).round += 1  # a round in which she has not had hello
        enroll.look_anew(session, Enrollment.id == ada.id, desk.house.at)
    put_extra(desk, ada.id, "hello")
    desk.house.go_to(desk.start.replace(day=5, hour=8))
    desk.house.plan()  # the extra, which does not leave at once
    assert desk.enrollment_of(ADA).extras == []
    return ada.id


def test_an_extra_that_had_not_left_when_its_reader_repeats_a_week_comes_after_all(desk: Desk) -> None:
    ada = with_an_extra_due(desk)
    change = ask(desk, pace.repeat_week, ada)
    assert change is not None
    desk.live_to(14)
    assert [line.split()[0] for line in lived(desk)] == ["hello", "rest", "hello", "rest", "walk"]
    assert desk.enrollment_of(ADA).state == "finished"


def test_a_week_is_not_repeated_while_a_worker_has_an_extra(desk: Desk) -> None:
    ada = with_an_extra_due(desk)
    assert desk.house.offers() != []
    with pytest.raises(pace.OnItsWay):
        ask(desk, pace.repeat_week, ada)
    desk.house.forget_offers_and_leases()
    desk.house.send()
    assert ask(desk, pace.repeat_week, ada) is not None
    desk.live_to(20)
    assert [line.split()[0] for line in lived(desk)] == ["hello", "rest", "hello", "rest", "walk"]


def test_what_was_impatient_leaves_the_rest_of_its_transaction_as_patient_as_before(desk: Desk) -> None:
    with session_scope(desk.sessions) as session:
        with impatient(session, "100ms"):
            assert session.execute(text("SHOW lock_timeout")).scalar_one() == "100ms"
        assert session.execute(text("SHOW lock_timeout")).scalar_one() == "0"
