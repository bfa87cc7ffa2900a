"""A mail's text part, from the same blocks as its HTML, made to be read as it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from markdown_it.tree import SyntaxTreeNode

from mailer.content.layout import CheckInFrame
from mailer.content.markdown import Block, BlockKind
from mailer.content.mjml_check import parse_fragment
from mailer.content.mjml_text import said_in
from mailer.content.text_layout import WIDTH, Measure, columns_of, hanging, table, underlined, wrapped
from mailer.i18n import answer_words

CODE_INDENT = "    "


class TextWriter:
    """Writes blocks as plain text. `gettext` gives our own words in the mail's language.

    `measure` knows how wide a text with placeholders is once they are filled in, `is_control` which of them
    are ifs.
    """

    def __init__(
        self,
        gettext: Callable[[str], str],
        measure: Measure = columns_of,
        check_in: CheckInFrame | None = None,
        is_control: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._gettext = gettext
        self._measure = measure
        self._check_in = check_in
        self._is_control = is_control

    def write(self, blocks: Sequence[Block]) -> str:
        """The whole body, its blocks a blank line apart."""
        return "\n\n".join(filter(None, (self._block(block) for block in blocks)))

    def _block(self, block: Block) -> str:
        _ = self._gettext
        match block.kind:
            case BlockKind.ACTION:
                return self._label(_("Today’s small action")) + "\n\n" + self._nodes(block.nodes)
            case BlockKind.CHECKLIST:
                points = (self._item(item, "[ ] ", WIDTH) for item in block.nodes[0].children)
                return self._label(_("This week’s checklist")) + "\n\n" + "\n".join(points)
            case BlockKind.CALLOUT:
                return hanging(self._nodes(block.nodes, WIDTH - 2), "| ", "| ")
            case BlockKind.QUESTION:
                return self._question(block)
            case BlockKind.NEXT:
                return self._labelled(_("Next time"), block)
            case BlockKind.BUTTON:
                return f"{self._heading(block)}:\n{block.target}"
            case BlockKind.CHECK_IN if self._check_in:
                return self._ask(self._check_in)
            case BlockKind.SUMMARY if self._check_in:
                return self._summary(self._check_in)
            case BlockKind.QUOTE:
                return hanging(self._nodes(block.nodes, WIDTH - 2), "> ", "> ")
            case BlockKind.IMAGE:
                return self._wrap(self._inline(block.nodes[0]), WIDTH)
            case BlockKind.MJML:
                said = said_in(parse_fragment(block.source)[0], self._is_control)
                return "\n\n".join(self._wrap(text, WIDTH) for text in said)
            case _:
                return self._nodes(block.nodes)

    def _ask(self, check_in: CheckInFrame) -> str:
        _ = self._gettext
        words = answer_words(_)
        lines = (f"{words[answer]}: {address}" for answer, address in check_in.answers.items())
        foot = _("Your progress") + ": " + check_in.progress
        return "\n".join([self._label(_("How did it go?")), "", *lines, "", foot])

    def _summary(self, check_in: CheckInFrame) -> str:
        _ = self._gettext
        named = ((_("Week %(week)s") % {"week": week}, said) for week, said in check_in.said)
        lines = [f"{name}: {said}" for name, said in named]
        foot = _("Your progress") + ": " + check_in.progress
        return "\n".join([self._label(_("Your weeks")), "", *lines, "", foot])

    def _labelled(self, label: str, block: Block) -> str:
        """The label and the text on one line where there is one paragraph, else the label above."""
        if [node.type for node in block.nodes] == ["paragraph"]:
            return self._wrap(f"{label}: {self._inline(block.nodes[0])}", WIDTH)
        return f"{self._label(label)}\n\n{self._nodes(block.nodes)}"

    def _question(self, block: Block) -> str:
        _ = self._gettext
        question, answer = _("Q:") + " ", _("A:") + " "
        asked = hanging(self._wrap(self._heading(block), WIDTH - len(question)), question)
        return f"{asked}\n{hanging(self._nodes(block.nodes, WIDTH - len(answer)), answer)}"

    def _heading(self, block: Block) -> str:
        return self._inline(block.heading) if block.heading else ""

    def _label(self, text: str) -> str:
        return underlined(text, "-", self._measure)

    def _wrap(self, text: str, width: int) -> str:
        return wrapped(text, width, self._measure)

    def _nodes(self, nodes: Sequence[SyntaxTreeNode], width: int = WIDTH) -> str:
        return "\n\n".join(filter(None, (self._node(node, width) for node in nodes)))

    def _node(self, node: SyntaxTreeNode, width: int) -> str:
        match node.type:
            case "heading":
                text = self._wrap(self._inline(node.children[0]), width)
                return underlined(text, "=" if node.tag == "h1" else "-", self._measure)
            case "bullet_list" | "ordered_list":
                return self._list(node, width)
            case "blockquote":
                return hanging(self._nodes(node.children, width - 2), "> ", "> ")
            case "fence" | "code_block":
                return hanging(node.content.rstrip("\n"), CODE_INDENT)
            case "hr":
                return "* * *"
            case "table":
                return self._table(node, width)
            case "html_block":
                return ""
            case _:
                return self._wrap("".join(self._inline(child) for child in node.children), width)

    def _list(self, node: SyntaxTreeNode, width: int) -> str:
        start = int(node.attrs.get("start", 1))
        marks = (
            f"{number}. " if node.type == "ordered_list" else "- "
            for number, _ in enumerate(node.children, start)
        )
        items = [self._item(item, mark, width) for item, mark in zip(node.children, marks, strict=True)]
        # Loose lists, whose items are paragraphs of their own, stay loose.
        is_loose = any(
            child.type == "paragraph" and not child.hidden
            for item in node.children
            for child in item.children
        )
        return ("\n\n" if is_loose else "\n").join(items)

    def _item(self, item: SyntaxTreeNode, mark: str, width: int) -> str:
        parts = [self._node(child, width - len(mark)) for child in item.children]
        is_tight = all(child.hidden for child in item.children if child.type == "paragraph")
        return hanging(("\n" if is_tight else "\n\n").join(parts), mark)

    def _table(self, node: SyntaxTreeNode, width: int) -> str:
        rows = [
            ["".join(self._inline(child) for child in cell.children) for cell in row.children]
            for part in node.children
            for row in part.children
        ]
        return table(rows, width, self._measure)

    def _inline(self, node: SyntaxTreeNode) -> str:
        inside = "".join(self._inline(child) for child in node.children)
        match node.type:
            case "text" | "code_inline":
                return node.content
            case "softbreak":
                return " "
            case "hardbreak":
                return "\n"
            case "strong":
                return f"*{inside}*"
            case "em":
                return f"_{inside}_"
            case "link":
                return _link(inside, str(node.attrs.get("href", "")))
            case "image":
                return f"[{inside}]"
            case "html_inline":
                return "\n" if node.content.lower().startswith("<br") else ""
            case _:
                return inside


def _link(label: str, address: str) -> str:
    """ "Label <address>", or the address alone where the label says nothing else."""
    bare = address.removeprefix("mailto:").removeprefix("tel:")
    return bare if label in {address, bare, ""} else f"{label} <{bare}>"
