"""Telling: a signed call through the guarded fetcher, or a mail by a transport that is not in trouble."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.clock import real_now
from mailer.db import Sessions, clock_now, session_scope
from mailer.delivery.one_mail import plain_mail, send_at_once
from mailer.errors import MailerError
from mailer.fetch import Fetcher
from mailer.models import (
    Alarm,
    AlarmChannel,
    AlarmNote,
    BreakerState,
    ChannelKind,
    NoteKind,
    Sender,
    Transport,
)
from mailer.sealing import Seal
from mailer.webhooks.signature import headers_of

AT_ONCE = 10
PATH_OF_URL = re.compile(r"(https?://[^/\s]+)/\S+")
LEASE = timedelta(minutes=5)
"""After which a note that a lost process had is told again, under the same id."""

WAITS = tuple(timedelta(seconds=seconds) for seconds in (15, 60, 300, 900, 1800, 3600, 7200, 14400, 28800))
"""From try to try, for about sixteen hours."""

SUBJECTS = {
    NoteKind.OPENED: "Alarm",
    NoteKind.RESOLVED: "Resolved",
    NoteKind.TEST: "A test of Steadypost's alarms",
}
TEST_WORDS = "This is a test. Nothing is wrong."


@dataclass(frozen=True)
class Told:
    """One note on its way, with all that is needed when no session is open. `transports`: best first."""

    id: int
    what: NoteKind
    kind: ChannelKind
    to: dict[str, str]
    words: str
    values: dict[str, Any]
    sender: str
    transports: tuple[int, ...]


def tell_due(sessions: Sessions, seal: Seal, fetcher: Fetcher, smtp_url: str, base_url: str) -> int:
    """Tell what is due; returns how many notes were tried. No session is held while others are asked.

    Each is taken when its turn comes: one whose lease ran out behind a slow server would be told twice.
    """
    for number in range(AT_ONCE):
        with session_scope(sessions) as session:
            note = _take(session, seal, base_url)
        if note is None:
            return number
        error = _tell(note, sessions, seal, fetcher, smtp_url)
        with session_scope(sessions) as session:
            _settle(session, note.id, error)
    return AT_ONCE


def _take(session: Session, seal: Seal, base_url: str) -> Told | None:
    clock = clock_now(session)
    row = session.execute(
        select(AlarmNote, AlarmChannel, Alarm)
        .join(AlarmChannel, AlarmChannel.id == AlarmNote.channel_id)
        .outerjoin(Alarm, Alarm.id == AlarmNote.alarm_id)
        .where(AlarmNote.next_try_at <= clock)
        .order_by(AlarmNote.id)
        .limit(1)
        .with_for_update(of=AlarmNote, skip_locked=True)
    ).one_or_none()
    if row is None:
        return None
    note, channel, alarm = row
    sender = session.scalar(select(Sender.email).order_by(Sender.id).limit(1)) or ""
    note.next_try_at, note.tries = clock + LEASE, note.tries + 1
    to = json.loads(seal.open(channel.sealed, "An address for alarms"))
    transports = _by_health(session, alarm.transport_id if alarm else None)
    session.flush()
    return Told(
        *(note.id, NoteKind(note.what), ChannelKind(channel.kind), to),
        *(alarm.words if alarm else TEST_WORDS, _values(note, alarm, base_url), sender, transports),
    )


def _by_health(session: Session, in_trouble: int | None) -> tuple[int, ...]:
    """Transports, those that work first; the one in trouble only when there is no other."""
    rows = session.scalars(
        select(Transport).where(Transport.paused_at.is_(None)).order_by(Transport.id)
    ).all()
    in_order = sorted(rows, key=lambda one: (one.id == in_trouble, one.state != BreakerState.CLOSED))
    return tuple(one.id for one in in_order)


def _values(note: AlarmNote, alarm: Alarm | None, base_url: str) -> dict[str, Any]:
    """What a program is told."""
    if alarm is None:
        return {"words": TEST_WORDS, "link": f"{base_url}/desk/alarms"}
    return {
        "alarm": alarm.id,
        "kind": alarm.kind,
        "target": alarm.target,
        "words": alarm.words,
        "since": alarm.seen_at.isoformat(),
        "resolved_at": alarm.resolved_at.isoformat()
        if note.what == NoteKind.RESOLVED and alarm.resolved_at
        else None,
        "link": f"{base_url}/desk/operating#{alarm.kind}",
    }


def _tell(note: Told, sessions: Sessions, seal: Seal, fetcher: Fetcher, smtp_url: str) -> str:
    """Tell one; why it was not told, or nothing."""
    try:
        if note.kind is ChannelKind.WEBHOOK:
            return _call(note, fetcher)
        return _mail(note, sessions, seal, fetcher, smtp_url)
    except MailerError as error:
        # Everybody reads it, and what follows the host of an address is often a secret.
        return PATH_OF_URL.sub(r"\1/…", str(error))[:300]


def _call(note: Told, fetcher: Fetcher) -> str:
    body = json.dumps({"type": f"alarm.{note.what}", "data": note.values}, ensure_ascii=False).encode()
    signed = headers_of(f"alarm_{note.id}", body, [note.to["secret"]], real_now())
    got = asyncio.run(fetcher.post(note.to["url"], body, {"content-type": "application/json", **signed}))
    return "" if 200 <= got.status < 300 else f"it answered {got.status}"


def _mail(note: Told, sessions: Sessions, seal: Seal, fetcher: Fetcher, smtp_url: str) -> str:
    """By the first transport that takes it."""
    subject = SUBJECTS[note.what] if note.what is NoteKind.TEST else f"{SUBJECTS[note.what]}: {note.words}"
    email = plain_mail(
        from_=note.sender or note.to["to"],
        from_name="Steadypost",
        to=note.to["to"],
        subject=subject[:200],
        text=_text(note),
        key=f"alarm-{note.id}",
    )
    last = "there is no transport that is not paused"
    for transport_id in note.transports:
        try:
            send_at_once(sessions, seal, smtp_url, fetcher, transport_id, email)
        except MailerError as error:
            last = str(error)[:300]
        else:
            return ""
    return last


def _text(note: Told) -> str:
    lines = {
        NoteKind.OPENED: f"{note.words}\n\nWhat to do: {note.values['link']}\n",
        NoteKind.RESOLVED: f"This is over: {note.words}\n",
        NoteKind.TEST: f"{note.words}\n",
    }
    since = note.values.get("since")
    return lines[note.what] + (f"\nFirst seen: {since}\n" if since else "")


def _settle(session: Session, note_id: int, error: str) -> None:
    note = session.get(AlarmNote, note_id, with_for_update=True)
    if note is None:
        return
    clock = clock_now(session)
    note.error = error
    if not error:
        note.told_at, note.next_try_at = clock, None
    elif note.next_try_at is not None:  # None: it is over meanwhile
        note.next_try_at = clock + WAITS[note.tries - 1] if note.tries <= len(WAITS) else None
