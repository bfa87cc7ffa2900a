"""Senders: who mails come from, by which transports they go, and the keys that sign them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from mailer.delivery.roster import HEAVIEST
from mailer.delivery.signing import check_published
from mailer.desk import senders as desk
from mailer.render.dkim import DkimAlgorithm
from mailer.web.api.caller import Run, See
from mailer.web.api.once import OnceDep
from mailer.web.api.paging import Page, PagingDep
from mailer.web.api.told import Changed, Told
from mailer.web.deps import PartsDep

router = APIRouter(prefix="/senders", tags=["Senders"])

Slug = Annotated[str, Path(examples=["calm"], max_length=100)]
Transport = Annotated[str, Path(examples=["relay"], max_length=100)]
Selector = Annotated[str, Path(examples=["sp20261126"], max_length=100)]


class Way(BaseModel):
    """A transport that its mail goes by, in proportion to `weight`; 0: only when no other can."""

    transport: str = Field(examples=["default"])
    weight: int


class SigningKeyShown(BaseModel):
    """A DKIM key; the private part is shown nowhere. `dns_name` has to hold `dns_value` before it signs."""

    selector: str
    domain: str = Field(examples=["steadypost.example"])
    algorithm: str
    state: str = Field(examples=["signs"])
    created_at: datetime
    activated_at: datetime | None
    retired_at: datetime | None
    dns_name: str
    dns_value: str


class Sender(BaseModel):
    """A sender. Publishing a course writes its own sender again."""

    slug: str = Field(examples=["calm"])
    name: str = Field(examples=["The Reading Room"])
    email: str = Field(examples=["course@steadypost.example"])
    reply_to: str | None = Field(examples=[""])
    postal_address: str = Field(examples=["12 Quiet Lane, Bristol"])
    track_clicks: bool
    track_opens: bool
    decoy: bool
    transports: list[Way]
    dkim: list[SigningKeyShown] = Field(examples=[[]])

    @classmethod
    def of(cls, values: dict[str, Any]) -> Sender:
        return cls.model_validate({**values, "slug": values["sender"]})


class NewSender(Told):
    """A sender to add. By law readers have to see its postal address."""

    slug: str = Field(max_length=40, examples=["house"])
    name: str = Field(max_length=200, examples=["The Reading Room"])
    email: str = Field(max_length=320, examples=["news@steadypost.example"])
    reply_to: str = Field(default="", max_length=320)
    postal_address: str = Field(max_length=500, examples=["12 Quiet Lane, Bristol"])


class SenderChange(Told):
    """What shall be another; what is left out stays."""

    name: str | None = Field(default=None, max_length=200, examples=["The Reading Room"])
    email: str | None = Field(default=None, max_length=320)
    reply_to: str | None = Field(default=None, max_length=320, description="Empty: none.")
    postal_address: str | None = Field(default=None, max_length=500)
    track_clicks: bool | None = None
    track_opens: bool | None = None
    decoy: bool | None = None


class Weight(Told):
    """How much of its mail goes that way, beside its other transports; 0: only when no other can."""

    weight: int = Field(ge=0, le=HEAVIEST, examples=[1])


class KeyAsked(Told):
    """Of which kind a key shall be."""

    algorithm: DkimAlgorithm = Field(default=DkimAlgorithm.RSA_SHA256)


class KeyMade(BaseModel):
    """A key that signs nothing yet: publish `dns_value` at `dns_name`, then activate it."""

    selector: str
    dns_name: str
    dns_value: str


class Activated(BaseModel):
    """The selectors of the keys that it replaces; leave their records in place for a week."""

    replaced: list[str] = Field(examples=[[]])


@router.get("")
def list_senders(parts: PartsDep, actor: See, paging: PagingDep) -> Page[Sender]:
    """All senders with their transports and keys, by their slugs."""
    after = paging.after("senders", str) or ""
    with parts.session() as session:
        rows = desk.list_senders(session, actor, after, paging.limit + 1)
    return paging.page(rows, "senders", lambda row: str(row["sender"]), Sender.of)


@router.post("", status_code=201, response_model=Changed)
def add_sender(actor: Run, once: OnceDep, asked: NewSender) -> Response:
    """Add a sender; its mail goes by the transport `default` until you name another."""

    def act(session: Session) -> Changed:
        desk.add_sender(session, actor, asked.slug, asked.model_dump(exclude={"slug"}))
        return Changed(changed=True)

    return once.answer(actor, act, 201)


@router.get("/{slug}")
def show_sender(parts: PartsDep, actor: See, slug: Slug) -> Sender:
    """One sender."""
    with parts.session() as session:
        return Sender.of(desk.show_sender(session, actor, slug))


@router.patch("/{slug}")
def change_sender(parts: PartsDep, actor: Run, slug: Slug, asked: SenderChange) -> Changed:
    """Change a sender; mail that has not left goes out in the new way."""
    said = asked.model_dump(exclude_none=True)
    switches = {name: value for name, value in said.items() if isinstance(value, bool)}
    texts = {name: value.strip() for name, value in said.items() if name not in switches}
    with parts.session() as session:
        desk.change_sender(session, actor, slug, texts, switches)
    return Changed(changed=bool(said))


@router.put("/{slug}/transports/{transport}")
def use_transport(parts: PartsDep, actor: Run, slug: Slug, transport: Transport, asked: Weight) -> Changed:
    """Have its mail go by a transport, too."""
    with parts.session() as session:
        desk.use_transport(session, actor, slug, transport, asked.weight)
    return Changed(changed=True)


@router.delete("/{slug}/transports/{transport}")
def stop_using(parts: PartsDep, actor: Run, slug: Slug, transport: Transport) -> Changed:
    """Have none of its mail go by a transport any more."""
    with parts.session() as session:
        return Changed(changed=desk.stop_using(session, actor, slug, transport))


@router.post("/{slug}/keys", status_code=201, response_model=KeyMade)
def make_key(parts: PartsDep, actor: Run, once: OnceDep, slug: Slug, asked: KeyAsked) -> Response:
    """Make a DKIM key. It signs nothing before its record is in the DNS and it is activated."""

    def act(session: Session) -> KeyMade:
        selector = desk.new_key(session, actor, slug, asked.algorithm, parts.seal)
        record = desk.key_record(session, actor, slug, selector)
        return KeyMade(selector=selector, dns_name=record.name, dns_value=record.value)

    return once.answer(actor, act, 201)


@router.post("/{slug}/keys/{selector}/activate", response_model=Activated)
def activate_key(parts: PartsDep, actor: Run, once: OnceDep, slug: Slug, selector: Selector) -> Response:
    """Sign with a key from now on; refused while its record is not in the DNS."""
    if (known := once.known(actor)) is not None:
        return known
    with parts.session() as session:
        record = desk.key_record(session, actor, slug, selector)
    # Asking the DNS takes seconds, and no transaction waits for it.
    check_published(record)
    return once.answer(
        actor, lambda session: Activated(replaced=desk.activate_key(session, actor, slug, selector))
    )


@router.post("/{slug}/keys/{selector}/retire", response_model=Changed)
def retire_key(actor: Run, once: OnceDep, slug: Slug, selector: Selector) -> Response:
    """Sign with a key no longer."""

    def act(session: Session) -> Changed:
        desk.retire_key(session, actor, slug, selector)
        return Changed(changed=True)

    return once.answer(actor, act)
