"""The numbers before headings: which lines count on, and headings without them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from mailer.content.guide.labels import DAY_WORDS, WEEK_WORDS, find_heading_label
from mailer.content.guide.model import Block, Heading, cut, raw

_NAMED = (
    r"(?:chapter|section|lesson|kapitel|abschnitt|lektion|chapitre|leçon|cap[ií]tulo|lección|capitolo"
    r"|hoofdstuk)\s+"
)
NUMBER = (
    rf"(?:(?:{_NAMED})?(?:\d{{1,3}}\.)*\d{{1,3}}(?:\s*[.):]|\s*[-–—](?=\s))"
    rf"|(?:{_NAMED}|(?:\d{{1,3}}\.)+)\d{{1,3}}(?=\s))\s+(?=\D)"
)
"""A pattern: "3." and "3)" and "1.2" and "Chapter 3:" and "Section 2 -", with the space behind."""
LEADING = re.compile(rf"\s*{NUMBER}", re.IGNORECASE)
LAST_NUMBER = re.compile(r"(\d+)\D*$")


def runs_of(numbers: Sequence[int]) -> list[list[int]]:
    """The positions of `numbers`, put together where they count on.

    A list inside a section interrupts the sections' own run, which goes on behind it: 1 2 (1 2 3) 3.
    Of two runs that a number could continue, it belongs to the one that was read last.
    """
    runs: list[list[int]] = []
    waiting: defaultdict[int, list[list[int]]] = defaultdict(list)
    for at, number in enumerate(numbers):
        run = waiting[number].pop() if waiting[number] else []
        if not run:
            runs.append(run)
        run.append(at)
        waiting[number + 1].append(run)
    return runs


def without_numbers(blocks: Sequence[Block]) -> list[Block]:
    """The blocks with numbered headings bare, so that a section put in between renames no other."""
    bare = list(blocks)
    by_level: defaultdict[int, list[tuple[int, int, int]]] = defaultdict(list)
    for at, block in enumerate(blocks):
        if isinstance(block, Heading) and (found := _number_of(raw(block.text))):
            by_level[block.level].append((at, *found))
    for numbered in by_level.values():
        for run in runs_of([number for _, number, _ in numbered]):
            for at, _, end in (numbered[position] for position in run if len(run) > 1):
                heading = blocks[at]
                if isinstance(heading, Heading):
                    bare[at] = replace(heading, text=cut(heading.text, end))
    return bare


def _number_of(words: str) -> tuple[int, int] | None:
    """The number a heading begins with, and where its words begin; None for "2. Woche", a name itself."""
    match = LEADING.match(words)
    last = LAST_NUMBER.search(match[0]) if match else None
    if match is None or last is None:
        return None
    rest = words[match.end() :]
    first = re.split(r"\W", rest, maxsplit=1)[0].casefold()
    if (first in WEEK_WORDS or first in DAY_WORDS) and find_heading_label(rest) is None:
        return None
    return int(last[1]), match.end()
