"""The record of what was done, as it is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.accounts.record import record
from mailer.accounts.rights import Actor, Right, needs
from mailer.clock import instant_of
from mailer.errors import Refused
from mailer.models import Action

PAGE = 50
NO_DAY = "The day is written as 2026-03-31."


@dataclass(frozen=True)
class ActionsPage:
    """Some of the record, newest first; `before` is the id to ask on with, None at its end."""

    actions: Sequence[Action]
    before: int | None


@needs(Right.SEE)
def list_actions(
    session: Session,
    actor: Actor,
    *,
    who: str = "",
    what: str = "",
    day: date | None = None,
    before: int | None = None,
    most: int = PAGE,
) -> ActionsPage:
    """What `who` did (all of it when empty), of the acts that begin with `what`.

    `day` is a calendar day on the clock of who looks; raises Refused for one at the calendar's ends.
    """
    asked = select(Action).order_by(Action.id.desc()).limit(most + 1)
    if who:
        asked = asked.where(Action.who == who)
    if what:
        asked = asked.where(Action.what.startswith(what, autoescape=True))
    if day is not None:
        begins, ends = _span(day, actor.zone)
        asked = asked.where(Action.at >= begins, Action.at < ends)
    if before is not None:
        asked = asked.where(Action.id < before)
    found = session.scalars(asked).all()
    return ActionsPage(found[:most], found[most - 1].id if len(found) > most else None)


@needs(Right.EXPORT)
def note_export(session: Session, actor: Actor, *, who: str, what: str, day: date | None) -> None:
    """Note that a part of the record is taken out; raises as `list_actions`, or NotAllowed."""
    if day is not None:
        _span(day, actor.zone)
    shown = day.isoformat() if day else None
    record(session, actor, "audit export", person=who or None, act=what or None, day=shown)


def _span(day: date, zone: str) -> tuple[datetime, datetime]:
    """When the day begins and when the next one does; 23 and 25 hours long ones are days, too."""
    # Nobody did anything before 1970, and at the calendar's very ends no zone can be added.
    if not 1970 <= day.year < date.max.year:
        raise Refused(NO_DAY)
    return instant_of(day, time(0), zone), instant_of(day + timedelta(days=1), time(0), zone)
