"""Who is told: mail addresses, and programs that listen at an address of their own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from urllib.parse import urlsplit

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session, aliased

from mailer.audience.addresses import normalise
from mailer.db import clock_now
from mailer.errors import NotFound, Refused
from mailer.models import Alarm, AlarmChannel, AlarmNote, ChannelKind, NoteKind
from mailer.sealing import Seal
from mailer.webhooks.endpoints import listening_address
from mailer.webhooks.signature import new_secret

MOST = 20
"""Channels; more is a mistake, and each is told of everything."""


def add_channel(session: Session, seal: Seal, kind: str, address: str, who: str) -> tuple[AlarmChannel, str]:
    """A new one, and the secret that signs its calls (empty for mail), shown once.

    Raises Refused, BadAddress or CannotFetch (no address of the web).
    """
    if kind not in list(ChannelKind):
        raise Refused(f"Alarms are told by {' or '.join(ChannelKind)}.")
    if len(list_channels(session)) >= MOST:
        raise Refused(f"{MOST} are told already; remove one first.")
    secret = ""
    if kind == ChannelKind.MAIL:
        shown, _ = normalise(address)
        kept = {"to": shown}
    else:
        url, secret = listening_address(address), new_secret()
        # What follows the host is often a key by itself.
        shown = f"{urlsplit(url).scheme}://{urlsplit(url).netloc.rpartition('@')[2]}/…"
        kept = {"url": url, "secret": secret}
    channel = AlarmChannel(
        kind=kind,
        sealed=seal.close(json.dumps(kept)),
        shown=shown,
        created_at=clock_now(session),
        created_by=who,
    )
    session.add(channel)
    session.flush()
    return channel, secret


def get_channel(session: Session, channel_id: int) -> AlarmChannel:
    """The one of this id; raises NotFound."""
    channel = session.get(AlarmChannel, channel_id)
    if channel is None:
        raise NotFound("Nobody is told by that; look at the list.")
    return channel


def list_channels(session: Session) -> Sequence[AlarmChannel]:
    """All of them, oldest first."""
    return session.scalars(select(AlarmChannel).order_by(AlarmChannel.id)).all()


def last_notes(session: Session) -> dict[int, AlarmNote]:
    """What each channel was told last, or is to be told."""
    newest = select(func.max(AlarmNote.id)).group_by(AlarmNote.channel_id)
    return {
        note.channel_id: note for note in session.scalars(select(AlarmNote).where(AlarmNote.id.in_(newest)))
    }


def try_channel(session: Session, channel: AlarmChannel) -> None:
    """Have it told that this is a test."""
    clock = clock_now(session)
    session.add(AlarmNote(channel_id=channel.id, what=NoteKind.TEST, made_at=clock, next_try_at=clock))
    session.flush()


def list_alarms(session: Session, before: int | None = None, most: int = 50) -> Sequence[Alarm]:
    """The alarms that were told, newest first, or those that come behind the one of the id `before`."""
    told = select(Alarm).where(Alarm.opened_at.is_not(None))
    if before is not None:
        one = aliased(Alarm)
        place = select(one.opened_at, one.id).where(one.id == before).subquery()
        told = told.join(place, tuple_(Alarm.opened_at, Alarm.id) < tuple_(place.c.opened_at, place.c.id))
    return session.scalars(told.order_by(Alarm.opened_at.desc(), Alarm.id.desc()).limit(most)).all()
