"""A reader changes their course's pace: what comes when, and that nothing is lost or doubled by it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from threading import Thread
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import delete, select, update

from mailer.db import session_scope
from mailer.feedback.record import leave
from mailer.models import Course, Delivery, DeliveryState, Enrollment, PaceChange, Step, Subscriber
from mailer.schedule import pace
from mailer.schedule.pace_case import Asker
from tests.support.cast import ADA, step_file, write_course
from tests.support.desk import Desk

# The course "calm": hello on day 1, rest on day 2, walk on day 4, at 8 in London. Day 0 is Monday, 2 March.
READER = Asker("the pace page")


@pytest.fixture
def ada(desk: Desk) -> int:
    """Her enrollment, of day 0 at seven."""
    desk.house.enroll(ADA)
    desk.house.send()
    return desk.enrollment_of(ADA).id


def ask(desk: Desk, wish: Callable[..., PaceChange | None], *values: object) -> PaceChange | None:
    with session_scope(desk.sessions) as session:
        return wish(session, *values, READER, desk.house.at)


def lived(desk: Desk) -> list[str]:
    """Each lesson that left, by the reader's own clock, in the order in which it left."""
    with session_scope(desk.sessions) as session:
        rows = session.execute(
            select(Step.key, Delivery.settled_at)
            .join(Step, Step.id == Delivery.step_id)
            .where(Delivery.state == DeliveryState.ACCEPTED)
            .order_by(Delivery.settled_at)
        )
        return [f"{key} {at.astimezone(ZoneInfo('Europe/London')):%d %H:%M}" for key, at in rows if at]


def rows_of(desk: Desk) -> list[tuple[str, str, str]]:
    with session_scope(desk.sessions) as session:
        rows = session.execute(
            select(Step.key, Delivery.state, Delivery.reason)
            .join(Step, Step.id == Delivery.step_id)
            .order_by(Delivery.id)
        )
        return [(key, state, reason) for key, state, reason in rows]


def plan_only(desk: Desk, moment: datetime) -> None:
    desk.house.go_to(moment)
    desk.house.plan()


def test_a_pause_moves_all_that_follows_and_skips_nothing(desk: Desk, ada: int) -> None:
    desk.live_to(1)
    ask(desk, pace.pause_until, ada, date(2026, 3, 10))
    desk.live_to(20)
    # On the 3rd, hello has left. Seven days later: rest 4 -> 11, walk 6 -> 13.
    assert lived(desk) == ["hello 03 08:00", "rest 11 08:00", "walk 13 08:00"]


def test_resuming_early_takes_back_what_is_left_of_the_pause(desk: Desk, ada: int) -> None:
    desk.live_to(1)
    ask(desk, pace.pause_until, ada, date(2026, 3, 10))
    desk.live_to(3)
    ask(desk, pace.resume, ada)
    desk.live_to(20)
    # Two of seven days were paused: rest 4 -> 6, walk 6 -> 8.
    assert lived(desk) == ["hello 03 08:00", "rest 06 08:00", "walk 08 08:00"]


def test_pausing_again_changes_the_date(desk: Desk, ada: int) -> None:
    desk.live_to(1)
    ask(desk, pace.pause_until, ada, date(2026, 3, 10))
    ask(desk, pace.pause_until, ada, date(2026, 3, 5))
    desk.live_to(20)
    assert lived(desk) == ["hello 03 08:00", "rest 06 08:00", "walk 08 08:00"]


def test_a_lesson_that_was_planned_before_the_pause_waits_for_its_end_and_comes_once(
    desk: Desk, ada: int
) -> None:
    plan_only(desk, desk.start.replace(day=3, hour=8))
    ask(desk, pace.pause_until, ada, date(2026, 3, 10))
    assert desk.house.send() == {}
    assert rows_of(desk) == [("hello", "planned", "waits: paused by the reader")]
    desk.live_to(20)
    assert lived(desk) == ["hello 10 08:00", "rest 11 08:00", "walk 13 08:00"]
    assert desk.statement().is_balanced


