"""Tags: short words on people. One that is renamed or removed is changed for some people at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from mailer.audience.subscribers import know_tags, tidy_name
from mailer.errors import NotFound, Refused
from mailer.models import KnownTag

AT_ONCE = 5000
"""How many people are written in one transaction, so that nobody who is mailed meanwhile waits for long."""


@dataclass(frozen=True)
class Changed:
    """How many people were changed, and the id after which to go on; None when all are."""

    people: int
    after: int | None


def tidy_tag(words: str) -> str:
    """A tag as it is kept: one line, small letters. Raises Refused when nothing is left."""
    tag = tidy_name(words).lower()
    if not tag:
        raise Refused("A tag is a word or a few, such as walker.")
    return tag


def list_tags(session: Session, after: str = "", most: int | None = None) -> list[str]:
    """Every known tag by its letters, or some of them, those after `after`."""
    asked = select(KnownTag.name).where(KnownTag.name > after).order_by(KnownTag.name).limit(most)
    return list(session.scalars(asked))


def get_tag(session: Session, words: str) -> str:
    """The tag that is written so; raises NotFound."""
    tag = tidy_name(words).lower()
    if session.get(KnownTag, tag) is None:
        raise NotFound(f"Nobody has the tag {tag!r}.")
    return tag


_SOME = """
    WITH next AS (
        SELECT id FROM subscribers WHERE id > :after AND {has}
        ORDER BY id LIMIT :most FOR NO KEY UPDATE
    ), done AS (
        UPDATE subscribers AS s SET {becomes} FROM next WHERE s.id = next.id RETURNING s.id
    )
    SELECT count(*), max(id) FROM done
"""
_HAS = "tags @> ARRAY[CAST(:old AS text)]"
_BECOMES = """
    tags = (SELECT coalesce(array_agg(DISTINCT tag ORDER BY tag), '{}')
            FROM unnest(array_remove(s.tags, :old) || CAST(:new AS text[])) AS tag)
"""
_FORGET = f"DELETE FROM tags WHERE name = :old AND NOT EXISTS (SELECT 1 FROM subscribers WHERE {_HAS})"  # noqa: S608


def change_some(
    session: Session, has: str, becomes: str, values: dict[str, Any], after: int, most: int
) -> Changed:
    """Change the subscribers that `has` picks out, `most` of them, those with ids above `after`."""
    query = text(_SOME.replace("{has}", has).replace("{becomes}", becomes))
    count, last = session.execute(query, {**values, "after": after, "most": most}).one()
    return Changed(count, last if count == most else None)


def replace_tag(session: Session, old: str, new: str, after: int = 0, most: int = AT_ONCE) -> Changed:
    """Give `most` of those who have the tag `old` the tag `new` in its place; empty takes it away.

    To be asked on, each time in a new transaction, until nobody is left; then `old` is known no more.
    """
    if new:
        know_tags(session, [new])
    changed = change_some(session, _HAS, _BECOMES, {"old": old, "new": [new] if new else []}, after, most)
    if changed.after is None:
        session.execute(text(_FORGET), {"old": old})
    return changed
