"""Published messages: a new row for each new version, the old row where nothing changed."""

from __future__ import annotations

import hashlib

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from mailer.content.compile import CompiledMessage
from mailer.content.links import links_in
from mailer.content.system_mails import SYSTEM_MAILS, compile_system_mail
from mailer.i18n import languages
from mailer.models import Message

PUBLISHING = 7_318_002
"""PostgreSQL's advisory lock of whoever publishes."""


def lock_publishing(session: Session) -> None:
    """Wait until nobody else publishes, and keep others from it until this transaction ends.

    One lock for all courses: they may share a list, and publishing is rare and takes a moment.
    """
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": PUBLISHING})


def put_message(
    session: Session, source: str, compiled: CompiledMessage, *, sender_id: int | None = None
) -> int:
    """The id of this message: the newest version of `source` when it is the same, else a new row.

    With a `sender_id` it comes from that sender, whoever its course's or campaign's is.
    """
    digest = message_digest(compiled, sender_id)
    newest = _newest(session, source, compiled.language)
    if newest is not None and newest[1] == digest:
        return newest[0]
    message = Message(
        source=source,
        language=compiled.language,
        digest=digest,
        subject=compiled.subject,
        html=compiled.html,
        text=compiled.text,
        links=list(links_in(compiled.html)),
        sender_id=sender_id,
    )
    session.add(message)
    session.flush()
    return message.id


def publish_system_mails(session: Session) -> None:
    """Publish the system mails in every language that has a catalogue."""
    mails = [
        (f"system/{name}", compile_system_mail(name, language))
        for name in SYSTEM_MAILS
        for language in languages()
    ]
    if all(_is_published(session, source, mail) for source, mail in mails):
        return
    lock_publishing(session)
    for source, mail in mails:
        put_message(session, source, mail)


def message_digest(compiled: CompiledMessage, sender_id: int | None = None) -> str:
    """A fingerprint of all that readers see."""
    parts = [compiled.subject, compiled.html, compiled.text]
    parts += [f"sender {sender_id}"] if sender_id is not None else []
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _is_published(session: Session, source: str, compiled: CompiledMessage) -> bool:
    newest = _newest(session, source, compiled.language)
    return newest is not None and newest[1] == message_digest(compiled)


def _newest(session: Session, source: str, language: str) -> tuple[int, str] | None:
    """The id and digest of the newest version."""
    row = session.execute(
        select(Message.id, Message.digest)
        .where(Message.source == source, Message.language == language)
        .order_by(Message.id.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else (row.id, row.digest)
