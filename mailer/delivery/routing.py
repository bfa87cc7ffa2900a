"""Which transports a sender's mail goes by, and how much of it by each. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import floor

from mailer.delivery.breaker import PROBE_MAILS, Chance


@dataclass(frozen=True)
class Way:
    """A transport that a sender may use. `room` is how many mails its limits allow now; None: no limit."""

    transport_id: int
    weight: int
    chance: Chance = Chance.FULL
    room: int | None = None


@dataclass(frozen=True)
class Share:
    """So many of the mails go by this transport."""

    transport_id: int
    mails: int
    is_probe: bool = False


def share_out(mails: int, ways: Sequence[Way], point: float) -> list[Share]:
    """Divide `mails` among the ways that can be used, by weight.

    A transport whose breaker waits for a probe gets one small chunk first. The rest goes by the healthy
    ones in proportion to their weights. What one has no room for goes by the others; weight 0 is for when
    none of the others is left. What nobody has room for is not in the shares.

    `point` in 0..1 is drawn anew each time: it decides who gets the mail that cannot be divided, so that
    also single mails are shared by weight in the long run (systematic sampling).
    """
    shares = []
    is_served = any(way.chance is Chance.FULL and way.room != 0 for way in ways)
    for way in _to_probe(ways):
        # A single mail, perhaps an urgent one, goes a sure way if there is one.
        most = mails // 2 if is_served else mails
        size = min(most, PROBE_MAILS, PROBE_MAILS if way.room is None else way.room)
        if size > 0:
            shares.append(Share(way.transport_id, size, is_probe=True))
            mails -= size
    given: dict[int, int] = {}
    healthy = [way for way in ways if way.chance is Chance.FULL]
    for group in ([way for way in healthy if way.weight > 0], [way for way in healthy if way.weight <= 0]):
        mails = _fill(mails, group, given, point)
    return shares + [Share(transport_id, count) for transport_id, count in given.items() if count]


def _to_probe(ways: Sequence[Way]) -> list[Way]:
    """Those to be tried again: standbys only when nothing else is healthy."""
    is_served = any(way.chance is Chance.FULL and way.weight > 0 for way in ways)
    return [way for way in ways if way.chance is Chance.PROBE and (way.weight > 0 or not is_served)]


def _fill(mails: int, ways: Sequence[Way], given: dict[int, int], point: float) -> int:
    """Give what the ways have room for, by weight; returns what is left over."""
    while mails > 0:
        free = [way for way in ways if _room(way, given, mails) > 0]
        if not free:
            return mails
        left = mails
        for way, part in zip(
            free, by_weight(mails, [max(way.weight, 1) for way in free], point), strict=True
        ):
            taken = min(part, _room(way, given, mails))
            given[way.transport_id] = given.get(way.transport_id, 0) + taken
            left -= taken
        mails = left
    return 0


def _room(way: Way, given: dict[int, int], most: int) -> int:
    return most if way.room is None else way.room - given.get(way.transport_id, 0)


def by_weight(count: int, weights: Sequence[int], point: float) -> list[int]:
    """`count` in whole parts in proportion to `weights`, each within one of its exact share."""
    total = sum(weights)
    bounds, reached = [0], 0
    for weight in weights[:-1]:
        reached += weight
        bounds.append(min(count, floor(count * reached / total + point)))
    bounds.append(count)
    return [end - start for start, end in pairwise(bounds)]
