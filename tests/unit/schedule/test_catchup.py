"""What each policy makes of a backlog, worked by hand: field research's row "Flood after pause/outage"."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.clock import local_date
from mailer.schedule.catchup import CatchUp, Policy, catch_up
from mailer.schedule.decide import Finish, Place, Send, StepPlan, Wait, decide
from mailer.schedule.timing import Anchor

EVERY_DAY = tuple(StepPlan(day, f"day-{day}", day, time(8), day) for day in range(1, 11))
WITH_FREE_DAYS = tuple(StepPlan(day, f"day-{day}", day, time(8), day) for day in (1, 3, 5, 9, 12))
# 2 March 2026 is day 0, and London keeps UTC until the 29th: day n leaves on the (2 + n)th at 08:00 UTC.
DAY_0 = date(2026, 3, 2)
ALL = list(Policy)


def at(day: int, hour: int) -> datetime:
    """An hour of a course day."""
    return datetime(2026, 3, 2, hour, tzinfo=UTC) + timedelta(days=day)


def place(last_day: int, **facts: object) -> Place:
    """Somebody who had everything up to `last_day` on time."""
    left_on = DAY_0 + timedelta(days=last_day)
    return Place("Europe/London", Anchor(DAY_0, 0), last_day, **{"last_left_on": left_on, **facts})  # type: ignore[arg-type]


def days(steps: tuple[StepPlan, ...]) -> list[int]:
    return [step.day for step in steps]


def lived(somebody: Place, steps: tuple[StepPlan, ...], now: datetime) -> list[tuple[int, int]]:
    """(course day of the mail, day on which it left) of all that follows, each mail leaving when it may."""
    mails = []
    while not isinstance(decision := decide(somebody, steps, now), Finish):
        if isinstance(decision, Wait):
            now = decision.until
            somebody = Place(somebody.zone, decision.anchor, somebody.last_day, False, somebody.last_left_on)
            continue
        assert isinstance(decision, Send)
        today = local_date(now, somebody.zone)
        mails.append((decision.step.day, (today - DAY_0).days))
        somebody = Place(somebody.zone, decision.anchor, decision.step.day, False, today)
    return mails


def after(found: CatchUp, before: Place) -> Place:
    last_day = max([before.last_day, *days(found.passed_over)])
    return Place(before.zone, found.anchor, last_day, before.is_last_open, before.last_left_on)


def test_shift_passes_nothing_over_and_all_that_follows_moves_too() -> None:
    # Days 3 to 7 did not leave; it is day 7, 15:00. Day 3 leaves now, four days late.
    found = catch_up(place(2), EVERY_DAY, at(7, 15), Policy.SHIFT)
    assert (days(found.passed_over), days(found.late), found.delay) == ([], [3, 4, 5, 6, 7], 4)
    assert lived(after(found, place(2)), EVERY_DAY, at(7, 15)) == [
        *((3, 7), (4, 8), (5, 9), (6, 10), (7, 11), (8, 12), (9, 13), (10, 14))
    ]


def test_rhythm_sends_one_mail_now_and_tomorrow_what_belongs_to_tomorrow() -> None:
    # A course of every day has room for one mail before day 8: the newest, which leads on to it.
    found = catch_up(place(2), EVERY_DAY, at(7, 15), Policy.RHYTHM)
    assert (days(found.passed_over), days(found.late), found.delay) == ([3, 4, 5, 6], [7], 0)
    assert lived(after(found, place(2)), EVERY_DAY, at(7, 15)) == [(7, 7), (8, 8), (9, 9), (10, 10)]


def test_rhythm_catches_up_on_free_days_and_passes_nothing_over_where_there_are_enough() -> None:
    # Days 3 and 5 did not leave; it is day 6, 07:00. Free until day 9: 6, 7 and 8.
    found = catch_up(place(1), WITH_FREE_DAYS, at(6, 7), Policy.RHYTHM)
    assert (days(found.passed_over), days(found.late)) == ([], [3, 5])
    assert lived(after(found, place(1)), WITH_FREE_DAYS, at(6, 7)) == [(3, 6), (5, 7), (9, 9), (12, 12)]


def test_rhythm_keeps_todays_lesson_at_its_hour() -> None:
    # Day 7, 06:00: today's lesson is not late, and it is what there is room for.
    found = catch_up(place(2), EVERY_DAY, at(7, 6), Policy.RHYTHM)
    assert (days(found.passed_over), days(found.late)) == ([3, 4, 5, 6], [])
    assert lived(after(found, place(2)), EVERY_DAY, at(7, 6))[:2] == [(7, 7), (8, 8)]


def test_rhythm_passes_nothing_over_when_the_course_has_no_dates_left() -> None:
    found = catch_up(place(7), EVERY_DAY, at(20, 9), Policy.RHYTHM)
    assert (days(found.passed_over), days(found.late), found.delay) == ([], [8, 9, 10], 12)
    assert lived(after(found, place(7)), EVERY_DAY, at(20, 9)) == [(8, 20), (9, 21), (10, 22)]


def test_a_mail_that_waits_since_before_the_outage_belongs_to_the_backlog() -> None:
    somebody = place(3, is_last_open=True, last_left_on=None)
    found = catch_up(somebody, EVERY_DAY, at(7, 15), Policy.RHYTHM, waiting=EVERY_DAY[2])
    assert (days(found.passed_over), days(found.late)) == ([3, 4, 5, 6], [7])


def test_whoever_still_gets_the_welcome_today_gets_no_lesson_today() -> None:
    somebody = place(0, is_last_open=True, last_left_on=None)
    found = catch_up(somebody, WITH_FREE_DAYS, at(7, 9), Policy.RHYTHM)
    # Until day 9 only day 8 is left.
    assert (days(found.passed_over), days(found.late)) == ([1, 3], [5])


def test_skip_stale_passes_over_what_is_older_and_the_rest_shifts_a_little() -> None:
    # Day 7, 15:00: day 5 was due 55 hours ago, day 6 31 hours ago.
    found = catch_up(place(2), EVERY_DAY, at(7, 15), Policy.SKIP_STALE)
    assert (days(found.passed_over), days(found.late), found.delay) == ([3, 4, 5], [6, 7], 1)
    assert lived(after(found, place(2)), EVERY_DAY, at(7, 15))[:3] == [(6, 7), (7, 8), (8, 9)]


def test_when_all_that_is_overdue_is_stale_the_next_lesson_comes_at_its_date() -> None:
    found = catch_up(place(1), WITH_FREE_DAYS, at(8, 7), Policy.SKIP_STALE)
    assert (days(found.passed_over), days(found.late)) == ([3, 5], [])
    assert lived(after(found, place(1)), WITH_FREE_DAYS, at(8, 7)) == [(9, 9), (12, 12)]


def test_it_is_told_when_skipping_leaves_no_mail_at_all() -> None:
    assert catch_up(place(7), EVERY_DAY, at(20, 9), Policy.SKIP_STALE).is_over
    assert not catch_up(place(7), EVERY_DAY, at(20, 9), Policy.RHYTHM).is_over
    assert not catch_up(place(10), EVERY_DAY, at(20, 9), Policy.SKIP_STALE).is_over  # it was over already


@pytest.mark.parametrize("policy", ALL)
def test_whoever_has_nothing_overdue_is_left_alone(policy: Policy) -> None:
    found = catch_up(place(2), EVERY_DAY, at(3, 7), policy)
    assert found == CatchUp((), (), Anchor(DAY_0, 0))


@pytest.mark.parametrize("policy", ALL)
@given(
    gaps=st.lists(st.integers(1, 7), min_size=1, max_size=12),
    had=st.integers(0, 12),
    silent_hours=st.integers(0, 24 * 30),
    stale_hours=st.integers(0, 100),
)
def test_whatever_the_policy_nobody_gets_two_mails_on_one_day_and_nothing_is_lost(
    policy: Policy, gaps: list[int], had: int, silent_hours: int, stale_hours: int
) -> None:
    on = [sum(gaps[: n + 1]) for n in range(len(gaps))]
    steps = tuple(StepPlan(day, f"day-{day}", day, time(8), day) for day in on)
    last_day = on[min(had, len(on)) - 1] if had else 0
    now = at(last_day, 9) + timedelta(hours=silent_hours)
    found = catch_up(place(last_day), steps, now, policy, stale_after=timedelta(hours=stale_hours))
    mails = lived(after(found, place(last_day)), steps, now)
    sent_on = [day for _, day in mails]
    assert all(earlier < later for earlier, later in pairwise([last_day, *sent_on]))
    # In order, and each either passed over or sent: none is lost, none comes twice.
    assert days(found.passed_over) + [day for day, _ in mails] == [day for day in on if day > last_day]
    if policy == Policy.RHYTHM and found.anchor.day > last_day:
        assert all(sent == day for day, sent in mails if day >= found.anchor.day)
