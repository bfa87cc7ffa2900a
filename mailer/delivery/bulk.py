"""Acts on many mails, done by a worker a part at a time: begun again where they were left, and never twice.

A part's rows and how far the act is are written in one transaction. The act goes through the ids upwards, so
a mail that comes back into the state it was taken from, as one that fails again, is not taken up twice.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session

from mailer.db import business_now, clock_now
from mailer.delivery import ledger
from mailer.delivery.ledger import VERBS, Filter
from mailer.errors import MailerError, NotFound
from mailer.models import BulkAct, DeliveryState

log = logging.getLogger(__name__)

AT_ONCE = 2_000
"""So many mails are changed while somebody waits for the page; and in one part of a longer act."""

REST = timedelta(minutes=1)
"""So long an act whose part failed is left alone."""
TRIES = 5

MORE = "More had come by then than were confirmed; look again."

OUR_FAULT = (
    f"Something went wrong on our side {TRIES} times, and is in the log. What was changed stays so; once it "
    "is mended, ask for the rest anew."
)


def is_many(seen: int) -> bool:
    """Whether an act on so many is asked for, and done by workers."""
    return seen > AT_ONCE


def ask(session: Session, verb: str, filter_: Filter, seen: int, *, who: str, because: str = "") -> BulkAct:
    """Have a worker do `verb` to those that the filter names, to no more than were `seen`."""
    named = {name: value for name, value in asdict(filter_).items() if value}
    asked = BulkAct(who=who, verb=verb, filter=named, seen=seen, because=because)
    session.add(asked)
    session.flush()
    return asked


def get_act(session: Session, act_id: int) -> BulkAct:
    """Raises NotFound."""
    found = session.get(BulkAct, act_id)
    if found is None:
        raise NotFound("There is no such act.")
    return found


def open_acts(session: Session) -> Sequence[BulkAct]:
    """Those that have not ended, the oldest first."""
    return session.scalars(select(BulkAct).where(BulkAct.ended_at.is_(None)).order_by(BulkAct.id)).all()


def stop(session: Session, act_id: int, now: datetime, *, who: str) -> BulkAct:
    """Do no more of it; waits for the part that is under way. Raises NotFound."""
    found = session.get(BulkAct, act_id, with_for_update=True, populate_existing=True)
    if found is None:
        raise NotFound("There is no such act.")
    if found.ended_at is None:
        _end(session, found, now, f"{who} stopped it.")
    return found


def do_part(session: Session) -> bool:
    """Do one part of an act that nobody is at, the oldest first; whether there was any.

    What failed by something that nobody foresaw is tried again after REST, behind all others, and ended after
    TRIES times one after the other.
    """
    mine = session.scalar(_next().with_for_update(skip_locked=True))
    if mine is None:
        return False
    now = business_now(session)
    try:
        with session.begin_nested():
            _do_some(session, mine, now)
    except MailerError as error:
        # What was refused has changed nothing.
        _end(session, mine, now, str(error))
    except Exception as error:
        if getattr(error, "connection_invalidated", False):
            raise  # nobody could note it
        _note_failure(session, mine, now)
    session.flush()
    return True


def _next() -> Select[BulkAct]:
    is_rested = or_(BulkAct.failed_at.is_(None), BulkAct.failed_at <= func.clock_timestamp() - REST)
    in_order = BulkAct.failed_at.asc().nulls_first(), BulkAct.id
    return select(BulkAct).where(BulkAct.ended_at.is_(None), is_rested).order_by(*in_order).limit(1)


def _do_some(session: Session, mine: BulkAct, now: datetime) -> None:
    verb, filter_ = VERBS[mine.verb], filter_of(mine)
    chosen = ledger.choose_part(session, verb, filter_, mine.up_to, _room(mine))
    mine.changed += ledger.change(session, chosen, now, because=mine.because).total()
    mine.up_to = max((number for ids in chosen.ids.values() for number in ids), default=mine.up_to)
    mine.failures, mine.failed_at = 0, None
    if not chosen.total:
        _end(session, mine, now, "")
    elif not _room(mine):
        after = ledger.choose_part(session, verb, filter_, mine.up_to, 1)
        _end(session, mine, now, MORE if after.total else "")


def _note_failure(session: Session, mine: BulkAct, now: datetime) -> None:
    """Write that a part failed; nothing of that part was changed."""
    log.exception("A part of an act on many mails failed", extra={"event": "bulk.failed", "act": mine.id})
    mine.failures, mine.failed_at = mine.failures + 1, clock_now(session)
    if mine.failures >= TRIES:
        _end(session, mine, now, OUR_FAULT)


def filter_of(act: BulkAct) -> Filter:
    """The filter as it was asked for."""
    named: dict[str, Any] = dict(act.filter)
    named["states"] = tuple(DeliveryState(state) for state in named.get("states", ()))
    named["ids"] = tuple(named.get("ids", ()))
    return Filter(**named)


def _room(act: BulkAct) -> int:
    return min(AT_ONCE, act.seen - act.changed)


def _end(session: Session, act: BulkAct, now: datetime, error: str) -> None:
    act.ended_at = clock_now(session)
    act.error = error
    if act.changed:
        ledger.note_act(
            *(session, VERBS[act.verb], filter_of(act), now, act.changed), who=act.who, because=act.because
        )
