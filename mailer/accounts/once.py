"""Asking twice does once: what a program's request was answered is kept with the request's own key.

The key, the act and its answer are written in one transaction, so that no crash leaves an act without its
answer. While it runs, a lock that ends with the transaction keeps a second request with the key away.

What is carried out outside of a transaction (a mail that is sent) cannot be so: its key is written before, as
begun, and is never begun a second time.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import NoReturn

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.orm import Session

from mailer.errors import Refused
from mailer.models import KeptAnswer

KEPT = timedelta(hours=24)
BEGUN = 102
"""The status of what is being carried out and has no answer yet (RFC 2518 calls it "Processing")."""
CUT_OFF = timedelta(minutes=15)
"""What began before that is not being carried out any more: five mails to a slow server take 12 minutes."""
AT_ONCE = 10_000
"""So many old answers are forgotten in one go."""


class KeyInUse(Refused):
    """A request with this key is being worked on at this moment."""


class KeyOfAnother(Refused):
    """The key belongs to another request."""


def digest_of(*parts: bytes) -> bytes:
    """What tells one request from another: method, path and body, each with its length before it."""
    hashed = hashlib.sha256()
    for part in parts:
        hashed.update(f"{len(part)}:".encode() + part)
    return hashed.digest()


def find_answer(session: Session, token_id: int, key: str, digest: bytes) -> KeptAnswer | None:
    """The answer that this request had in the last 24 hours, or None: then it is this transaction's to do.

    Raises KeyInUse while another transaction does it or it is carried out, KeyOfAnother when the key was used
    for another request, and Refused when it was cut off while it was carried out.
    """
    lock = func.pg_try_advisory_xact_lock(func.hashtextextended(f"kept answer {token_id} {key}", 0))
    if not session.execute(select(lock)).scalar_one():
        raise KeyInUse("A request with this key is being worked on; ask again in a moment.")
    of_key = (KeptAnswer.token_id == token_id, KeptAnswer.key == key)
    found = session.execute(select(KeptAnswer).where(*of_key, _is_fresh())).scalar_one_or_none()
    if found is None:
        session.execute(delete(KeptAnswer).where(*of_key))
        return None
    if found.digest != digest:
        raise KeyOfAnother("This key was used for another request in the last 24 hours; take a new one.")
    if found.status == BEGUN:
        _refuse_begun(session, found)
    return found


def _refuse_begun(session: Session, begun: KeptAnswer) -> NoReturn:
    is_cut_off = select(KeptAnswer.at < func.clock_timestamp() - CUT_OFF).where(KeptAnswer.id == begun.id)
    if session.execute(is_cut_off).scalar_one():
        raise Refused(
            "The request with this key was cut off, and some of it may have been done. Look first; to do it "
            "all again, take a new key."
        )
    raise KeyInUse("A request with this key is being carried out; ask again in a moment.")


def keep_answer(session: Session, token_id: int, key: str, digest: bytes, status: int, body: str) -> None:
    """Keep what the request is answered."""
    session.add(KeptAnswer(token_id=token_id, key=key, digest=digest, status=status, body=body))
    session.flush()


def finish_answer(session: Session, token_id: int, key: str, status: int, body: str) -> None:
    """Keep what a request is answered that was kept as BEGUN."""
    of_key = (KeptAnswer.token_id == token_id, KeptAnswer.key == key)
    session.execute(update(KeptAnswer).where(*of_key).values(status=status, body=body))


def forget_answers(session: Session) -> int:
    """Forget answers that are older than 24 hours; returns how many, AT_ONCE at most."""
    old = select(KeptAnswer.id).where(~_is_fresh()).limit(AT_ONCE)
    gone = session.execute(delete(KeptAnswer).where(KeptAnswer.id.in_(old)).returning(KeptAnswer.id))
    return len(gone.all())


def _is_fresh() -> ColumnElement[bool]:
    return KeptAnswer.at > func.clock_timestamp() - KEPT
