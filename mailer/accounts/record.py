"""The record of what people and programs did: every act that sends, deletes, changes or exposes."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from mailer.accounts.rights import Actor
from mailer.db import business_now
from mailer.models import Action


def record(session: Session, actor: Actor, what: str, rows: int = 0, **detail: Any) -> Action:
    """Note that `actor` did `what` ("user invite") to `rows` rows. `detail` holds no secret and no answer."""
    named = {name: value for name, value in detail.items() if value is not None}
    action = Action(at=business_now(session), who=actor.who, what=what, detail=named, rows=rows)
    session.add(action)
    return action
