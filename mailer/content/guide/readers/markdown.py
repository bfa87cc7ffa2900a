"""Markdown guides, read with markdown-it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import yaml
from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode
from mdit_py_plugins.front_matter import front_matter_plugin

from mailer.content.guide.markdown_text import can_link
from mailer.content.guide.model import (
    BREAK,
    WRAP,
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
    merged,
    plain,
)
from mailer.content.guide.readers.html import html_blocks

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"]).use(front_matter_plugin)
TASK = re.compile(r"\[[ xX]\]\s+")


def read_markdown(text: str) -> Reading:
    """The blocks of a Markdown file. Its front matter may name title and subtitle."""
    # A new page ends the paragraph; at a line's beginning it is none of the line.
    paged = re.sub(r"(?m)^\f+", "", text).replace("\f", "\n\n")
    lines = [cleaned(line) for line in paged.split("\n")]
    reader = _Reader()
    root = SyntaxTreeNode(PARSER.parse("\n".join(lines)))
    blocks = reader.blocks(root.children)
    named = re.compile(r"(?:sub)?title:" if reader.matter else r"(?!)")
    pieces = tuple(
        Piece(number, named.sub("", line, count=1).strip())
        for number, line in enumerate(lines, 1)
        if line.strip()
    )
    return Reading(
        tuple(blocks),
        pieces,
        title=reader.matter.get("title", ""),
        subtitle=reader.matter.get("subtitle", ""),
        left_out=tuple(reader.left_out),
        doubtful=tuple(reader.doubtful),
    )


class _Reader:
    def __init__(self) -> None:
        self.left_out: list[LineNote] = []
        self.doubtful: list[LineNote] = []
        self.matter: dict[str, str] = {}

    def blocks(self, nodes: Sequence[SyntaxTreeNode]) -> list[Block]:
        found: list[Block] = []
        for node in nodes:
            found += self._block(node)
        return found

    def _block(self, node: SyntaxTreeNode) -> list[Block]:
        line = _line(node)
        match node.type:
            case "heading":
                text = self._inline(node.children[0])
                return [Heading(text, int(node.tag[1:]), line)] if text else []
            case "paragraph":
                text = self._inline(node.children[0])
                return [Paragraph(text, line)] if text else []
            case "bullet_list" | "ordered_list":
                return [self._list(node)]
            case "blockquote":
                return [Quote(tuple(self.blocks(node.children)), line)]
            case "table":
                return [self._table(node)]
            case "fence" | "code_block":
                return [Code(node.content.rstrip("\n"), line)] if node.content.strip() else []
            case "html_block":
                return self._html(node)
            case "front_matter":
                self._front_matter(node)
            case "hr":
                self.left_out.append(LineNote(line, node.markup, "a dividing line"))
        return []

    def _list(self, node: SyntaxTreeNode) -> Bullets:
        items = []
        for item in node.children:
            inside = self.blocks(item.children)
            first = inside[0] if inside else None
            is_text = isinstance(first, Paragraph)
            text = _without_task_box(first.text) if isinstance(first, Paragraph) else ()
            items.append(Item(text, _line(item), tuple(inside[1:] if is_text else inside)))
        start = int(str(node.attrs.get("start", 1)))
        return Bullets(tuple(items), _line(node), node.type == "ordered_list", start)

    def _table(self, node: SyntaxTreeNode) -> Table:
        rows, lines = [], []
        for row in (row for part in node.children for row in part.children):
            rows.append(
                tuple(self._inline(cell.children[0]) if cell.children else () for cell in row.children)
            )
            lines.append(_line(row))
        return Table(tuple(rows), _line(node), tuple(lines))

    def _html(self, node: SyntaxTreeNode) -> list[Block]:
        line = _line(node)
        if node.content.strip().startswith("<!--"):
            words = " ".join(node.content.split()).removeprefix("<!--").removesuffix("-->").strip()
            self.left_out.append(LineNote(line, words, "a comment, which readers do not see"))
            return []
        inside = html_blocks(node.content, first_line=line)
        self.left_out += inside.left_out
        self.doubtful += inside.doubtful
        return list(inside.blocks)

    def _front_matter(self, node: SyntaxTreeNode) -> None:
        try:
            matter = yaml.safe_load(node.content)
        except yaml.YAMLError:
            matter = None
        matter = matter if isinstance(matter, dict) else {}
        for name in ("title", "subtitle"):
            self.matter[name] = " ".join(str(matter.get(name) or "").split())
        for number, line in enumerate(node.content.split("\n"), start=2):
            if line.strip() and line.partition(":")[0].strip() not in {"title", "subtitle"}:
                why = "the file's front matter, of which only title and subtitle are used"
                self.left_out.append(LineNote(number, line.strip(), why))

    def _inline(self, node: SyntaxTreeNode) -> Text:
        return merged(run for child in node.children for run in self._runs(child, Run("")))

    def _runs(self, node: SyntaxTreeNode, style: Run) -> list[Run]:
        match node.type:
            case "strong":
                style = replace(style, is_bold=True)
            case "em":
                style = replace(style, is_italic=True)
            case "link":
                style = replace(style, href=self._link(node))
            case "code_inline":
                return [replace(style, text=node.content, is_code=True)]
            case "softbreak":
                return [replace(style, text=WRAP)]
            case "hardbreak":
                return [replace(style, text=BREAK)]
            case "image":
                why = "an image; put its file into the course's media folder and write it into the mail"
                self.left_out.append(
                    LineNote(_line(node), f"{node.content} {node.attrs.get('src', '')}".strip(), why)
                )
                return []
            case "html_inline":
                is_break = re.fullmatch(r"<br\s*/?>", node.content, re.IGNORECASE)
                return [replace(style, text=BREAK)] if is_break else []
        if node.children:
            return [run for child in node.children for run in self._runs(child, style)]
        return [replace(style, text=node.content)] if node.content else []

    def _link(self, node: SyntaxTreeNode) -> str:
        href = str(node.attrs.get("href", ""))
        if can_link(href):
            return href
        words = "".join(child.content for child in node.children)
        why = f"the link to {href or 'nowhere'} leads nowhere from a mail, so only its words were kept"
        self.doubtful.append(LineNote(_line(node), words, why))
        return ""


def _without_task_box(text: Text) -> Text:
    match = TASK.match(plain(text))
    if not match or not text:
        return text
    first, *rest = text
    return merged([replace(first, text=first.text[match.end() :]), *rest])


def _line(node: SyntaxTreeNode) -> int:
    """The source line the node, or what it stands in, begins on."""
    current: SyntaxTreeNode | None = node
    while current is not None:
        if current.map is not None:
            return current.map[0] + 1
        current = current.parent
    return 1
