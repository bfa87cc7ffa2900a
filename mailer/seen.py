"""What somebody saw of a thing when they began to change it, so that nothing newer is replaced unseen."""

from __future__ import annotations

import hashlib

from mailer.errors import Refused

CHANGED = (
    "Somebody else has changed it since you opened it, so nothing was saved. Yours is below: look at theirs "
    "first, or save yours in its place."
)


class ChangedMeanwhile(Refused):
    """It is not as whoever changes it has seen it; `what` says what to look at."""


def seen_of(*values: object) -> str:
    """What tells whether `values`, what a form shows of a thing, are still what somebody saw."""
    return hashlib.sha256("\0".join(str(value) for value in values).encode()).hexdigest()[:32]


def refuse_unseen(seen: str, *values: object) -> None:
    """Raises Refused where `seen` is of other `values`; nothing where nobody says what was seen."""
    if seen and seen != seen_of(*values):
        raise Refused(CHANGED)
