"""The texts of a step of a draft: translations, variants and gentler versions, begun and removed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from mailer.accounts.rights import Actor, Right, needs
from mailer.audience.segment_choices import choices
from mailer.audience.tags import list_tags
from mailer.content.beside import File, files_of, gentler_of, texts_beside, translation_of, variant_of
from mailer.content.course_folder import CourseSource, StepSource, read_draft
from mailer.content.draft_store import Drafts
from mailer.errors import Refused
from mailer.rules.model import InSegment, OnList, Rule, Tag
from mailer.rules.written import written

MOST_RULES = 200
"""Rules that are offered to be chosen; any other can be written."""


@dataclass(frozen=True)
class Removal:
    """What goes with a step: its translations. `alone` are the texts that would stand beside nothing."""

    files: Sequence[str]
    alone: Sequence[str]
    digest: str


@needs(Right.WRITE)
def begin_text(
    _: Session, __: Actor, drafts: Drafts, slug: str, name: str, *, what: str, language: str, when: str
) -> str:
    """Begin another text of a step with the words it has; returns its file's name. Raises Refused.

    `what` is "translation" (to `language`), "variant" (for those who meet the rule `when`) or "gentler".
    """
    drafts.step(slug, name)
    digest = drafts.digest(slug)
    source, _problems = read_draft(drafts.folder(slug))
    file, text = _begun(source, name, what, language, when)
    drafts.change(slug, {file: text}, before=digest)
    return file


@needs(Right.WRITE)
def texts_of(_: Session, __: Actor, source: CourseSource, name: str) -> list[StepSource]:
    """The step of a file, its original first, and every text beside it."""
    return texts_beside(source, name)


@needs(Right.SEE)
def rules_to_choose(session: Session, _: Actor) -> list[str]:
    """Rules of one condition about the tags, segments and lists that there are, for whoever writes one."""
    known = choices(session)
    rules: list[Rule] = [
        *(Tag(name) for name in list_tags(session, most=MOST_RULES)),
        *(InSegment(slug) for slug, _title in known.segments),
        *(OnList(slug, None) for slug, _title in known.lists),
    ]
    return [written(rule) for rule in rules[:MOST_RULES]]


@needs(Right.WRITE)
def look_at_removal(_: Session, __: Actor, drafts: Drafts, slug: str, name: str) -> Removal:
    """What removing a file of a step means; raises NotFound."""
    drafts.step(slug, name)
    source, _problems = read_draft(drafts.folder(slug))
    own = next((step for step in source.steps if step.path.name == name), None)
    files = files_of(own) if own else [name]
    beside = texts_beside(source, name) if own and own.is_plain else []
    alone = [one.path.name for one in beside if one is not own]
    return Removal(files, alone, drafts.digest_of_files(slug, files))


@needs(Right.WRITE)
def remove_text(session: Session, actor: Actor, drafts: Drafts, slug: str, name: str, digest: str) -> None:
    """Take a step's file out of the draft, and its translations, which would translate nothing.

    What is published stays until the next publication.
    """
    files = look_at_removal(session, actor, drafts, slug, name).files
    for file in files:
        drafts.keep_typing(slug, file, actor.operator_id or 0, None)
    drafts.remove_files(slug, files, before=digest)


def _begun(source: CourseSource, name: str, what: str, language: str, when: str) -> File:
    match what:
        case "translation":
            return translation_of(source, name, language)
        case "variant":
            return variant_of(source, name, when)
        case "gentler":
            return gentler_of(source, name)
    raise Refused("Begin a translation, a variant or a gentler version.")
