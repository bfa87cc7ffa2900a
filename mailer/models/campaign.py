"""Campaigns: one message, sent once, to the active subscribers of lists."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
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

    `scheduled_by` is who had it sent, with `scheduled_by_id` when that was an operator. While it
    `awaits_approval` nothing of it is written; `approved_by` is who gave that, None where none was asked for.
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
    no_room: Mapped[str] = mapped_column(server_default="")
    scheduled_by: Mapped[str] = mapped_column(server_default="")
    scheduled_by_id: Mapped[int | None] = mapped_column(ForeignKey("operators.id", ondelete="SET NULL"))
    awaits_approval: Mapped[bool] = mapped_column(server_default=text("false"))
    approved_by: Mapped[str | None]

    __table_args__ = (
        Index("ix_campaigns_public", "begun_at", "id", postgresql_where=text("is_public")),
        one_of("state", CampaignState),
        one_of("phase", CampaignPhase),
        CheckConstraint("no_room IN ('', 'move', 'drop')", name="no_room"),
    )


class CampaignDraft(Base):
    """A campaign as it is written, also while it has errors: what the desk opens and `create` was given.

    `files` holds each file's name and text, the first one leading, `pictures` the published name of each
    picture by how a text names it. `digest` is of both; `made_of` is the digest that the campaign's messages
    were last made of, so that what is newer can be told from what would be sent. `earlier` has, for a file
    that was turned from Markdown into MJML or back, what it was before that (`launch/campaign_turn.py`).
    """

    __tablename__ = "campaign_drafts"

    id: Mapped[Key]
    slug: Mapped[str] = mapped_column(unique=True)
    subject: Mapped[str] = mapped_column(server_default="")
    files: Mapped[list[dict[str, str]]] = mapped_column(JSONB)
    pictures: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    digest: Mapped[str]
    made_of: Mapped[str] = mapped_column(server_default="")
    earlier: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    saved_at: Mapped[datetime] = mapped_column(index=True)
    saved_by: Mapped[str]


class CampaignTyping(Base):
    """What one operator has typed into a file of a draft and not saved: a closed window loses nothing.

    `base` is the digest of the draft that it began with; `as_subscriber_id` is for whom it is shown.
    """

    __tablename__ = "campaign_typings"

    id: Mapped[Key]
    draft_id: Mapped[int] = mapped_column(ForeignKey("campaign_drafts.id", ondelete="CASCADE"))
    operator_id: Mapped[int] = mapped_column(ForeignKey("operators.id", ondelete="CASCADE"), index=True)
    file: Mapped[str]
    text: Mapped[str]
    base: Mapped[str]
    as_subscriber_id: Mapped[int | None] = mapped_column(BigInteger)
    typed_at: Mapped[datetime]

    __table_args__ = (UniqueConstraint("draft_id", "operator_id", "file"),)
