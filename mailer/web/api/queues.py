"""Queues: what waits and moves."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from mailer.desk import queues as desk
from mailer.queue import QUEUES
from mailer.web.api.caller import See
from mailer.web.deps import PartsDep

router = APIRouter(tags=["Queues"])


@router.get("/queues")
def show_queues(parts: PartsDep, actor: See) -> dict[str, Any]:
    """Each lane with what waits, moves and is set aside in it; workers, transports and holds.

    The same as `steadypost queue status --json`.
    """
    # Before the transaction begins: a broker that is away takes seconds to find out.
    depths = parts.broker.depths()
    with parts.session() as session:
        return desk.show_queues(session, actor, {name: depths.get(name) for name in QUEUES}).as_values()
