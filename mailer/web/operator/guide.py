"""docs/operating.md as a page of the desk: what each alarm means and what to do about it."""

from __future__ import annotations

import itertools
import re
from functools import lru_cache

from fastapi import APIRouter, Request, Response
from markdown_it import MarkdownIt
from markupsafe import Markup

from mailer.settings import PROJECT
from mailer.web.deps import READ, PartsDep
from mailer.web.signed_in import See

router = APIRouter()

SOURCE = PROJECT / "docs" / "operating.md"


@router.api_route("/desk/operating", methods=READ)
def operating(request: Request, parts: PartsDep, actor: See) -> Response:
    """The whole guide; alarms lead to its sections by their word."""
    return parts.desk.page(request, "operating.html", actor, body=_body())


@lru_cache(maxsize=1)
def _body() -> Markup:
    """The guide as HTML. A heading that begins with a word in code is found by that word."""
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse(SOURCE.read_text(encoding="utf-8"))
    for token, inline in itertools.pairwise(tokens):
        if token.type == "heading_open":
            first = (inline.children or [inline])[0]
            words = first.content if first.type == "code_inline" else inline.content
            token.attrSet("id", re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-"))
    # Our own file, and raw HTML in it is shown as text.
    return Markup(markdown.renderer.render(tokens, markdown.options, {}))  # noqa: S704
