"""Web pages, read with lxml."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from lxml import etree, html

from mailer.content.guide.disclaimer import is_disclaimer
from mailer.content.guide.furniture import pieces_of, why_furniture
from mailer.content.guide.markdown_text import can_link
from mailer.content.guide.model import (
    BREAK,
    Block,
    Bullets,
    Code,
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
    cut,
    merged,
    plain,
    plain_of,
    raw,
)
from mailer.content.guide.questions import is_question
from mailer.content.guide.readers.html_furniture import main_part, why_left_out
from mailer.errors import Refused

_UNSEEN = """
script style template head title meta link svg math object embed audio video canvas map
"""
UNSEEN = frozenset(_UNSEEN.split())
BOLD, ITALIC, CODE = ("b", "strong"), ("i", "em"), ("code", "kbd")
_BLOCKS = """
address article aside blockquote body button center dd details dialog div dl dt fieldset figcaption
figure footer form h1 h2 h3 h4 h5 h6 header hr iframe img li main nav noscript ol p picture pre
section select summary table tbody td textarea tfoot th thead tr ul
"""
BLOCKS = frozenset(_BLOCKS.split())
TITLE_ENDS = re.compile(r"\s+[|•·»–—-]\s+[^|•·»–—-]{1,40}$")


def read_html(text: str) -> Reading:
    """The blocks of a page. What is furniture by its tag, role or class is noted and left out.

    Raises Refused when the page is nested so deep that the parser would drop its text.
    """
    root = _parse(text)
    if root is None:
        return Reading((), ())
    body = root.find("body")
    body = root if body is None else body
    reader = _Reader(main=main_part(body), words_in_all=len(body.text_content().split()))
    reader.children(body)
    title = " ".join((root.findtext(".//title") or "").split())
    has_one_title = sum(isinstance(block, Heading) and block.level == 1 for block in reader.blocks) == 1
    return Reading(
        tuple(reader.blocks),
        tuple(_pieces(body)),
        title="" if has_one_title else cleaned(TITLE_ENDS.sub("", title)),
        language=_language(root),
        left_out=tuple(reader.left_out),
        doubtful=tuple(reader.doubtful),
    )


def html_blocks(text: str, *, first_line: int) -> Reading:
    """The blocks of a bit of HTML that stands in another file, from its line `first_line` on."""
    root = _parse("\n" * (first_line - 1) + f"<html><body>{text}</body></html>")
    reader = _Reader(main=None, words_in_all=0)
    if root is not None:
        reader.children(root)
    return Reading(tuple(reader.blocks), (), left_out=tuple(reader.left_out), doubtful=tuple(reader.doubtful))


def _parse(text: str) -> html.HtmlElement | None:
    parser = html.HTMLParser(huge_tree=True, encoding="utf-8")
    try:
        root = html.document_fromstring(text.encode("utf-8", "replace"), parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError):
        return None
    if any(entry.type_name == "ERR_RESOURCE_LIMIT" for entry in parser.error_log):
        raise Refused(
            "This page is nested too deeply to be read; copy its text into a .txt file and import that."
        )
    return root


def _language(root: html.HtmlElement) -> str:
    language = (root.get("lang") or root.get("{http://www.w3.org/XML/1998/namespace}lang") or "").strip()
    return language if re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", language) else ""


def _pieces(body: html.HtmlElement) -> Iterator[Piece]:
    """Every text node that a reader could see."""
    for element in body.iter():
        is_seen = isinstance(element.tag, str) and element.tag not in UNSEEN
        own = cleaned(element.text or "") if is_seen else ""
        for words in (own, cleaned(element.tail or "") if element is not body else ""):
            if words.strip() and not any(
                isinstance(up.tag, str) and up.tag in UNSEEN for up in element.iterancestors()
            ):
                yield Piece(element.sourceline or 1, " ".join(words.split()))


@dataclass
class _Reader:
    """Walks the page; what it meets goes to `blocks`, or with its reason to `left_out`."""

    main: html.HtmlElement | None
    words_in_all: int
    blocks: list[Block] = field(default_factory=list)
    left_out: list[LineNote] = field(default_factory=list)
    doubtful: list[LineNote] = field(default_factory=list)

    def children(self, element: html.HtmlElement) -> None:
        """What stands in a container: texts become paragraphs, blocks are read one by one."""
        runs = [_run(element.text)]
        line = element.sourceline or 1
        for child in element:
            if self._is_inline(child):
                runs += self._runs(child, Run(""))
            else:
                self._flush(runs, line)
                runs, line = [], child.sourceline or line
                if isinstance(child.tag, str):
                    self._block(child)
            runs.append(_run(child.tail))
        self._flush(runs, line)

    def _flush(self, runs: Iterable[Run], line: int) -> None:
        """The gathered text as paragraphs; two line breaks in a row end one."""
        text = merged(runs)
        start = 0
        for match in [*re.finditer(r"\n\s*\n\s*", raw(text)), None]:
            part = cut(text, start, match.start() if match else None)
            if plain(part):
                self.blocks.append(Paragraph(part, line))
            start = match.end() if match else 0

    def _is_inline(self, element: html.HtmlElement) -> bool:
        if not isinstance(element.tag, str):
            return False
        return element.tag not in BLOCKS | UNSEEN and not any(
            isinstance(inner.tag, str) and inner.tag in BLOCKS - {"img"}
            for inner in element.iterdescendants()
        )

    def _block(self, element: html.HtmlElement) -> None:
        tag, line = str(element.tag), element.sourceline or 1
        if tag in UNSEEN or tag == "hr":
            return
        why = why_left_out(element, self.main, self.words_in_all)
        if why and not (tag == "button" and is_question(_words(element))):
            self._leave_out(element, why)
        elif re.fullmatch("h[1-6]", tag):
            self._heading(element, line)
        elif tag in {"ul", "ol"}:
            self._append(self._list(element))
        elif tag == "table" and not _is_layout(element):
            self._append(self._table(element))
        elif tag == "blockquote":
            inner = self._inside(element)
            self._append(Quote(tuple(inner), line) if inner else None)
        elif tag == "pre":
            words = cleaned(element.text_content()).strip("\n")
            self._append(Code(words, line) if words.strip() else None)
        elif tag == "img":
            self._image(element)
        elif tag in {"dt", "summary"}:
            text = tuple(replace(run, is_bold=True) for run in self._inline(element))
            self._append(Paragraph(text, line) if text else None)
        else:
            self.children(element)

    def _append(self, block: Block | None) -> None:
        if block is not None and plain_of(block):
            self.blocks.append(block)

    def _heading(self, element: html.HtmlElement, line: int) -> None:
        text = self._inline(element)
        if text:
            self.blocks.append(Heading(text, int(element.tag[1]), line))

    def _inside(self, element: html.HtmlElement) -> list[Block]:
        """The blocks in `element`, read apart."""
        inner = replace(self, blocks=[])
        inner.children(element)
        return inner.blocks

    def _list(self, element: html.HtmlElement) -> Bullets | None:
        items = []
        for child in element:
            if not isinstance(child.tag, str):
                continue
            inside = self._inside(child) if child.tag == "li" else self._inside_of(child)
            first = inside[0] if inside else None
            text = first.text if isinstance(first, Paragraph) else ()
            below = inside[1:] if isinstance(first, Paragraph) else inside
            if inside:
                items.append(Item(text, child.sourceline or 1, tuple(below)))
        start = element.get("start", "1")
        number = int(start) if start.isdigit() else 1
        return Bullets(tuple(items), element.sourceline or 1, element.tag == "ol", number) if items else None

    def _inside_of(self, element: html.HtmlElement) -> list[Block]:
        """What is wrongly put into a list without an `<li>`."""
        inner = replace(self, blocks=[])
        inner._block(element)
        return inner.blocks

    def _table(self, element: html.HtmlElement) -> Table | None:
        rows: list[tuple[Text, ...]] = []
        lines: list[int] = []
        for row in element.iter("tr"):
            cells = tuple(self._inline(cell) for cell in row if cell.tag in {"td", "th"})
            if any(cells):
                rows.append(cells)
                lines.append(row.sourceline or 1)
        for caption in element.iter("caption"):
            self._append(Paragraph(self._inline(caption), caption.sourceline or 1))
        width = max((len(row) for row in rows), default=0)
        padded = tuple((*row, *[()] * (width - len(row))) for row in rows)
        return Table(padded, element.sourceline or 1, tuple(lines)) if rows else None

    def _image(self, element: html.HtmlElement) -> None:
        words = f"{element.get('alt', '')} {element.get('src', '')[:80]}".strip()
        why = "an image; put its file into the course's media folder and write it into the mail"
        self.left_out.append(LineNote(element.sourceline or 1, words, why))

    def _leave_out(self, element: html.HtmlElement, why: str) -> None:
        """Notes all text below `element`; only the page's title and a disclaimer are kept."""
        inner = _Reader(main=None, words_in_all=0)
        inner.children(element)
        self.left_out += inner.left_out
        for block in inner.blocks:
            is_title = isinstance(block, Heading) and block.level == 1
            if is_title or is_disclaimer(plain_of(block)):
                self.blocks.append(block)
            else:
                pieces = pieces_of(block)
                self.left_out += [
                    LineNote(piece.line, piece.text, why_furniture(piece.text) or why) for piece in pieces
                ]

    def _inline(self, element: html.HtmlElement) -> Text:
        return merged([_run(element.text), *self._runs_below(element, Run(""))])

    def _runs_below(self, element: html.HtmlElement, style: Run) -> list[Run]:
        runs: list[Run] = []
        for child in element:
            runs += self._runs(child, style)
            runs.append(replace(style, text=_collapsed(child.tail)))
        return runs

    def _runs(self, element: html.HtmlElement, style: Run) -> list[Run]:
        tag = element.tag
        if not isinstance(tag, str) or tag in UNSEEN:
            return []
        if tag == "br":
            return [replace(style, text=BREAK)]
        if tag == "img":
            self._image(element)
            return []
        style = replace(
            style,
            is_bold=style.is_bold or tag in BOLD,
            is_italic=style.is_italic or tag in ITALIC,
            is_code=style.is_code or tag in CODE,
        )
        if tag == "a" and element.get("href"):
            style = replace(style, href=self._link(element))
        # Words of two blocks in one cell must not run together.
        after = [Run(BREAK)] if tag in BLOCKS and element.tail is not None else []
        return [replace(style, text=_collapsed(element.text)), *self._runs_below(element, style), *after]

    def _link(self, element: html.HtmlElement) -> str:
        href = str(element.get("href")).strip()
        if can_link(href):
            return href
        why = f"the link to {href} leads nowhere from a mail, so only its words were kept"
        self.doubtful.append(LineNote(element.sourceline or 1, _words(element), why))
        return ""


def _run(words: str | None) -> Run:
    return Run(_collapsed(words))


def _collapsed(words: str | None) -> str:
    return re.sub(r"\s+", " ", cleaned(words or ""))


def _words(element: html.HtmlElement) -> str:
    return " ".join(cleaned(element.text_content()).split())


def _is_layout(table: html.HtmlElement) -> bool:
    """Whether a table only arranges the page: it holds headings, lists or other tables, or one column."""
    if table.get("role") in {"presentation", "none"}:
        return True
    has_blocks = any(True for _ in table.iter("h1", "h2", "h3", "ul", "ol", "blockquote"))
    has_tables = sum(1 for _ in table.iter("table")) > 1
    widest = max((sum(cell.tag in {"td", "th"} for cell in row) for row in table.iter("tr")), default=0)
    return has_blocks or has_tables or widest < 2
