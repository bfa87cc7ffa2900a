"""Tags and custom fields: what there is, who has it, and renaming or removing one for everybody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from mailer.accounts.record import record
from mailer.accounts.rights import Actor, Right, needs
from mailer.audience import fields, tags
from mailer.audience.estimate import About
from mailer.audience.mentions import Mention, mentions_of_field, mentions_of_tag
from mailer.audience.tags import Changed
from mailer.errors import Refused
from mailer.models import Action, FieldType
from mailer.reports.audience_counts import field_counts, tag_counts

AT_ONCE = 50


@dataclass(frozen=True)
class TagsPage:
    """Some tags with how many people have each; `next` is the tag to go on after, empty at the end."""

    tags: Sequence[tuple[str, About]]
    next: str


@dataclass(frozen=True)
class Label:
    """A tag or a field, who has it, and which rules speak of it. `type` is empty for a tag."""

    name: str
    people: About
    mentions: Sequence[Mention]
    type: str = ""


@dataclass(frozen=True)
class Step:
    """Some people were changed; `after` is where to go on, None at the end. `note` is the record of it."""

    people: int
    after: int | None
    note: int


@needs(Right.SEE)
def list_tags(session: Session, _: Actor, after: str = "", most: int = AT_ONCE) -> TagsPage:
    """Tags by their letters, those after `after`."""
    names = tags.list_tags(session, after, most + 1)
    return TagsPage(tag_counts(session, names[:most]), names[most - 1] if len(names) > most else "")


@needs(Right.SEE)
def show_tag(session: Session, _: Actor, words: str) -> Label:
    """One tag; raises NotFound."""
    tag = tags.get_tag(session, words)
    ((_name, people),) = tag_counts(session, [tag])
    return Label(tag, people, mentions_of_tag(session, tag))


@needs(Right.AUDIENCE)
def change_tag(
    session: Session, actor: Actor, old: str, new: str, after: int = 0, note: int | None = None
) -> Step:
    """Rename a tag (empty `new`: take it away) for some of those who have it; raises NotFound or Refused.

    `after` and `note` are those of the step before, so that the whole is one line of the record.
    """
    tag = tags.get_tag(session, old)
    becomes = tags.tidy_tag(new) if new.strip() else ""
    if becomes == tag:
        raise Refused("This is its name already.")
    changed = tags.replace_tag(session, tag, becomes, after)
    return _noted(session, actor, changed, note, "tag rename" if becomes else "tag remove", tag, becomes)


@needs(Right.SEE)
def list_fields(session: Session, _: Actor) -> list[Label]:
    """Every custom field with its type, and about how many people have something in it."""
    counts = field_counts(session)
    declared = fields.declared_fields(session)
    return [Label(key, counts.get(key, About(0)), (), type_) for key, type_ in declared.items()]


@needs(Right.SEE)
def page_fields(session: Session, _: Actor, after: str, limit: int) -> Sequence[tuple[str, FieldType]]:
    """For programs: fields with their types by their keys, those after `after`."""
    return fields.list_fields(session, after, limit)


@needs(Right.SEE)
def show_field(session: Session, _: Actor, key: str) -> Label:
    """One field; raises NotFound."""
    type_ = fields.get_field(session, key)
    people = field_counts(session).get(key, About(0))
    return Label(key, people, mentions_of_field(session, key), type_)


@needs(Right.AUDIENCE)
def declare_field(session: Session, actor: Actor, key: str, type_: FieldType) -> None:
    """A new field; raises Refused."""
    fields.declare_field(session, key, type_)
    record(session, actor, "field add", 1, field=key, type=str(type_))


@needs(Right.AUDIENCE)
def change_field(
    session: Session, actor: Actor, old: str, new: str, after: int = 0, note: int | None = None
) -> Step:
    """Rename a field (empty `new`: remove it) for some of the people, as `change_tag` does.

    Raises NotFound, or Refused while a rule asks for it: whoever meets that rule would be nobody.
    """
    if old == new:
        raise Refused("This is its name already.")
    if mentions := mentions_of_field(session, old):
        first = mentions[0]
        raise Refused(f"The {first.kind} {first.slug} asks for {old}; change that one first.")
    changed = fields.replace_field(session, old, new, after)
    return _noted(session, actor, changed, note, "field rename" if new else "field remove", old, new)


def _noted(
    session: Session, actor: Actor, changed: Changed, note: int | None, what: str, old: str, new: str
) -> Step:
    """The step, counted in the record of the first one."""
    known = session.get(Action, note) if note is not None else None
    if known is not None:
        known.rows += changed.people
        return Step(changed.people, changed.after, known.id)
    made = record(session, actor, what, changed.people, name=old, becomes=new or None)
    session.flush()
    return Step(changed.people, changed.after, made.id)
