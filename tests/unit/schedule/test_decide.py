"""What happens next in a course, worked by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from mailer.clock import local_date, zone, zone_names
from mailer.schedule.decide import Finish, Place, Send, StepPlan, Wait, decide
from mailer.schedule.timing import Anchor

STEPS = (
    StepPlan(1, "introduction", 1, time(8), 11),
    StepPlan(2, "week-1", 2, time(8), 12),
    StepPlan(3, "why", 4, time(18, 30), 13),
)
MONDAY = date(2026, 3, 2)


def london(day: int, hour: int, minute: int = 0) -> datetime:
    """A moment of March 2026 before the clocks change, when London keeps UTC."""
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC)


def place(last_day: int = 0, **facts: object) -> Place:
    return Place("Europe/London", Anchor(MONDAY, 0), last_day, **facts)  # type: ignore[arg-type]


def test_on_confirmation_day_the_first_lesson_waits_for_the_next_local_day() -> None:
    decision = decide(place(), STEPS, london(2, 7))
    assert isinstance(decision, Wait)
    assert decision.until == london(3, 8)


def test_late_on_confirmation_day_in_tokyo_the_next_local_day_may_be_near() -> None:
    # Confirmed at 23:30 on Monday in Tokyo (14:30 UTC): day 1 is Tuesday, 08:00 there is Monday 23:00 UTC.
    somebody = Place("Asia/Tokyo", Anchor(MONDAY, 0), 0)
    decision = decide(somebody, STEPS, london(2, 14, 30))
    assert isinstance(decision, Wait)
    assert decision.until == london(2, 23)


def test_at_its_hour_a_lesson_leaves() -> None:
    decision = decide(place(), STEPS, london(3, 8))
    assert isinstance(decision, Send)
    assert (decision.step.key, decision.due_at) == ("introduction", london(3, 8))


def test_each_step_has_an_hour_of_its_own() -> None:
    decision = decide(place(2, last_left_on=date(2026, 3, 4)), STEPS, london(6, 9))
    assert isinstance(decision, Wait)
    assert decision.until == london(6, 18, 30)


def test_after_the_last_step_the_course_is_finished() -> None:
    assert decide(place(4), STEPS, london(7, 8)) == Finish()


def test_later_on_the_same_day_a_missed_lesson_leaves_at_once() -> None:
    decision = decide(place(), STEPS, london(3, 21))
    assert isinstance(decision, Send)
    assert decision.due_at == london(3, 8)  # the moment it was due is kept


def test_after_days_without_servers_a_lesson_waits_for_its_hour_not_for_the_night() -> None:
    decision = decide(place(), STEPS, london(6, 3))
    assert isinstance(decision, Wait)
    assert decision.until == london(6, 8)


def test_what_follows_a_late_lesson_keeps_its_distance() -> None:
    # Day 1 left on Friday the 6th instead of Tuesday the 3rd, so day 2 comes on Saturday the 7th.
    decision = decide(place(1, last_left_on=date(2026, 3, 6)), STEPS, london(6, 8, 5))
    assert isinstance(decision, Wait)
    assert decision.until == london(7, 8)
    assert decision.anchor == Anchor(date(2026, 3, 6), 1)


def test_while_the_last_mail_is_on_its_way_the_next_one_waits() -> None:
    decision = decide(place(1, is_last_open=True), STEPS, london(4, 8))
    assert isinstance(decision, Wait)
    assert london(4, 8) < decision.until < london(4, 9)


def test_nine_oclock_stays_nine_oclock_across_the_clock_change() -> None:
    # London's clocks go forward on 29 March: 08:00 is 08:00 UTC before and 07:00 UTC after.
    somebody = Place("Europe/London", Anchor(date(2026, 3, 27), 0), 1, last_left_on=date(2026, 3, 28))
    decision = decide(somebody, STEPS, london(28, 9))
    assert isinstance(decision, Wait)
    assert decision.until == london(29, 7)


@given(
    name=st.sampled_from(sorted(zone_names())),
    start=st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 1)),
    outages=st.lists(st.integers(0, 100), min_size=5, max_size=5),
)
def test_in_every_zone_and_after_any_outage_nobody_gets_two_mails_on_one_day(
    name: str, start: datetime, outages: list[int]
) -> None:
    steps = tuple(StepPlan(day, f"step-{day}", day, time(day * 4 % 24), day) for day in range(1, 6))
    now = start.replace(tzinfo=UTC)
    here = Place(name, Anchor(local_date(now, name), 0), 0)
    days = [local_date(now, name)]
    sent = 0
    while not isinstance(decision := decide(here, steps, now), Finish):
        if isinstance(decision, Wait):
            assert decision.until > now
            here = Place(name, decision.anchor, here.last_day, last_left_on=here.last_left_on)
            now = decision.until + timedelta(hours=outages[sent])
            outages[sent] = 0
            continue
        assert isinstance(decision, Send)
        today = now.astimezone(zone(name)).date()
        days.append(today)
        here = Place(name, decision.anchor, decision.step.day, last_left_on=today)
        sent += 1
    assert sent == len(steps)
    assert all(earlier < later for earlier, later in pairwise(days))
