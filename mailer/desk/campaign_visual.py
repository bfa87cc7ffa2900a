"""A campaign's MJML in the visual editor: opened, typed, saved, and Markdown turned into it and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from mailer.accounts.rights import Actor, Right, needs
from mailer.content.layout import own_styles
from mailer.content.own_layout import MAY_HAVE
from mailer.content.visual import Design, design_of, document_of, read_tree
from mailer.db import business_now
from mailer.desk import campaign_drafts as composer
from mailer.desk.campaign_drafts import Sheet
from mailer.errors import NotFound, Refused
from mailer.launch import campaign_turn as turn
from mailer.launch.campaign_draft import Saved
from mailer.launch.campaign_source import get_source
from mailer.launch.campaign_turn import Earlier, is_mjml

LOST = "The visual editor sent nothing, so nothing was changed; load the page again."


@dataclass(frozen=True)
class Canvas:
    """A file for the visual editor. `design` is None for Markdown; `earlier` is what it was before a turn."""

    sheet: Sheet
    design: Design | None
    earlier: Earlier | None

    @property
    def for_the_browser(self) -> dict[str, Any]:
        """What the editor begins with: the tree, what elements may have, the pictures and our styles."""
        return {
            "tree": self.design.tree if self.design else None,
            "may": {tag: sorted(names) for tag, names in MAY_HAVE.items()},
            "pictures": list(self.sheet.whole.pictures),
            "style": own_styles("left"),
        }

    @property
    def problems(self) -> list[tuple[int, str, str]]:
        """What the editor is not given, with the line of the file."""
        first = self.sheet.text.count("\n") - self.sheet.body.count("\n") + 1
        return [
            (line + first, what, fix) for line, what, fix in (self.design.problems if self.design else ())
        ]


@needs(Right.WRITE)
def open_canvas(session: Session, actor: Actor, slug: str, name: str = "", variant: str = "") -> Canvas:
    """A file (the first, if none is named) with what this actor has typed into it. Raises NotFound."""
    return _canvas(session, composer.open_file(session, actor, slug, name, variant))


@needs(Right.WRITE)
def type_canvas(session: Session, actor: Actor, slug: str, name: str, fields: Mapping[str, str]) -> Canvas:
    """Keep what the editor holds without saving it. Raises NotFound, Refused, UnknownPerson, BadAddress."""
    said = _as_text(name, fields)
    return _canvas(session, composer.type_file(session, actor, slug, name, said))


@needs(Right.WRITE)
def save_canvas(session: Session, actor: Actor, slug: str, name: str, fields: Mapping[str, str]) -> Saved:
    """Save what the editor holds, errors and all; raises Refused when somebody else saved it meanwhile."""
    return composer.save_file(session, actor, slug, name, _as_text(name, fields))


@needs(Right.WRITE)
def turn_into_mjml(session: Session, actor: Actor, slug: str, name: str, digest: str) -> tuple[str, Saved]:
    """Write a Markdown file as MJML; its new name. The Markdown is kept. Raises NotFound or Refused."""
    now = business_now(session)
    return turn.turn_into_mjml(session, slug, name, now, before=digest, who=actor.who)


@needs(Right.WRITE)
def turn_back(session: Session, actor: Actor, slug: str, name: str, digest: str) -> tuple[str, Saved]:
    """Take up what a file was before it was turned; its name again. Raises NotFound or Refused."""
    return turn.turn_back(session, slug, name, business_now(session), before=digest, who=actor.who)


@needs(Right.WRITE)
def published_name(session: Session, _: Actor, slug: str, source: str) -> str:
    """The published name of a campaign's picture, by how its texts name it. Raises NotFound."""
    name = get_source(session, slug).pictures.get(source)
    if name is None:
        raise NotFound(f"{slug} has no picture {source}.")
    return str(name)


@needs(Right.WRITE)
def find_earlier(session: Session, _: Actor, sheet: Sheet) -> Earlier | None:
    """What a file was before it was turned from Markdown or back; None when it never was."""
    return turn.earlier_of(get_source(session, sheet.slug), sheet.file.name)


def _canvas(session: Session, sheet: Sheet) -> Canvas:
    design = design_of(sheet.body) if is_mjml(sheet.file.name) else None
    return Canvas(sheet, design, turn.earlier_of(get_source(session, sheet.slug), sheet.file.name))


def _as_text(name: str, fields: Mapping[str, str]) -> dict[str, str]:
    """The editor's form as the composer's: the text in place of the tree."""
    if not is_mjml(name):
        raise Refused("The visual editor writes MJML only.")
    if not fields.get("visual"):
        raise Refused(LOST)
    others = {field: value for field, value in fields.items() if field not in ("visual", "file")}
    return {**others, "body": "\n" + document_of(read_tree(fields["visual"]))}
