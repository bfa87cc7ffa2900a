"""Shares and waiting times as people write them: "20 %", "4 hours"."""

from __future__ import annotations

import re
from datetime import timedelta

SHARE = re.compile(r"(\d{1,3}(?:\.\d{1,2})?)\s*%")
WAIT = re.compile(r"(\d{1,4})\s*(minutes?|min|hours?|h|days?|d)")
UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
LONGEST_WAIT = timedelta(days=14)


def read_share(value: str) -> float | None:
    """ "20 %" as 0.2; None when it is none, or more than all."""
    match = SHARE.fullmatch(value.strip())
    share = float(match[1]) / 100 if match else None
    return share if share is not None and share <= 1 else None


def read_wait(value: str) -> timedelta | None:
    """ "4 hours", "30 minutes" or "2 days"; None when it is no such time, or longer than LONGEST_WAIT."""
    match = WAIT.fullmatch(value.strip().lower())
    wait = int(match[1]) * UNITS[match[2][0]] if match else None
    return wait if wait is not None and wait <= LONGEST_WAIT else None


def share_words(share: float) -> str:
    """0.2 as "20 %", 0.003 as "0.3 %"."""
    return f"{share * 100:.4g} %"


def wait_words(wait: timedelta) -> str:
    """A waiting time in the largest unit that it is a whole number of: "4 hours"."""
    minutes = round(wait / timedelta(minutes=1))
    for size, name in ((1440, "day"), (60, "hour")):
        if minutes and minutes % size == 0:
            number = minutes // size
            return f"{number} {name}" if number == 1 else f"{number} {name}s"
    return "1 minute" if minutes == 1 else f"{minutes} minutes"
