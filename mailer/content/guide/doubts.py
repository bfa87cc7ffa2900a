"""Notes on a guide that reads oddly as a whole: its structure may be lost, its language another."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from mailer.content.guide.headings import looks_like_heading
from mailer.content.guide.model import Block, Bullets, LineNote, Paragraph, count_words, plain, plain_of

ENOUGH_TO_WEIGH = 1000
"""Words; in a shorter guide one lesson may well be most of it."""
MOST_NAMED = 12
"""Lines that one note names."""
LONGEST_MISSED = 10
"""Words of a line that may be a heading nobody marked."""
_ENGLISH = "the and of to is are you your with that"
ENGLISH = frozenset(_ENGLISH.split())
ENOUGH_TO_TELL = 100
LEAST_ENGLISH = 0.04
"""Of all words; in English text these ten are a sixth or more, in other languages hardly any."""


def lost_structure(lessons: Sequence[tuple[str, int, Sequence[Block]]]) -> Iterator[LineNote]:
    """A note when the guide's only lesson, or one that outweighs all others, may be several.

    A lesson is given as its heading, its line and its blocks.
    """
    counts = [count_words(blocks) for _, _, blocks in lessons]
    total = sum(counts)
    for (heading, line, blocks), count in zip(lessons, counts, strict=True):
        is_only, missed = len(lessons) == 1, _missed(blocks)
        is_long = total > ENOUGH_TO_WEIGH and count * 2 > total
        if is_long or (is_only and missed):
            advice = f"make headings of the lines {missed}" if missed else "put a heading above each"
            size = "the only lesson found" if is_only else f"{count:,} of the lessons' {total:,} words"
            yield LineNote(line, heading, f"this is {size}; if it should be several, {advice}")


def _missed(blocks: Iterable[Block]) -> str:
    """The lines that look like headings, as words; nothing when there are none."""
    found = [f"{line} “{words}”" for line, words in _short_lines(blocks) if _may_be_heading(words)]
    more = f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
    return ", ".join(found[:MOST_NAMED]) + more


def _short_lines(blocks: Iterable[Block]) -> Iterator[tuple[int, str]]:
    """Paragraphs, and numbered lists of one point: a heading with a number may have become one."""
    for block in blocks:
        if isinstance(block, Paragraph):
            yield block.line, plain(block.text)
        elif isinstance(block, Bullets) and block.is_ordered and len(block.items) == 1:
            yield block.line, plain(block.items[0].text)


def _may_be_heading(words: str) -> bool:
    return looks_like_heading(words.rstrip(" :"), most_words=LONGEST_MISSED)


def other_language(blocks: Iterable[Block]) -> Iterator[LineNote]:
    """A note when a text that names no language is plainly not English."""
    words = re.findall(r"[^\W\d_]+", " ".join(plain_of(block) for block in blocks).casefold())
    if len(words) >= ENOUGH_TO_TELL and sum(word in ENGLISH for word in words) < len(words) * LEAST_ENGLISH:
        why = "the language was taken as en, but this does not read as English; set language in course.toml"
        yield LineNote(1, "", why)
