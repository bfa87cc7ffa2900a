"""How mail is shared among the transports that can be used."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mailer.delivery.breaker import PROBE_MAILS, Chance
from mailer.delivery.routing import Way, by_weight, share_out

WAYS = st.lists(
    st.builds(
        Way,
        st.integers(1, 1000),
        st.integers(0, 10),
        st.sampled_from(Chance),
        st.none() | st.integers(0, 300),
    ),
    max_size=5,
    unique_by=lambda way: way.transport_id,
)
POINTS = st.floats(0, 1, exclude_max=True)


def shared(mails: int, *ways: Way, point: float = 0.5) -> dict[int, int]:
    given: dict[int, int] = {}
    for share in share_out(mails, ways, point):
        given[share.transport_id] = given.get(share.transport_id, 0) + share.mails
    return given


def test_weights_three_to_one() -> None:
    assert shared(100, Way(1, 3), Way(2, 1)) == {1: 75, 2: 25}


def test_what_one_has_no_room_for_goes_by_the_others_in_proportion() -> None:
    assert shared(100, Way(1, 2, room=20), Way(2, 1), Way(3, 1)) == {1: 20, 2: 40, 3: 40}


def test_weight_zero_stands_by() -> None:
    assert shared(10, Way(1, 1), Way(2, 0)) == {1: 10}
    assert shared(10, Way(1, 1, room=4), Way(2, 0)) == {1: 4, 2: 6}
    assert shared(10, Way(1, 1, Chance.NONE), Way(2, 0)) == {2: 10}


def test_a_transport_that_is_tried_again_gets_a_few_mails() -> None:
    shares = share_out(100, [Way(1, 1, Chance.PROBE), Way(2, 1)], 0.5)
    assert [(share.transport_id, share.mails, share.is_probe) for share in shares] == [
        (1, PROBE_MAILS, True),
        (2, 95, False),
    ]


def test_a_single_urgent_mail_is_not_the_probe_while_a_healthy_way_is_there() -> None:
    assert shared(1, Way(1, 1, Chance.PROBE), Way(2, 1)) == {2: 1}
    assert shared(1, Way(1, 1, Chance.PROBE), Way(2, 1, Chance.NONE)) == {1: 1}


def test_nothing_is_shared_when_no_way_is_open() -> None:
    assert share_out(10, [Way(1, 1, Chance.NONE), Way(2, 1, room=0)], 0.1) == []


@given(st.integers(0, 2000), WAYS, POINTS)
def test_no_transport_gets_more_than_it_has_room_for_and_nobody_gets_what_is_not_there(
    mails: int, ways: list[Way], point: float
) -> None:
    by_id = {way.transport_id: way for way in ways}
    shares = share_out(mails, ways, point)
    assert sum(share.mails for share in shares) <= mails
    for share in shares:
        way = by_id[share.transport_id]
        assert share.mails > 0
        assert way.chance is (Chance.PROBE if share.is_probe else Chance.FULL)
        assert way.room is None or share.mails <= way.room
    if any(way.chance is Chance.FULL and way.room is None for way in ways):
        assert sum(share.mails for share in shares) == mails


@given(st.integers(0, 5000), st.lists(st.integers(1, 100), min_size=1, max_size=6), POINTS)
def test_each_share_is_within_one_of_the_exact_one(count: int, weights: list[int], point: float) -> None:
    parts = by_weight(count, weights, point)
    assert sum(parts) == count
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part - count * weight / sum(weights)) <= 1 + 1e-9


def test_mails_that_come_one_by_one_are_shared_by_weight_too() -> None:
    points = [number / 100 for number in range(100)]
    assert sum(by_weight(1, [3, 1], point)[0] for point in points) == 75
