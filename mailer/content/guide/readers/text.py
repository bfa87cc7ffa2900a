"""Plain text read by its lines: bullets, tables, quotations and paragraphs, wrapped or not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from mailer.content.guide.furniture import why_furniture
from mailer.content.guide.model import (
    Block,
    Bullets,
    Heading,
    Item,
    LineNote,
    Paragraph,
    Piece,
    Quote,
    Reading,
    Table,
    cleaned,
    text_of,
)
from mailer.content.guide.numbering import runs_of
from mailer.content.guide.tidy import begins_something

BULLET = re.compile(
    r"(?P<mark>[-*–+‐]|[•◦‣▪▫●○■□►▸➢➤✓✔☐☑·∙⁃])(?P<space>\s+)(?=\S)|(?P<typed>[•◦‣▪▫●○■►▸➢➤∙⁃])(?=\S)|o\t(?=\S)"
)
NUMBERED = re.compile(r"(?P<number>\d{1,2})[.)]\s+(?=\S)|\(?(?P<letter>[a-h])\)\s+(?=\S)")
SUB_MARKS = "◦▫○□·∙⁃"
RULE = re.compile(r"[-=_*~•·—–+.#\s]{3,}")
UNDERLINE = re.compile(r"(=|-|~)\1{2,}")
ATX = re.compile(r"(#{1,6})\s+(?P<words>\S.*?)\s*#*")
TABLE_RULE = re.compile(r"[|+\-:=\s]+")
OPENING_QUOTES, CLOSING_QUOTES = '“„«‟"', '”“»"'
ATTRIBUTION = re.compile(r"[-–—―]\s*\S.{1,80}")
WIDEST_WRAPPED = 120
NARROWEST_WRAPPED = 40
"""Columns: between these two editors and mail programs wrap text."""
LONGEST_NUMBERED = 80
"""Characters of a heading with its number."""


@dataclass(frozen=True)
class Line:
    number: int
    words: str
    indent: int
    is_after_blank: bool


def read_text(text: str) -> Reading:
    """The blocks of a plain text. Its headings are found later, except those that are underlined."""
    lines = list(_lines(text))
    reader = _Reader(lines, _wrap_width(lines), _numbered_headings(lines))
    reader.read()
    pieces = tuple(Piece(line.number, line.words) for line in lines)
    return Reading(tuple(reader.blocks), pieces, left_out=tuple(reader.left_out))


def _lines(text: str) -> Iterator[Line]:
    is_after_blank = True
    for number, line in enumerate(text.split("\n"), start=1):
        for page, part in enumerate(line.split("\f")):
            words = cleaned(part)
            is_after_blank = is_after_blank or page > 0  # a new page ends the paragraph
            if words.strip():
                indent = len(words.expandtabs()) - len(words.expandtabs().lstrip())
                yield Line(number, words.strip(), indent, is_after_blank)
            is_after_blank = not words.strip()


def _numbered_headings(lines: Sequence[Line]) -> frozenset[int]:
    """The positions of lines such as "3. The body clock" that are headings because their numbers count on.

    Each stands between blank lines and has a text below. A line with its own list's next or last point
    beside it is a point too, though blank lines stand between them.
    """
    alone: dict[int, int] = {}
    for at, line in enumerate(lines):
        match = NUMBERED.match(line.words)
        is_set_off = line.is_after_blank and (at + 1 == len(lines) or lines[at + 1].is_after_blank)
        if match and match["number"] and is_set_off and _is_short(line):
            alone[at] = int(match["number"])
    headings = [
        at
        for at, number in alone.items()
        if at + 1 < len(lines) and alone.get(at - 1) != number - 1 and alone.get(at + 1) != number + 1
    ]
    runs = runs_of([alone[at] for at in headings])
    return frozenset(headings[each] for run in runs if len(run) > 1 for each in run)


def _is_short(line: Line) -> bool:
    return len(line.words) <= LONGEST_NUMBERED and line.words[-1] not in ".,;:"


def _wrap_width(lines: Sequence[Line]) -> int | None:
    """The column at which the text was wrapped, or None when each paragraph is one line.

    It was wrapped when many lines go on in small letters right below, and none of these is longer
    than editors make them.
    """
    pairs = [
        (line, below)
        for line, below in pairwise(lines)
        if not below.is_after_blank
        and line.words[-1] not in ".!?:;"
        and not any(rule.match(below.words) for rule in (BULLET, NUMBERED, RULE))
    ]
    broken = [line for line, below in pairs if below.words[0].islower()]
    width = max((line.indent + len(line.words) for line in broken), default=0)
    is_wrapped = len(broken) >= 3 and len(broken) * 5 >= len(pairs) * 2
    return width if is_wrapped and NARROWEST_WRAPPED <= width <= WIDEST_WRAPPED else None


def _is_full(line: Line, below: Line, width: int) -> bool:
    """Whether the next line's first word would hardly have fitted into this line too."""
    return (line.indent + len(line.words) + 1 + len(below.words.split()[0])) * 4 > width * 3


