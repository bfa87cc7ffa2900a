"""After a worker was lost: its rows end as its journal says, and what it had not sent is planned again."""

from __future__ import annotations

import logging
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from mailer.db import as_array
from mailer.delivery.claim import Claimed, rows_with_a_worker
from mailer.delivery.journal import Entry, read_journals
from mailer.delivery.limits import give_back
from mailer.delivery.outcome import Outcome, after_crash, after_cut, after_reply, put_back, unreachable
from mailer.delivery.policy import Policy
from mailer.delivery.settle import record
from mailer.models import DeliveryState, Lane

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recovered:
    """How many rows were settled, and the journals that are of no more use once that is committed."""

    rows: int
    journals: tuple[Path, ...]

    def forget_journals(self) -> None:
        """To be called after the commit."""
        for path in self.journals:
            path.unlink(missing_ok=True)


_LOST = text("""
    SELECT id, token, delivery_ids, transport_id, domain_group, made_at FROM batches
    WHERE token IS NOT NULL AND (lease_until < clock_timestamp() OR token = ANY (CAST(:gone AS uuid[])))
    ORDER BY id FOR UPDATE SKIP LOCKED
    """)
_OPEN = text("SELECT token FROM batches WHERE token = ANY (CAST(:gone AS uuid[]))")


def recover(session: Session, folder: Path, now: datetime, policy: Policy) -> Recovered:
    """Settle the rows of lost workers.

    A batch is lost when the process that journals its token is gone, or when its lease ran out. No line
    before the final dot: the row is planned again. A reply: that is its result. A dot without a reply, or no
    journal of the batch at all: it is uncertain, and its lane says what follows. The worker itself, should it
    wake up, finds its batch gone and its deadline passed.
    """
    journals = read_journals(folder)
    abandoned = [found for found in journals if found.is_abandoned]
    gone = {"gone": as_array(sorted({token for found in abandoned for token in found.tokens}, key=str))}
    told = _Told(
        {_key(entry): entry for found in journals for entry in found.entries},
        {_key(found.entries[-1]) for found in abandoned if found.entries},
        {token for found in journals for token in found.tokens},
    )
    rows = 0
    for batch in session.execute(_LOST, gone).all():
        try:
            with session.begin_nested():
                rows += _settle(session, batch, told, now, policy)
        except SQLAlchemyError:
            # One that cannot be settled must not keep the others waiting; its journal stays.
            log.exception("Batch %s of a lost worker could not be settled", batch.id)
    # A batch that somebody else has locked is settled by a later look, which needs its journal.
    still_open = set(session.execute(_OPEN, gone).scalars())
    done = tuple(found.path for found in abandoned if not found.tokens & still_open)
    return Recovered(rows, done)


Key = tuple[int, uuid.UUID]


def _key(entry: Entry) -> Key:
    return entry.delivery_id, entry.token


@dataclass(frozen=True)
class _Told:
    """What the journals say of each mail, which may have taken a worker down, and of which tokens at all."""

    known: Mapping[Key, Entry]
    suspects: Set[Key]
    tokens: Set[uuid.UUID]


def _settle(session: Session, batch: Any, told: _Told, now: datetime, policy: Policy) -> int:
    outcomes = [
        _outcome(row, batch.token, told, now, policy)
        for row in rows_with_a_worker(session, batch.id, batch.delivery_ids)
    ]
    record(
        *(session, batch.id, batch.token, outcomes, now, policy),
        transport_id=batch.transport_id,
        is_last=True,
    )
    unused = sum(one.state == DeliveryState.PLANNED and not one.was_tried for one in outcomes)
    if batch.transport_id is not None:
        give_back(session, batch.transport_id, batch.domain_group, unused, batch.made_at)
    if outcomes:
        _tell(batch, outcomes)
    return len(outcomes)


def _tell(batch: Any, outcomes: Sequence[Outcome]) -> None:
    fields = {
        "event": "batch.recovered",
        "batch_id": batch.id,
        "transport": batch.transport_id,
        "mails": dict(Counter(str(outcome.state) for outcome in outcomes)),
        "in_doubt": [one.row.id for one in outcomes if one.is_cut or one.state == DeliveryState.UNCERTAIN],
    }
    log.warning("The mails of a lost worker were settled by its journal", extra=fields)


def _outcome(row: Claimed, token: uuid.UUID, told: _Told, now: datetime, policy: Policy) -> Outcome:
    entry = told.known.get((row.id, token))
    after = policy.after_cut[Lane(row.lane)]
    if token not in told.tokens:
        # Every claim is journaled before its commit, so that what was written is gone: with the machine's
        # power, or in a data folder that is not this one.
        return after_cut(row, "the journal of its worker is lost", after)
    if entry is None:
        return put_back(row, "worker lost")
    if entry.reply is not None:
        return after_reply(row, entry.reply, now)
    if entry.has_dot:
        return after_cut(row, "worker lost after the final dot", after)
    return after_crash(row) if _key(entry) in told.suspects else unreachable(row, "worker lost")
