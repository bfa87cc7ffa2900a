"""Suppression: addresses that must not be mailed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from mailer.audience.suppression import who_may_lift
from mailer.desk import suppression as desk
from mailer.models import Suppression, SuppressionReason
from mailer.web.api.caller import Audience, Export, See
from mailer.web.api.once import OnceDep
from mailer.web.api.paging import Page, PagingDep
from mailer.web.api.subscribers import Address
from mailer.web.api.told import Changed, Told
from mailer.web.deps import PartsDep

router = APIRouter(prefix="/suppressions", tags=["Suppression"])

AT_ONCE = 1000


class SuppressionRow(BaseModel):
    """An address that is not mailed; null when its owner was erased. `until`: null for good."""

    email: str | None = Field(examples=["cleo@reader.example"])
    reason: SuppressionReason
    detail: str
    at: datetime
    until: datetime | None

    @classmethod
    def of(cls, row: Suppression) -> SuppressionRow:
        return cls.model_validate(row, from_attributes=True)


class FoundSuppression(BaseModel):
    """Whether an address is suppressed now, and why."""

    is_suppressed: bool
    reason: SuppressionReason | None = None
    detail: str = ""
    at: datetime | None = None
    until: datetime | None = None


class Suppressing(Told):
    """Addresses to stop all mail to. Bounces and readers' own stops are recorded as they happen."""

    emails: list[str] = Field(min_length=1, max_length=AT_ONCE, examples=[["cleo@reader.example"]])
    reason: SuppressionReason = Field(
        default=SuppressionReason.MANUAL, description="manual or complaint.", examples=["manual"]
    )
    detail: str = Field(
        default="", max_length=500, examples=["by letter"], description="Where this comes from."
    )


class Stopped(BaseModel):
    """How many are new, have a graver reason now, or stay as they were."""

    new: int
    graver: int
    known: int


class Lifting(Told):
    """An address to mail again. What the reader wanted is lifted only by saying so, and because of what."""

    email: str = Field(max_length=320, examples=["cleo@reader.example"])
    despite_their_wish: bool = False
    because: str = Field(default="", max_length=500, examples=["they asked for it by letter"])


@router.get("")
def list_suppressions(
    parts: PartsDep, actor: Export, paging: PagingDep, reason: SuppressionReason | None = None
) -> Page[SuppressionRow]:
    """The addresses that are not mailed and why, those recorded last first; noted as taken out."""
    before = paging.after("suppressions", int)
    with parts.session() as session:
        rows = desk.page_suppressions(session, actor, reason, before, paging.limit + 1)
        return paging.page(rows, "suppressions", lambda row: row.id, SuppressionRow.of)


@router.post("", response_model=Stopped)
def suppress(actor: Audience, once: OnceDep, asked: Suppressing) -> Response:
    """Stop all mail to addresses. What is stopped already stays as it is."""
    return once.answer(
        actor,
        lambda session: Stopped.model_validate(
            desk.suppress(session, actor, asked.emails, asked.reason, asked.detail.strip()),
            from_attributes=True,
        ),
    )


@router.post("/find", response_model=FoundSuppression)
def find_suppression(actor: See, once: OnceDep, asked: Address) -> Response:
    """Why an address is not mailed, if it is not. It is sent in the body, so that it ends in no log."""

    def act(session: Any) -> FoundSuppression:
        found = desk.find_suppression(session, actor, asked.email)
        if found is None:
            return FoundSuppression(is_suppressed=False)
        told = {name: getattr(found, name) for name in ("reason", "detail", "at", "until")}
        return FoundSuppression(is_suppressed=True, **told)

    return once.answer(actor, act)


@router.post("/lift", response_model=Changed)
def lift(parts: PartsDep, actor: Audience, once: OnceDep, asked: Lifting) -> Response:
    """Mail an address again. Courses that ended for it stay ended until somebody enrolls them anew."""

    def act(session: Any) -> Changed:
        desk.lift(
            session,
            actor,
            asked.email,
            who_may_lift(parts.settings),
            despite_their_wish=asked.despite_their_wish,
            because=asked.because,
        )
        return Changed(changed=True)

    return once.answer(actor, act)