def test_a_lesson_that_is_offered_to_a_worker_as_its_reader_pauses_waits_too(desk: Desk, ada: int) -> None:
    plan_only(desk, desk.start.replace(day=3, hour=8))
    assert desk.house.offers() != []
    ask(desk, pace.pause_until, ada, date(2026, 3, 10))
    desk.house.forget_offers_and_leases()
    desk.house.send()
    assert lived(desk) == []
    desk.live_to(20)
    assert lived(desk) == ["hello 10 08:00", "rest 11 08:00", "walk 13 08:00"]


def test_a_lesson_held_back_by_a_pause_goes_on_when_the_reader_does(desk: Desk, ada: int) -> None:
    plan_only(desk, desk.start.replace(day=3, hour=8))
    ask(desk, pace.pause_until, ada, date(2026, 3, 10))
    desk.live_to(2)
    ask(desk, pace.resume, ada)
    desk.live_to(20)
    assert lived(desk)[0] == "hello 04 09:00"
    assert len(lived(desk)) == 3


def test_a_welcome_that_has_not_left_waits_for_the_end_of_a_pause_too(desk: Desk) -> None:
    desk.house.enroll(ADA)
    desk.house.plan()
    enrollment = desk.enrollment_of(ADA).id
    ask(desk, pace.pause_until, enrollment, date(2026, 3, 10))
    desk.live_to(7)
    assert desk.house.states() == {"planned": 1}
    desk.live_to(20)
    # At eight, not at midnight, on the day on which she wants to go on; day 1 is the day after.
    assert lived(desk)[0] == "hello 11 08:00"
    with session_scope(desk.sessions) as session:
        first = session.scalars(select(Delivery.settled_at).order_by(Delivery.id).limit(1)).one()
    assert first == datetime(2026, 3, 10, 8, tzinfo=ZoneInfo("Europe/London"))


def test_a_welcome_held_back_goes_on_when_the_reader_does(desk: Desk) -> None:
    desk.house.enroll(ADA)
    desk.house.plan()
    enrollment = desk.enrollment_of(ADA).id
    ask(desk, pace.pause_until, enrollment, date(2026, 3, 10))
    ask(desk, pace.resume, enrollment)
    assert desk.house.send() == {"accepted": 1}


def test_an_extra_outside_the_courses_days_waits_for_the_end_of_a_pause_too(desk: Desk, ada: int) -> None:
    desk.live_to(1)
    with session_scope(desk.sessions) as session:
        walk = session.scalars(select(Step.id).where(Step.key == "walk")).one()
        session.get_one(Enrollment, ada).extras = [walk]
    ask(desk, pace.pause_until, ada, date(2026, 3, 10))
    desk.live_to(7)
    assert lived(desk) == ["hello 03 08:00"]
    desk.live_to(8)
    assert lived(desk) == ["hello 03 08:00", "walk 10 08:00"]


def test_the_next_lesson_now_leaves_at_the_next_tick_and_the_rest_follow_from_there(
    desk: Desk, ada: int
) -> None:
    desk.live_to(1)
    desk.house.go_to(desk.house.at.replace(hour=15, minute=30))
    ask(desk, pace.next_now, ada)
    desk.house.send()
    desk.live_to(20)
    # Walk comes two days after rest, as it does as written.
    assert lived(desk) == ["hello 03 08:00", "rest 03 15:30", "walk 05 08:00"]


def test_asking_twice_for_the_next_lesson_sends_one(desk: Desk, ada: int) -> None:
    desk.live_to(1)
    first, second = ask(desk, pace.next_now, ada), ask(desk, pace.next_now, ada)
    assert first is not None
    assert second is not None
    assert first.id == second.id
    desk.house.send()
    assert len(lived(desk)) == 2


