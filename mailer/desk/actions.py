"""The record of what was done, as it is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.accounts.rights import Actor, Right, needs
from mailer.models import Action

PAGE = 50


@dataclass(frozen=True)
class ActionsPage:
    """Some of the record, newest first; `before` is the id to ask on with, None at its end."""

    actions: Sequence[Action]
    before: int | None


@needs(Right.SEE)
def list_actions(
    session: Session,
    _: Actor,
    *,
    who: str = "",
    what: str = "",
    before: int | None = None,
    most: int = PAGE,
) -> ActionsPage:
    """What `who` did (all of it when empty), of the acts that begin with `what`."""
    asked = select(Action).order_by(Action.id.desc()).limit(most + 1)
    if who:
        asked = asked.where(Action.who == who)
    if what:
        asked = asked.where(Action.what.startswith(what, autoescape=True))
    if before is not None:
        asked = asked.where(Action.id < before)
    found = session.scalars(asked).all()
    return ActionsPage(found[:most], found[most - 1].id if len(found) > most else None)
