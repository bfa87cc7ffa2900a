"""Markdown with `:::` blocks, read into a mail's blocks with everything wrong in it collected."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.tree import SyntaxTreeNode

FENCE = re.compile(r":{3,}[ \t]*(?P<name>[^\s:]*)[ \t]*(?P<rest>.*?)[ \t]*$")
MJML_FENCE = "mjml"


class BlockKind(StrEnum):
    """What a mail is made of. Those of FENCED are written with `:::`; the rest is plain Markdown.

    A check-in is put in by us, where a week of the protocol asks how it went.
    """

    TEXT = "text"
    ACTION = "action"
    CHECKLIST = "checklist"
    CALLOUT = "callout"
    QUESTION = "question"
    NEXT = "next"
    BUTTON = "button"
    SUMMARY = "summary"
    CHECK_IN = "check-in"
    QUOTE = "quote"
    IMAGE = "image"
    MJML = "mjml"


FENCED = (
    BlockKind.ACTION,
    BlockKind.CHECKLIST,
    BlockKind.CALLOUT,
    BlockKind.QUESTION,
    BlockKind.NEXT,
    BlockKind.BUTTON,
    BlockKind.SUMMARY,
)


@dataclass(frozen=True)
class Block:
    """One block: its nodes, the line it begins on (from 0), and what else stood on its fence line.

    `heading` is the inline node of a fence line's text (a question, a button's label); `target` the
    button's address; `source` the text of an ```mjml block.
    """

    kind: BlockKind
    line: int
    nodes: tuple[SyntaxTreeNode, ...] = ()
    heading: SyntaxTreeNode | None = None
    target: str = ""
    source: str = ""


@dataclass
class Findings:
    """Collects what is wrong with one body: (line from 0, what, fix)."""

    found: list[tuple[int, str, str]] = field(default_factory=list)

    def add(self, line: int, what: str, fix: str) -> None:
        self.found.append((line, what, fix))


def parser(findings: Findings) -> MarkdownIt:
    """CommonMark with tables and our blocks; HTML becomes tokens, which the lint then judges."""
    markdown = MarkdownIt("commonmark", {"html": True, "xhtmlOut": True}).enable("table")
    # The lint names a refused address with its line; markdown-it would leave the link's source as text.
    markdown.validateLink = lambda url: True  # type: ignore[method-assign]  # noqa: ARG005
    markdown.normalizeLink = _encoded  # type: ignore[method-assign]
    markdown.block.ruler.before(
        "fence",
        "mail_block",
        _block_rule(findings),
        {"alt": ["paragraph", "reference", "blockquote", "list"]},
    )
    return markdown


def _encoded(url: str) -> str:
    """The address with spaces and quotes encoded; nothing else is touched, so placeholders stay."""
    return re.sub(
        r"[\s\"<>`{}|\\^]", lambda match: "".join(f"%{byte:02X}" for byte in match[0].encode()), url
    )


def _block_rule(findings: Findings) -> Callable[[StateBlock, int, int, bool], bool]:
    def rule(state: StateBlock, start: int, end: int, silent: bool) -> bool:
        opening = _fence_at(state, start)
        if opening is None:
            return False
        if silent:
            return True
        name, rest = opening["name"], opening["rest"]
        if state.level > 0:
            what = "A `:::` block stands inside a list or a quotation."
            findings.add(start, what, "Move it out, to the start of a line.")
        elif not name:
            findings.add(
                start, "This `:::` closes nothing.", "Delete it, or write the block's name behind it."
            )
        elif name not in FENCED:
            findings.add(start, f"There is no block `{name}`.", f"The blocks are {', '.join(FENCED)}.")
        close, is_closed = _closing_line(state, start + 1, end) if name else (start, True)
        if not is_closed:
            what = f"The block `::: {name}` is not closed before line {{}} of this text."
            findings.add(start, f"The block `::: {name}` is not closed.", "Write a line `:::` where it ends.")
        _push(state, name, rest, start, close)
        state.line = close + 1 if is_closed else close
        return True

    return rule


def _fence_at(state: StateBlock, line: int) -> re.Match[str] | None:
    if state.is_code_block(line):
        return None
    return FENCE.fullmatch(state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]])


def _closing_line(state: StateBlock, line: int, end: int) -> tuple[int, bool]:
    """The line of the block's `:::`; or where another block opens or the text ends, and False."""
    while line < end:
        match = _fence_at(state, line)
        if match:
            return line, not match["name"]
        line += 1
    return end, False


def _push(state: StateBlock, name: str, rest: str, start: int, close: int) -> None:
    """The block's tokens: open, the fence line's text as inline, the content, close."""
    target = ""
    if name == BlockKind.BUTTON:
        target, _, rest = rest.partition(" ")
    opening = state.push("mail_block_open", "", 1)
    opening.map, opening.info, opening.meta = [start, close], name, {"target": target}
    heading = state.push("inline", "", 0)
    heading.content, heading.map, heading.children = rest.strip(), [start, start + 1], []
    saved = state.parentType, state.lineMax
    state.lineMax = close
    state.md.block.tokenize(state, start + 1, close)
    state.parentType, state.lineMax = saved
    state.push("mail_block_close", "", -1)


def read_blocks(markdown: MarkdownIt, source: str) -> list[Block]:
    """The blocks of a body whose Jinja2 tags were taken out before."""
    root = SyntaxTreeNode(markdown.parse(source))
    blocks: list[Block] = []
    for node in root.children:
        block = _block_of(node)
        if block.kind is BlockKind.TEXT and blocks and blocks[-1].kind is BlockKind.TEXT:
            last = blocks[-1]
            blocks[-1] = Block(BlockKind.TEXT, last.line, (*last.nodes, *block.nodes))
        else:
            blocks.append(block)
    return blocks


def _block_of(node: SyntaxTreeNode) -> Block:
    line = line_of(node)
    if node.type == "mail_block":
        kind = BlockKind(node.info) if node.info in FENCED else BlockKind.TEXT
        heading, *content = node.children
        return Block(kind, line, tuple(content), heading, target=str(node.meta["target"]))
    if node.type == "fence" and node.info.strip() == MJML_FENCE:
        return Block(BlockKind.MJML, line, source=node.content)
    if node.type == "blockquote":
        return Block(BlockKind.QUOTE, line, tuple(node.children))
    if node.type == "paragraph" and _is_lone_image(node):
        return Block(BlockKind.IMAGE, line, tuple(node.children[0].children))
    return Block(BlockKind.TEXT, line, (node,))


def _is_lone_image(paragraph: SyntaxTreeNode) -> bool:
    inside = paragraph.children[0].children
    return len(inside) == 1 and inside[0].type == "image"


def line_of(node: SyntaxTreeNode) -> int:
    """The line (from 0) the node begins on, or that of what it stands in."""
    current: SyntaxTreeNode | None = node
    while current is not None:
        if current.map is not None:
            return current.map[0]
        current = current.parent
    return 0


def scheme_of(address: str) -> str:
    """The address's scheme in small letters, as a browser reads it: control characters do not hide one."""
    cleaned = re.sub(r"[\x00-\x20]", "", address)
    try:
        return urlsplit(cleaned).scheme.lower()
    except ValueError:
        return "?"