@dataclass
class _Reader:
    """Goes through the lines once; each method that takes lines says how many."""

    lines: Sequence[Line]
    width: int | None
    headings: frozenset[int]
    blocks: list[Block] = field(default_factory=list)
    left_out: list[LineNote] = field(default_factory=list)

    def read(self) -> None:
        at = 0
        while at < len(self.lines):
            at += (
                self._furniture(at)
                or self._rule(at)
                or self._marked_heading(at)
                or self._table(at)
                or self._quote(at)
                or self._bullets(at)
                or self._paragraph(at)
            )

    def _furniture(self, at: int) -> int:
        line = self.lines[at]
        if not why_furniture(line.words):
            return 0
        self.blocks.append(Paragraph(text_of(line.words), line.number))
        return 1

    def _rule(self, at: int) -> int:
        line = self.lines[at]
        if not RULE.fullmatch(line.words):
            return 0
        self.left_out.append(LineNote(line.number, line.words, "a dividing line"))
        return 1

    def _marked_heading(self, at: int) -> int:
        """A heading that is underlined, or marked with `#`."""
        line, below = self.lines[at], self._after(at)
        if match := ATX.fullmatch(line.words):
            self.blocks.append(Heading(text_of(match["words"]), len(match[1]), line.number))
            return 1
        if not below or below.is_after_blank or not UNDERLINE.fullmatch(below.words):
            return 0
        if len(line.words) > WIDEST_WRAPPED or line.words.endswith("."):
            return 0
        level = 1 if below.words[0] == "=" else 2
        self.blocks.append(Heading(text_of(line.words), level, line.number))
        return 2

    def _after(self, at: int) -> Line | None:
        return self.lines[at + 1] if at + 1 < len(self.lines) else None

    def _table(self, at: int) -> int:
        for split in (_pipe_cells, _tab_cells, _column_cells):
            rows: list[list[str]] = []
            taken: list[Line] = []
            numbers: list[int] = []
            for line in self.lines[at:]:
                is_rule = "-" in line.words and TABLE_RULE.fullmatch(line.words) is not None
                cells = split(line.words)
                if (taken and line.is_after_blank) or not ((is_rule and taken) or len(cells) > 1):
                    break
                if not is_rule and rows and split is not _pipe_cells and len(cells) != len(rows[0]):
                    break
                taken.append(line)
                if not is_rule:
                    rows.append(cells)
                    numbers.append(line.number)
            if len(rows) >= (3 if split is _column_cells else 2):
                self.blocks.append(table_of(rows, numbers))
                return len(taken)
        return 0

    def _quote(self, at: int) -> int:
        """A paragraph in quotation marks or behind `>`, with the line that says whose words they are."""
        line = self.lines[at]
        if line.words.startswith(">"):
            count = next(
                (n for n, other in enumerate(self.lines[at:]) if n and not other.words.startswith(">")),
                len(self.lines) - at,
            )
            inner = [other.words.lstrip("> ") for other in self.lines[at : at + count]]
            words = " ".join(part for part in inner if part)
        else:
            count, words = self._paragraph_lines(at)
            if not _is_quoted(words):
                return 0
        said: list[Block] = [Paragraph(text_of(words), line.number)]
        whose = self.lines[at + count] if at + count < len(self.lines) else None
        if whose and not whose.is_after_blank and ATTRIBUTION.fullmatch(whose.words):
            said.append(Paragraph(text_of(whose.words), whose.number))
            count += 1
        self.blocks.append(Quote(tuple(said), line.number))
        return count

    def _paragraph_lines(self, at: int) -> tuple[int, str]:
        """How many lines the paragraph that begins here has, and its words."""
        words = [self.lines[at].words]
        while (line := self._after(at + len(words) - 1)) and self._continues(
            self.lines[at + len(words) - 1], line, is_first=len(words) == 1
        ):
            words.append(line.words)
        return len(words), " ".join(" ".join(words).split())

    def _continues(self, line: Line, below: Line, *, is_first: bool) -> bool:
        """Whether `below` goes on with the sentence of `line`."""
        if below.is_after_blank or begins_something(below.words) or why_furniture(line.words):
            return False
        if BULLET.match(below.words) or NUMBERED.match(below.words) or RULE.fullmatch(below.words):
            return False
        if is_first and line.words.endswith("?") and below.words[0].isupper():
            return False  # a question, with its answer right below
        is_full = self.width is not None and _is_full(line, below, self.width)
        return is_full or (below.words[0].islower() and line.words[-1] not in ".!?:;")

    def _paragraph(self, at: int) -> int:
        line = self.lines[at]
        count, words = self._paragraph_lines(at)
        is_tight = not line.is_after_blank and bool(self.blocks)
        self.blocks.append(Paragraph(text_of(words), line.number, is_tight))
        return count

    def _bullets(self, at: int) -> int:
        """All points that follow each other, blank lines between them or not, as one list with its levels."""
        points: list[_Point] = []
        count = 0
        while at + count < len(self.lines):
            line = self.lines[at + count]
            point = _point(line)
            if (
                at + count in self.headings
                or point is None
                or (point.is_ordered and not points and self._is_numbered_heading(at))
            ):
                break
            lines = 1
            while (below := self._after(at + count + lines - 1)) and self._hangs_below(
                self.lines[at + count + lines - 1], below, point
            ):
                point.words += f" {below.words}"
                lines += 1
            points.append(point)
            count += lines
        if points:
            self.blocks += _nested(points)
        return count

    def _hangs_below(self, line: Line, below: Line, point: _Point) -> bool:
        if (
            below.is_after_blank
            or _point(below)
            or why_furniture(below.words)
            or begins_something(below.words)
        ):
            return False
        return below.indent > point.indent or self._continues(line, below, is_first=False)

    def _is_numbered_heading(self, at: int) -> bool:
        """ "1. Light" standing alone, with a text below and no "2." next to it, is a heading."""
        line, below = self.lines[at], self._after(at)
        neighbours = [other for other in (self.lines[at - 1] if at else None, below) if other]
        return (
            line.is_after_blank
            and below is not None
            and not any(NUMBERED.match(other.words) for other in neighbours)
            and _is_short(line)
        )


