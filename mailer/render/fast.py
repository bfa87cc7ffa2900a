"""The mail of `render()` and `build_mail()`, built in a fraction of their time.

Those two are the reference: what comes out here reads the same to whoever parses it, and tests hold it to
that. The bytes differ: they have a soft line break around every value, and no line begins with a dot.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jinja2

from mailer.content.variables import CANNOT_RENDER
from mailer.render import header_lines, mime
from mailer.render.mime import Headers
from mailer.render.personalize import MAX_CHARACTERS, Templates, compiled, render
from mailer.render.pieces import compiled_pieces, filled_in
from mailer.render.quoted_printable import ended, whole

TEXT = mime.MULTIPART + mime.PART % b"plain"
HTML = mime.PART % b"html"


@dataclass(frozen=True)
class _Ready:
    """One message's templates: the subject writes text, the parts write pieces."""

    subject: jinja2.Template
    text: jinja2.Template
    html: jinja2.Template


def build_fast(templates: Templates, context: Mapping[str, Any], headers: Headers) -> bytes:
    """One person's mail as bytes with CRLF lines, none of which begins with a dot.

    The same as `build_mail()` of what `render()` gives, and it raises the same: CannotRender for what
    cannot be filled in, ValueError for a value that cannot be written.
    """
    ready = _ready(templates)
    if ready is not None:
        try:
            return _joined_pieces(ready, context, headers)
        except CANNOT_RENDER:
            # Too rare to be quick: whatever is the matter, the plain way has the right words for it.
            pass
    rendered = render(templates, context)
    return _joined(mime.head(headers, rendered.subject), whole(rendered.text), whole(rendered.html))


def is_fast(templates: Templates) -> bool:
    """Whether these templates hold values and conditions only, which is what pieces are made of."""
    return _ready(templates) is not None


def _joined_pieces(ready: _Ready, context: Mapping[str, Any], headers: Headers) -> bytes:
    subject = " ".join(filled_in(ready.subject, context).split())
    text, html = filled_in(ready.text, context), filled_in(ready.html, context)
    if len(text) + len(html) > MAX_CHARACTERS:
        # An encoded text is never the shorter one. Whether this one is too long, `render()` counts.
        raise ValueError("perhaps the mail is too long")
    return _joined(header_lines.head(headers, subject), ended(text), ended(html))


def _joined(head: bytes, text: str, html: str) -> bytes:
    return b"".join((head, TEXT, text.encode("ascii"), HTML, html.encode("ascii"), mime.CLOSING))


@lru_cache(maxsize=128)
def _ready(templates: Templates) -> _Ready | None:
    """The templates in pieces; None when they hold more than values and conditions, or a mistake."""
    try:
        subject = compiled(templates.subject, is_html=False)
        text = compiled_pieces(templates.text, is_html=False)
        html = compiled_pieces(templates.html, is_html=True)
    except CANNOT_RENDER:
        return None
    return _Ready(subject, text, html) if text is not None and html is not None else None
