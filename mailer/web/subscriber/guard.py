"""What keeps a public form from being used against others: caps, and a proof of work above them.

Caps are counted by address, by network and by day. What an address may be sent is a wall, because its owner
is who would be hurt. Above the other two caps a form asks for some work first: a browser with JavaScript does
it in a moment (static/proof.js), and without one a key that it was given becomes good by waiting.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from limits import RateLimitItem, RateLimitItemPerDay, RateLimitItemPerHour

from mailer.audience.addresses import normalise
from mailer.caps import Caps, hashed, network_of
from mailer.links import BadLink, Signer

WAIT = timedelta(minutes=2)
"""After this long a key is good without work: who sends thousands has no use for it."""
GOOD_FOR = timedelta(hours=2)
BITS = 16
"""Zero bits that a proof begins with: 65,536 tries on average, about a second in a browser."""


class Cap(StrEnum):
    """What is counted: tries for an address, from a network, on a day; a key's use; keys waited for."""

    ADDRESS = "address"
    NETWORK = "network"
    DAY = "day"
    KEY = "key"
    WAITED = "waited"


MOST: dict[Cap, RateLimitItem] = {
    Cap.ADDRESS: RateLimitItemPerDay(5, namespace="steadypost"),
    # A class or an office signs up together from one network.
    Cap.NETWORK: RateLimitItemPerHour(10, namespace="steadypost"),
    Cap.DAY: RateLimitItemPerDay(2000, namespace="steadypost"),
    Cap.KEY: RateLimitItemPerHour(1, 3, namespace="steadypost"),
    Cap.WAITED: RateLimitItemPerHour(30, namespace="steadypost"),
}
"""So many in so long; a key is used once while it is good."""


class Answer(StrEnum):
    """Let in; asked to work or wait first; or let go by quietly, because the address had its share."""

    YES = "yes"
    WORK = "work"
    ENOUGH = "enough"


@dataclass(frozen=True)
class Asked:
    """What somebody asks: which form, for which address, from which network address."""

    form: str
    email: str
    network: str

    @property
    def about(self) -> bytes:
        """What a key is bound to."""
        _, key = normalise(self.email)
        return "\0".join((self.form, key, network_of(self.network, v4_prefix=24))).encode()


class Guard:
    """Lets people sign up, and programs not by the thousand."""

    def __init__(self, redis_url: str, signer: Signer) -> None:
        self._caps = Caps(redis_url, "forms")
        self._signer = signer

    def ask(self, asked: Asked, key: str, solution: str, now: datetime) -> Answer:
        """Whether this may go on; counts it. `now` is the database's own clock. Raises BadAddress."""
        is_passed = self._passes(asked, key, solution, now)
        network = hashed(network_of(asked.network, v4_prefix=24))
        if not is_passed:
            counted = ((Cap.NETWORK, network), (Cap.DAY, ""))
            if any(self._caps.take(MOST[cap], cap, who) for cap, who in counted):
                return Answer.WORK
        _, address = normalise(asked.email)
        is_enough = self._caps.take(MOST[Cap.ADDRESS], Cap.ADDRESS, hashed(address))
        return Answer.ENOUGH if is_enough else Answer.YES

    def key(self, asked: Asked, key: str, now: datetime) -> str:
        """The key that this asker works or waits with: the one they have, or a new one."""
        age = self._age(asked, key, now)
        if age is not None and age < WAIT:
            return key  # they pressed too early: what they have waited so far counts
        return self._signer.form_key(asked.about, now, secrets.token_bytes(8))

    def _passes(self, asked: Asked, key: str, solution: str, now: datetime) -> bool:
        age = self._age(asked, key, now)
        if age is None:
            return False
        if not is_proof(key, solution):
            network = hashed(network_of(asked.network, v4_prefix=24))
            if age < WAIT or self._caps.take(MOST[Cap.WAITED], Cap.WAITED, network):
                return False
        return not self._caps.take(MOST[Cap.KEY], Cap.KEY, hashed(key))

    def _age(self, asked: Asked, key: str, now: datetime) -> timedelta | None:
        """How old a key of ours is; None when it is not for this, or too old."""
        if not key:
            return None
        try:
            age = now - self._signer.form_key_made_at(key, asked.about)
        except BadLink:
            return None
        return age if age <= GOOD_FOR else None


def is_proof(key: str, solution: str) -> bool:
    """Whether SHA-256 of `key:solution` begins with BITS zero bits."""
    if not solution or len(solution) > 20:
        return False
    digest = hashlib.sha256(f"{key}:{solution}".encode()).digest()
    return int.from_bytes(digest, "big") >> (256 - BITS) == 0
