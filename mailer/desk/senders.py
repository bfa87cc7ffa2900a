"""Senders: who mails come from, by which transports they go, and the keys that sign them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from mailer.accounts.record import record
from mailer.accounts.rights import Actor, Right, needs
from mailer.db import business_now
from mailer.delivery import roster, senders, signing
from mailer.models import Sender
from mailer.render.dkim import DkimAlgorithm, DnsRecord
from mailer.reports.transports import sender_values
from mailer.schedule.courses import is_published
from mailer.sealing import Seal


@needs(Right.SEE)
def list_senders(
    session: Session, _: Actor, after: str = "", limit: int | None = None
) -> list[dict[str, Any]]:
    """Every sender with its transports and keys; or `limit` at most, those after the slug `after`."""
    return [sender_values(session, one) for one in roster.list_senders(session, after, limit)]


@needs(Right.WRITE)
def senders_to_choose(session: Session, _: Actor) -> list[tuple[str, str]]:
    """Known senders that a course or a campaign may come from: slug, and name with address."""
    return [(one.slug, f"{one.name} <{one.email}>") for one in roster.list_senders(session)]


@needs(Right.SEE)
def show_sender(session: Session, _: Actor, slug: str) -> dict[str, Any]:
    """One of them; `is_written_by_course` when the next publication of a course writes it again."""
    found = sender_values(session, roster.get_sender(session, slug))
    return {**found, "is_written_by_course": is_published(session, slug)}


@needs(Right.RUN)
def add_sender(session: Session, actor: Actor, slug: str, values: Mapping[str, str]) -> Sender:
    """A new sender; raises Refused or BadAddress."""
    return senders.add_sender(session, slug, values, actor.who)


@needs(Right.RUN)
def change_sender(
    session: Session, actor: Actor, slug: str, changes: Mapping[str, str], switches: Mapping[str, bool]
) -> None:
    """Change it; mail that has not left goes out in the new way."""
    senders.change_sender(session, roster.get_sender(session, slug), changes, switches, actor.who)


@needs(Right.RUN)
def use_transport(session: Session, actor: Actor, slug: str, transport: str, weight: int) -> None:
    """Have its mail go by a transport, in proportion to `weight`; 0: only when no other can."""
    by = roster.get_transport(session, transport)
    roster.use_transport(session, roster.get_sender(session, slug), by, weight, actor.who)


@needs(Right.RUN)
def stop_using(session: Session, actor: Actor, slug: str, transport: str) -> bool:
    """Have none of its mail go by a transport any more; False when none did."""
    by = roster.get_transport(session, transport)
    return roster.stop_using(session, roster.get_sender(session, slug), by, actor.who)


@needs(Right.RUN)
def new_key(session: Session, actor: Actor, slug: str, kind: DkimAlgorithm, seal: Seal) -> str:
    """A DKIM key that signs nothing yet; its selector. Its record has to be published first."""
    key = signing.new_key(
        session, roster.get_sender(session, slug), seal, business_now(session), algorithm=kind
    )
    record(session, actor, "sender dkim new", sender=slug, selector=key.selector, domain=key.domain)
    return key.selector


@needs(Right.RUN)
def key_record(session: Session, _: Actor, slug: str, selector: str) -> DnsRecord:
    """What has to stand in the DNS before a key signs; looking for it takes seconds: hold no session."""
    return signing.record_of(signing.find_key(session, roster.get_sender(session, slug), selector))


@needs(Right.RUN)
def activate_key(session: Session, actor: Actor, slug: str, selector: str) -> list[str]:
    """Sign with it from now on; returns the selectors of those that it replaces."""
    key = signing.find_key(session, roster.get_sender(session, slug), selector)
    record(session, actor, "sender dkim activate", sender=slug, selector=selector)
    return [other.selector for other in signing.activate(session, key)]


@needs(Right.RUN)
def retire_key(session: Session, actor: Actor, slug: str, selector: str) -> None:
    """Sign with it no longer."""
    signing.retire(session, signing.find_key(session, roster.get_sender(session, slug), selector))
    record(session, actor, "sender dkim retire", sender=slug, selector=selector)
