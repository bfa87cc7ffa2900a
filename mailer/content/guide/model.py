"""A guide's text as blocks, whatever kind of file it came from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

BREAK = "\n"
"""A line break that the author meant (Markdown's hard break, `<br>`, Shift-Enter in Word)."""
WRAP = "\v"
"""Where the source line ended although the paragraph goes on; written as a space."""


@dataclass(frozen=True)
class Run:
    """A stretch of text in one style. `href` is the address it links to, or nothing."""

    text: str
    is_bold: bool = False
    is_italic: bool = False
    is_code: bool = False
    href: str = ""


Text = tuple[Run, ...]


@dataclass(frozen=True)
class Heading:
    """`level` is 1 for the most important. `line` counts from 1, as everywhere in a guide."""

    text: Text
    level: int
    line: int


@dataclass(frozen=True)
class Paragraph:
    """`is_tight` says that no blank line stood before it (plain text only)."""

    text: Text
    line: int
    is_tight: bool = False


@dataclass(frozen=True)
class Item:
    """One point of a list, with what hangs below it."""

    text: Text
    line: int
    children: tuple[Block, ...] = ()


@dataclass(frozen=True)
class Bullets:
    items: tuple[Item, ...]
    line: int
    is_ordered: bool = False
    start: int = 1


@dataclass(frozen=True)
class Table:
    """`rows[0]` is the header row; every row is as long as the longest was."""

    rows: tuple[tuple[Text, ...], ...]
    line: int
    lines: tuple[int, ...] = ()

    def line_of(self, row: int) -> int:
        """The source line of a row, as far as the reader knew it."""
        return self.lines[row] if row < len(self.lines) else self.line


@dataclass(frozen=True)
class Quote:
    blocks: tuple[Block, ...]
    line: int


@dataclass(frozen=True)
class Code:
    """Text to be shown as it stands, line by line."""

    text: str
    line: int


Block = Heading | Paragraph | Bullets | Table | Quote | Code


@dataclass(frozen=True)
class LineNote:
    """A place of the guide that was left out or is doubtful. `line` is a paragraph's number in a .docx."""

    line: int
    text: str
    why: str

    def __str__(self) -> str:
        return f"{self.line}: {self.text} ({self.why})" if self.text else f"{self.line}: {self.why}"


@dataclass(frozen=True)
class Piece:
    """A bit of the file's text, found without understanding it: every one has to turn up somewhere."""

    line: int
    text: str


@dataclass(frozen=True)
class Reading:
    """What a reader found in a file. Title, subtitle and language only where the format names them.

    `has_levels` is False where headings were found by their looks, so that all are of one level.
    """

    blocks: tuple[Block, ...]
    pieces: tuple[Piece, ...]
    title: str = ""
    subtitle: str = ""
    language: str = ""
    has_levels: bool = True
    left_out: tuple[LineNote, ...] = ()
    doubtful: tuple[LineNote, ...] = ()


def text_of(words: str) -> Text:
    """Plain words as a Text."""
    return (Run(words),) if words else ()


def raw(text: Text) -> str:
    """The characters of `text`; offsets into it are what `cut` takes."""
    return "".join(run.text for run in text)


def plain(text: Text) -> str:
    """The words of `text` on one line."""
    return " ".join(raw(text).split())


def cut(text: Text, start: int, end: int | None = None) -> Text:
    """The part of `text` from offset `start` to `end`, without the white space at its ends."""
    whole = raw(text)
    end = len(whole) if end is None else end
    while start < end and whole[start].isspace():
        start += 1
    while end > start and whole[end - 1].isspace():
        end -= 1
    return tuple(_slice(text, start, end))


def _slice(text: Text, start: int, end: int) -> Iterator[Run]:
    offset = 0
    for run in text:
        inside = run.text[max(start - offset, 0) : max(end - offset, 0)]
        if inside:
            yield replace(run, text=inside)
        offset += len(run.text)


def merged(runs: Iterable[Run]) -> Text:
    """Neighbouring runs of one style made one, without the white space at the ends of the whole."""
    joined: list[Run] = []
    for run in runs:
        if joined and replace(joined[-1], text="") == replace(run, text=""):
            joined[-1] = replace(run, text=joined[-1].text + run.text)
        elif run.text:
            joined.append(run)
    return cut(tuple(joined), 0)


def one_line(text: Text) -> Text:
    """The text without any line breaks, as a heading or a table's cell needs it."""
    return merged(replace(run, text=re.sub(r"\s+", " ", run.text)) for run in text)


def plain_of(block: Block) -> str:
    """All words of a block on one line."""
    match block:
        case Heading(text=text) | Paragraph(text=text):
            return plain(text)
        case Bullets(items=items):
            return " ".join(
                " ".join([plain(item.text), *(plain_of(child) for child in item.children)]) for item in items
            )
        case Table(rows=rows):
            return " ".join(plain(cell) for row in rows for cell in row if cell)
        case Quote(blocks=blocks):
            return " ".join(plain_of(inner) for inner in blocks)
        case Code(text=words):
            return " ".join(words.split())


def count_words(blocks: Iterable[Block]) -> int:
    """How many words stand in `blocks`."""
    return sum(len(plain_of(block).split()) for block in blocks)


def is_whole_in(text: Text, *, style: str) -> bool:
    """Whether every word of `text` has the style `is_bold` or `is_italic`."""
    return bool(text) and all(getattr(run, style) or not run.text.strip() for run in text)


INVISIBLE = re.compile("[\u200b\u2060\ufeff\u00ad]|(?<![^\\s])\ufe0f")
ODD_SPACES = re.compile("[\u00a0\u202f\u2007\u2009\u200a\u3000\u2028\u2029\u0085\v\f]")
CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")


def cleaned(words: str) -> str:
    """Words without invisible characters, and with plain spaces for NBSP and its kin.

    Joiners (U+200C, U+200D) and direction marks stay: Persian words and emoji are made with them.
    Line breaks and tabs stay where they are.
    """
    return CONTROLS.sub("", ODD_SPACES.sub(" ", INVISIBLE.sub("", words)))
