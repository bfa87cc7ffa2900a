"""On which days the steps of a course leave."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.content.guide.days import day_of_week_step, free_day, plan_days
from mailer.errors import Refused


def test_a_weeks_step_stands_near_its_weeks_beginning() -> None:
    assert [day_of_week_step(week) for week in (1, 2, 3, 4)] == [2, 9, 16, 23]


def test_eighteen_lessons_and_four_weeks_in_thirty_days() -> None:
    lessons, weeks = plan_days(18, [1, 2, 3, 4], 30)
    assert weeks == {1: 2, 2: 9, 3: 16, 4: 23}
    assert lessons == [1, 3, 5, 6, 8, 10, 12, 13, 15, 17, 19, 20, 22, 24, 26, 27, 29, 30]


def test_as_many_lessons_as_days() -> None:
    assert plan_days(5, [], 5) == ([1, 2, 3, 4, 5], {})


@given(lessons=st.integers(0, 60), weeks=st.integers(0, 8), days=st.integers(1, 90))
def test_nobody_gets_two_mails_on_one_day(lessons: int, weeks: int, days: int) -> None:
    try:
        lesson_days, week_days = plan_days(lessons, range(1, weeks + 1), days)
    except Refused as refused:
        enough = int(str(refused).rpartition("--days ")[2].split()[0])
        assert enough > days
        plan_days(lessons, range(1, weeks + 1), enough)
        return
    every = [*lesson_days, *week_days.values()]
    assert len(set(every)) == len(every) == lessons + weeks
    assert all(1 <= day <= days for day in every)
    assert lesson_days == sorted(lesson_days)


@pytest.mark.parametrize(
    ("after", "before", "taken", "expected"),
    [
        (3, 7, {3, 7}, 5),  # the middle of 4, 5 and 6
        (3, 7, {3, 5, 7}, 4),
        (3, 4, {3, 4}, 5),  # nothing between: the nearest later day
        (9, None, {9, 10}, 8),  # nothing later either: the nearest earlier one
        (5, None, set(range(1, 11)), None),
    ],
)
def test_where_one_more_step_goes(
    after: int, before: int | None, taken: set[int], expected: int | None
) -> None:
    assert free_day(after, before, taken, 10) == expected
