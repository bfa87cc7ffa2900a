"""Where a guide's title, subtitle and sections begin and end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from mailer.content.guide.headings import LONGEST_HEADING, MOST_WORDS
from mailer.content.guide.labels import find_heading_label, focus_end, names_plan
from mailer.content.guide.model import (
    Block,
    Heading,
    LineNote,
    Paragraph,
    Reading,
    Text,
    count_words,
    plain,
    raw,
)
from mailer.content.guide.questions import is_faq_heading, is_question

SHORT = 25
"""So many words below the title are a subtitle or a byline; more are a lesson."""


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it. No heading: what stood before the first, or weeks on their own."""

    heading: Text | None
    blocks: tuple[Block, ...]
    line: int
    level: int = 1

    @property
    def words(self) -> str:
        """The heading on one line."""
        return plain(self.heading or ())


@dataclass(frozen=True)
class Outline:
    title: str
    subtitle: str
    sections: tuple[Section, ...]
    doubtful: tuple[LineNote, ...] = ()


def outline(reading: Reading) -> Outline:
    """The title, the subtitle and the sections. The title is empty when nothing in the file is one."""
    notes: list[LineNote] = []
    title, blocks = _take_title(reading)
    subtitle, blocks = _take_subtitle(reading, blocks)
    sections = _joined(_sections(blocks, notes))
    return Outline(title, subtitle, tuple(sections), tuple(notes))


def _take_title(reading: Reading) -> tuple[str, list[Block]]:
    """The title and the blocks without it.

    It is what the format calls a title; or the only heading of the first level; or the first heading of
    all, unless that is a section: a heading below the first level with a text of its own.
    """
    blocks = list(reading.blocks)
    headings = [at for at, block in enumerate(blocks) if isinstance(block, Heading)]
    if reading.title:
        return reading.title, _without_repeated(blocks, reading.title)
    if not headings:
        return "", blocks
    tops = [at for at in headings if _level(blocks[at]) == 1]
    at = tops[0] if len(tops) == 1 else headings[0]
    following = next((later for later in headings if later > at), len(blocks))
    is_section = (
        _level(blocks[at]) > 1 and reading.has_levels and count_words(blocks[at + 1 : following]) > SHORT
    )
    title = blocks[at]
    if is_section or not isinstance(title, Heading):
        return "", blocks
    return plain(title.text), blocks[:at] + blocks[at + 1 :]


def _without_repeated(blocks: list[Block], title: str) -> list[Block]:
    """Without a first heading that says the title once more."""
    first = blocks[0] if blocks else None
    if isinstance(first, Heading) and plain(first.text).casefold() == title.casefold():
        return blocks[1:]
    return blocks


def _level(block: Block) -> int:
    return block.level if isinstance(block, Heading) else 0


def _take_subtitle(reading: Reading, blocks: list[Block]) -> tuple[str, list[Block]]:
    """The subtitle: a short paragraph before the first heading, or a heading with nothing below it."""
    if reading.subtitle or not blocks:
        return reading.subtitle, blocks
    first, second = blocks[0], blocks[1] if len(blocks) > 1 else None
    words = plain(first.text) if isinstance(first, Paragraph | Heading) else ""
    if isinstance(first, Paragraph):
        is_subtitle = (
            isinstance(second, Heading) and len(words.split()) <= SHORT and "\n" not in raw(first.text)
        )
    elif isinstance(first, Heading) and not (is_faq_heading(words) or names_plan(words)):
        is_above = isinstance(second, Heading) and second.level <= first.level
        is_subtitle = is_above or len(words) > LONGEST_HEADING or len(words.split()) > MOST_WORDS
    else:
        is_subtitle = False
    return (words, blocks[1:]) if is_subtitle else ("", blocks)


