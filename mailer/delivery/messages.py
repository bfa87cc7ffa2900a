"""Published messages, kept in the process: a version never changes, so rows need not bring its text."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from threading import Lock

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.models import Message
from mailer.render.personalize import Templates

KEPT = 256
"""Versions in memory; some 20 kB each."""


@dataclass(frozen=True, slots=True)
class Published:
    """One published version of one mail. `digest` is of its content, `links` what its author links to.

    `sender_id` is there when it has a sender of its own.
    """

    id: int
    language: str
    digest: str
    templates: Templates
    links: tuple[str, ...] = ()
    sender_id: int | None = None


_kept: OrderedDict[tuple[int, str], Published] = OrderedDict()
_lock = Lock()


def published(session: Session, ids: Collection[int]) -> Mapping[int, Published]:
    """The messages with these ids, by id.

    Only digests are asked for each time: another database (a restore, a test) may have given the same
    id to another text.
    """
    if not ids:
        return {}
    digests = dict(session.execute(select(Message.id, Message.digest).where(Message.id.in_(ids))).all())
    with _lock:
        found = {key[0]: _kept[key] for key in digests.items() if key in _kept}
    missing = digests.keys() - found.keys()
    if missing:
        rows = session.execute(
            select(
                *(Message.id, Message.language, Message.digest),
                *(Message.subject, Message.html, Message.text, Message.links, Message.sender_id),
            ).where(Message.id.in_(missing))
        )
        for row in rows:
            templates = Templates(row.subject, row.html, row.text)
            known = (row.id, row.language, row.digest, templates, tuple(row.links), row.sender_id)
            found[row.id] = Published(*known)
    with _lock:
        for message in found.values():
            _kept[message.id, message.digest] = message
            _kept.move_to_end((message.id, message.digest))
        while len(_kept) > KEPT:
            _kept.popitem(last=False)
    return found
