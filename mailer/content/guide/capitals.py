"""A title typed in capitals, as a title is written."""

from __future__ import annotations

import re

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_SMALL = "a an and as at but by for from in of on or the to with de du et la le und y"
SMALL = frozenset(_SMALL.split())
LONGEST_INITIALS = 5
"""Letters; a title that is one such word may be initials, as in ADHD."""


def without_capitals(title: str) -> str:
    """ "SLEEP AND THE CLOCK" as "Sleep and the Clock"; any title with a small letter as it is."""
    words = title.split()
    if not title.isupper() or (len(words) == 1 and len(title) <= LONGEST_INITIALS):
        return title
    return WORD.sub(lambda match: _written(match, title), title)


def _written(match: re.Match[str], title: str) -> str:
    before = title[: match.start()].rstrip()
    is_inside = bool(before) and before[-1] not in ":?!.–—"
    if is_inside and match[0].casefold() in SMALL:
        return match[0].lower()
    return match[0].capitalize()
