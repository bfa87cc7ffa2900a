"""Transports: the relays that mail goes by, their limits, and warming one up."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from mailer.delivery.roster import LARGEST_LIMIT, MOST_CONVERSATIONS
from mailer.delivery.transports.check import check_server, server_of
from mailer.delivery.warmup import WarmupPlan
from mailer.desk import transports as desk
from mailer.models import LimitOrigin, Period
from mailer.reports.transports import TransportView
from mailer.web.api.caller import Run, See
from mailer.web.api.once import OnceDep
from mailer.web.api.paging import Page, PagingDep
from mailer.web.api.told import Changed, Told, Why
from mailer.web.deps import PartsDep

router = APIRouter(prefix="/transports", tags=["Transports"])

Slug = Annotated[str, Path(examples=["relay"], max_length=100)]
Url = Annotated[
    str,
    Field(
        max_length=2000,
        examples=["smtp://user:password@relay.example.org:587"],
        description="With user and password; kept sealed, and shown nowhere again.",
        json_schema_extra={"writeOnly": True},
    ),
]
Conversations = Annotated[
    int,
    Field(ge=1, le=MOST_CONVERSATIONS, description="How many connections each worker has to it at most."),
]


class Limit(BaseModel):
    """At most so many mails in a period, to a group of domains (null: to all); `free` are left of it now."""

    domain_group: str | None
    period: Period
    origin: LimitOrigin
    most: int
    free: int


class SenderBy(BaseModel):
    """A sender that uses it."""

    sender: str
    weight: int


class Warmup(BaseModel):
    """A slow beginning: `today` at most so many, more each day, until `target` a day."""

    today: int
    first: int
    target: int
    growth_percent: int


class Transport(BaseModel):
    """A transport and what it did today. `server` tells no user and no password."""

    slug: str = Field(examples=["default"])
    server: str = Field(examples=["smtp://relay.example.org:587"])
    state: str = Field(examples=["well"])
    reason: str
    since: datetime | None
    next_probe_at: datetime | None
    conversations: int
    accepted_today: int
    deferred_today: int
    limits: list[Limit] = Field(examples=[[]])
    senders: list[SenderBy]
    warmup: Warmup | None = Field(examples=[None])

    @classmethod
    def of(cls, view: TransportView) -> Transport:
        values = view.as_values()
        return cls.model_validate({**values, "slug": values["transport"]})


class NewTransport(Told):
    """A relay to add. It is connected to first."""

    slug: str = Field(max_length=40, examples=["relay"])
    url: Url
    conversations: Conversations = 4


class TransportChange(Told):
    """What shall be another; what is left out stays. A new URL is connected to first."""

    url: Annotated[str | None, Field(json_schema_extra={"writeOnly": True}, max_length=2000)] = None
    conversations: Annotated[int | None, Field(ge=1, le=MOST_CONVERSATIONS, examples=[4])] = None


class LimitAsked(Told):
    """At most `most` mails in a period, to a domain and those of its provider, or (empty) to all.

    0 takes the limit away.
    """

    period: Period = Field(examples=["hour"])
    most: int = Field(ge=0, le=LARGEST_LIMIT, examples=[1000])
    domain: str = Field(default="", max_length=255)


class Limited(BaseModel):
    """The group of domains that it is for, empty: all."""

    domain_group: str


class WarmupAsked(Told):
    """`first` mails on the first day, so many percent more each day, until `target` a day."""

    first: int = Field(ge=1, le=LARGEST_LIMIT, examples=[50])
    target: int = Field(ge=1, le=LARGEST_LIMIT, examples=[20000])
    growth_percent: int = Field(default=50, ge=5, le=200)


class Tried(BaseModel):
    """To whom a test mail went, and what the server said."""

    to: str
    reply: str = Field(examples=["250 taken"])


@router.get("")
def list_transports(parts: PartsDep, actor: See, paging: PagingDep) -> Page[Transport]:
    """All transports, by their slugs."""
    after = paging.after("transports", str) or ""
    with parts.session() as session:
        rows = desk.page_transports(
            session, actor, parts.seal, parts.settings.smtp_url, after, paging.limit + 1
        )
    return paging.page(rows, "transports", lambda row: str(row.slug), Transport.of)


@router.post("", status_code=201, response_model=Changed)
def add_transport(parts: PartsDep, actor: Run, once: OnceDep, asked: NewTransport) -> Response:
    """Add a relay that lets us in. No mail goes by it before a sender uses it."""
    if (known := once.known(actor)) is not None:
        return known
    check_server(server_of(asked.url), parts.fetcher)

    def act(session: Session) -> Changed:
        desk.add_transport(session, actor, asked.slug, asked.url, asked.conversations, parts.seal)
        return Changed(changed=True)

    return once.answer(actor, act, 201)


@router.get("/{slug}")
def show_transport(parts: PartsDep, actor: See, slug: Slug) -> Transport:
    """One transport."""
    with parts.session() as session:
        return Transport.of(desk.show_transport(session, actor, slug, parts.seal, parts.settings.smtp_url))


@router.patch("/{slug}")
def change_transport(parts: PartsDep, actor: Run, slug: Slug, asked: TransportChange) -> Changed:
    """Give it another URL, or another number of connections."""
    if asked.url is not None:
        check_server(server_of(asked.url), parts.fetcher)
    with parts.session() as session:
        desk.change_transport(session, actor, slug, parts.seal, asked.url, asked.conversations)
    return Changed(changed=bool(asked.model_fields_set))


@router.delete("/{slug}")
def remove_transport(parts: PartsDep, actor: Run, slug: Slug) -> Changed:
    """Forget a relay that no sender uses, its limits and its password."""
    with parts.session() as session:
        desk.remove_transport(session, actor, slug)
    return Changed(changed=True)


@router.post("/{slug}/pause", response_model=Changed)
def pause_transport(actor: Run, once: OnceDep, slug: Slug, asked: Why) -> Response:
    """Send nothing by it until it is resumed; its senders' mail goes by their others, or waits."""
    return once.answer(
        actor,
        lambda session: Changed(changed=desk.pause_transport(session, actor, slug, asked.reason.strip())),
    )


