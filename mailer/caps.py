"""Counting what may happen so often: in Redis, so that all processes of an installation count as one."""

from __future__ import annotations

import hashlib
import ipaddress
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

import redis
from limits import RateLimitItem
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import MovingWindowRateLimiter

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Standing:
    """Whether one was within its cap, how many more are, and in how many seconds there is room again."""

    is_within: bool
    left: int
    seconds: float

    @property
    def wait(self) -> float:
        """Seconds to wait before the next try; 0 when this one was within the cap."""
        return 0.0 if self.is_within else self.seconds


class Caps:
    """Counts by kind and key. While Redis is away each process counts for itself, rather than let all in."""

    def __init__(self, redis_url: str, prefix: str) -> None:
        shared = RedisStorage(redis_url, key_prefix=prefix, socket_connect_timeout=1, socket_timeout=2)
        self._prefix = prefix
        self._shared = MovingWindowRateLimiter(shared)
        self._own = MovingWindowRateLimiter(MemoryStorage())

    def count(self, item: RateLimitItem, kind: str, key: str) -> Standing:
        """Count one, unless it is above the cap."""
        return self._ask(item, kind, key, MovingWindowRateLimiter.hit)

    def take(self, item: RateLimitItem, kind: str, key: str) -> float:
        """The same; 0 when it is within the cap, else the seconds until there is room."""
        return self.count(item, kind, key).wait

    def look(self, item: RateLimitItem, kind: str, key: str) -> float:
        """The same, without counting."""
        return self._ask(item, kind, key, MovingWindowRateLimiter.test).wait

    def _ask(self, item: RateLimitItem, kind: str, key: str, how: Callable[..., bool]) -> Standing:
        for limiter in (self._shared, self._own):
            try:
                is_within = how(limiter, item, kind, key)
                window = limiter.get_window_stats(item, kind, key)
                return Standing(is_within, window.remaining, max(0.001, window.reset_time - time.time()))
            except (redis.RedisError, OSError) as error:
                words = "Redis does not answer (%s); this process counts %s by itself"
                log.warning(words, error, self._prefix, extra={"event": f"{self._prefix}.alone"})
        return Standing(is_within=True, left=item.amount, seconds=0.0)

    def forget(self, item: RateLimitItem, kind: str, key: str) -> None:
        """Begin at nought again."""
        for limiter in (self._shared, self._own):
            try:
                limiter.clear(item, kind, key)
            except (redis.RedisError, OSError):
                continue


def hashed(who: str) -> str:
    """What Redis keeps of somebody: who does what where is nobody's business there."""
    return hashlib.sha256(who.encode("utf-8", "replace")).hexdigest()[:32]


def network_of(address: str, *, v4_prefix: int = 32) -> str:
    """The network of an address, of IPv6 its /64: that much belongs to one household (RFC 6177).

    What is no address is its own network.
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is None:
            return str(ipaddress.ip_network((found, 64), strict=False))
        found = found.ipv4_mapped
    return str(ipaddress.ip_network((found, v4_prefix), strict=False))
