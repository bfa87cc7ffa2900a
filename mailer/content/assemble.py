"""A mail's blocks and its frame become the templates that are kept: subject, HTML, text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markdown_it import MarkdownIt

from mailer.content.html import BlockWriter, Picture
from mailer.content.layout import Frame, fill_html, fill_text, mail_templates, to_html
from mailer.content.markdown import Block
from mailer.content.placeholders import Placeholders
from mailer.content.text import TextWriter
from mailer.i18n import translator


@dataclass(frozen=True)
class CompiledMessage:
    """One mail, ready for everybody: each text is the source of a Jinja2 template.

    `html` runs with autoescape, the others without. `images` are the published names of its pictures.
    """

    language: str
    subject: str
    preheader: str
    html: str
    text: str
    images: tuple[str, ...] = ()


def assemble(
    frame: Frame, blocks: Sequence[Block], markdown: MarkdownIt, placeholders: Placeholders, picture: Picture
) -> CompiledMessage:
    """The compiled mail of blocks in which nothing is wrong. Its `images` are still to be told."""
    values = frame.as_values()
    writer = BlockWriter(markdown, mail_templates(frame.language), values, picture)
    html = to_html(fill_html(frame, [writer.write(block) for block in blocks]), start=values["start"])
    gettext, measure = translator(frame.language).gettext, placeholders.columns_of
    text_writer = TextWriter(gettext, measure, frame.check_in, placeholders.is_control)
    text = fill_text(frame, text_writer.write(blocks), placeholders.columns_of)
    return CompiledMessage(
        language=frame.language,
        subject=placeholders.put_back(frame.subject),
        preheader=placeholders.put_back(frame.preheader),
        html=placeholders.put_back(html),
        text=placeholders.put_back(text),
    )