def test_a_form_sent_again_after_its_lesson_left_asks_for_no_other(desk: Desk, ada: int) -> None:
    desk.live_to(1)
    page = Asker("the pace page", seen=0)
    for _ in range(2):
        with session_scope(desk.sessions) as session:
            pace.next_now(session, ada, page, desk.house.at)
        desk.house.send()
    assert len(lived(desk)) == 2


def test_behind_the_last_lesson_of_a_course_that_is_followed_there_is_no_next_one(
    desk: Desk, ada: int
) -> None:
    with session_scope(desk.sessions) as session:
        session.execute(update(Course).values(flow={"then": [{"course": "more", "when": ""}]}))
    desk.live_to(3)
    desk.house.go_to(desk.start.replace(day=6, hour=8))
    desk.house.send()  # walk, the last one; the course ends at a later tick
    assert desk.enrollment_of(ADA).state == "active"
    with pytest.raises(pace.NothingToCome):
        ask(desk, pace.next_now, ada)
    assert desk.enrollment_of(ADA).asked_at is None


def test_asking_for_the_next_lesson_ends_a_pause(desk: Desk, ada: int) -> None:
    desk.live_to(1)
    ask(desk, pace.pause_until, ada, date(2026, 3, 20))
    desk.live_to(2)
    ask(desk, pace.next_now, ada)
    desk.house.send()
    desk.live_to(20)
    assert lived(desk)[1:] == ["rest 04 09:00", "walk 06 08:00"]


@pytest.mark.parametrize(
    ("gap", "expected"),
    [
        (1, ["rest 04 08:00", "walk 05 08:00"]),
        (2, ["rest 05 08:00", "walk 07 08:00"]),
        (7, ["rest 10 08:00", "walk 17 08:00"]),  # hello left on the 3rd
    ],
)
def test_a_gap_counts_from_the_last_mail(desk: Desk, ada: int, gap: int, expected: list[str]) -> None:
    desk.live_to(1)
    ask(desk, pace.set_gap, ada, gap)
    desk.live_to(30)
    assert lived(desk)[1:] == expected


def test_back_to_the_pace_as_written(desk: Desk, ada: int) -> None:
    desk.live_to(1)
    ask(desk, pace.set_gap, ada, 7)
    desk.live_to(3)
    ask(desk, pace.set_gap, ada, None)
    desk.live_to(20)
    # On the 5th rest is late already, and leaves at once; walk two days later.
    assert lived(desk)[1:] == ["rest 05 09:00", "walk 07 08:00"]


def test_hour_and_weekdays_of_ones_own(desk: Desk, ada: int) -> None:
    ask(desk, pace.set_hour, ada, time(19, 15))
    ask(desk, pace.set_weekdays, ada, 0b0010100)  # Wednesday, Friday
    desk.live_to(20)
    assert lived(desk) == ["hello 04 19:15", "rest 06 19:15", "walk 11 19:15"]


def test_a_new_zone_moves_the_hour(desk: Desk, ada: int) -> None:
    ask(desk, pace.set_zone, ada, "America/New_York")
    desk.live_to(2)
    assert lived(desk)[0] == "hello 03 13:00"


def test_starting_over_after_the_end_sends_every_lesson_once_more(desk: Desk, ada: int) -> None:
    desk.live_to(5)
    assert desk.enrollment_of(ADA).state == "finished"
    ask(desk, pace.start_over, ada)
    desk.live_to(20)
    assert lived(desk)[3:] == ["hello 08 08:00", "rest 09 08:00", "walk 11 08:00"]
    assert desk.statement().is_balanced


def test_starting_over_passes_over_a_lesson_that_has_not_left(desk: Desk, ada: int) -> None:
    desk.live_to(1)
    plan_only(desk, desk.start.replace(day=4, hour=8))
    ask(desk, pace.start_over, ada)
    desk.live_to(20)
    assert lived(desk) == [
        "hello 03 08:00",
        "hello 05 08:00",
        "rest 06 08:00",
        "walk 08 08:00",
    ]
    assert ("rest", "skipped", "the reader went back to an earlier lesson") in rows_of(desk)


