"""The audience as the desk shows it: people found, one person, and what is done about their courses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from mailer.accounts.record import record
from mailer.accounts.rights import Actor, Right, needs
from mailer.audience.estimate import About, people_in_all
from mailer.audience.fields import declared_fields
from mailer.audience.lists import get_list, list_lists
from mailer.audience.search import Search, find_people
from mailer.audience.subscribers import subscriber_of
from mailer.audience.tags import list_tags
from mailer.db import business_now
from mailer.models import FieldType, MailingList, PaceChange
from mailer.reports.dossier import Dossier, Reading, dossier, reading
from mailer.reports.subscribers import PersonRow, person_rows
from mailer.schedule.courses import get_course
from mailer.schedule.enroll import enroll
from mailer.schedule.pace_case import Asker

AT_ONCE = 50


@dataclass(frozen=True)
class Asked:
    """Who is looked for, as a page asks: `list_` is a list's slug; see `Search`."""

    words: str = ""
    tag: str = ""
    list_: str = ""
    state: str = ""


@dataclass(frozen=True)
class PeoplePage:
    """Some people; `next` and `is_cut` are as in `Found`."""

    rows: Sequence[PersonRow]
    next: int | None
    is_cut: bool


@dataclass(frozen=True)
class Choices:
    """What there is to choose from where people are looked for or described."""

    lists: Sequence[MailingList]
    tags: Sequence[str]
    fields: dict[str, FieldType]


@needs(Right.SEE)
def search_people(
    session: Session, _: Actor, asked: Asked, before: int | None = None, most: int = AT_ONCE
) -> PeoplePage:
    """Those who fit, the newest first; raises NotFound for a list that is none."""
    list_id = get_list(session, asked.list_).id if asked.list_ else None
    search = Search(asked.words.strip()[:300], asked.tag, list_id, asked.state)
    found = find_people(session, search, before, most)
    return PeoplePage(person_rows(session, found.people, business_now(session)), found.next, found.is_cut)


@needs(Right.SEE)
def count_people(session: Session, _: Actor) -> About:
    """How many people there are, near enough."""
    return people_in_all(session)


@needs(Right.SEE)
def choices(session: Session, _: Actor) -> Choices:
    """Every list, tag and custom field."""
    return Choices(list_lists(session), list_tags(session), declared_fields(session))


@needs(Right.EXPORT)
def note_people_export(session: Session, actor: Actor, asked: Asked) -> dict[str, FieldType]:
    """Note that the people who fit are taken out, and say which fields they may have."""
    list_ = get_list(session, asked.list_).slug if asked.list_ else None
    record(
        session,
        actor,
        "subscriber export many",
        list=list_,
        tag=asked.tag or None,
        state=asked.state or None,
        # Whom somebody looked for may be a person's address.
        searched="yes" if asked.words else None,
    )
    return declared_fields(session)


@needs(Right.SEE)
def open_person(session: Session, _: Actor, subscriber_id: int, most: int | None = None) -> Dossier:
    """One person, with `most` moments of their story; raises UnknownPerson."""
    return dossier(session, subscriber_id, business_now(session), most)


@needs(Right.SEE)
def open_course_of(session: Session, _: Actor, subscriber_id: int, enrollment_id: int) -> Reading:
    """How somebody goes through a course; raises UnknownPerson or NotFound."""
    return reading(session, subscriber_id, enrollment_id, business_now(session))


@needs(Right.AUDIENCE)
def enroll_person(session: Session, actor: Actor, subscriber_id: int, course: str) -> bool:
    """Put somebody into a course; whether it waits for them to confirm. Raises NotFound or NotOnTheList."""
    person, now = subscriber_of(session, subscriber_id), business_now(session)
    waits = enroll(session, get_course(session, course), person, now).waits
    # Which course it is may say what ails somebody.
    record(session, actor, "subscriber enroll", 1, subscriber=subscriber_id)
    return waits


@needs(Right.AUDIENCE)
def change_pace(
    session: Session,
    actor: Actor,
    subscriber_id: int,
    enrollment_id: int,
    wish: Callable[[Session, int, Asker, datetime], PaceChange | None],
    seen: int | None,
) -> bool:
    """Change the pace of somebody's course as they could themselves; whether anything is another now.

    `seen` is the newest change that the page showed. Raises NotFound or PaceRefused.
    """
    now = business_now(session)
    reading(session, subscriber_id, enrollment_id, now)
    change = wish(session, enrollment_id, Asker(actor.who, seen=seen), now)
    if change is None:
        return False
    record(session, actor, "subscriber pace", 1, subscriber=subscriber_id)
    return True
