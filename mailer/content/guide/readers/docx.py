"""Word documents, read with python-docx."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import docx
from docx.document import Document
from docx.opc.exceptions import OpcError
from docx.oxml.ns import qn
from docx.text.paragraph import Paragraph as WordParagraph
from lxml import etree

from mailer.content.guide.markdown_text import can_link
from mailer.content.guide.model import (
    BREAK,
    Block,
    Bullets,
    Heading,
    Item,
    LineNote,
    Paragraph,
    Piece,
    Quote,
    Reading,
    Run,
    Table,
    Text,
    cleaned,
    merged,
    plain,
)
from mailer.errors import Refused

LARGEST_UNPACKED = 20_000_000
"""Bytes; a small file that unpacks to more is not a guide but an attack."""
DEEPEST_LEVEL = 8
"""Of a list, from 0: Word has nine (ECMA-376 part 1, 17.9.3)."""
CONTAINERS = frozenset(
    qn(tag) for tag in ("w:ins", "w:smartTag", "w:sdt", "w:sdtContent", "w:fldSimple", "w:customXml")
)
NOT_SHOWN = frozenset(qn(tag) for tag in ("w:del", "w:moveFrom"))


def read_docx(path: Path) -> Reading:
    """The blocks of a Word document; lines are numbers of paragraphs. Raises Refused when it is none."""
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(part.file_size for part in archive.infolist()) > LARGEST_UNPACKED:
                raise Refused(
                    f"{path} unpacks to more than {LARGEST_UNPACKED // 1_000_000} MB; a guide has less, "
                    "without its pictures."
                )
        document = docx.Document(str(path))
        reader = _Reader(document)
        reader.read()
    except (zipfile.BadZipFile, OpcError, KeyError, ValueError, etree.XMLSyntaxError) as error:
        raise Refused(
            f"{path} is not a Word document that can be read; save it as .docx once more."
        ) from error
    return Reading(
        tuple(reader.blocks),
        tuple(reader.pieces()),
        title=reader.title,
        subtitle=reader.subtitle,
        left_out=tuple(reader.left_out),
        doubtful=tuple(reader.doubtful),
    )


@dataclass
class _Point:
    """A paragraph that Word shows as a point of a list."""

    text: Text
    line: int
    depth: int
    is_ordered: bool


@dataclass
class _Reader:
    document: Document
    blocks: list[Block] = field(default_factory=list)
    left_out: list[LineNote] = field(default_factory=list)
    doubtful: list[LineNote] = field(default_factory=list)
    title: str = ""
    subtitle: str = ""
    points: list[_Point] = field(default_factory=list)

    def __post_init__(self) -> None:
        body = self.document.element.body
        self.numbers = {element: number for number, element in enumerate(body.iter(qn("w:p")), start=1)}

    def read(self) -> None:
        self._body(self.document.element.body)
        self._end_list()
        self._outside()

    def pieces(self) -> Iterator[Piece]:
        """Each paragraph's whole text, boxes and tracked insertions included."""
        for element, number in self.numbers.items():
            words = "".join(
                node.text or "" for node in element.iter(qn("w:t")) if not _is_inside(node, element)
            )
            if words.strip():
                yield Piece(number, " ".join(cleaned(words).split()))

    def _body(self, container: Any) -> None:
        for element in container.iterchildren():
            if element.tag == qn("w:p"):
                self._paragraph(element)
            elif element.tag == qn("w:tbl"):
                self._end_list()
                self._table(element)
            elif element.tag in CONTAINERS:
                self._body(element)

    def _paragraph(self, element: Any) -> None:
        text, line = merged(self._runs(element, Run(""))), self.numbers[element]
        if plain(text):
            self._place(WordParagraph(element, self.document._body), text, line)
        for box in _boxes(element):
            self._end_list()
            self._body(box)

    def _place(self, paragraph: WordParagraph, text: Text, line: int) -> None:
        style = _style_name(paragraph)
        depth = _list_depth(paragraph, style)
        if depth is not None and not re.match(r"(heading \d|title)", style):
            self.points.append(_Point(text, line, depth, _is_ordered(paragraph, self.document, style)))
            return
        self._end_list()
        if style.startswith("toc "):
            self.left_out.append(LineNote(line, plain(text), "a table of contents"))
        elif style == "title" and not self.title:
            self.title = plain(text)
        elif style == "subtitle" and not self.subtitle:
            self.subtitle = plain(text)
        elif level := _heading_level(paragraph._p, style):
            self.blocks.append(Heading(text, level, line))
        elif "quote" in style:
            self._quote(Paragraph(text, line))
        else:
            self.blocks.append(Paragraph(text, line))

    def _quote(self, paragraph: Paragraph) -> None:
        """A paragraph of a quotation; neighbouring ones are one quotation."""
        last = self.blocks[-1] if self.blocks else None
        if isinstance(last, Quote):
            self.blocks[-1] = replace(last, blocks=(*last.blocks, paragraph))
        else:
            self.blocks.append(Quote((paragraph,), paragraph.line))

    def _end_list(self) -> None:
        self.blocks += _nested(self.points)
        self.points = []

    def _table(self, element: Any) -> None:
        rows: list[tuple[Text, ...]] = []
        lines: list[int] = []
        for row in element.iter(qn("w:tr")):
            cells = [self._cell(cell) for cell in row.iterchildren(qn("w:tc"))]
            if any(cells):
                rows.append(tuple(cells))
                lines.append(next((self.numbers[p] for p in row.iter(qn("w:p"))), 1))
        width = max((len(row) for row in rows), default=0)
        if width == 1:
            self.blocks += [Paragraph(row[0], line) for row, line in zip(rows, lines, strict=True)]
        elif rows:
            padded = tuple((*row, *[()] * (width - len(row))) for row in rows)
            self.blocks.append(Table(padded, lines[0], tuple(lines)))

    def _cell(self, cell: Any) -> Text:
        texts = [merged(self._runs(paragraph, Run(""))) for paragraph in cell.iter(qn("w:p"))]
        return merged(run for text in texts if text for run in (*text, Run(BREAK)))

    def _runs(self, element: Any, style: Run) -> Iterator[Run]:
        for child in element.iterchildren():
            if child.tag == qn("w:r"):
                yield from self._run(child, style)
            elif child.tag == qn("w:hyperlink"):
                yield from self._runs(child, replace(style, href=self._link(child)))
            elif child.tag in CONTAINERS and child.tag not in NOT_SHOWN:
                yield from self._runs(child, style)

    def _run(self, run: Any, style: Run) -> Iterator[Run]:
        properties = run.find(qn("w:rPr"))
        style = replace(style, is_bold=_is_on(properties, "w:b"), is_italic=_is_on(properties, "w:i"))
        for child in run.iterchildren():
            if child.tag == qn("w:t"):
                yield replace(style, text=cleaned(child.text or ""))
            elif child.tag in {qn("w:tab"), qn("w:ptab")}:
                yield replace(style, text=" ")
            elif child.tag == qn("w:noBreakHyphen"):
                yield replace(style, text="-")
            elif child.tag in {qn("w:br"), qn("w:cr")}:
                yield replace(style, text=BREAK)
            elif child.tag in {qn("w:drawing"), qn("w:pict")} and not _has_box(child):
                self._image(child)

    def _image(self, drawing: Any) -> None:
        named = [element.get("descr") or "" for element in drawing.iter() if element.get("descr")]
        line = next((self.numbers[up] for up in drawing.iterancestors() if up in self.numbers), 1)
        why = "an image; put its file into the course's media folder and write it into the mail"
        self.left_out.append(LineNote(line, named[0] if named else "", why))

    def _link(self, element: Any) -> str:
        relation = self.document.part.rels.get(element.get(qn("r:id"), ""))
        href = relation.target_ref if relation is not None and relation.is_external else ""
        return href if can_link(href) else ""

    def _outside(self) -> None:
        """Headers, footers and footnotes: noted, as they stand beside the text."""
        seen: set[str] = set()
        for section in self.document.sections:
            for part in (section.header, section.footer):
                words = " ".join(paragraph.text for paragraph in part.paragraphs).strip()
                if words and not part.is_linked_to_previous and words not in seen:
                    seen.add(words)
                    self.left_out.append(LineNote(0, words, "the document's header or footer"))
        for relation in self.document.part.rels.values():
            if not relation.is_external and relation.reltype.endswith(("/footnotes", "/endnotes")):
                root = etree.fromstring(relation.target_part.blob, etree.XMLParser(resolve_entities=False))
                for note in root:
                    words = "".join(node.text or "" for node in note.iter(qn("w:t"))).strip()
                    if words:
                        self.left_out.append(
                            LineNote(0, words, "a footnote; write it into its mail if it matters")
                        )


