"""On which day of a course each lesson and each week's step leaves."""

from __future__ import annotations

from collections.abc import Sequence

from mailer.content.guide.labels import DAYS_A_WEEK
from mailer.errors import Refused

LONGEST_COURSE = 3660
"""Days; `course.toml` takes no more."""


def day_of_week_step(week: int) -> int:
    """A week's step stands at its week's beginning, one day after, as day 1 belongs to the first lesson."""
    return DAYS_A_WEEK * (week - 1) + 2


def plan_days(lessons: int, weeks: Sequence[int], days: int) -> tuple[list[int], dict[int, int]]:
    """The day of each lesson, in order, and the day of each week's step. No day is given twice.

    The first lesson is on day 1, the last on the last free day, the others evenly between. Raises
    Refused, naming a number of days that would do, when there are too few.
    """
    if not 1 <= days <= LONGEST_COURSE:
        raise Refused(f"A course has 1 to {LONGEST_COURSE} days, not {days}; say for instance --days 30.")
    by_week = {week: day_of_week_step(week) for week in weeks}
    needed = max([lessons + len(weeks), *by_week.values()])
    if needed > days:
        gives = f"{lessons} lessons" + (f" and steps for weeks {', '.join(map(str, weeks))}" if weeks else "")
        raise Refused(
            f"This guide gives {gives}, which do not fit into {days} days with one mail a day; "
            f"use --days {needed} or more."
        )
    taken = set(by_week.values())
    free = [day for day in range(1, days + 1) if day not in taken]
    return spread(free, lessons), by_week


def spread(free: Sequence[int], count: int) -> list[int]:
    """`count` of the `free` days: the first, the last, and evenly between."""
    if count < 2:
        return list(free[:count])
    # Half up, in whole numbers: round() would send 0.5 and 1.5 to the even neighbour.
    step = len(free) - 1
    return [free[(2 * number * step + count - 1) // (2 * (count - 1))] for number in range(count)]


def free_day(
    after: int, before: int | None, taken: set[int], days: int, *, first: bool = False
) -> int | None:
    """A free day for one more step: between its neighbours, else the nearest later one, else earlier.

    `before` is the next neighbour's day, None at the end. Of several between them it is the middle one,
    or the `first`. None comes back when every day is taken.
    """
    free = [day for day in range(1, days + 1) if day not in taken]
    between = [day for day in free if after < day < (before if before is not None else days + 1)]
    if between:
        return between[0 if first else (len(between) - 1) // 2]
    later = [day for day in free if day > after]
    earlier = [day for day in free if day < after]
    return later[0] if later else earlier[-1] if earlier else None