@router.post("/{slug}/resume", response_model=Changed)
def resume_transport(actor: Run, once: OnceDep, slug: Slug) -> Response:
    """Send by it again, and at once by one that is out."""
    return once.answer(actor, lambda session: Changed(changed=desk.resume_transport(session, actor, slug)))


@router.put("/{slug}/limits")
def limit_transport(parts: PartsDep, actor: Run, slug: Slug, asked: LimitAsked) -> Limited:
    """Set a limit, change it, or take it away."""
    with parts.session() as session:
        group = desk.limit_transport(session, actor, slug, asked.period, asked.most, asked.domain.strip())
    return Limited(domain_group=group)


@router.put("/{slug}/warmup")
def warm_up(parts: PartsDep, actor: Run, slug: Slug, asked: WarmupAsked) -> Changed:
    """Let a new relay begin slowly, with its first day today."""
    plan = WarmupPlan(asked.first, asked.target, asked.growth_percent)
    with parts.session() as session:
        desk.warm_up(session, actor, slug, plan)
    return Changed(changed=True)


@router.delete("/{slug}/warmup")
def end_warmup(parts: PartsDep, actor: Run, slug: Slug) -> Changed:
    """End a slow beginning: what its limits allow may leave at once."""
    with parts.session() as session:
        desk.warm_up(session, actor, slug, None)
    return Changed(changed=True)


@router.post("/{slug}/test", response_model=Tried)
def send_test_mail(parts: PartsDep, actor: Run, once: OnceDep, slug: Slug) -> Response:
    """Send one mail by it to whoever made the token, at once, outside every count and limit."""
    if (known := once.known(actor)) is not None:
        return known
    with parts.session() as session:
        made = desk.write_test_mail(session, actor, slug)
    # No transaction waits for a server. Cut off just here and asked again, a second test may arrive.
    reply = parts.send_at_once(made)
    told = Tried(to=made.email.recipient, reply=f"{reply.code} {reply.text}")
    return once.answer(actor, lambda _: told)
