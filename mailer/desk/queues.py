"""Queues: what waits and moves, and what is on hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy.orm import Session

from mailer.accounts.rights import Actor, Right, needs
from mailer.db import business_now
from mailer.delivery import holds
from mailer.models import Hold
from mailer.reports.queues import QueueStatus, queue_status


@needs(Right.SEE)
def show_queues(session: Session, _: Actor, depths: Mapping[str, int | None]) -> QueueStatus:
    """The queues now; `depths` as the broker says them, None for each when it is away."""
    return queue_status(session, business_now(session), depths)


@needs(Right.SEE)
def list_holds(session: Session, _: Actor) -> Sequence[Hold]:
    """What is on hold, oldest first."""
    return holds.list_holds(session)