def test_undoing_that_brings_the_lesson_back(desk: Desk, ada: int) -> None:
    desk.live_to(1)
    plan_only(desk, desk.start.replace(day=4, hour=8))
    change = ask(desk, pace.start_over, ada)
    assert change is not None
    ask(desk, pace.undo, change.id)
    desk.live_to(20)
    assert lived(desk) == ["hello 03 08:00", "rest 04 08:00", "walk 06 08:00"]


def test_who_left_the_list_cannot_start_over(desk: Desk, ada: int) -> None:
    desk.live_to(5)
    with session_scope(desk.sessions) as session:
        leave(session, desk.enrollment_of(ADA).subscriber_id, None, source="test", now=desk.house.at)
    with pytest.raises(pace.NoConsent):
        ask(desk, pace.start_over, ada)
    assert desk.enrollment_of(ADA).state == "finished"


def test_stopping_ends_the_course_and_undoing_it_goes_on(desk: Desk, ada: int) -> None:
    desk.live_to(1)
    change = ask(desk, pace.stop, ada)
    desk.live_to(3)
    assert change is not None
    assert lived(desk) == ["hello 03 08:00"]
    ask(desk, pace.undo, change.id)
    ask(desk, pace.undo, change.id)
    desk.live_to(20)
    assert lived(desk) == ["hello 03 08:00", "rest 05 09:00", "walk 07 08:00"]


def test_a_mail_passed_over_by_stopping_comes_after_all_when_that_is_undone(desk: Desk, ada: int) -> None:
    plan_only(desk, desk.start.replace(day=3, hour=8))
    change = ask(desk, pace.stop, ada)
    assert change is not None
    assert desk.house.send() == {"skipped": 1}
    ask(desk, pace.undo, change.id)
    desk.live_to(20)
    assert lived(desk) == ["hello 03 08:00", "rest 04 08:00", "walk 06 08:00"]


def test_undoing_a_pause_puts_the_dates_back(desk: Desk, ada: int) -> None:
    desk.live_to(1)
    change = ask(desk, pace.pause_until, ada, date(2026, 3, 20))
    assert change is not None
    ask(desk, pace.undo, change.id)
    desk.live_to(20)
    assert lived(desk) == ["hello 03 08:00", "rest 04 08:00", "walk 06 08:00"]


def test_what_was_planned_since_cannot_be_undone(desk: Desk, ada: int) -> None:
    change = ask(desk, pace.set_gap, ada, 2)
    assert change is not None
    desk.live_to(1)
    with pytest.raises(pace.TooLate):
        ask(desk, pace.undo, change.id)
    assert desk.enrollment_of(ADA).gap == 2


def test_only_the_newest_change_is_undone(desk: Desk, ada: int) -> None:
    first, second = ask(desk, pace.set_gap, ada, 2), ask(desk, pace.set_hour, ada, time(20))
    assert first is not None
    assert second is not None
    with pytest.raises(pace.TooLate):
        ask(desk, pace.undo, first.id)
    ask(desk, pace.undo, second.id)
    ask(desk, pace.undo, first.id)
    enrollment = desk.enrollment_of(ADA)
    assert (enrollment.gap, enrollment.send_time) == (None, None)


@pytest.fixture
def with_a_week(desk: Desk) -> None:
    """The course's second step is week 1 of a protocol."""
    week = step_file("rest", 2, kind="protocol").replace("day: 2", "day: 2\nweek: 1")
    write_course(
        desk.folder,
        {
            "1.md": step_file("hello", 1),
            "2.md": week,
            "3.md": step_file("walk", 4),
            "4.md": step_file("end", 7),
        },
    )
    desk.publish()


