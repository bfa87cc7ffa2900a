"""How many requests a token may make: told in every answer.

The headers are those of draft-ietf-httpapi-ratelimit-headers-10.
"""

from __future__ import annotations

from limits import RateLimitItemPerMinute

from mailer.caps import Caps
from mailer.queue import client_url
from mailer.web.api.problems import TooMany

WINDOW = 60
"""Seconds."""


class Limiter:
    """Counts the requests of each token."""

    def __init__(self, redis_url: str, per_minute: int) -> None:
        self._allowed = RateLimitItemPerMinute(per_minute, namespace="steadypost")
        self._caps = Caps(client_url(redis_url), "api")

    def count(self, token_id: int, headers: dict[str, str]) -> None:
        """Count one request, and tell in `headers` how many are left; raises TooMany."""
        now = self._caps.count(self._allowed, "token", str(token_id))
        seconds = max(1, round(now.seconds))
        headers["RateLimit-Policy"] = f'"token";q={self._allowed.amount};w={WINDOW}'
        headers["RateLimit"] = f'"token";r={now.left};t={seconds}'
        if not now.is_within:
            raise TooMany(f"This token may make {self._allowed.amount:,} requests a minute.", seconds)
