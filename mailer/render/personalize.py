"""A compiled message and one person's values become a subject, an HTML part and a text part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jinja2

from mailer.content.variables import CANNOT_RENDER, AuthorEnvironment, author_environment
from mailer.errors import MailerError

MAX_CHARACTERS = 1_000_000
"""No mail of ours is near this; a template that runs away is stopped."""


class CannotRender(MailerError):
    """This mail could not be made for this person, so it was set aside for an operator to look at."""


@dataclass(frozen=True)
class Templates:
    """The Jinja2 sources of one published message."""

    subject: str
    html: str
    text: str


@dataclass(frozen=True)
class Rendered:
    subject: str
    html: str
    text: str


def render(templates: Templates, context: Mapping[str, Any]) -> Rendered:
    """Fill in one person's values; raises CannotRender with the reason.

    The templates were written by people, so they run in a sandbox: no attribute of Python is within
    reach, nothing can be changed, and an unknown variable is an error instead of a gap in a letter.
    """
    try:
        rendered = Rendered(
            subject=" ".join(compiled(templates.subject, is_html=False).render(context).split()),
            html=compiled(templates.html, is_html=True).render(context),
            text=compiled(templates.text, is_html=False).render(context),
        )
    except CANNOT_RENDER as error:
        raise CannotRender(str(error) or type(error).__name__) from error
    if len(rendered.html) + len(rendered.text) > MAX_CHARACTERS:
        raise CannotRender(f"the mail is longer than {MAX_CHARACTERS} characters")
    return rendered


@lru_cache(maxsize=512)
def compiled(source: str, *, is_html: bool) -> jinja2.Template:
    """A template in the sandbox. Raises what reading a template raises (CANNOT_RENDER)."""
    # Compiling takes milliseconds, rendering microseconds: a batch shares one compiled template.
    return _environment(is_html).from_string(source)


@lru_cache(maxsize=2)
def _environment(is_html: bool) -> AuthorEnvironment:
    return author_environment(autoescape=is_html)
