"""Campaigns: one message, sent once, to the active subscribers of one or more lists."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from mailer.models.base import Base, Key, one_of


class CampaignState(StrEnum):
    """Sending: its time has come. A pause is a hold and no state; it may be paused in any of them."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    SENDING = "sending"
    FINISHED = "finished"
    CANCELLED = "cancelled"


class Campaign(Base):
    """A campaign and how far it is.

    `messages` holds a message's id for each language, `language` is that of everybody else. `list_ids`
    are in the order in which somebody on several of them counts as reached. The audience is written in
    chunks, those up to `written_up_to` (a subscriber's id) so far; `audience` counts them, and is fixed
    at `materialised_at`. `finished_at` is when the last of its mails reached an end.
    """

    __tablename__ = "campaigns"

    id: Mapped[Key]
    slug: Mapped[str] = mapped_column(unique=True)
    subject: Mapped[str]
    language: Mapped[str]
    messages: Mapped[dict[str, Any]]
    list_ids: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    sender_id: Mapped[int] = mapped_column(ForeignKey("senders.id"))
    state: Mapped[str] = mapped_column(server_default=CampaignState.DRAFT)
    starts_at: Mapped[datetime | None]
    written_up_to: Mapped[int] = mapped_column(server_default="0")
    audience: Mapped[int] = mapped_column(server_default="0")
    materialised_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    finished_at: Mapped[datetime | None]

    __table_args__ = (one_of("state", CampaignState),)
