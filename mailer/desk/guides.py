"""A guide that is brought again into the draft it once became: looked at section by section, and taken."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from mailer.accounts.record import record
from mailer.accounts.rights import Actor, Right, needs
from mailer.content.arrivals import Arrivals
from mailer.content.course_folder import COURSE_FILE, read_draft
from mailer.content.draft_store import Drafts
from mailer.content.file_edit import body_of, settings_of
from mailer.content.guide.again import Again, NotAnswered, Section, look_again
from mailer.content.guide.report import Tie
from mailer.errors import Refused
from mailer.reports.course_versions import Piece, pieces_of


@dataclass(frozen=True)
class GuideAgain:
    """What a changed guide means for a draft, whose `digest` a change of it has to name.

    While there is a `tie` to answer nothing else is known.
    """

    file: str
    digest: str
    sections: Sequence[tuple[Section, Sequence[Piece]]] = ()
    again: Again | None = None
    tie: Tie | None = None


@needs(Right.WRITE)
def take_guide_again(
    _: Session, __: Actor, drafts: Drafts, arrivals: Arrivals, slug: str, file: str, content: bytes
) -> str:
    """Keep a changed guide for a day; returns its name. Raises NotFound, or Refused when it is none."""
    source, _problems = read_draft(drafts.folder(slug))
    return arrivals.take(file, content, max(source.days, 1)).name


@needs(Right.WRITE)
def look_at_guide_again(
    _: Session,
    __: Actor,
    drafts: Drafts,
    arrivals: Arrivals,
    slug: str,
    name: str,
    answers: Mapping[str, str],
) -> GuideAgain:
    """What the guide would change in each section; raises NotFound or Refused."""
    guide, digest = arrivals.guide(name), drafts.digest(slug)
    try:
        again = _again(drafts, arrivals, slug, name, answers)
    except NotAnswered as error:
        return GuideAgain(guide.name, digest, tie=error.tie)
    sections = [(one, pieces_of(_said(one, one.before), _said(one, one.after))) for one in again.sections]
    return GuideAgain(guide.name, digest, sections, again)


@needs(Right.WRITE)
def take_sections(
    session: Session,
    actor: Actor,
    drafts: Drafts,
    arrivals: Arrivals,
    slug: str,
    name: str,
    answers: Mapping[str, str],
    chosen: Collection[str],
    digest: str,
) -> int:
    """Take these sections into the draft; returns how many. Raises NotFound, or Refused for another draft."""
    again = _again(drafts, arrivals, slug, name, answers)
    taken = {section.name for section in again.sections} & set(chosen)
    if not taken:
        raise Refused("Choose at least one section.")
    drafts.replace(slug, again.files(drafts.folder(slug), taken), seen=digest)
    record(session, actor, "course guide again", len(taken), course=slug)
    arrivals.forget(name)
    return len(taken)


def _said(section: Section, text: str) -> str:
    """What of a step's file comes from the guide: its subject, its preheader and its text."""
    settings = settings_of(text) if section.name != COURSE_FILE else None
    if settings is None:
        return text
    lines = [
        f"{name.capitalize()}: {settings[name]}" for name in ("subject", "preheader") if name in settings
    ]
    return "\n".join([*lines, "", body_of(text)])


def _again(drafts: Drafts, arrivals: Arrivals, slug: str, name: str, answers: Mapping[str, str]) -> Again:
    folder, guide = drafts.folder(slug), arrivals.guide(name)
    try:
        return look_again(guide, folder, answers)
    except Refused as error:
        # In the words of whoever brought the file: they know no path of this machine.
        words = error.what.replace(str(guide), guide.name)
        raise Refused(_without_paths(words, slug)) from None


def _without_paths(words: str, slug: str) -> str:
    """The files of a course by their names alone."""
    return " ".join(word.rpartition(f"/{slug}/")[2] or word for word in words.split(" "))
