"""What campaigns did: how far one is, who followed which link, who did not get it, and its test."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from mailer.audience.aim import Again
from mailer.desk import sent as desk
from mailer.errors import NotFound
from mailer.models import DeliveryState
from mailer.reports.sending import Progress
from mailer.web.api.caller import Export, See, Send, Write
from mailer.web.api.campaigns import Slug
from mailer.web.api.once import OnceDep
from mailer.web.api.paging import Page, PagingDep
from mailer.web.api.told import Changed, Told, Why
from mailer.web.deps import PartsDep

router = APIRouter(prefix="/campaigns/{slug}", tags=["Campaigns"])

Variant = Annotated[str, Field(min_length=1, max_length=1, examples=["b"])]


class ProgressShown(BaseModel):
    """How far a campaign is. `per_second` is of the last minute; `hold` is why it is paused."""

    state: str = Field(examples=["sending"])
    phase: str = Field(examples=["whole"])
    audience: int
    accepted: int
    not_reached: int
    uncertain: int
    waiting: int
    held: int
    quarantined: int
    is_over: bool
    per_second: float | None
    hold: str
    by_canary: bool
    is_stopped_above: bool
    ends_at: datetime | None
    winner: str | None = Field(description="The variant that the rest of its audience gets.")

    @classmethod
    def of(cls, found: Progress) -> ProgressShown:
        row, phases = found.report.row, found.report.phases
        ours = {name: getattr(found, name) for name in cls.model_fields if hasattr(found, name)}
        return cls(
            **ours,
            state=row.state,
            phase=row.phase,
            audience=found.report.statement.audience,
            winner=phases.winner if phases else None,
        )


class ScoreShown(BaseModel):
    """How one variant of a test does: mails that servers took, and people who clicked, opened, or left."""

    name: str = Field(examples=["a"])
    accepted: int
    clicks: int
    opens: int
    unsubscribes: int


class LinkShown(BaseModel):
    """One address in the mails. `people` counts each person once; the others are requests."""

    url: str = Field(examples=["https://example.org"])
    people: int
    machines: int
    requests: int


class LinksShown(BaseModel):
    """Who followed which link of one variant. `opened`: the pixel was loaded, mostly by a program."""

    people: int
    machines: int
    requests: int
    opened: int
    links: list[LinkShown]


class NotReachedShown(BaseModel):
    """Somebody who did not get it. `said` is what a server answered last."""

    delivery_id: int
    subscriber_id: int
    email: str = Field(examples=["cleo@reader.example"])
    state: DeliveryState
    reason: str
    said: str
    at: datetime | None


class AfterwardsShown(BaseModel):
    """What came back later of what was accepted."""

    bounced_later: int
    complaints: int
    left: int


class Choosing(Told):
    """The variant that the rest of the audience gets."""

    variant: Variant


class GoesOn(Why):
    """Whether it goes on in spite of what its canary found."""

    in_spite: bool = False


class AgainAsked(Told):
    """A new campaign of the same messages, for those who missed it, or did not click."""

    to: Again = Field(examples=["missed"])
    slug: str = Field(max_length=100, examples=["spring-again"])


class Drafted(BaseModel):
    """The draft that was made; nothing is sent."""

    slug: str = Field(examples=["spring-again"])


@router.get("/progress")
def show_campaign_progress(parts: PartsDep, actor: See, slug: Slug) -> ProgressShown:
    """How far a campaign is while it leaves, and when it will be done; it costs the same at any size."""
    with parts.session() as session:
        return ProgressShown.of(desk.see_progress(session, actor, slug))


@router.get("/variants")
def show_variants(parts: PartsDep, actor: See, slug: Slug) -> list[ScoreShown]:
    """How the variants of its test do now; none when it has no test."""
    with parts.session() as session:
        found = desk.see_scores(session, actor, slug)
    return [ScoreShown.model_validate(one, from_attributes=True) for one in found]


@router.post("/choose", response_model=Changed)
def choose_variant(actor: Send, once: OnceDep, slug: Slug, asked: Choosing) -> Response:
    """Have the rest of its audience get this variant."""

    def act(session: Session) -> Changed:
        desk.choose(session, actor, slug, asked.variant)
        return Changed(changed=True)

    return once.answer(actor, act)


@router.post("/go-on", response_model=Changed)
def go_on_with_campaign(actor: Send, once: OnceDep, slug: Slug, asked: GoesOn) -> Response:
    """Go on sending it, also what its canary has stopped if it is `in_spite` of that."""
    return once.answer(
        actor,
        lambda session: Changed(
            changed=desk.go_on(session, actor, slug, asked.reason.strip(), in_spite=asked.in_spite)
        ),
    )


@router.get("/links")
def show_links(
    parts: PartsDep,
    actor: See,
    slug: Slug,
    variant: Annotated[str, Query(max_length=1, description="The first one, unless named.")] = "",
) -> LinksShown:
    """Who followed which of its links, counted for up to 10 seconds."""
    with parts.session() as session:
        found = desk.see_links(session, actor, slug, variant, "", is_asked=True).figures
    return LinksShown.model_validate(found, from_attributes=True)


@router.get("/not-reached")
def list_not_reached(
    parts: PartsDep,
    actor: Export,
    slug: Slug,
    paging: PagingDep,
    state: Annotated[
        DeliveryState | None, Query(description="An end that is not accepted, or set aside.")
    ] = None,
    reason: Annotated[str | None, Query(max_length=500, description="Exactly this reason.")] = None,
) -> Page[NotReachedShown]:
    """Those who did not get it, by state; noted as taken out. A part may be empty and still lead on."""
    at = paging.after("not-reached", str) or ""
    with parts.session() as session:
        page = desk.page_not_reached(session, actor, slug, state or "", reason, at, paging.limit)
    return paging.page_until(
        page.rows,
        "not-reached",
        page.next or None,
        lambda row: NotReachedShown.model_validate(row, from_attributes=True),
    )


@router.get("/afterwards")
def show_afterwards(parts: PartsDep, actor: See, slug: Slug) -> AfterwardsShown:
    """What came back of its mails after they were accepted, counted for up to 10 seconds."""
    with parts.session() as session:
        later = desk.see_statement(session, actor, slug, is_asked=True).later
    if later is None:
        raise NotFound(f"What came back of {slug} was not counted.")
    return AfterwardsShown.model_validate(later, from_attributes=True)


@router.post("/again", status_code=201, response_model=Drafted)
def draft_campaign_again(actor: Write, once: OnceDep, slug: Slug, asked: AgainAsked) -> Response:
    """Draft it once more for those who missed it or did not click. Nothing is sent."""
    return once.answer(
        actor,
        lambda session: Drafted(slug=desk.draft_again(session, actor, slug, asked.to, asked.slug).slug),
        201,
    )
