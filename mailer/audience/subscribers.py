"""People: adding, finding and describing them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from babel import Locale, UnknownLocaleError
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from mailer.audience.addresses import INVISIBLE, normalise
from mailer.clock import zone
from mailer.errors import NotFound, Refused
from mailer.models import KnownTag, MailingList, Subscriber, Subscription

MAX_NAME = 200
LANGUAGE_TAG = re.compile(r"[a-z]{2,3}([-_][a-z]{4})?([-_]([a-z]{2}|\d{3}))?", re.IGNORECASE | re.ASCII)
"""Language, script and region of BCP 47; we have no use for the rest of it."""
NO_LANGUAGE = frozenset({"und", "mul", "zxx", "mis"})


class UnknownPerson(NotFound):
    """Nobody here has this address; `what` says it."""


@dataclass(frozen=True)
class Person:
    """What is said about somebody when they are added; None and empty mean: not said."""

    email: str
    name: str = ""
    language: str | None = None
    zone: str | None = None
    tags: Sequence[str] = ()
    fields: dict[str, Any] = field(default_factory=dict)

    def checked(self) -> Person:
        """The same person with tidy values; raises BadAddress, UnknownZone or Refused."""
        email, _ = normalise(self.email)
        zone_name = (self.zone or "").strip()
        language = (self.language or "").strip()
        if zone_name:
            zone(zone_name)
        return Person(
            email=email,
            name=tidy_name(self.name),
            language=tidy_language(language) if language else None,
            zone=zone_name or None,
            tags=tuple(sorted({tidy for tag in self.tags if (tidy := tidy_name(tag).lower())})),
            fields=self.fields,
        )


def tidy_name(name: str) -> str:
    """One line without control characters, at most MAX_NAME long: names go into mail headers."""
    if not (name.isascii() and name.isprintable()):
        name = "".join(_visible(sign) for sign in INVISIBLE.sub("", name))
    return " ".join(name.split())[:MAX_NAME].rstrip()


def _visible(sign: str) -> str:
    # Cs: half of a character, which no encoding can write; it comes from bytes that are not UTF-8.
    return " " if unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") else sign


@lru_cache(maxsize=1024)
def tidy_language(tag: str) -> str:
    """A language tag in its usual form ("de", "pt-BR"); raises Refused when it is none (BCP 47)."""
    plain = tag.strip().replace("_", "-")
    try:
        if not LANGUAGE_TAG.fullmatch(plain) or plain.lower().split("-")[0] in NO_LANGUAGE:
            raise ValueError(tag)
        return str(Locale.parse(plain, sep="-")).replace("_", "-")
    except (UnknownLocaleError, ValueError):
        raise Refused(f"{tag[:40]!r} is not a language; write a tag such as en, de or pt-BR.") from None


def add_subscriber(session: Session, person: Person) -> Subscriber:
    """The subscriber of this address, made if new; what is said now replaces what was known, tags add up."""
    subscriber, _ = complete_subscriber(session, person)
    return subscriber


def complete_subscriber(session: Session, person: Person) -> tuple[Subscriber, bool]:
    """`add_subscriber`, and whether somebody who was known already has another zone than before."""
    person = person.checked()
    _, key = normalise(person.email)
    made = session.execute(
        insert(Subscriber)
        .values(email=person.email, email_key=key)
        .on_conflict_do_nothing(index_elements=["email_key"])
        .returning(Subscriber.id)
    ).scalar_one_or_none()
    # No stronger lock: rows that point here are written by others who hold what we may want next.
    known = session.execute(
        select(Subscriber)
        .where(Subscriber.email_key == key)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).scalar_one()
    was = known.zone
    known.name = person.name or known.name
    known.language = person.language or known.language
    known.zone = person.zone or known.zone
    know_tags(session, person.tags)
    known.tags = sorted({*known.tags, *person.tags})
    known.fields = {**known.fields, **person.fields}
    session.flush()
    return known, made is None and known.zone != was


def know_tags(session: Session, tags: Iterable[str]) -> None:
    """Have these tags, tidy as they are kept, among those to choose from."""
    # In one order, so that two who bring the same new tags do not wait for each other in a ring.
    rows = [{"name": tag} for tag in sorted(set(tags))]
    if rows:
        session.execute(insert(KnownTag).on_conflict_do_nothing(index_elements=["name"]), rows)


def get_subscriber(session: Session, email: str) -> Subscriber:
    """The subscriber of this address; raises UnknownPerson or BadAddress."""
    _, key = normalise(email)
    found = session.execute(select(Subscriber).where(Subscriber.email_key == key)).scalar_one_or_none()
    if found is None:
        raise UnknownPerson(f"Nobody here has the address {key}; `steadypost subscriber add` adds somebody.")
    return found


def subscriber_of(session: Session, subscriber_id: int) -> Subscriber:
    """The subscriber of this id; raises UnknownPerson."""
    found = session.get(Subscriber, subscriber_id)
    if found is None:
        raise UnknownPerson(f"Nobody here has the id {subscriber_id}.")
    return found


def list_subscribers(
    session: Session, after: int, limit: int, *, tag: str = "", list_: str = "", state: str = ""
) -> Sequence[Subscriber]:
    """Subscribers in the order of their ids, those after the id `after`, `limit` at most.

    With `tag` only those who have it, with `list_` those who are on it in `state` (empty: in any).
    """
    chosen = select(Subscriber).where(Subscriber.id > after).order_by(Subscriber.id).limit(limit)
    if tag:
        chosen = chosen.where(Subscriber.tags.contains([tidy_name(tag).lower()]))
    if list_:
        on_it = select(Subscription.subscriber_id).join(MailingList, MailingList.id == Subscription.list_id)
        on_it = on_it.where(MailingList.slug == list_, Subscription.subscriber_id > after)
        if state:
            on_it = on_it.where(Subscription.state == state)
        chosen = chosen.where(Subscriber.id.in_(on_it))
    return session.execute(chosen).scalars().all()


@dataclass(frozen=True)
class Changes:
    """What shall be another; None: as it is. A field of `fields` that is None is taken away.

    An empty language or zone means: not known.
    """

    name: str | None = None
    language: str | None = None
    zone: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    tags_added: Sequence[str] = ()
    tags_removed: Sequence[str] = ()


def change_subscriber(session: Session, subscriber: Subscriber, changes: Changes) -> bool:
    """Make these changes; returns whether the zone is another one than before.

    Raises UnknownZone or Refused.
    """
    if changes.zone:
        zone(changes.zone)
    language = tidy_language(changes.language) if changes.language else None
    known = session.execute(
        select(Subscriber)
        .where(Subscriber.id == subscriber.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).scalar_one()
    was = known.zone
    if changes.name is not None:
        known.name = tidy_name(changes.name)
    if changes.language is not None:
        known.language = language
    if changes.zone is not None:
        known.zone = changes.zone or None
    if changes.fields:
        whole = {**known.fields, **changes.fields}
        known.fields = {key: value for key, value in whole.items() if value is not None}
    added, removed = (
        {tidy for tag in tags if (tidy := tidy_name(tag).lower())}
        for tags in (changes.tags_added, changes.tags_removed)
    )
    know_tags(session, added - removed)
    known.tags = sorted({*known.tags, *added} - removed)
    session.flush()
    return known.zone != was


def describe(
    session: Session, subscriber_id: int, *, name: str, language: str | None, zone_name: str | None
) -> bool:
    """What somebody says about themselves takes the place of what was known; the name may be empty.

    None: it stays as it is. Returns whether the zone is another one than before. Raises UnknownZone or
    Refused.
    """
    if zone_name is not None:
        zone(zone_name)
    subscriber = session.get_one(Subscriber, subscriber_id, with_for_update={"key_share": True})
    was = subscriber.zone
    subscriber.name = tidy_name(name)
    subscriber.language = subscriber.language if language is None else tidy_language(language)
    subscriber.zone = was if zone_name is None else zone_name
    session.flush()
    return subscriber.zone != was
