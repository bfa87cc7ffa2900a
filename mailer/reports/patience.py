"""What is counted while a page waits, and what only when somebody asks for it.

Most figures come from tallies. The rest reads the rows themselves: where there are few, at once; where there
are many, on demand and for a limited time, so that no page is slow and no count runs on for nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import TypeVar

from sqlalchemy.orm import Session

from mailer import tally
from mailer.db import TooLong, at_most, in_time

S = TypeVar("S")
T = TypeVar("T")

MANY = 200_000
"""With more mails than this a page does not read them by itself: it would be too slow."""

UNASKED = 1.0
"""Seconds that one query may take for a page by itself: there may be few mails, and a million people."""

LONGEST = 10.0
"""Seconds that one query may take when somebody has asked for a count."""


def is_large(session: Session) -> bool:
    """Whether there are too many mails to be read while a page waits."""
    return tally.total(session) > MANY


def counted(
    session: Session, count: Callable[[Session], T], *, is_asked: bool, longest: float | None = LONGEST
) -> T | None:
    """What `count` finds; None where that would take long and nobody `is_asked` for it.

    Raises TooLong when it was asked for and a query took more than `longest` seconds; None: as long as it
    takes, where somebody could not go on without it.
    """
    if is_asked:
        with at_most(session, longest) if longest is not None else nullcontext():
            return count(session)
    return None if is_large(session) else in_time(session, UNASKED, lambda: count(session))


def as_far_as_counted(see: Callable[[bool], S], is_asked: bool) -> tuple[S, str]:
    """What `see` shows, told whether somebody asked for counts; and a sentence when that took too long."""
    try:
        return see(is_asked), ""
    except TooLong as long:
        return see(False), str(long)
