"""Acts on many mails, done by a worker a part at a time: begun again where they were left, and never twice.

A part's rows and how far the act is are written in one transaction. The act goes through the ids upwards, so
a mail that comes back into the state it was taken from, as one that fails again, is not taken up twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.db import business_now, clock_now
from mailer.delivery import ledger
from mailer.delivery.ledger import Filter
from mailer.delivery.parts import attempt, take_next
from mailer.delivery.verbs import VERBS
from mailer.errors import NotFound
from mailer.models import BulkAct, DeliveryState

AT_ONCE = 2_000
"""So many mails are changed while somebody waits for the page; and in one part of a longer act."""

MORE = "More had come by then than were confirmed; look again."


def is_many(seen: int) -> bool:
    """Whether an act on so many is asked for, and done by workers."""
    return seen > AT_ONCE


def ask(
    session: Session,
    verb: str,
    filter_: Filter,
    seen: int,
    *,
    who: str,
    because: str = "",
    seen_at: datetime | None = None,
) -> BulkAct:
    """Have a worker do `verb` to those that the filter names, to no more than were `seen` then (now)."""
    named = {name: value for name, value in asdict(filter_).items() if value}
    asked = BulkAct(who=who, verb=verb, filter=named, seen=seen, because=because)
    asked.asked_at = seen_at or clock_now(session)
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
    """Do one part of an act that nobody is at, the oldest first; whether there was any."""
    mine = take_next(session, BulkAct)
    if mine is None:
        return False
    now = business_now(session)
    attempt(
        session, mine, lambda: _do_some(session, mine, now), lambda error: _end(session, mine, now, error)
    )
    return True


def _do_some(session: Session, mine: BulkAct, now: datetime) -> None:
    verb, filter_ = VERBS[mine.verb], filter_of(mine)
    # None that came after somebody had looked: their places may be taken by others meanwhile.
    chosen = ledger.choose_part(session, verb, filter_, mine.up_to, _room(mine), mine.asked_at)
    mine.changed += ledger.change(session, chosen, now, because=mine.because).total()
    mine.up_to = max((number for ids in chosen.ids.values() for number in ids), default=mine.up_to)
    if not chosen.total:
        _end(session, mine, now, "")
    elif not _room(mine):
        after = ledger.choose_part(session, verb, filter_, mine.up_to, 1, mine.asked_at)
        _end(session, mine, now, MORE if after.total else "")


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