@dataclass
class _Point:
    words: str
    line: int
    indent: int
    is_ordered: bool
    number: int


def _point(line: Line) -> _Point | None:
    """The line as a point of a list, or None."""
    if match := BULLET.match(line.words):
        mark = match["mark"] or match["typed"] or "◦"
        indent = line.indent + (1 if mark in SUB_MARKS else 0)
        return _Point(line.words[match.end() :], line.number, indent, False, 1)
    if match := NUMBERED.match(line.words):
        number = int(match["number"]) if match["number"] else ord(match["letter"]) - ord("a") + 1
        return _Point(line.words[match.end() :], line.number, line.indent, True, number)
    return None


def _nested(points: Sequence[_Point]) -> Iterator[Bullets]:
    """The points as lists: what is indented deeper than a point hangs below it."""
    at = 0
    while at < len(points):
        first = points[at]
        items: list[Item] = []
        while at < len(points) and points[at].is_ordered == first.is_ordered:
            point = points[at]
            end = at + 1
            while end < len(points) and points[end].indent > point.indent:
                end += 1
            children = tuple(_nested(points[at + 1 : end]))
            items.append(Item(text_of(point.words), point.line, children))
            at = end
        yield Bullets(tuple(items), first.line, first.is_ordered, first.number)


def _pipe_cells(words: str) -> list[str]:
    if "|" not in words:
        return []
    return [cell.strip() for cell in words.strip().strip("|").split("|")]


def _tab_cells(words: str) -> list[str]:
    return [] if BULLET.match(words) else [cell.strip() for cell in re.split(r"\t+", words)]


def _column_cells(words: str) -> list[str]:
    return [] if BULLET.match(words) else [cell.strip() for cell in re.split(r" {3,}|\t+", words)]


def table_of(rows: Sequence[Sequence[str]], numbers: Sequence[int]) -> Table:
    """Rows of words as a Table; short rows are filled up."""
    width = max(len(row) for row in rows)
    padded = tuple(tuple(text_of(cell) for cell in [*row, *[""] * (width - len(row))]) for row in rows)
    return Table(padded, numbers[0], tuple(numbers))


def _is_quoted(words: str) -> bool:
    """Whether the whole paragraph is one quotation: its first mark is closed by its last."""
    marks = [at for at, character in enumerate(words) if character in OPENING_QUOTES + CLOSING_QUOTES]
    return len(words) > 20 and len(marks) == 2 and marks[0] == 0 and marks[1] >= len(words) - 2
