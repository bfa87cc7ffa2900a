"""How often somebody may try to get in: counted in Redis, so that all web processes count as one."""

from __future__ import annotations

import math
from enum import StrEnum

from limits import RateLimitItem, RateLimitItemPerMinute

from mailer.caps import Caps, hashed, network_of
from mailer.errors import Refused


class Try(StrEnum):
    """What is counted: failures from one network address, tries at one login's password or second factor,
    links for a forgotten password, by address and by network, and ways to the identity provider and back."""

    NETWORK = "network"
    PASSWORD = "password"  # noqa: S105
    FACTOR = "factor"
    LINK = "link"
    LINK_FROM = "link-from"
    PROVIDER = "provider"


MOST: dict[Try, RateLimitItem] = {
    # An office behind one address signs in together; who guesses needs far more than this.
    Try.NETWORK: RateLimitItemPerMinute(60, 10, namespace="steadypost"),
    Try.PASSWORD: RateLimitItemPerMinute(10, 15, namespace="steadypost"),
    Try.FACTOR: RateLimitItemPerMinute(10, 15, namespace="steadypost"),
    # Nobody is to be mailed more of them because a stranger asks.
    Try.LINK: RateLimitItemPerMinute(3, 60, namespace="steadypost"),
    Try.LINK_FROM: RateLimitItemPerMinute(20, 60, namespace="steadypost"),
    Try.PROVIDER: RateLimitItemPerMinute(60, 10, namespace="steadypost"),
}
"""So many in so many minutes. What comes after is refused without a look, and does not count."""


class TooOften(Refused):
    """Too many tries; `seconds` until the next one is looked at."""

    def __init__(self, seconds: float) -> None:
        self.seconds = max(1, math.ceil(seconds))
        minutes = math.ceil(self.seconds / 60)
        wait = "a minute" if minutes == 1 else f"{minutes} minutes"
        super().__init__(f"There were too many tries. Wait {wait}, then try again.")


class Throttle:
    """Counts tries. While Redis is away each process counts for itself, rather than let everybody guess."""

    def __init__(self, redis_url: str) -> None:
        self._caps = Caps(redis_url, "tries")

    def take(self, kind: Try, who: str) -> None:
        """Count a try, before it is known whether it succeeds; raises TooOften."""
        if wait := self._caps.take(MOST[kind], kind, _key(kind, who)):
            raise TooOften(wait)

    def look(self, kind: Try, who: str) -> None:
        """Raises TooOften where a try would be one too many; counts nothing."""
        if wait := self._caps.look(MOST[kind], kind, _key(kind, who)):
            raise TooOften(wait)

    def forget(self, kind: Try, who: str) -> None:
        """After a success: the tries before it were this person's own."""
        self._caps.forget(MOST[kind], kind, _key(kind, who))


def _key(kind: Try, who: str) -> str:
    by_network = (Try.NETWORK, Try.LINK_FROM, Try.PROVIDER)
    return hashed(network_of(who) if kind in by_network else who.strip().lower())
