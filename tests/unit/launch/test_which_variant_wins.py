"""Which variant wins, whether a canary passes, and how its slice is shared out, worked by hand."""

from __future__ import annotations

import pytest

from mailer.content.canary import MOST, Canary, Sign
from mailer.content.trial import Measure, TestPlan
from mailer.launch.campaign_rows import allot, drawn
from mailer.launch.verdicts import decide, passed_limits
from mailer.reports.phases import Score, Signs


def signs(size: int = 500, **counts: int) -> Signs:
    none = dict.fromkeys(map(str, Sign), 0)
    return Signs(size, accepted=0, **{**none, **counts})


@pytest.mark.parametrize(
    ("measure", "scores", "winner", "words"),
    [
        # 12 / 400 = 3 %, 20 / 400 = 5 %
        (
            Measure.CLICKS,
            [Score("a", 400, 12), Score("b", 400, 20)],
            "b",
            "B won by clicks: A 12 of 400 (3 %)",
        ),
        # Shares, not numbers: 12 / 100 = 12 % is more than 20 / 400 = 5 %.
        (Measure.CLICKS, [Score("a", 100, 12), Score("b", 400, 20)], "a", "A won by clicks"),
        # 6 / 100 = 12 / 200: a tie; the first of those in it.
        (
            Measure.CLICKS,
            [Score("a", 100, 1), Score("b", 100, 6), Score("c", 200, 12)],
            "b",
            "B and C did equally",
        ),
        # 9 people in all are too few, though B has all of them.
        (Measure.CLICKS, [Score("a", 400, 0), Score("b", 400, 9)], "a", "too little to go by"),
        # Nobody got A, so that there is nothing to hold B against.
        (Measure.CLICKS, [Score("a", 0, 0), Score("b", 400, 20)], "a", "too little to go by"),
        # Fewest: 4 / 400 = 1 % leave B, 8 / 400 = 2 % leave A.
        (
            Measure.UNSUBSCRIBES,
            [Score("a", 400, unsubscribes=8), Score("b", 400, unsubscribes=4)],
            "b",
            "B won by fewest people leaving: A 8 of 400 (2 %), B 4 of 400 (1 %)",
        ),
        (Measure.OPENS, [Score("a", 50, opens=20), Score("b", 50, opens=21)], "b", "B won by opens"),
    ],
)
def test_the_largest_share_wins_and_too_little_or_a_tie_gives_the_first(
    measure: Measure, scores: list[Score], winner: str, words: str
) -> None:
    found = decide(measure, scores)
    assert found.name == winner
    assert found.why.startswith(words)


@pytest.mark.parametrize(
    ("counts", "is_over", "passed"),
    [
        ({}, True, ()),
        # 25 of 500 are 5 %, which is not more than 5 %.
        ({"bounces": 25}, False, ()),
        ({"bounces": 26}, False, ("bounces 5.2 % (26 of 500), more than 5 %",)),
        # 1 of 500 is 0.2 %; 2 are 0.4 %, more than Gmail's 0.3 %.
        ({"complaints": 1}, True, ()),
        ({"complaints": 2}, False, ("complaints 0.4 % (2 of 500), more than 0.3 %",)),
        # Greylisted mails have until the end of the waiting time; 76 of 500 are 15.2 %.
        ({"deferrals": 76}, False, ()),
        ({"deferrals": 76}, True, ("deferrals 15.2 % (76 of 500), more than 15 %",)),
        ({"errors": 1}, False, ("errors 0.2 % (1 of 500), more than 0 %",)),
    ],
)
def test_a_canary_stops_above_its_limits(
    counts: dict[str, int], is_over: bool, passed: tuple[str, ...]
) -> None:
    assert passed_limits(MOST, signs(**counts), is_over=is_over) == passed


def test_one_complaint_in_a_small_slice_is_chance() -> None:
    # 1 of 50 is 2 %, far above 0.3 %, and no pattern.
    assert passed_limits(MOST, signs(50, complaints=1), is_over=True) == ()


@pytest.mark.parametrize(
    ("people", "size", "expected"),
    [
        # 10 % of each.
        ({"gmail": 600, "outlook": 300, "": 100}, 100, {"gmail": 60, "outlook": 30, "": 10}),
        # 4.95, 4.95 and 0.1: at least one of each, so 5 and 4 for the others, the first by its name.
        ({"gmail": 495, "outlook": 495, "gmx": 10}, 10, {"gmail": 5, "outlook": 4, "gmx": 1}),
        # Fewer than there are groups: the largest have one each.
        ({"gmail": 50, "outlook": 30, "gmx": 20}, 2, {"gmail": 1, "outlook": 1}),
        ({"gmail": 3, "": 2}, 9, {"gmail": 3, "": 2}),
        ({"gmail": 0, "": 5}, 2, {"": 2}),
        ({}, 5, {}),
    ],
)
def test_a_slice_is_shared_out_in_proportion_with_one_of_each_group(
    people: dict[str, int], size: int, expected: dict[str, int]
) -> None:
    # The last of equal remainders may fall to either; the sum never differs.
    found = allot(people, size)
    assert found == expected


def test_how_many_take_part() -> None:
    plan = TestPlan(Measure.CLICKS, share=0.2, at_least=100)
    # 20 % of 10,000 are 2,000, shared by two; of 500 they are 100, 50 each, and 100 each are asked for.
    assert (plan.size_of(10_000, 2), plan.size_of(500, 2), plan.size_of(150, 2)) == (2_000, 200, 150)
    assert (Canary(people=500).size_of(120), Canary(share=0.02).size_of(10_001)) == (120, 201)


def test_a_draw_is_the_same_whenever_it_is_made() -> None:
    numbers = [drawn("test:7:", number) for number in range(1000)]
    assert numbers == [drawn("test:7:", number) for number in range(1000)]
    assert len(set(numbers)) == 1000
    assert max(numbers) < 2**60
    # Another campaign is another draw.
    assert numbers[0] != drawn("test:8:", 0)
