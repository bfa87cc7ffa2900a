"""How a new transport's daily ceiling grows."""

from __future__ import annotations

import pytest

from mailer.delivery.warmup import WarmupDay, WarmupPlan, ceiling_after

PLAN = WarmupPlan(first=50, target=1000, growth=50)


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (WarmupDay(100, accepted=98, deferred=2, complaints=0), 150),  # a good day: half more
        (WarmupDay(100, accepted=92, deferred=8, complaints=0), 100),  # 8 % deferred: not more
        (WarmupDay(100, accepted=80, deferred=20, complaints=0), 50),  # 20 %: half
        (WarmupDay(60, accepted=40, deferred=20, complaints=0), 50),  # never below the first day's
        (WarmupDay(1000, accepted=2, deferred=0, complaints=0), 1000),  # too few to tell
        (WarmupDay(100, accepted=0, deferred=0, complaints=0), 100),
        (WarmupDay(800, accepted=800, deferred=0, complaints=1), 800),  # 0.125 % complain: not more
        (WarmupDay(800, accepted=800, deferred=0, complaints=3), 400),  # 0.375 %: half
        (WarmupDay(900, accepted=900, deferred=0, complaints=0), 1000),  # no more than the target
        (WarmupDay(1000, accepted=990, deferred=0, complaints=0), None),  # over
    ],
)
def test_a_days_ceiling_is_made_from_how_the_day_before_went(day: WarmupDay, expected: int | None) -> None:
    assert ceiling_after(PLAN, day) == expected


def test_how_long_it_takes_when_all_goes_well() -> None:
    # 50, 75, 112, 168, 252, 378, 567, 850, 1000
    assert PLAN.days() == 9
    assert WarmupPlan(first=1, target=3, growth=5).days() == 3  # one more at least
