"""A mail's blocks as MJML: Markdown's own HTML inside, our block templates around it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import jinja2
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.tree import SyntaxTreeNode
from markupsafe import Markup

from mailer.content.markdown import Block, BlockKind
from mailer.content.mjml_check import with_pictures

CONTENT_WIDTH = 512
"""Pixels for text and pictures: the 600 of a mail without the sheet's margins."""

Picture = Callable[[str], tuple[str, int]]
"""media/x.png to its published address and the width in pixels to show it at, at most 512."""


TABLE = {"class": "data", "width": "100%", "cellpadding": "0", "cellspacing": "0", "border": "0"}


class BlockWriter:
    """Writes blocks as MJML components with the templates of templates/mail/blocks."""

    def __init__(
        self,
        markdown: MarkdownIt,
        templates: jinja2.Environment,
        look: Mapping[str, object],
        picture: Picture,
    ) -> None:
        self.templates = templates
        self.look = look
        self.picture = picture
        self._options = markdown.options
        self._renderer = RendererHTML()

    def write(self, block: Block) -> Markup:
        """The MJML of one block."""
        if block.kind is BlockKind.MJML:
            source = with_pictures(block.source, self.picture)
            return Markup(source)  # noqa: S704 - checked by mjml_check, and its tags are placeholders
        values: dict[str, object] = {
            "content": self._html(block.nodes),
            "heading": self._html([block.heading]) if block.heading else "",
            "target": block.target,
        }
        if block.kind is BlockKind.CHECKLIST:
            values["items"] = [self._html(item.children) for item in block.nodes[0].children]
        template = self.templates.get_template(f"blocks/{block.kind.replace('-', '_')}.mjml")
        return Markup(template.render(self.look, **values))  # noqa: S704 - our own, autoescaped template

    def _html(self, nodes: Sequence[SyntaxTreeNode]) -> Markup:
        tokens = list(self._prepared(token for node in nodes for token in node.to_tokens()))
        html = self._renderer.render(tokens, self._options, {})
        return Markup(html)  # noqa: S704 - markdown-it escapes text; the lint refuses other HTML

    def _prepared(self, tokens: Iterable[Token]) -> Iterator[Token]:
        """Copies of `tokens` with what a mail needs: picture addresses, classes, XML's spelling."""
        for token in tokens:
            changes: dict[str, Any] = {}
            if token.type == "html_block":
                continue  # an author's comment: the lint refuses every other
            if token.type == "html_inline":
                changes["content"] = _as_xml(token.content)
            elif token.type == "table_open":
                changes["attrs"] = dict(TABLE)
            elif token.type == "image":
                address, width = self.picture(str(token.attrs["src"]))
                style = f"max-width:{width}px"
                changes["attrs"] = {
                    "class": "picture",
                    "src": address,
                    "alt": "",
                    "width": width,
                    "style": style,
                }
            if token.children:
                changes["children"] = list(self._prepared(token.children))
            yield token.copy(**changes)


def _as_xml(tag: str) -> str:
    """One of the few inline tags on offer, as XML wants it; nothing for an author's comment."""
    if tag.startswith("<!--"):
        return ""
    name = tag.strip("</> \t\n").lower()
    return "<br />" if name == "br" else f"</{name}>" if tag.startswith("</") else f"<{name}>"
