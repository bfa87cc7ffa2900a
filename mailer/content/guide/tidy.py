"""Paragraphs taken apart where one of their lines begins something of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from mailer.content.guide.disclaimer import is_disclaimer
from mailer.content.guide.furniture import why_furniture
from mailer.content.guide.labels import find_label, focus_end
from mailer.content.guide.model import BREAK, WRAP, Block, Bullets, Item, Paragraph, Quote, cut, raw

TYPED_MARK = re.compile(
    r"\s*(?:(?P<bullet>[•◦‣▪▫●○■□►▸➢➤✓✔☐☑·∙⁃])\s*|(?P<dash>[-–*])\s+|(?P<number>\d{1,2})[.)]\s+)(?=\S)"
)
TYPED_BULLET = re.compile(r"\s*[•◦‣▪▫●○■□►▸➢➤✓✔☐☑·∙⁃]\s*\S")
LINE_ENDS = re.compile(f"[{BREAK}{WRAP}]")


def tidy(blocks: Sequence[Block]) -> list[Block]:
    """The blocks with paragraphs split, and points typed by hand ("• water") made into lists."""
    tidied: list[Block] = []
    for block in blocks:
        if isinstance(block, Quote):
            tidied.append(Quote(tuple(tidy(block.blocks)), block.line))
        elif isinstance(block, Paragraph):
            tidied += _split(block)
        else:
            tidied.append(block)
    return _with_typed_lists(tidied)


def begins_something(line: str) -> bool:
    """Whether a line stands for itself, so that it is no part of the paragraph it is written in."""
    return bool(
        TYPED_BULLET.match(line)
        or find_label(line)
        or focus_end(line) is not None
        or is_disclaimer(line)
        or why_furniture(line)
    )


def _split(paragraph: Paragraph) -> Iterator[Paragraph]:
    """The paragraph's parts: it is cut before each line that begins something, and after furniture."""
    words = raw(paragraph.text)
    starts = [0, *(match.end() for match in LINE_ENDS.finditer(words))]
    ends = [*starts[1:], len(words)]
    first = 0
    for at in range(1, len(starts)):
        line, before = words[starts[at] : ends[at]], words[starts[at - 1] : ends[at - 1]]
        if begins_something(line) or why_furniture(before):
            yield _part(paragraph, starts[first], ends[at - 1], first)
            first = at
    yield _part(paragraph, starts[first], len(words), first)


def _part(paragraph: Paragraph, start: int, end: int, lines_down: int) -> Paragraph:
    if start == 0 and end == len(raw(paragraph.text)):
        return paragraph
    return Paragraph(cut(paragraph.text, start, end), paragraph.line + lines_down, is_tight=start > 0)


def _with_typed_lists(blocks: Sequence[Block]) -> list[Block]:
    """Paragraphs that begin with "•", or in a row with "- " or with 1, 2, 3, made into lists."""
    listed: list[Block] = []
    at = 0
    while at < len(blocks):
        points = _points_from(blocks, at)
        is_typed = points and (len(points) > 1 or points[0][1]["bullet"])
        if not is_typed:
            listed.append(blocks[at])
            at += 1
            continue
        items = tuple(Item(cut(block.text, mark.end()), block.line) for block, mark in points)
        number = points[0][1]["number"]
        listed.append(Bullets(items, items[0].line, number is not None, int(number or 1)))
        at += len(points)
    return listed


def _points_from(blocks: Sequence[Block], start: int) -> list[tuple[Paragraph, re.Match[str]]]:
    """The paragraphs from `start` on that begin with marks of one kind; numbers have to count on."""
    points: list[tuple[Paragraph, re.Match[str]]] = []
    for at in range(start, len(blocks)):
        block = blocks[at]
        mark = TYPED_MARK.match(raw(block.text)) if isinstance(block, Paragraph) else None
        if mark is None or not isinstance(block, Paragraph):
            break
        if points and mark.lastgroup != points[0][1].lastgroup:
            break
        if mark["number"] and points and int(mark["number"]) != int(points[0][1]["number"]) + len(points):
            break
        points.append((block, mark))
    return points