@pytest.mark.usefixtures("with_a_week")
def test_the_last_week_comes_again_tomorrow_and_all_that_follows_it(desk: Desk, ada: int) -> None:
    with pytest.raises(pace.NoWeekYet):
        ask(desk, pace.repeat_week, ada)
    desk.live_to(3)
    ask(desk, pace.repeat_week, ada)
    desk.live_to(20)
    # Asked on the 5th: rest on the 6th, then walk two days later and end three days after that.
    assert lived(desk) == [
        "hello 03 08:00",
        "rest 04 08:00",
        "rest 06 08:00",
        "walk 08 08:00",
        "end 11 08:00",
    ]


@pytest.mark.usefixtures("with_a_week")
@pytest.mark.parametrize("key", ["rest", "walk"])
def test_of_the_last_week_again_a_mail_that_was_never_planned_is_missing_though_it_came_before(
    desk: Desk, ada: int, key: str
) -> None:
    desk.live_to(4)
    ask(desk, pace.repeat_week, ada)
    desk.live_to(20)
    assert desk.statement().is_balanced
    second_time = select(Delivery.id).join(Step, Step.id == Delivery.step_id).where(Step.key == key)
    with session_scope(desk.sessions) as session:
        second_time = second_time.order_by(Delivery.id.desc()).limit(1)
        session.execute(delete(Delivery).where(Delivery.id == second_time.scalar_subquery()))
    assert desk.statement().missing == 1


@pytest.mark.usefixtures("with_a_week")
def test_after_the_last_week_again_was_undone_nothing_is_missing(desk: Desk, ada: int) -> None:
    desk.live_to(3)
    change = ask(desk, pace.repeat_week, ada)
    assert change is not None
    ask(desk, pace.undo, change.id)
    assert desk.statement().missing == 0
    desk.live_to(20)
    assert lived(desk) == ["hello 03 08:00", "rest 04 08:00", "walk 06 08:00", "end 09 08:00"]
    assert desk.statement().is_balanced


@pytest.mark.parametrize("day", [date(2026, 3, 2), date(2025, 1, 1), date(2028, 1, 1)])
def test_a_pause_ends_after_today_and_within_a_year(desk: Desk, ada: int, day: date) -> None:
    with pytest.raises(pace.BadDate):
        ask(desk, pace.pause_until, ada, day)


def test_the_same_wish_twice_is_one_change(desk: Desk, ada: int) -> None:
    for _ in range(2):
        ask(desk, pace.pause_until, ada, date(2026, 3, 10))
        ask(desk, pace.set_gap, ada, 7)
        ask(desk, pace.set_hour, ada, time(20))
    with session_scope(desk.sessions) as session:
        changes = session.scalars(select(PaceChange.what).order_by(PaceChange.id)).all()
    assert changes == ["pause", "gap", "hour"]


def test_a_change_and_the_tick_at_the_same_moment_lose_nothing(desk: Desk, ada: int) -> None:
    desk.house.go_to(desk.start.replace(day=3, hour=8))
    both = [
        Thread(target=desk.house.plan),
        Thread(target=ask, args=(desk, pace.pause_until, ada, date(2026, 3, 10))),
    ]
    for one in both:
        one.start()
    for one in both:
        one.join()
    desk.live_to(20)
    assert [line.split()[0] for line in lived(desk)] == ["hello", "rest", "walk"]
    assert lived(desk)[0] == "hello 10 08:00"


def test_what_a_change_keeps_is_all_that_it_changes(desk: Desk, ada: int) -> None:
    change = ask(desk, pace.set_hour, ada, time(20))
    assert change is not None
    assert {key for key in change.before if change.before[key] != change.after[key]} == {"send_time"}
    with session_scope(desk.sessions) as session:
        assert session.get_one(Enrollment, ada).next_due_at == desk.house.at
        assert session.scalars(select(Subscriber.zone)).one() == "Europe/London"
    assert desk.house.at - desk.start < timedelta(days=1)
