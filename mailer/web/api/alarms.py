"""Alarms: what was found wrong with sending, and who is told."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from mailer.desk import alarms as desk
from mailer.models import AlarmNote, ChannelKind
from mailer.web.api.caller import Run, See
from mailer.web.api.once import OnceDep
from mailer.web.api.paging import Page, PagingDep
from mailer.web.api.told import Changed, RowId, Told
from mailer.web.deps import PartsDep

router = APIRouter(prefix="/alarms", tags=["Watch"])


class AlarmShown(BaseModel):
    """Something that was wrong, from the first look that found it; open while `resolved_at` is null."""

    id: int
    kind: str = Field(examples=["lane-late"])
    target: str = Field(examples=["course"])
    words: str
    seen_at: datetime
    opened_at: datetime | None
    resolved_at: datetime | None


class ChannelShown(BaseModel):
    """Who is told. `to` is what may be seen of the address; `told_at` and `error` are of what came last."""

    id: int
    kind: ChannelKind
    to: str = Field(examples=["olive@example.org"])
    told_at: datetime | None
    error: str


class NewChannel(Told):
    """A mail address, or an address of the web that is called."""

    kind: ChannelKind = Field(examples=["mail"])
    address: str = Field(max_length=2000, examples=["olive@example.org"])


class ChannelMade(BaseModel):
    """Who is told from now on. The secret that signs a webhook's calls is shown in this answer alone."""

    to: str
    secret: str = Field(examples=[""])


@router.get("")
def list_alarms(parts: PartsDep, actor: See, paging: PagingDep) -> Page[AlarmShown]:
    """The alarms, newest first."""
    with parts.session() as session:
        before = paging.after("alarms", int)
        return paging.page(
            desk.list_alarms(session, actor, before, paging.limit + 1),
            "alarms",
            lambda one: one.id,
            lambda one: AlarmShown.model_validate(one, from_attributes=True),
        )


@router.get("/channels")
def list_channels(parts: PartsDep, actor: See, paging: PagingDep) -> Page[ChannelShown]:
    """Who is told of alarms, and how that went last; 20 at most."""
    with parts.session() as session:
        view = desk.see_alarms(session, actor)
        nothing = AlarmNote(told_at=None, error="")
        return paging.part(
            view.channels,
            "channels",
            lambda one: ChannelShown(
                id=one.id,
                kind=ChannelKind(one.kind),
                to=one.shown,
                told_at=view.notes.get(one.id, nothing).told_at,
                error=view.notes.get(one.id, nothing).error,
            ),
        )


@router.post("/channels", status_code=201, response_model=ChannelMade)
def add_channel(parts: PartsDep, actor: Run, once: OnceDep, asked: NewChannel) -> Response:
    """Have somebody told of every alarm, and when it is over."""

    def act(session: Session) -> ChannelMade:
        shown, secret = desk.add_channel(session, actor, parts.seal, asked.kind, asked.address)
        return ChannelMade(to=shown, secret=secret)

    return once.answer(actor, act, 201, has_secret=True)


@router.delete("/channels/{channel_id}")
def remove_channel(parts: PartsDep, actor: Run, channel_id: RowId) -> Changed:
    """Tell it nothing any more."""
    with parts.session() as session:
        desk.remove_channel(session, actor, channel_id)
    return Changed(changed=True)


@router.post("/channels/{channel_id}/test", status_code=202, response_model=Changed)
def try_channel(actor: Run, once: OnceDep, channel_id: RowId) -> Response:
    """Have it told that this is a test."""

    def act(session: Session) -> Changed:
        desk.try_channel(session, actor, channel_id)
        return Changed(changed=True)

    return once.answer(actor, act, 202)
