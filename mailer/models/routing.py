"""By which way: transports, their limits and health, who uses them, and the keys that sign."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Integer, SmallInteger, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from mailer.models.base import Base, Key, one_of


class BreakerState(StrEnum):
    """Closed: mail flows. Open: none until `probe_at`. Probing: one small chunk is out to find out."""

    CLOSED = "closed"
    OPEN = "open"
    PROBING = "probing"


class Period(StrEnum):
    """What a limit counts over; a day is a day of UTC."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"


class LimitOrigin(StrEnum):
    """A limit that a person set, what a warm-up allows today, or what a busy server taught us."""

    SET = "set"
    WARMUP = "warmup"
    SLOWED = "slowed"


class Transport(Base):
    """An SMTP relay. The one called `default` has no URL here: its server is STEADYPOST_SMTP_URL.

    `failures` counts troubles in a row, `openings` how often in a row the breaker opened. All times are
    the database's clock. While a warm-up lasts, `warmup_day` is the day that its limit was made for.
    """

    __tablename__ = "transports"

    id: Mapped[Key]
    slug: Mapped[str] = mapped_column(unique=True)
    sealed_url: Mapped[str] = mapped_column(server_default="")
    conversations: Mapped[int] = mapped_column(SmallInteger, server_default="4")
    state: Mapped[str] = mapped_column(server_default=BreakerState.CLOSED)
    trouble: Mapped[str] = mapped_column(server_default="")
    reason: Mapped[str] = mapped_column(server_default="")
    since: Mapped[datetime | None]
    failures: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    openings: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    probe_at: Mapped[datetime | None]
    slowed_at: Mapped[datetime | None]
    paused_at: Mapped[datetime | None]
    paused_reason: Mapped[str] = mapped_column(server_default="")
    warmup_first: Mapped[int | None] = mapped_column(Integer)
    warmup_target: Mapped[int | None] = mapped_column(Integer)
    warmup_growth: Mapped[int] = mapped_column(SmallInteger, server_default="50")
    warmup_day: Mapped[date | None]

    __table_args__ = (one_of("state", BreakerState),)


class SenderTransport(Base):
    """A sender's mail goes by this transport, in proportion to `weight`; 0: only when no other can."""

    __tablename__ = "sender_transports"

    sender_id: Mapped[int] = mapped_column(ForeignKey("senders.id"), primary_key=True)
    transport_id: Mapped[int] = mapped_column(ForeignKey("transports.id"), primary_key=True, index=True)
    weight: Mapped[int] = mapped_column(SmallInteger)


class SendLimit(Base):
    """At most `most` mails in a period by one transport, to one domain group or ('') to all.

    A day counts what was `used` on `day`. A minute and an hour are a bucket that held `tokens` at
    `filled_at`. Mails that wait have been promised tokens until `promised_until`. `since` is when this
    limit was set; what was reserved before is not given back to it.
    """

    __tablename__ = "send_limits"

    id: Mapped[Key]
    transport_id: Mapped[int] = mapped_column(ForeignKey("transports.id", ondelete="CASCADE"))
    domain_group: Mapped[str] = mapped_column(server_default="")
    period: Mapped[str]
    origin: Mapped[str] = mapped_column(server_default=LimitOrigin.SET)
    most: Mapped[int] = mapped_column(Integer)
    tokens: Mapped[float] = mapped_column(server_default="0")
    filled_at: Mapped[datetime]
    day: Mapped[date | None]
    used: Mapped[int] = mapped_column(Integer, server_default="0")
    promised_until: Mapped[datetime | None]
    since: Mapped[datetime]

    __table_args__ = (
        UniqueConstraint("transport_id", "domain_group", "period", "origin"),
        one_of("period", Period),
        one_of("origin", LimitOrigin),
    )


class SigningKey(Base):
    """A sender's DKIM key. It signs from `activated_at` until `retired_at`; `record` is public."""

    __tablename__ = "dkim_keys"

    id: Mapped[Key]
    sender_id: Mapped[int] = mapped_column(ForeignKey("senders.id"), index=True)
    domain: Mapped[str]
    selector: Mapped[str]
    algorithm: Mapped[str]
    sealed_key: Mapped[str]
    record: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    activated_at: Mapped[datetime | None]
    retired_at: Mapped[datetime | None]

    __table_args__ = (UniqueConstraint("domain", "selector"),)
