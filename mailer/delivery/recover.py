"""After a worker was lost: its rows end as its journal says, and what it had not sent is planned again."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Set
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mailer.delivery.claim import Claimed, claimed_rows
from mailer.delivery.journal import Entry, read_journals
from mailer.delivery.outcome import Outcome, after_crash, after_cut, after_reply, unreachable
from mailer.delivery.settle import record
from mailer.models import Delivery, DeliveryState


@dataclass(frozen=True)
class Recovered:
    """How many rows were settled, and the journals that are of no more use once that is committed."""

    rows: int
    journals: tuple[Path, ...]

    def forget_journals(self) -> None:
        """To be called after the commit."""
        for path in self.journals:
            path.unlink(missing_ok=True)


def recover(session: Session, folder: Path, now: datetime) -> Recovered:
    """Settle the rows of lost workers.

    A row is lost when the process that journals its token is gone, or when its lease ran out. No line
    before the final dot: it is planned again. A reply: that is its result. A dot without a reply: it is
    uncertain, and its lane says what follows. The worker itself, should it wake up, finds its token
    taken and its deadline passed.
    """
    journals = read_journals(folder)
    abandoned = [found for found in journals if found.is_abandoned]
    gone = {token for found in abandoned for token in found.tokens}
    known = {_key(entry): entry for found in journals for entry in found.entries}
    is_lost = (Delivery.lease_until < func.clock_timestamp()) | Delivery.token.in_(gone)
    ids = session.execute(
        select(Delivery.id)
        .where(Delivery.state == DeliveryState.SENDING, is_lost)
        .with_for_update(skip_locked=True)
    ).scalars()
    suspects = {_key(found.entries[-1]) for found in abandoned if found.entries}
    outcomes = [_outcome(row, known, suspects, now) for row in claimed_rows(session, list(ids))]
    record(session, outcomes, now)
    # A row that somebody else has locked is settled by a later look, which needs its journal.
    open_tokens = set(
        session.execute(
            select(Delivery.token).where(Delivery.state == DeliveryState.SENDING, Delivery.token.in_(gone))
        ).scalars()
    )
    done = tuple(found.path for found in abandoned if not found.tokens & open_tokens)
    return Recovered(len(outcomes), done)


Key = tuple[int, uuid.UUID]


def _key(entry: Entry) -> Key:
    return entry.delivery_id, entry.token


def _outcome(row: Claimed, known: Mapping[Key, Entry], suspects: Set[Key], now: datetime) -> Outcome:
    entry = known.get((row.id, row.token))
    if entry is None:
        return Outcome(row, DeliveryState.PLANNED, "worker lost", was_tried=False)
    if entry.reply is not None:
        return after_reply(row, entry.reply, now)
    if entry.has_dot:
        return after_cut(row, "worker lost after the final dot")
    return after_crash(row) if _key(entry) in suspects else unreachable(row, "worker lost")
