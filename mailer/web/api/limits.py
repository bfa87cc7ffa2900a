"""How many requests a token may make: counted in Redis, told in every answer.

The headers are those of draft-ietf-httpapi-ratelimit-headers-10. Redis may be away or emptied at any moment:
requests are answered all the same then, uncounted.
"""

from __future__ import annotations

import logging
import time

from limits import RateLimitItemPerMinute
from limits.errors import StorageError
from limits.storage import RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from mailer.queue import client_url
from mailer.web.api.problems import TooMany

log = logging.getLogger(__name__)

WINDOW = 60
"""Seconds."""


class Limiter:
    """Counts the requests of each token."""

    def __init__(self, redis_url: str, per_minute: int) -> None:
        self._allowed = RateLimitItemPerMinute(per_minute)
        storage = RedisStorage(
            client_url(redis_url),
            wrap_exceptions=True,
            key_prefix="steadypost-api",
            socket_connect_timeout=1,
            socket_timeout=1,
        )
        self._window = SlidingWindowCounterRateLimiter(storage)

    def count(self, token_id: int, headers: dict[str, str]) -> None:
        """Count one request, and tell in `headers` how many are left; raises TooMany."""
        try:
            may = self._window.hit(self._allowed, str(token_id))
            left = self._window.get_window_stats(self._allowed, str(token_id))
        except StorageError as error:
            log.warning("Requests are not counted: %s", error, extra={"event": "api.uncounted"})
            return
        seconds = max(1, round(left.reset_time - time.time()))
        headers["RateLimit-Policy"] = f'"token";q={self._allowed.amount};w={WINDOW}'
        headers["RateLimit"] = f'"token";r={left.remaining};t={seconds}'
        if not may:
            raise TooMany(f"This token may make {self._allowed.amount:,} requests a minute.", seconds)
