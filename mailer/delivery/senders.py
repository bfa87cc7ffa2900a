"""Senders: who mails come from, as people make and change them. Each change leaves an Action."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.audience.addresses import normalise
from mailer.db import business_now
from mailer.delivery.roster import SLUG
from mailer.errors import Refused
from mailer.models import Action, Sender

TEXTS = ("name", "email", "reply_to", "postal_address")
SWITCHES = ("track_clicks", "track_opens", "decoy")


def add_sender(session: Session, slug: str, values: Mapping[str, str], who: str) -> Sender:
    """A new sender; `values` are of TEXTS. Raises Refused for a taken name or a value that is none."""
    if not SLUG(slug):
        raise Refused(f"{slug!r} is no name for a sender; use small letters, digits and hyphens.")
    if session.execute(select(Sender.id).where(Sender.slug == slug)).one_or_none():
        raise Refused(f"There is a sender {slug} already.")
    sender = Sender(slug=slug, **dict.fromkeys(TEXTS, ""))
    _fill(sender, {field: values.get(field, "").strip() for field in TEXTS})
    session.add(sender)
    session.flush()
    _note(session, who, "sender add", slug, TEXTS)
    return sender


def change_sender(
    session: Session, sender: Sender, changes: Mapping[str, str], switches: Mapping[str, bool], who: str
) -> None:
    """Change a sender; mail that has not left goes out in the new way. Raises Refused."""
    if switches.get("decoy", sender.decoy) and not switches.get("track_clicks", sender.track_clicks):
        raise Refused("A decoy is of use only where clicks are counted; give --track-clicks, or --no-decoy.")
    _fill(sender, dict(changes))
    for field, is_on in switches.items():
        setattr(sender, field, is_on)
    session.flush()
    _note(session, who, "sender edit", sender.slug, [*changes, *switches])


def _fill(sender: Sender, changes: dict[str, str]) -> None:
    for field in ("name", "email", "postal_address"):
        if changes.get(field) == "":
            raise Refused(f"A sender needs its {field.replace('_', ' ')}.")
    for field in ("email", "reply_to"):
        if changes.get(field):
            changes[field], _ = normalise(changes[field])
    for field, value in changes.items():
        if not value.isprintable():
            raise Refused(f"The {field.replace('_', ' ')} holds a line break; write it on one line.")
        setattr(sender, field, value)


def _note(session: Session, who: str, what: str, slug: str, fields: list[str] | tuple[str, ...]) -> None:
    detail = {"sender": slug, "fields": sorted(fields)}
    session.add(Action(at=business_now(session), who=who, what=what, detail=detail, rows=0))
