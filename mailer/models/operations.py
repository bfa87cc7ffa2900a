"""What operators see and do: the action log, what is on hold, and the workers' heartbeats."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from mailer.models.base import Base, Key, one_of


class HoldScope(StrEnum):
    """What a hold stops. `target` names the one: a lane's word, a slug, a domain."""

    EVERYTHING = "everything"
    LANE = "lane"
    SENDER = "sender"
    DOMAIN = "domain"
    COURSE = "course"
    CAMPAIGN = "campaign"


class Role(StrEnum):
    """What somebody who works here may do; each may do what those before it may."""

    READER = "reader"
    MARKETER = "marketer"
    OPERATOR = "operator"
    OWNER = "owner"


class HoldCause(StrEnum):
    """Why: a person paused it; it was silent too long; the database may be a copy or an old state; or a
    campaign's canary stopped."""

    PERSON = "person"
    OUTAGE = "outage"
    FENCE = "fence"
    CANARY = "canary"


class Action(Base):
    """Something a person did to deliveries, suppressions or queues: who, what, and to how many rows."""

    __tablename__ = "actions"

    id: Mapped[Key]
    at: Mapped[datetime] = mapped_column(index=True)
    who: Mapped[str]
    what: Mapped[str]
    detail: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    rows: Mapped[int] = mapped_column(server_default="0")

    __table_args__ = (
        Index("ix_actions_who", "who", "id"),
        Index("ix_actions_what", "what", "id", postgresql_ops={"what": "text_pattern_ops"}),
    )


class Hold(Base):
    """Sending stopped, with its reason; it holds until `released_at` is set.

    One of each cause may be in force at the same time: a lane that a person paused can need a choice
    after an outage too. `release_action_id` is the entry of the release that is at work on it.
    """

    __tablename__ = "holds"

    id: Mapped[Key]
    scope: Mapped[str]
    target: Mapped[str] = mapped_column(server_default="")
    cause: Mapped[str] = mapped_column(server_default=HoldCause.PERSON)
    reason: Mapped[str] = mapped_column(server_default="")
    since: Mapped[datetime]
    released_at: Mapped[datetime | None]
    release_action_id: Mapped[int | None]

    __table_args__ = (
        Index(
            "uq_holds_in_force",
            *("scope", "target", "cause"),
            unique=True,
            postgresql_where=text("released_at IS NULL"),
        ),
        one_of("scope", HoldScope),
        one_of("cause", HoldCause),
    )


class Heartbeat(Base):
    """The newest task that went through one queue and came out at a worker; the database's clock."""

    __tablename__ = "heartbeats"

    queue: Mapped[str] = mapped_column(primary_key=True)
    worker: Mapped[str] = mapped_column(primary_key=True)
    sent_at: Mapped[datetime]
    seen_at: Mapped[datetime]
