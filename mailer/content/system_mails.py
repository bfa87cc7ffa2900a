"""The mails that belong to no course's text: confirm, welcome, data; in each language of the catalogues."""

from __future__ import annotations

from collections.abc import Mapping

from mailer.content.assemble import CompiledMessage, assemble
from mailer.content.layout import Frame, mail_templates
from mailer.content.markdown import Findings, parser, read_blocks
from mailer.content.placeholders import Placeholders
from mailer.errors import NotFound

SYSTEM_MAILS = ("confirm", "welcome", "data")

LINKS: Mapping[str, tuple[str, ...]] = {
    "confirm": (),
    "data": (),
    "welcome": ("pace", "view", "manage", "unsubscribe"),
}
"""The links at the foot. Before a confirmation there is nothing to manage or to leave."""
MASTHEADS = {"confirm": "list.title", "welcome": "course.title", "data": "sender.name"}


def compile_system_mail(name: str, language: str) -> CompiledMessage:
    """One system mail in one language; what no catalogue has is in English. Raises NotFound."""
    if name not in SYSTEM_MAILS:
        raise NotFound(f"There is no system mail {name!r}")
    placeholders = Placeholders()
    parts = _parts(name, language, placeholders)
    frame = Frame(
        language=language,
        purpose="mail" if name == "data" else name,
        masthead=placeholders.expression(MASTHEADS[name]),
        subject=parts["subject"],
        preheader=parts["preheader"],
        list_title=placeholders.expression("list.title"),
        postal_address=placeholders.expression("sender.postal_address"),
        disclaimer="",
        links={purpose: placeholders.expression(f"links.{purpose}") for purpose in LINKS[name]},
    )
    markdown = parser(Findings())
    return assemble(frame, read_blocks(markdown, parts["body"]), markdown, placeholders, _no_picture)


def _parts(name: str, language: str, placeholders: Placeholders) -> dict[str, str]:
    """The template's blocks in `language`, with words in place of the reader's values."""
    template = mail_templates(language, autoescape=False).get_template(f"system/{name}/mail.md")
    context = template.new_context({"var": placeholders.expression})
    return {part: "".join(block(context)).strip() for part, block in template.blocks.items()}


def _no_picture(source: str) -> tuple[str, int]:
    raise NotFound(f"A system mail has no pictures, yet one shows {source}")
