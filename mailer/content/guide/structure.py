"""A guide's blocks as its title, subtitle, sections, questions, weeks and disclaimer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mailer.content.guide.capitals import without_capitals
from mailer.content.guide.disclaimer import (
    is_disclaimer,
    is_disclaimer_heading,
    names_disclaimer,
    sounds_like_disclaimer,
)
from mailer.content.guide.doubts import lost_structure, other_language
from mailer.content.guide.furniture import sweep
from mailer.content.guide.headings import has_headings, promote_bold, promote_headings
from mailer.content.guide.model import (
    Block,
    Heading,
    LineNote,
    Paragraph,
    Reading,
    Text,
    plain,
    plain_of,
    text_of,
)
from mailer.content.guide.numbering import without_numbers
from mailer.content.guide.outline import Section, outline
from mailer.content.guide.protocol import Week, take_protocol
from mailer.content.guide.questions import Question, is_faq_heading, take_questions
from mailer.content.guide.tidy import tidy


@dataclass(frozen=True)
class Lesson:
    """A section of the guide: one mail. `questions` only where the section asks and answers."""

    heading: Text
    blocks: tuple[Block, ...]
    line: int
    questions: tuple[Question, ...] = ()


@dataclass(frozen=True)
class Guide:
    """What the guide holds. Lessons are in its order, weeks by their number."""

    title: str
    subtitle: str
    language: str
    disclaimer: str
    lessons: tuple[Lesson, ...]
    weeks: tuple[Week, ...]
    left_out: tuple[LineNote, ...]
    doubtful: tuple[LineNote, ...]


def understand(reading: Reading) -> Guide:
    """The guide in what was read; nothing of it is dropped without a note."""
    reading = _as_guide(reading)
    outlined = outline(reading)
    notes = list(outlined.doubtful)
    left_out = list(reading.left_out)
    sections, disclaimer = _without_disclaimer(outlined.sections, notes, left_out)
    sections = _with_empty_headings_moved(sections, notes)
    sections, weeks = take_protocol(sections, notes)
    title = without_capitals(outlined.title)
    lessons = tuple(_lesson(section, title, notes) for section in sections)
    notes += lost_structure(
        [(plain(each.heading or text_of(title)), each.line, each.blocks) for each in sections]
    )
    if not reading.language:
        notes += other_language(reading.blocks)
    return Guide(
        title=title,
        subtitle=outlined.subtitle,
        language=reading.language or "en",
        disclaimer="\n\n".join(disclaimer),
        lessons=lessons,
        weeks=weeks,
        left_out=tuple(left_out),
        doubtful=(*reading.doubtful, *notes),
    )


def _as_guide(reading: Reading) -> Reading:
    """The reading with its paragraphs split, its headings found and the page's furniture left out."""
    blocks = tidy(reading.blocks)
    has_levels = has_headings(blocks)
    if not has_levels:
        blocks = promote_bold(blocks)
    if not has_headings(blocks):
        blocks = promote_headings(blocks)
    blocks, left_out = sweep(blocks)
    left_out = sorted((*reading.left_out, *left_out), key=lambda note: note.line)
    return replace(
        reading, blocks=tuple(without_numbers(blocks)), left_out=tuple(left_out), has_levels=has_levels
    )


def _lesson(section: Section, title: str, notes: list[LineNote]) -> Lesson:
    heading = section.heading or text_of(title)
    if is_faq_heading(plain(heading)):
        intro, questions, found = take_questions(section.blocks)
        if questions:
            notes += found
            return Lesson(heading, intro, section.line, questions)
        notes.append(LineNote(section.line, plain(heading), "no questions were found in this section"))
    return Lesson(heading, section.blocks, section.line)


def _without_disclaimer(
    sections: Sequence[Section], notes: list[LineNote], left_out: list[LineNote]
) -> tuple[list[Section], list[str]]:
    """The sections without the disclaimer, which the layout puts under every mail, and its paragraphs."""
    kept: list[Section] = []
    disclaimer: list[str] = []
    for section in sections:
        if section.heading and is_disclaimer_heading(plain(section.heading)) and section.blocks:
            why = "the heading of the disclaimer, which stands under every mail"
            left_out.append(LineNote(section.line, plain(section.heading), why))
            disclaimer += [plain_of(block) for block in section.blocks]
            continue
        mine = _disclaimer_in(section, notes, is_last=section is sections[-1])
        disclaimer += [plain_of(block) for block in mine]
        rest = tuple(block for block in section.blocks if block not in mine)
        if mine and not rest and section.heading:
            why = "a heading with nothing but the disclaimer below, which stands under every mail"
            left_out.append(LineNote(section.line, plain(section.heading), why))
        else:
            kept.append(replace(section, blocks=rest))
    return kept, disclaimer


def _disclaimer_in(section: Section, notes: list[LineNote], *, is_last: bool) -> list[Block]:
    """The section's paragraphs that call themselves a disclaimer; if none does, those that sound like one.

    The latter are looked for only where the heading names a disclaimer, or at the guide's very end.
    """
    paragraphs = [block for block in section.blocks if isinstance(block, Paragraph | Heading)]
    labelled: list[Block] = [block for block in paragraphs if is_disclaimer(plain(block.text))]
    if labelled:
        return labelled
    if section.heading and names_disclaimer(plain(section.heading)):
        return [block for block in paragraphs if sounds_like_disclaimer(plain(block.text))]
    last = section.blocks[-1] if is_last and section.blocks else None
    if not isinstance(last, Paragraph) or not sounds_like_disclaimer(plain(last.text)):
        return []
    why = "this was read as the disclaimer, though it does not say so"
    notes.append(LineNote(last.line, plain(last.text), why))
    return [last]


def _with_empty_headings_moved(sections: Sequence[Section], notes: list[LineNote]) -> list[Section]:
    """Headings with nothing below them ("Part one") put into the next mail, or into the last."""
    kept: list[Section] = []
    waiting: list[Block] = []
    for section in sections:
        if section.blocks:
            kept.append(replace(section, blocks=(*waiting, *section.blocks)))
            waiting = []
        elif section.heading:
            why = "a heading with nothing below it; it stands in the neighbouring mail"
            notes.append(LineNote(section.line, plain(section.heading), why))
            waiting.append(Paragraph(section.heading, section.line))
    if waiting and kept:
        kept[-1] = replace(kept[-1], blocks=(*kept[-1].blocks, *waiting))
    return kept
