"""Other people's programs that are told what happens: where, of what, and every call."""

from __future__ import annotations

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, Integer, SmallInteger, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from mailer.models.base import Base, Key, one_of


class WebhookKind(StrEnum):
    """What a webhook can be told."""

    CONFIRMED = "subscriber.confirmed"
    UNSUBSCRIBED = "subscriber.unsubscribed"
    BOUNCED = "subscriber.bounced"
    COURSE_FINISHED = "course.finished"
    CAMPAIGN_FINISHED = "campaign.finished"
    TEST = "test"


class CallState(StrEnum):
    """A call waits (also between attempts), was delivered, or was given up."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    GIVEN_UP = "given up"


class Webhook(Base):
    """An address that is told of `kinds`. While it is paused nothing is sent to it, and nothing new is kept.

    After the secret was changed, calls are signed with the old one too until `old_until`.
    `good_at` is when it took a call last. All times are the database's clock.
    """

    __tablename__ = "webhooks"

    id: Mapped[Key]
    name: Mapped[str]
    url: Mapped[str]
    kinds: Mapped[list[str]] = mapped_column(JSONB)
    sealed_secret: Mapped[str]
    sealed_old: Mapped[str] = mapped_column(server_default="")
    old_until: Mapped[datetime | None]
    created_at: Mapped[datetime]
    good_at: Mapped[datetime | None]
    paused_at: Mapped[datetime | None]
    paused_reason: Mapped[str] = mapped_column(server_default="")


class WebhookCall(Base):
    """One thing told to one webhook. `call_id` stays the same when it is sent again: receivers tell by it."""

    __tablename__ = "webhook_calls"

    id: Mapped[Key]
    webhook_id: Mapped[int] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"))
    call_id: Mapped[uuid.UUID]
    kind: Mapped[str]
    subscriber_id: Mapped[int | None] = mapped_column(
        ForeignKey("subscribers.id", ondelete="CASCADE"), index=True
    )
    at: Mapped[datetime]
    body: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(server_default=CallState.WAITING)
    due_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    status: Mapped[int | None] = mapped_column(SmallInteger)
    reason: Mapped[str] = mapped_column(server_default="")
    milliseconds: Mapped[int | None] = mapped_column(Integer)
    settled_at: Mapped[datetime | None]

    __table_args__ = (
        one_of("kind", WebhookKind),
        one_of("state", CallState),
        Index("ix_webhook_calls_due", "due_at", postgresql_where=text("state = 'waiting'")),
        Index("ix_webhook_calls_webhook_id", "webhook_id", "id"),
        Index("ix_webhook_calls_created_at", "created_at"),
    )
