"""Queues: what waits and moves, and stopping it for a while."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from mailer.desk import holds
from mailer.desk import queues as desk
from mailer.models import HoldCause, HoldScope
from mailer.queue import QUEUES
from mailer.web.api.caller import Run, See
from mailer.web.api.once import OnceDep
from mailer.web.api.subscribers import Told
from mailer.web.deps import PartsDep

router = APIRouter(tags=["Queues"])


class HoldRow(BaseModel):
    """Sending stopped, and why. What a person paused is resumed; the rest is released at the machine."""

    scope: HoldScope
    target: str = Field(examples=["calm"])
    cause: HoldCause
    reason: str
    since: datetime


class HoldAsked(Told):
    """What to stop or let go on: everything (no target), or one lane, sender, domain, course or campaign."""

    scope: HoldScope = Field(examples=["course"])
    target: str = Field(
        default="", max_length=255, examples=["calm"], description="A lane's word, a slug or a domain."
    )
    reason: str = Field(default="", max_length=500, description="Why, for whoever looks next.")


class Changed(BaseModel):
    """Whether anything changed."""

    changed: bool


@router.get("/queues")
def show_queues(parts: PartsDep, actor: See) -> dict[str, Any]:
    """Each lane with what waits, moves and is set aside in it; workers, transports and holds.

    The same as `steadypost queue status --json`.
    """
    # Before the transaction begins: a broker that is away takes seconds to find out.
    depths = parts.broker.depths()
    with parts.session() as session:
        return desk.show_queues(session, actor, {name: depths.get(name) for name in QUEUES}).as_values()


@router.get("/holds")
def list_holds(parts: PartsDep, actor: See) -> list[HoldRow]:
    """What is on hold, oldest first."""
    with parts.session() as session:
        return [HoldRow.model_validate(one, from_attributes=True) for one in desk.list_holds(session, actor)]


@router.post("/holds", response_model=Changed)
def pause(actor: Run, once: OnceDep, asked: HoldAsked) -> Response:
    """Stop sending. What is due waits, and nothing is lost."""
    return once.answer(
        actor,
        lambda session: Changed(
            changed=holds.pause(session, actor, asked.scope, asked.target, asked.reason.strip())
        ),
    )


@router.post("/holds/release", response_model=Changed)
def resume(actor: Run, once: OnceDep, asked: HoldAsked) -> Response:
    """Go on sending what somebody stopped. What is on hold after an outage is released at the machine."""
    return once.answer(
        actor,
        lambda session: Changed(changed=holds.resume(session, actor, asked.scope, asked.target)),
    )
