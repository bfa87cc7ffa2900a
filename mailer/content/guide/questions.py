"""A section of questions and answers taken apart into its questions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mailer.content.guide.model import (
    Block,
    Bullets,
    Heading,
    LineNote,
    Paragraph,
    Run,
    Text,
    cut,
    is_whole_in,
    merged,
    plain,
    raw,
)
from mailer.content.guide.tidy import LINE_ENDS

FAQ = re.compile(
    r"(.*\b)?(frequently asked questions|faqs?|f\.a\.q\.|questions (and"
    r"|&) answers|q ?(&|and) ?as?|common questions"
    r"|(your|reader'?s?) questions,? answered|questions,? answered"
    r"|häufig(e| gestellte) fragen|fragen und antworten"
    r"|questions fréquentes|foire aux questions|preguntas frecuentes|domande frequenti|perguntas frequentes"
    r"|veelgestelde vragen|vanliga frågor)\b.*",
    re.IGNORECASE,
)
ASKS = re.compile(r"[?？؟]['\"”’»)]*$")
QUESTION_MARK = re.compile(r"\s*(?:Q|Question|Frage|F|P|D)\s*\d{0,2}\s*[:.)]\s+(?=\S)", re.IGNORECASE)
ANSWER_MARK = re.compile(r"\s*(?:A|Answer|Antwort|R|Réponse)\s*\d{0,2}\s*[:.)]\s+(?=\S)", re.IGNORECASE)
NUMBER_MARK = re.compile(r"\s*\d{1,2}[.)]\s+(?=\S)")
FIRST_SENTENCE = re.compile(r"[^.!?]{3,200}[?？؟]['\"”’»)]*\s+(?=\S)")
LONGEST_QUESTION = 250


@dataclass(frozen=True)
class Question:
    """A question with its answer. `line` is the question's."""

    text: Text
    answer: tuple[Block, ...]
    line: int


def is_faq_heading(words: str) -> bool:
    """Whether a heading announces questions and answers."""
    return bool(FAQ.fullmatch(words.strip()))


def is_question(words: str) -> bool:
    """Whether a whole line is a question."""
    return len(words) <= LONGEST_QUESTION and bool(ASKS.search(words.strip()))


def take_questions(
    blocks: Sequence[Block],
) -> tuple[tuple[Block, ...], tuple[Question, ...], list[LineNote]]:
    """What stands before the first question, the questions, and notes on those without an answer."""
    intro: list[Block] = []
    found: list[tuple[Text, list[Block], int]] = []
    for block in _opened(blocks):
        asked = _question_in(block)
        if asked is not None:
            found.append((asked, [], block.line))
        elif found:
            found[-1][1].append(_without_mark(block))
        else:
            intro.append(block)
    notes = [
        LineNote(line, plain(text), "a question without an answer")
        for text, answer, line in found
        if not answer
    ]
    questions = tuple(Question(text, tuple(answer), line) for text, answer, line in found)
    return tuple(intro), questions, notes


def _opened(blocks: Sequence[Block]) -> list[Block]:
    """The blocks with every question in a paragraph (or a list's point) of its own."""
    opened: list[Block] = []
    for block in blocks:
        if isinstance(block, Paragraph):
            opened += _question_first(block)
        elif isinstance(block, Bullets) and all(_asks_first(item.text) for item in block.items):
            for item in block.items:
                opened += [*_question_first(Paragraph(item.text, item.line)), *item.children]
        else:
            opened.append(block)
    if any(_question_in(block) is not None for block in opened):
        return opened
    return [part for block in opened for part in _sentence_first(block)]


def _question_first(paragraph: Paragraph) -> list[Block]:
    """A paragraph whose first line, or whose bold beginning, is a question, made into two."""
    end = _end_of_question(paragraph.text)
    if end is None or end >= len(raw(paragraph.text).rstrip()):
        return [paragraph]
    lines = len(LINE_ENDS.findall(raw(paragraph.text)[: end + 1]))
    answer = Paragraph(cut(paragraph.text, end), paragraph.line + lines, is_tight=True)
    return [Paragraph(cut(paragraph.text, 0, end), paragraph.line, paragraph.is_tight), answer]


def _asks_first(text: Text) -> bool:
    return _end_of_question(text) is not None


def _end_of_question(text: Text) -> int | None:
    """Where the question that `text` begins with ends, when a line or bold type sets it off."""
    words = raw(text)
    for match in LINE_ENDS.finditer(words):
        before = words[: match.start()]
        if is_question(before) or QUESTION_MARK.match(before):
            return match.start()
    bold = 0
    for run in text:
        if not (run.is_bold or not run.text.strip()):
            break
        bold += len(run.text)
    if is_question(words[:bold]):
        return bold
    return len(words) if is_question(words) else None


def _sentence_first(block: Block) -> list[Block]:
    """ "Can I nap? Yes, briefly." as question and answer: tried only where nothing sets questions off."""
    match = FIRST_SENTENCE.match(raw(block.text)) if isinstance(block, Paragraph) else None
    if match is None or not isinstance(block, Paragraph):
        return [block]
    question = Paragraph(cut(block.text, 0, match.end()), block.line)
    return [question, Paragraph(cut(block.text, match.end()), block.line, is_tight=True)]


def _question_in(block: Block) -> Text | None:
    """The question that a block is, without a "Q:" or a number before it."""
    if not isinstance(block, Heading | Paragraph):
        return None
    words = raw(block.text)
    mark = QUESTION_MARK.match(words)
    if ANSWER_MARK.match(words) and not mark:
        return None
    if not (mark or is_question(words) or isinstance(block, Heading)):
        return None
    number = mark or NUMBER_MARK.match(words)
    text = cut(block.text, number.end() if number else 0)
    if is_whole_in(text, style="is_bold"):
        text = merged(Run(run.text, is_italic=run.is_italic, href=run.href) for run in text)
    return text


def _without_mark(block: Block) -> Block:
    """The block without the "A:" that it begins with."""
    if not isinstance(block, Paragraph):
        return block
    match = ANSWER_MARK.match(raw(block.text))
    return Paragraph(cut(block.text, match.end()), block.line, block.is_tight) if match else block
