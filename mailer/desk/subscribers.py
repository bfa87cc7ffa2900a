"""People: added, looked up, changed, taken off lists, exported and erased."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from mailer.accounts.record import record
from mailer.accounts.rights import Actor, Right, needs
from mailer.audience import erasing, subscribers
from mailer.audience.fields import declared_fields, typed_fields
from mailer.audience.lists import Evidence, get_list
from mailer.audience.subscribers import Changes, Person
from mailer.audience.suppression import short_hash
from mailer.db import business_now
from mailer.errors import Refused
from mailer.feedback.record import leave
from mailer.launch.people import change_person
from mailer.models import Subscriber
from mailer.reports import export, why
from mailer.reports.export import Profile
from mailer.schedule.signup import sign_up

Given = str | int | float | bool | None
"""A value of a custom field, as a program or a form gives it."""


@dataclass(frozen=True)
class Added:
    """Who was added; `state` is of the list they were put on, empty when there was none."""

    subscriber_id: int
    state: str = ""


@needs(Right.EXPORT)
def list_subscribers(
    session: Session, actor: Actor, after: int, limit: int, *, tag: str = "", list_: str = "", state: str = ""
) -> Sequence[Subscriber]:
    """For programs: those after the id `after`, in the order of their ids. All of them can be taken out so,
    which is noted when the first of them (after 0) are. Raises NotFound."""
    if list_:
        list_ = get_list(session, list_).slug
    if after <= 0:
        of = str(state) if state else None
        record(session, actor, "subscriber export many", list=list_ or None, tag=tag or None, state=of)
    return subscribers.list_subscribers(session, after, limit, tag=tag, list_=list_, state=state)


@needs(Right.SEE)
def find_subscriber(session: Session, _: Actor, email: str) -> Profile:
    """The person of this address; raises UnknownPerson or BadAddress."""
    found = subscribers.get_subscriber(session, email)
    return export.profile(session, found.id, business_now(session))


@needs(Right.SEE)
def show_subscriber(session: Session, _: Actor, subscriber_id: int) -> Profile:
    """The person of this id; raises UnknownPerson."""
    return export.profile(session, subscriber_id, business_now(session))


@needs(Right.SEE)
def tell_why(session: Session, _: Actor, subscriber_id: int, mail: str | None = None) -> why.Story:
    """Everything that was decided about somebody, or about one of their mails; raises NotFound."""
    return why.why(session, subscribers.subscriber_of(session, subscriber_id).email, mail)


@needs(Right.AUDIENCE)
def add_subscriber(
    session: Session,
    actor: Actor,
    person: Person,
    given: Mapping[str, Given],
    *,
    list_: str = "",
    consent: str = "",
    source: str = "",
) -> Added:
    """Add somebody, or complete what is known; with `list_`, put them on it by the words they agreed to.

    `given` are custom fields. Raises Refused, NotFound, BadAddress, UnknownZone or BadValue.
    """
    fields = {key: value for key, value in _typed(session, given).items() if value is not None}
    whole = Person(person.email, person.name, person.language, person.zone, person.tags, fields)
    if bool(list_) != bool(consent.strip()):
        raise Refused("Name a list together with the words that this person agreed to, or neither.")
    if not list_:
        added = Added(subscribers.add_subscriber(session, whole).id)
    else:
        evidence = Evidence(consent.strip(), source.strip() or actor.who)
        subscription = sign_up(session, whole, get_list(session, list_), evidence, business_now(session))
        added = Added(subscription.subscriber_id, subscription.state)
    record(session, actor, "subscriber add", 1, subscriber=added.subscriber_id)
    return added


@needs(Right.AUDIENCE)
def change_subscriber(
    session: Session, actor: Actor, subscriber_id: int, changes: Changes, given: Mapping[str, Given]
) -> Profile:
    """Change what is known of somebody; a custom field that is given as None is taken away."""
    now = business_now(session)
    whole = Changes(
        changes.name,
        changes.language,
        changes.zone,
        _typed(session, given),
        changes.tags_added,
        changes.tags_removed,
    )
    change_person(session, subscriber_id, whole, now)
    record(session, actor, "subscriber change", 1, subscriber=subscriber_id)
    return export.profile(session, subscriber_id, now)


@needs(Right.AUDIENCE)
def end_subscription(
    session: Session, actor: Actor, subscriber_id: int, list_: str = "", *, source: str = ""
) -> bool:
    """Take somebody off a list and its courses, or (no list) off all of them, with all mail stopped.

    Returns whether anything changed. Raises NotFound.
    """
    subscribers.subscriber_of(session, subscriber_id)
    list_id = get_list(session, list_).id if list_ else None
    now = business_now(session)
    changed = leave(session, subscriber_id, list_id, source=source.strip() or actor.who, now=now)
    if changed:
        record(session, actor, "subscriber leave", 1, subscriber=subscriber_id)
    return changed


@needs(Right.EXPORT)
def export_subscriber(session: Session, actor: Actor, subscriber_id: int) -> dict[str, Any]:
    """All that is kept of somebody, as plain values; noted as taken out. Raises UnknownPerson."""
    found = export.export_person(session, subscriber_id, business_now(session))
    record(session, actor, "subscriber export", 1, subscriber=subscriber_id)
    return found


@needs(Right.AUDIENCE)
def erase_subscriber(session: Session, actor: Actor, subscriber_id: int) -> erasing.Erased:
    """Forget somebody for good; `erasing.erase_subscriber` says what stays. Raises UnknownPerson."""
    hashed = short_hash(subscribers.subscriber_of(session, subscriber_id).email)
    erased = erasing.erase_subscriber(session, subscriber_id, business_now(session))
    record(session, actor, "subscriber erase", 1, address=hashed)
    return erased


def _typed(session: Session, given: Mapping[str, Given]) -> dict[str, Any]:
    """Values of custom fields by their types, None for those to be taken away; raises Refused or BadValue."""
    if not given:
        return {}
    texts = {key: _text(value) for key, value in given.items()}
    typed = typed_fields(texts, declared_fields(session))
    return {key: typed.get(key) for key in given}


def _text(value: Given) -> str:
    if value is None:
        return ""
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)
