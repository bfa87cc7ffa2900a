"""Author's templates compiled so that they give quoted-printable instead of text.

Jinja2 parses and checks a template as always; only what is written out differs. Static text is encoded
when the template is compiled, and a value when it is written, each as a piece that begins and ends at
column 0 (see quoted_printable.py). Nothing but the values is left to do for each mail.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from jinja2 import Template, nodes
from jinja2.compiler import CodeGenerator
from markupsafe import escape

from mailer.content.variables import AuthorEnvironment, author_environment
from mailer.render.quoted_printable import SOFT_BREAK, piece, short_piece

_AS_IT_IS_IN_TEXT = re.compile(r"[ -\-/-<>-~][ -<>-~]{0,74}").fullmatch
_AS_IT_IS_IN_HTML = re.compile(r"[ !#-%(-\-/-;?-~][ !#-%(-;?-~]{0,74}").fullmatch
"""One short line of ASCII that needs neither quoted-printable nor escaping, and begins with no dot."""


def compiled_pieces(source: str, *, is_html: bool) -> Template | None:
    """The template `source` as one that writes pieces, or None for one that has to be filled in as text.

    Only text, expressions and if are written in pieces. A loop, a block or anything else that may keep
    what it wrote and work on it (set, filter, call) would work on encoded text.
    """
    environment = _environment(is_html)
    tree = environment.parse(source)
    return environment.from_string(tree) if _is_flat(tree.body) else None


def _is_flat(body: Sequence[nodes.Node]) -> bool:
    return all(
        isinstance(node, nodes.Output)
        or (
            isinstance(node, nodes.If)
            and _is_flat(node.body)
            and _is_flat(node.elif_)
            and _is_flat(node.else_)
        )
        for node in body
    )


def filled_in(template: Template, context: Mapping[str, Any]) -> str:
    """What a template writes for one person. Raises what filling in a template raises (CANNOT_RENDER)."""
    environment = template.environment
    # Without the globals, of which there are none: going through them takes longer than all values.
    values = environment.context_class(environment, dict(context), template.name, template.blocks)
    return "".join(template.root_render_func(values))


class _PieceWriter(CodeGenerator):
    """Writes each output through environment.finalize and nothing else.

    These are the methods that Jinja2's own native types override (jinja2/nativetypes.py).
    """

    def _output_child_to_const(self, node: nodes.Expr, *_: Any) -> str:
        if not isinstance(node, nodes.TemplateData):
            raise nodes.Impossible  # written when a mail is made
        return piece(node.data)

    def _output_child_pre(self, *_: Any) -> None:
        self.write("environment.finalize(")

    def _output_child_post(self, *_: Any) -> None:
        self.write(")")


@lru_cache(maxsize=2)
def _environment(is_html: bool) -> AuthorEnvironment:
    environment = author_environment(autoescape=is_html)
    environment.code_generator_class = _PieceWriter
    environment.finalize = _remembering(_html_piece, _escaped) if is_html else _remembering(_text_piece, str)
    return environment


MOST_KEPT = 4096
"""Encoded values that are remembered: a link stands in a mail many times, a course's title in all of them."""


def _remembering(piece_of: Callable[[str], str], as_text: Callable[[Any], str]) -> Callable[[Any], str]:
    """What writes a template's values: `piece_of` a plain string, which is not encoded twice in a row.

    Anything else is made text first; a Markup among it is equal to its string, and must not be taken for it.
    """
    known: dict[str, str] = {}

    def written(value: Any) -> str:
        if type(value) is not str:
            return short_piece(as_text(value))
        found = known.get(value)
        if found is None:
            if len(known) >= MOST_KEPT:
                known.clear()
            found = known[value] = piece_of(value)
        return found

    return written


def _escaped(value: Any) -> str:
    return str(escape(value))  # a Markup would escape what is added to it


def _html_piece(value: str) -> str:
    return value + SOFT_BREAK if _AS_IT_IS_IN_HTML(value) else short_piece(_escaped(value))


def _text_piece(value: str) -> str:
    return value + SOFT_BREAK if _AS_IT_IS_IN_TEXT(value) else short_piece(value)
