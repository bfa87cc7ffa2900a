"""For whom a course is lived through: people of a CSV file, or some of those who are here."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.audience.encodings import open_text
from mailer.audience.segments import SAMPLE, checked
from mailer.db import business_now, in_time
from mailer.errors import Refused
from mailer.launch.invented import Invented, read_people
from mailer.models import FieldType, Subscriber, SubscriptionState
from mailer.reports.subscribers import PersonRow, person_rows
from mailer.rules import as_sql

MOST_READERS = 100
SAMPLE_SECONDS = 2.0
FILE = "people.csv"
"""What the file is called in what is said of it, such as "people.csv:3: …"."""


def text_of_file(content: bytes) -> str:
    """The text of a file, in whatever encoding it came; raises Refused."""
    with tempfile.TemporaryDirectory(prefix="steadypost-") as place:
        path = Path(place) / FILE
        path.write_bytes(content)
        with open_text(path) as (text, _told):
            return text.read()


def readers_of_text(text: str, fields: Mapping[str, FieldType]) -> dict[str, Invented]:
    """The people of a CSV file's text, by their addresses; raises Refused with the line of what is wrong."""
    with tempfile.TemporaryDirectory(prefix="steadypost-") as place:
        path = Path(place) / FILE
        path.write_text(text, encoding="utf-8", newline="")
        people = read_people(path, fields)
    if len(people) > MOST_READERS:
        raise Refused(f"{FILE} has {len(people):,} people; up to {MOST_READERS} are lived through at once.")
    found = {person.email: person for person in people}
    if len(found) < len(people):
        twice = next(one.email for one in people if sum(one.email == other.email for other in people) > 1)
        raise Refused(f"{FILE} has {twice} more than once; give each reader an address of their own.")
    return found


def readers_who(session: Session, rule: str) -> dict[str, Invented]:
    """The first few people who meet a rule now, by their addresses; raises BadRule, or Refused without any.

    They are as they are kept here, and begin as if they had never been in the course.
    """
    meets = as_sql(checked(session, rule), business_now(session))
    asked = select(Subscriber).where(meets).order_by(Subscriber.id).limit(SAMPLE)
    some = in_time(session, SAMPLE_SECONDS, lambda: session.execute(asked).scalars().all())
    if some is None:
        raise Refused("Finding people who meet this rule takes too long; name a segment or a list of fewer.")
    if not some:
        raise Refused("Nobody meets this rule.")
    rows = person_rows(session, some, business_now(session))
    return {row.person.email: _invented(row) for row in rows}


def _invented(row: PersonRow) -> Invented:
    one = row.person
    return Invented(
        email=one.email,
        name=one.name,
        zone=one.zone or "",
        language=one.language or "",
        tags=tuple(one.tags),
        fields={key: _written(value) for key, value in one.fields.items()},
        lists=tuple(slug for slug, _, state in row.lists if state == SubscriptionState.ACTIVE),
    )


def _written(value: object) -> str:
    """A field's value as a file would have it."""
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)