def _nested(points: list[_Point]) -> Iterator[Bullets]:
    """The points as lists, the deeper below the point before them."""
    at = 0
    while at < len(points):
        first = points[at]
        items = []
        while at < len(points) and points[at].is_ordered == first.is_ordered:
            point, end = points[at], at + 1
            while end < len(points) and points[end].depth > point.depth:
                end += 1
            items.append(Item(point.text, point.line, tuple(_nested(points[at + 1 : end]))))
            at = end
        yield Bullets(tuple(items), first.line, first.is_ordered)


def _style_name(paragraph: WordParagraph) -> str:
    """The style's English name in small letters; Word keeps it whatever language it runs in."""
    style = paragraph.style
    return (style.name or "").lower() if style is not None else ""


def _heading_level(element: Any, style: str) -> int:
    """1 to 9 for a heading, 0 for none: by its style's name or its outline level."""
    if match := re.match(r"heading (\d)", style):
        return int(match[1])
    levels = element.xpath("./w:pPr/w:outlineLvl/@w:val")
    return int(levels[0]) + 1 if levels and int(levels[0]) < 9 else 0


def _numbering(paragraph: WordParagraph) -> tuple[str, int] | None:
    """The numbering's id and the level, from the paragraph, its style or what that is based on."""
    holders, style = [paragraph._p], paragraph.style
    while style is not None and style.element not in holders:  # a file may base two on each other
        holders.append(style.element)
        style = style.base_style
    for holder in holders:
        numbers = holder.xpath("./w:pPr/w:numPr/w:numId/@w:val")
        if numbers:
            levels = holder.xpath("./w:pPr/w:numPr/w:ilvl/@w:val")
            level = min(int(levels[0]), DEEPEST_LEVEL) if levels else 0
            return (numbers[0], level) if numbers[0] != "0" else None
    return None