def _sections(blocks: Sequence[Block], notes: list[LineNote]) -> list[Section]:
    """The blocks cut at the headings of the sections' level or above; deeper headings stay inside."""
    level = _section_level(blocks)
    starts = [at for at, block in enumerate(blocks) if isinstance(block, Heading) and block.level <= level]
    sections = []
    for start, end in pairwise([*starts, len(blocks)]):
        heading = blocks[start]
        if isinstance(heading, Heading):
            inside = tuple(blocks[start + 1 : end])
            sections.append(Section(heading.text, inside, heading.line, heading.level))
    before = list(blocks[: starts[0] if starts else len(blocks)])
    if not before:
        return sections
    if sections and count_words(before) <= SHORT:
        why = "this stands before the first heading; it went into the first mail"
        notes.append(LineNote(before[0].line, " ".join(_words(block) for block in before), why))
        return [replace(sections[0], blocks=(*before, *sections[0].blocks)), *sections[1:]]
    return [Section(None, tuple(before), before[0].line), *sections]


def _words(block: Block) -> str:
    return plain(block.text) if isinstance(block, Paragraph | Heading) else ""


def _section_level(blocks: Sequence[Block]) -> int:
    """The level of the headings that make a mail each.

    The first level that has at least two headings at or above it; one deeper as long as those only
    gather others below them ("Part one", "Part two") and have no text of their own.
    """
    headings = [(at, block.level) for at, block in enumerate(blocks) if isinstance(block, Heading)]
    levels = sorted({level for _, level in headings})
    if not levels:
        return 1
    candidates = [level for level in levels if sum(other <= level for _, other in headings) > 1]
    for level in candidates:
        owners = [at for at, other in headings if other <= level and not _gathers(blocks[at])]
        if any(not _is_only_above(blocks, at) for at in owners) or not owners:
            return level
    return candidates[-1] if candidates else levels[-1]


def _gathers(block: Block) -> bool:
    """Whether a heading is one that other headings belong under anyway: questions, a plan."""
    return isinstance(block, Heading) and (is_faq_heading(plain(block.text)) or names_plan(plain(block.text)))


def _is_only_above(blocks: Sequence[Block], at: int) -> bool:
    following = blocks[at + 1] if at + 1 < len(blocks) else None
    return isinstance(following, Heading) and following.level > _level(blocks[at])


def _joined(sections: Sequence[Section]) -> list[Section]:
    """The sections with those put together that are one: an FAQ's questions, a plan's weeks."""
    joined: list[Section] = []
    for section in sections:
        previous = joined[-1] if joined else None
        if previous and _belongs_to_faq(section, previous):
            joined[-1] = _swallow(previous, section)
        elif _is_week(section):
            if previous and (_has_weeks(previous) or _opens_plan(previous)):
                joined[-1] = _swallow(previous, section)
            else:
                joined.append(_swallow(Section(None, (), section.line, section.level), section))
        elif previous and _has_weeks(previous) and _is_part_of_plan(section, previous):
            joined[-1] = _swallow(previous, section)
        else:
            joined.append(section)
    return joined


def _swallow(outer: Section, inner: Section) -> Section:
    heading = Heading(inner.heading or (), inner.level + 1, inner.line)
    return replace(outer, blocks=(*outer.blocks, heading, *inner.blocks))


def _belongs_to_faq(section: Section, previous: Section) -> bool:
    return is_faq_heading(previous.words) and (
        section.level > previous.level or (is_question(section.words) and not is_faq_heading(section.words))
    )


def _is_week(section: Section) -> bool:
    return section.heading is not None and find_heading_label(section.words) is not None


def _has_weeks(section: Section) -> bool:
    return any(
        isinstance(block, Heading) and find_heading_label(plain(block.text)) is not None
        for block in section.blocks
    )


def _opens_plan(section: Section) -> bool:
    return section.heading is not None and (
        not section.blocks or (names_plan(section.words) and not is_faq_heading(section.words))
    )


def _is_part_of_plan(section: Section, previous: Section) -> bool:
    return focus_end(section.words) is not None or (
        section.level > previous.level and previous.heading is not None
    )
