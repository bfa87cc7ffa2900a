"""How sending went over time, and who is told when something is wrong with it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Float, ForeignKey, Index, SmallInteger, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from mailer.models.base import Base, Key, one_of
from mailer.models.sending import Lane


class Span(StrEnum):
    """What one sample is of; minutes are folded into hours when they are old."""

    MINUTE = "minute"
    HOUR = "hour"


class ChannelKind(StrEnum):
    """By which way somebody is told."""

    WEBHOOK = "webhook"
    MAIL = "mail"


class NoteKind(StrEnum):
    """What is told of an alarm."""

    OPENED = "opened"
    RESOLVED = "resolved"
    TEST = "test"


class LaneSample(Base):
    """One lane in one minute or hour that began at `at`, by the database's clock.

    `sent`, `put_off` and `refused` (for good) are of all of it. `waiting`, `set_aside` (held or quarantined)
    and `oldest` (seconds, of the due mail that was first in line) are as they were at its end; of an hour,
    the most that they were.
    """

    __tablename__ = "lane_samples"

    span: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    lane: Mapped[str] = mapped_column(primary_key=True)
    sent: Mapped[int]
    put_off: Mapped[int]
    refused: Mapped[int]
    waiting: Mapped[int]
    set_aside: Mapped[int]
    oldest: Mapped[float] = mapped_column(Float)

    __table_args__ = (one_of("span", Span), one_of("lane", Lane))


class Alarm(Base):
    """Something that was found wrong, from the first look that found it (`seen_at`).

    It is told once it has been there for long enough (`opened_at`), and over when it has been away for long
    enough: `missing_since` is the first look that no longer found it. `transport_id` is the transport in
    trouble, by which nobody is told of it.
    """

    __tablename__ = "alarms"

    id: Mapped[Key]
    kind: Mapped[str]
    target: Mapped[str] = mapped_column(server_default="")
    words: Mapped[str]
    transport_id: Mapped[int | None]
    seen_at: Mapped[datetime]
    opened_at: Mapped[datetime | None]
    missing_since: Mapped[datetime | None]
    resolved_at: Mapped[datetime | None]

    __table_args__ = (
        Index(
            "uq_alarms_unresolved",
            *("kind", "target"),
            unique=True,
            postgresql_where=text("resolved_at IS NULL"),
        ),
        Index(None, "opened_at"),
    )


class AlarmChannel(Base):
    """Somebody who is told: a mail address, or a web address, which is sealed since it may be a secret.

    `shown` is what may be seen of it.
    """

    __tablename__ = "alarm_channels"

    id: Mapped[Key]
    kind: Mapped[str]
    sealed: Mapped[str]
    shown: Mapped[str]
    created_at: Mapped[datetime]
    created_by: Mapped[str]

    __table_args__ = (one_of("kind", ChannelKind),)


class AlarmNote(Base):
    """One thing to be told by one channel: `next_try_at` until `told_at` is set or it is given up (None)."""

    __tablename__ = "alarm_notes"

    id: Mapped[Key]
    channel_id: Mapped[int] = mapped_column(ForeignKey("alarm_channels.id", ondelete="CASCADE"))
    alarm_id: Mapped[int | None] = mapped_column(ForeignKey("alarms.id", ondelete="CASCADE"), index=True)
    what: Mapped[str]
    made_at: Mapped[datetime]
    tries: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    next_try_at: Mapped[datetime | None]
    told_at: Mapped[datetime | None]
    error: Mapped[str] = mapped_column(server_default="")

    __table_args__ = (
        UniqueConstraint("channel_id", "alarm_id", "what"),
        Index("ix_alarm_notes_due", "next_try_at", postgresql_where=text("next_try_at IS NOT NULL")),
        one_of("what", NoteKind),
    )
