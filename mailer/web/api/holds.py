"""Holds: stopping sending and letting it go on, also after an outage with a choice for what is overdue."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from mailer.desk import holds as desk
from mailer.desk.queues import list_holds as list_all
from mailer.launch.backlog import Effect
from mailer.models import HoldCause, HoldScope
from mailer.schedule.catchup import STALE_AFTER, Policy
from mailer.web.api.caller import Run, See
from mailer.web.api.once import OnceDep
from mailer.web.api.paging import Page, PagingDep
from mailer.web.api.told import Changed, Told
from mailer.web.deps import PartsDep
from mailer.web.operator.holds import let_go_on

router = APIRouter(tags=["Queues"])

HOURS = STALE_AFTER // timedelta(hours=1)
MOST_HOURS = 24 * 365


class HoldRow(BaseModel):
    """Sending stopped, and why. What a person paused is resumed; the rest is let go on."""

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


class EffectShown(BaseModel):
    """What a policy would do: mails that leave `late` or are passed over; readers for whom it is `over`."""

    late: int
    passed_over: int
    over: int
    delay: int = Field(description="By how many days a course ends later, at most.")

    @classmethod
    def of(cls, found: Effect) -> EffectShown:
        return cls.model_validate(found, from_attributes=True)


class OverdueShown(BaseModel):
    """What stopped by itself, and what each policy would do about what is overdue."""

    holds: list[HoldRow] = Field(examples=[[]])
    is_fence: bool = Field(description="All is stopped: it may be a copy. `adopt` says that it is not.")
    people: int = Field(description="Readers who are owed something.")
    policies: dict[Policy, EffectShown] = Field(examples=[{}])


class GoingOn(Told):
    """What becomes of what is overdue: shift passes nothing over, rhythm goes back to the course's dates,
    skip-stale passes over what is later than `stale_after_hours`."""

    policy: Policy = Field(examples=["shift"])
    stale_after_hours: int = Field(default=HOURS, ge=0, le=MOST_HOURS)
    adopt: bool = Field(
        default=False, description="This installation is the one that sends from this database."
    )


class WentOn(BaseModel):
    """How many mails were passed over."""

    passed_over: int


@router.get("/holds")
def list_holds(parts: PartsDep, actor: See, paging: PagingDep) -> Page[HoldRow]:
    """What is on hold, oldest first."""
    with parts.session() as session:
        rows = list_all(session, actor)
        return paging.part(rows, "holds", lambda one: HoldRow.model_validate(one, from_attributes=True))


@router.post("/holds", response_model=Changed)
def pause(actor: Run, once: OnceDep, asked: HoldAsked) -> Response:
    """Stop sending. What is due waits, and nothing is lost."""
    return once.answer(
        actor,
        lambda session: Changed(
            changed=desk.pause(session, actor, asked.scope, asked.target, asked.reason.strip())
        ),
    )


@router.post("/holds/release", response_model=Changed)
def resume(actor: Run, once: OnceDep, asked: HoldAsked) -> Response:
    """Go on sending what somebody stopped. What stopped by itself takes a choice: `POST /holds/go-on`."""
    return once.answer(
        actor,
        lambda session: Changed(changed=desk.resume(session, actor, asked.scope, asked.target)),
    )


@router.get("/holds/overdue")
def show_overdue(
    parts: PartsDep,
    actor: See,
    stale_after_hours: Annotated[int, Query(ge=0, le=MOST_HOURS)] = HOURS,
) -> OverdueShown:
    """What stopped by itself after an outage or a restore, and what each choice would do.

    It reads the places of all readers, which takes a while.
    """
    with parts.session() as session:
        view = desk.see_release(session, actor, timedelta(hours=stale_after_hours))
        return OverdueShown(
            holds=[HoldRow.model_validate(one, from_attributes=True) for one in view.holds],
            is_fence=view.is_fence,
            people=view.backlog.first_wave,
            policies={policy: EffectShown.of(view.backlog.total(policy)) for policy in Policy},
        )


@router.post("/holds/go-on", response_model=WentOn)
def go_on_after_outage(parts: PartsDep, actor: Run, once: OnceDep, asked: GoingOn) -> Response:
    """Let go on what stopped by itself. Cut off, ask again: what was passed over stays so."""
    if (known := once.known(actor)) is not None:
        return known
    stale_after = timedelta(hours=asked.stale_after_hours)
    passed_over = let_go_on(parts, actor, asked.policy, stale_after, adopt=asked.adopt)
    return once.answer(actor, lambda _: WentOn(passed_over=passed_over))
