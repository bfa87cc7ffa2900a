"""The operator's board: whether mail flows, what is late and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from mailer.accounts.rights import Actor, Right, needs
from mailer.db import business_now
from mailer.errors import Refused
from mailer.reports.board import Board, board
from mailer.reports.history import Moment, last_hour, last_hours, last_weeks
from mailer.reports.reasons import WITHIN, ReasonGroup, reasons


@needs(Right.SEE)
def see_board(session: Session, _: Actor, depths: Mapping[str, int | None]) -> Board:
    """All of it now; `depths` of every queue in the broker, with None when that is away."""
    now = business_now(session)
    return board(session, now, depths, last_hour(session, now))


@dataclass(frozen=True)
class History:
    """The last hours and the last weeks."""

    hours: Sequence[Moment]
    weeks: Sequence[Moment]


@needs(Right.SEE)
def see_hours(session: Session, _: Actor) -> Sequence[Moment]:
    """The last hours, for the board."""
    return last_hours(session)


@needs(Right.SEE)
def see_history(session: Session, _: Actor) -> History:
    """How sending went."""
    return History(last_hours(session, hours=24, points=96), last_weeks(session))


@needs(Right.SEE)
def see_reasons(session: Session, _: Actor, within: str) -> Sequence[ReasonGroup]:
    """Why mails were refused or put off within an hour, a day or a week; raises Refused."""
    if within not in WITHIN:
        raise Refused(f"{within!r} is no span of time here; {', '.join(WITHIN)} are.")
    return reasons(session, business_now(session), WITHIN[within])