def _list_depth(paragraph: WordParagraph, style: str) -> int | None:
    """How deep in a list a paragraph stands, from 0; None when it is in none."""
    numbering = _numbering(paragraph)
    if match := re.match(r"list (?:bullet|number)(?: (\d))?", style):
        return max(int(match[1] or 1) - 1, numbering[1] if numbering else 0)
    return numbering[1] if numbering else None


def _is_ordered(paragraph: WordParagraph, document: Document, style: str) -> bool:
    """Whether the list counts: "List Number", or a numbering whose format is not the bullet."""
    if style.startswith(("list bullet", "list number")):
        return style.startswith("list number")
    numbering = _numbering(paragraph)
    if numbering is None:
        return False
    try:
        root = document.part.numbering_part.element
    except (KeyError, NotImplementedError):
        return False
    abstract = root.xpath(f"./w:num[@w:numId='{int(numbering[0])}']/w:abstractNumId/@w:val")
    if not abstract:
        return False
    level = f"./w:abstractNum[@w:abstractNumId='{int(abstract[0])}']/w:lvl[@w:ilvl='{numbering[1]}']"
    formats = root.xpath(f"{level}/w:numFmt/@w:val")
    return bool(formats) and formats[0] not in {"bullet", "none"}


def _is_on(properties: Any, tag: str) -> bool:
    found = properties.find(qn(tag)) if properties is not None else None
    return found is not None and found.get(qn("w:val"), "1") not in {"0", "false", "off"}


def _boxes(paragraph: Any) -> list[Any]:
    """The text boxes anchored in a paragraph; Word writes each twice, for old readers too."""
    found = paragraph.iter(qn("w:txbxContent"))
    return [box for box in found if not any(str(up.tag).endswith("}Fallback") for up in box.iterancestors())]


def _has_box(drawing: Any) -> bool:
    return next(drawing.iter(qn("w:txbxContent")), None) is not None


def _is_inside(node: Any, paragraph: Any) -> bool:
    """Whether a text belongs to a paragraph further in (a text box), or to a copy for old readers."""
    for up in node.iterancestors():
        if up is paragraph:
            return False
        if up.tag == qn("w:p") or up.tag in NOT_SHOWN or str(up.tag).endswith("}Fallback"):
            return True
    return True
