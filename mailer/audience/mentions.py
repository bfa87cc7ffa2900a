"""Where rules speak of a tag, a field or a list: who renames or removes one is told first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy.orm import Session

from mailer.audience.segments import list_segments, rules_of_courses
from mailer.errors import MailerError
from mailer.rules.grammar import parse
from mailer.rules.model import Condition, Field, OnList, Tag, conditions


@dataclass(frozen=True, order=True)
class Mention:
    """A segment or a course whose rules speak of something."""

    kind: str
    slug: str


def mentions_of_tag(session: Session, tag: str) -> list[Mention]:
    """The segments and courses that ask for this tag."""
    return _speaking(session, Tag, "name", tag)


def mentions_of_field(session: Session, key: str) -> list[Mention]:
    """The segments and courses that ask for this custom field."""
    return _speaking(session, Field, "key", key)


def mentions_of_list(session: Session, slug: str) -> list[Mention]:
    """The segments and courses that ask who is on this list."""
    return _speaking(session, OnList, "slug", slug)


def _speaking(session: Session, kind: type[Condition], attribute: str, name: str) -> list[Mention]:
    found = {
        mention
        for mention, one in _conditions(session)
        if isinstance(one, kind) and getattr(one, attribute) == name
    }
    return sorted(found)


def _conditions(session: Session) -> Iterator[tuple[Mention, Condition]]:
    for segment in list_segments(session):
        for one in _read(segment.rule):
            yield Mention("segment", segment.slug), one
    for course, text in rules_of_courses(session):
        for one in _read(text, course):
            yield Mention("course", course), one


def _read(text: str, course: str | None = None) -> tuple[Condition, ...]:
    try:
        return conditions(parse(text, course))
    except MailerError:
        # One that cannot be read speaks of nothing; its own page says so.
        return ()
