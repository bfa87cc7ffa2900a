"""How often somebody may try to get in: counted in Redis, so that all web processes count as one."""

from __future__ import annotations

import hashlib
import ipaddress
import logging
import math
import time
from collections.abc import Callable
from enum import StrEnum

import redis
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import MovingWindowRateLimiter

from mailer.errors import Refused

log = logging.getLogger(__name__)


class Try(StrEnum):
    """What is counted: failures from one network address, tries at one login's password or second factor."""

    NETWORK = "network"
    PASSWORD = "password"  # noqa: S105
    FACTOR = "factor"


MOST: dict[Try, RateLimitItem] = {
    # An office behind one address signs in together; who guesses needs far more than this.
    Try.NETWORK: RateLimitItemPerMinute(60, 10, namespace="steadypost"),
    Try.PASSWORD: RateLimitItemPerMinute(10, 15, namespace="steadypost"),
    Try.FACTOR: RateLimitItemPerMinute(10, 15, namespace="steadypost"),
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
        shared = RedisStorage(redis_url, key_prefix="tries", socket_connect_timeout=1, socket_timeout=2)
        self._shared = MovingWindowRateLimiter(shared)
        self._own = MovingWindowRateLimiter(MemoryStorage())

    def take(self, kind: Try, who: str) -> None:
        """Count a try, before it is known whether it succeeds; raises TooOften."""
        self._ask(kind, who, MovingWindowRateLimiter.hit)

    def look(self, kind: Try, who: str) -> None:
        """Raises TooOften where a try would be one too many; counts nothing."""
        self._ask(kind, who, MovingWindowRateLimiter.test)

    def _ask(self, kind: Try, who: str, how: Callable[..., bool]) -> None:
        item, key = MOST[kind], _key(kind, who)
        for limiter in (self._shared, self._own):
            try:
                if how(limiter, item, *key):
                    return
                raise TooOften(limiter.get_window_stats(item, *key).reset_time - time.time())
            except (redis.RedisError, OSError) as error:
                words = "Redis does not answer (%s); this process counts tries to sign in by itself"
                log.warning(words, error, extra={"event": "throttle.alone"})

    def forget(self, kind: Try, who: str) -> None:
        """After a success: the tries before it were this person's own."""
        item, key = MOST[kind], _key(kind, who)
        for limiter in (self._shared, self._own):
            try:
                limiter.clear(item, *key)
            except (redis.RedisError, OSError):
                continue


def _key(kind: Try, who: str) -> tuple[str, str]:
    """Redis keeps a hash: who tries to sign in where is nobody's business there."""
    named = _network(who) if kind is Try.NETWORK else who.strip().lower()
    return kind, hashlib.sha256(named.encode("utf-8", "replace")).hexdigest()[:32]


def _network(address: str) -> str:
    """The address, of IPv6 its /64: that much belongs to one household (RFC 6177)."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        mapped = found.ipv4_mapped
        return str(mapped or ipaddress.ip_network((found, 64), strict=False))
    return str(found)
