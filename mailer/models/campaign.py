"""Campaigns: one message, sent once, to the active subscribers of lists."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, func, text
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


class CampaignPhase(StrEnum):
    """Whole: at once to everybody, or not begun. Else a canary, a test, and then the rest of the audience."""

    WHOLE = "whole"
    CANARY = "canary"
    TEST = "test"
    REST = "rest"


class Campaign(Base):
    """A campaign and how far it is.

    `messages` holds a message's id for each language, `language` is that of everybody else. `list_ids`
    are in the order in which somebody on several of them counts as reached; none means every list there is.
    `aim` says who of these people it is for (audience/aim.py), `local` at which hour of their own it leaves
    (schedule/local_time.py); empty: everybody, all at `starts_at`.

    The audience is written in chunks, those up to `written_up_to` (a subscriber's id) so far; rules in it
    mean the moment `begun_at`. `audience` counts its people, `passed_over` those of the lists whom `aim`
    left out; both are fixed at `materialised_at`. `finished_at` is when the last of its mails reached an end.

    `trial` holds its variants and the test of them (content/trial.py), `canary` what goes first
    (content/canary.py); with either, its rows are held until their phase lets them go, in the order of
    their ids: those up to `let_go_up_to` so far, None when the phase has no more. `waits_since` is when the
    phase's waiting time began. `findings` is what each phase chose and found, by its name. One that
    `is_public` is in the archive once it has begun.
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
    aim: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    local: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    starts_at: Mapped[datetime | None]
    begun_at: Mapped[datetime | None]
    written_up_to: Mapped[int] = mapped_column(server_default="0")
    audience: Mapped[int] = mapped_column(server_default="0")
    passed_over: Mapped[int] = mapped_column(server_default="0")
    materialised_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    finished_at: Mapped[datetime | None]
    trial: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    canary: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    phase: Mapped[str] = mapped_column(server_default=CampaignPhase.WHOLE)
    let_go_up_to: Mapped[int | None]
    waits_since: Mapped[datetime | None]
    findings: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    is_public: Mapped[bool] = mapped_column(server_default=text("false"))

    __table_args__ = (
        Index("ix_campaigns_public", "begun_at", "id", postgresql_where=text("is_public")),
        one_of("state", CampaignState),
        one_of("phase", CampaignPhase),
    )
