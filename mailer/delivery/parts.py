"""Acts that workers do a part at a time: whose turn it is, and what becomes of one whose part fails."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from mailer.db import clock_now
from mailer.errors import MailerError
from mailer.models import BulkAct, ListAct

log = logging.getLogger(__name__)

Act = TypeVar("Act", BulkAct, ListAct)

REST = timedelta(minutes=1)
"""So long an act whose part failed is left alone."""
TRIES = 5

OUR_FAULT = (
    f"Something went wrong on our side {TRIES} times, and is in the log. What was changed stays so; once it "
    "is mended, ask for the rest anew."
)


def take_next(session: Session, kind: type[Act], *which: ColumnElement[bool]) -> Act | None:
    """Lock the oldest open act that nobody is at; those whose part failed come last, and only after REST."""
    is_rested = or_(kind.failed_at.is_(None), kind.failed_at <= func.clock_timestamp() - REST)
    return session.scalar(
        select(kind)
        .where(kind.ended_at.is_(None), is_rested, *which)
        .order_by(kind.failed_at.asc().nulls_first(), kind.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )


def attempt(session: Session, act: Act, do: Callable[[], None], end: Callable[[str], None]) -> None:
    """Do a part, and `end` the act where it is refused; a part that fails has changed nothing.

    What nobody foresaw is tried again, and ends the act after TRIES times one after the other.
    """
    try:
        with session.begin_nested():
            act.failures, act.failed_at = 0, None
            do()
    except MailerError as error:
        end(str(error))
    except Exception as error:
        if getattr(error, "connection_invalidated", False):
            raise  # nobody could note it
        name = act.__tablename__
        log.exception("A part of an act failed", extra={"event": "act.failed", "of": name, "act": act.id})
        act.failures, act.failed_at = act.failures + 1, clock_now(session)
        if act.failures >= TRIES:
            end(OUR_FAULT)
    session.flush()
