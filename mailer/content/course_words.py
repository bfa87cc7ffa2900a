"""The forms that values of a course folder have: slugs, times of day, lines, and characters that pass."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from datetime import time
from difflib import get_close_matches

SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")


def parse_send_time(value: str) -> time | None:
    """ "08:30" as a time of day; None when it is not one."""
    match = CLOCK.fullmatch(value.strip())
    return time(int(match[1]), int(match[2])) if match else None


def is_one_line(value: str) -> bool:
    """Whether `value` can stand in a mail's header: no line breaks of any script, no control characters."""
    return not any(unicodedata.category(sign) in {"Cc", "Cs", "Zl", "Zp"} for sign in value)


def find_control_character(text: str) -> tuple[int, str] | None:
    """The line (from 0) and name of the first character that neither a mail nor the database takes."""
    for position, sign in enumerate(text):
        if unicodedata.category(sign) in {"Cc", "Cs"} and sign not in "\n\t":
            return text.count("\n", 0, position), f"U+{ord(sign):04X}"
    return None


def known_or_near(name: str, known: Iterable[str]) -> str:
    """What to write instead of `name`: the nearest of `known`, or all of them."""
    names = sorted(known)
    close = get_close_matches(name, names, n=1)
    return f"Did you mean {close[0]}?" if close else f"Known are {', '.join(names)}."
