"""Counting what may happen so often: in Redis, so that all processes of an installation count as one."""

from __future__ import annotations

import hashlib
import ipaddress
import logging
import time
from collections.abc import Callable

import redis
from limits import RateLimitItem
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import MovingWindowRateLimiter

log = logging.getLogger(__name__)


class Caps:
    """Counts by kind and key. While Redis is away each process counts for itself, rather than let all in."""

    def __init__(self, redis_url: str, prefix: str) -> None:
        shared = RedisStorage(redis_url, key_prefix=prefix, socket_connect_timeout=1, socket_timeout=2)
        self._prefix = prefix
        self._shared = MovingWindowRateLimiter(shared)
        self._own = MovingWindowRateLimiter(MemoryStorage())

    def take(self, item: RateLimitItem, kind: str, key: str) -> float:
        """Count one; 0 when it is within the cap, else the seconds until there is room, uncounted."""
        return self._ask(item, kind, key, MovingWindowRateLimiter.hit)

    def look(self, item: RateLimitItem, kind: str, key: str) -> float:
        """The same, without counting."""
        return self._ask(item, kind, key, MovingWindowRateLimiter.test)

    def _ask(self, item: RateLimitItem, kind: str, key: str, how: Callable[..., bool]) -> float:
        for limiter in (self._shared, self._own):
            try:
                if how(limiter, item, kind, key):
                    return 0.0
                return max(0.001, limiter.get_window_stats(item, kind, key).reset_time - time.time())
            except (redis.RedisError, OSError) as error:
                words = "Redis does not answer (%s); this process counts %s by itself"
                log.warning(words, error, self._prefix, extra={"event": f"{self._prefix}.alone"})
        return 0.0

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
