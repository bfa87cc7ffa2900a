"""Queues: what waits and moves."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Query

from mailer.desk import board
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


class Within(StrEnum):
    """How far back."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"


@router.get("/queues/reasons")
def show_reasons(
    parts: PartsDep, actor: See, within: Annotated[Within, Query(description="How far back.")] = Within.DAY
) -> dict[str, Any]:
    """Why mails were refused or put off, by what the answers were about, with the newest of each."""
    with parts.session() as session:
        return {"reasons": [asdict(group) for group in board.see_reasons(session, actor, within)]}


@router.get("/queues/history")
def show_history(parts: PartsDep, actor: See) -> dict[str, Any]:
    """How sending went: the last day in quarters of an hour, the last weeks in quarters of a day."""
    with parts.session() as session:
        found = board.see_history(session, actor)
        return {
            "hours": [asdict(moment) for moment in found.hours],
            "weeks": [asdict(moment) for moment in found.weeks],
        }
