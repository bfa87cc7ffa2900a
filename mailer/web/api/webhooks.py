"""Webhooks: which programs are told what happens, and every call to them."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from mailer.desk import webhooks as desk
from mailer.models import CallState, Webhook, WebhookCall, WebhookKind
from mailer.web.api.caller import Manage
from mailer.web.api.once import OnceDep
from mailer.web.api.paging import Page, PagingDep
from mailer.web.api.told import Changed, RowId, Told
from mailer.web.deps import PartsDep

router = APIRouter(prefix="/webhooks", tags=["Webhooks"])


class WebhookShown(BaseModel):
    """A webhook; its secret is shown only when it is made. While it is paused nothing new is kept for it."""

    id: int
    name: str = Field(examples=["the shop"])
    url: str = Field(examples=["https://shop.example.org/told"])
    kinds: list[WebhookKind] = Field(examples=[["subscriber.confirmed"]])
    created_at: datetime
    good_at: datetime | None = Field(description="When it took a call last.")
    paused_at: datetime | None
    paused_reason: str

    @classmethod
    def of(cls, row: Webhook) -> WebhookShown:
        return cls.model_validate(row, from_attributes=True)


class WebhookWritten(Told):
    """What listens, where, and what it is told."""

    name: str = Field(min_length=1, max_length=100, examples=["the shop"])
    url: str = Field(max_length=2000, examples=["https://shop.example.org/told"])
    kinds: list[WebhookKind] = Field(
        min_length=1, max_length=len(WebhookKind), examples=[["subscriber.confirmed"]]
    )


class Secret(BaseModel):
    """What its calls are signed with. Keep it: it is shown in this answer alone (and when asked again)."""

    id: int
    secret: str = Field(examples=["whsec_…"])


class CallShown(BaseModel):
    """One thing told: what its receiver answered last, and whether it is still tried."""

    id: int
    kind: WebhookKind
    at: datetime
    state: CallState
    attempts: int
    status: int | None
    reason: str
    milliseconds: int | None
    due_at: datetime
    settled_at: datetime | None

    @classmethod
    def of(cls, row: WebhookCall) -> CallShown:
        return cls.model_validate(row, from_attributes=True)


@router.get("")
def list_webhooks(parts: PartsDep, actor: Manage, paging: PagingDep) -> Page[WebhookShown]:
    """All webhooks, in the order in which they were made."""
    after = paging.after("webhooks", int) or 0
    with parts.session() as session:
        rows = desk.page_webhooks(session, actor, after, paging.limit + 1)
        return paging.page(rows, "webhooks", lambda row: row.id, WebhookShown.of)


@router.post("", status_code=201, response_model=Secret)
def add_webhook(parts: PartsDep, actor: Manage, once: OnceDep, asked: WebhookWritten) -> Response:
    """Have a program told what happens; the answer has the secret that its calls are signed with."""

    def act(session: Session) -> Secret:
        webhook, secret = desk.add_webhook(session, actor, parts.seal, asked.name, asked.url, asked.kinds)
        return Secret(id=webhook.id, secret=secret)

    return once.answer(actor, act, 201, has_secret=True)


@router.get("/{webhook_id}")
def show_webhook(parts: PartsDep, actor: Manage, webhook_id: RowId) -> WebhookShown:
    """One webhook."""
    with parts.session() as session:
        return WebhookShown.of(desk.show_webhook(session, actor, webhook_id, limit=0)[0])


@router.put("/{webhook_id}")
def change_webhook(parts: PartsDep, actor: Manage, webhook_id: RowId, asked: WebhookWritten) -> WebhookShown:
    """Give it another name, address or choice; what waits goes to the new address."""
    with parts.session() as session:
        desk.change_webhook(session, actor, webhook_id, asked.name, asked.url, asked.kinds)
        return WebhookShown.of(desk.show_webhook(session, actor, webhook_id, limit=0)[0])


@router.delete("/{webhook_id}")
def remove_webhook(parts: PartsDep, actor: Manage, webhook_id: RowId) -> Changed:
    """Forget it, its secret and its calls."""
    with parts.session() as session:
        desk.remove_webhook(session, actor, webhook_id)
    return Changed(changed=True)


@router.post("/{webhook_id}/secret", response_model=Secret)
def change_secret(parts: PartsDep, actor: Manage, once: OnceDep, webhook_id: RowId) -> Response:
    """Make a new secret; for a day calls are signed with the old one, too."""

    def act(session: Session) -> Secret:
        webhook, secret = desk.change_secret(session, actor, parts.seal, webhook_id)
        return Secret(id=webhook.id, secret=secret)

    return once.answer(actor, act, has_secret=True)


@router.post("/{webhook_id}/pause", response_model=Changed)
def pause_webhook(actor: Manage, once: OnceDep, webhook_id: RowId) -> Response:
    """Tell it nothing; what happens meanwhile is not kept for it."""

    def act(session: Session) -> Changed:
        desk.pause_webhook(session, actor, webhook_id)
        return Changed(changed=True)

    return once.answer(actor, act)


@router.post("/{webhook_id}/resume", response_model=Changed)
def resume_webhook(actor: Manage, once: OnceDep, webhook_id: RowId) -> Response:
    """Tell it again, and what had waited when it was paused."""

    def act(session: Session) -> Changed:
        desk.resume_webhook(session, actor, webhook_id)
        return Changed(changed=True)

    return once.answer(actor, act)


@router.post("/{webhook_id}/test", status_code=202, response_model=Changed)
def test_webhook(actor: Manage, once: OnceDep, webhook_id: RowId) -> Response:
    """Have it told that this is a test; its calls say in some seconds how that went."""

    def act(session: Session) -> Changed:
        desk.test_webhook(session, actor, webhook_id)
        return Changed(changed=True)

    return once.answer(actor, act, 202)


@router.get("/{webhook_id}/calls")
def list_calls(parts: PartsDep, actor: Manage, webhook_id: RowId, paging: PagingDep) -> Page[CallShown]:
    """What it was told in the last month, the newest first."""
    before = paging.after("calls", int)
    with parts.session() as session:
        _, rows = desk.show_webhook(session, actor, webhook_id, before, paging.limit + 1)
        return paging.page(rows, "calls", lambda row: row.id, CallShown.of)


@router.post("/{webhook_id}/calls/{call_id}/again", status_code=202, response_model=Changed)
def call_again(actor: Manage, once: OnceDep, webhook_id: RowId, call_id: RowId) -> Response:
    """Send one call once more, with the id it had."""

    def act(session: Session) -> Changed:
        desk.call_again(session, actor, webhook_id, call_id)
        return Changed(changed=True)

    return once.answer(actor, act, 202)
