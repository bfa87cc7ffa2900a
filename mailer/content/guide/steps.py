"""The mails that a guide gives: their Markdown, subjects and preheaders."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mailer.content.course_folder import StepKind
from mailer.content.guide.checklist import split_items
from mailer.content.guide.markdown_text import blocks_as_markdown, bullets_as_markdown, heading
from mailer.content.guide.model import (
    Block,
    Bullets,
    Heading,
    LineNote,
    Paragraph,
    Quote,
    Text,
    plain,
    plain_of,
    raw,
    text_of,
)
from mailer.content.guide.protocol import Entry, Week
from mailer.content.guide.questions import Question
from mailer.content.guide.sentences import sentences_of
from mailer.content.guide.structure import Guide, Lesson

PREHEADER_LENGTH = 110
"""Characters: what a phone shows beside the subject."""
LONGEST_POINT = 40
"""Words; a longer paragraph of the protocol is a text to read, not a point to tick off."""


@dataclass(frozen=True)
class Draft:
    """One step as the guide has it, before it has a key and a day. `body` begins with its `# Heading`."""

    kind: StepKind
    heading: str
    subject: str
    preheader: str
    body: str
    line: int
    week: int | None = None


def drafts_of(guide: Guide) -> tuple[list[Draft], list[LineNote]]:
    """The steps in the guide's order, weeks behind the lessons, and notes on what is doubtful in them."""
    notes: list[LineNote] = []
    drafts = [_lesson(lesson) for lesson in guide.lessons]
    for week in guide.weeks:
        parts = list(_week_parts(week))
        if not any(part.startswith("::: checklist") for part in parts):
            why = "this week has nothing short enough to tick off, so it got no checklist"
            notes.append(LineNote(week.line, plain(week.heading), why))
        told = [*(block for entry in week.entries for block in entry.blocks), *week.focus]
        drafts.append(_draft(StepKind.PROTOCOL, week.heading, parts, told, week.line, week.number))
    return drafts, notes


def _lesson(lesson: Lesson) -> Draft:
    parts = [blocks_as_markdown(lesson.blocks, top_level=_top_level(lesson.blocks))]
    parts += [_question(question) for question in lesson.questions]
    told: list[Block] = [
        *lesson.blocks,
        *(Paragraph(question.text, question.line) for question in lesson.questions),
    ]
    return _draft(StepKind.LESSON, lesson.heading, parts, told, lesson.line)


def _draft(
    kind: StepKind,
    title: Text,
    parts: Sequence[str],
    told: Sequence[Block],
    line: int,
    week: int | None = None,
) -> Draft:
    """`told` are the blocks that the preheader may quote."""
    body = "\n\n".join(part for part in (f"# {heading(title)}", *parts) if part)
    subject = plain(title)
    preheader = preheader_of(told, subject)
    return Draft(kind, subject, literal(subject), literal(preheader), body + "\n", line, week)


def _top_level(blocks: Sequence[Block]) -> int:
    """The level that a section's own sub-headings have."""
    return min((block.level for block in blocks if isinstance(block, Heading)), default=1)


def _question(question: Question) -> str:
    asked = heading(question.text)
    if not question.answer:
        return f"**{asked}**"
    return f"::: question {asked}\n{blocks_as_markdown(question.answer)}\n:::"


def _week_parts(week: Week) -> Iterator[str]:
    """What stands in a week's mail below its heading."""
    yield blocks_as_markdown(week.intro, top_level=_top_level(week.intro))
    for entry in week.entries:
        if words := _shown_label(entry, week):
            yield f"**{heading(text_of(words))}**"
        if entry.title:
            yield f"**{heading(entry.title)}**"
        yield from _to_do(entry.blocks)
    if week.focus:
        yield f"::: callout\n{blocks_as_markdown(week.focus, top_level=_top_level(week.focus))}\n:::"
    yield blocks_as_markdown(week.closing, top_level=_top_level(week.closing))


def _shown_label(entry: Entry, week: Week) -> str:
    """The label as the guide has it ("Weeks 3 and 4"), unless the mail's heading says just that."""
    own = f"{entry.label.week_word} {week.number}".casefold()
    return "" if entry.label.words.casefold() == own else entry.label.words


def _to_do(blocks: Sequence[Block]) -> Iterator[str]:
    """Lists and short paragraphs as checklists; long paragraphs, quotations and tables as they are."""
    for block in blocks:
        if isinstance(block, Bullets):
            yield f"::: checklist\n{bullets_as_markdown(block)}\n:::"
        elif isinstance(block, Paragraph) and _is_point(block, blocks):
            points = Bullets(split_items(block.text, block.line), block.line)
            yield f"::: checklist\n{bullets_as_markdown(points)}\n:::"
        else:
            yield blocks_as_markdown([block], top_level=_top_level(blocks))


def _is_point(paragraph: Paragraph, among: Sequence[Block]) -> bool:
    """A short paragraph is something to do, unless a list says what to do and this only leads to it."""
    words = raw(paragraph.text).strip()
    has_list = any(isinstance(block, Bullets) for block in among)
    return not has_list and len(words.split()) <= LONGEST_POINT and not words.endswith(":")


def preheader_of(blocks: Sequence[Block], subject: str) -> str:
    """The first sentence that does not repeat the subject, cut at a word; empty when there is none."""
    for sentence in _sentences(blocks):
        if _letters(sentence) not in _letters(subject):
            return _shortened(sentence)
    return ""


def _sentences(blocks: Sequence[Block]) -> Iterator[str]:
    for block in blocks:
        if isinstance(block, Bullets):
            yield "; ".join(plain(item.text).rstrip(".;,") for item in block.items)
        elif isinstance(block, Quote):
            yield from _sentences(block.blocks)
        elif isinstance(block, Paragraph):
            yield from sentences_of(plain_of(block))


def _letters(words: str) -> str:
    return "".join(character for character in words.casefold() if character.isalnum())


def _shortened(sentence: str) -> str:
    if len(sentence) <= PREHEADER_LENGTH:
        return sentence
    short = sentence[:PREHEADER_LENGTH].rpartition(" ")[0] or sentence[: PREHEADER_LENGTH - 1]
    return short.rstrip(" ,;:–—-") + "…"


def literal(words: str) -> str:
    """Words for a subject or preheader, which are Jinja2 templates but not Markdown: braces as they are."""
    return re.sub(r"\{[{%#]", lambda match: f'{{{{ "{match[0]}" }}}}', words)
