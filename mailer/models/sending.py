"""When and whether: enrollments, delivery rows, the attempts made for them, and what came back."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, Integer, SmallInteger, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from mailer.models.base import Base, Key, one_of


class EnrollmentState(StrEnum):
    """Waiting: for the person to confirm. Stopped: they left, or their address bounced."""

    WAITING = "waiting"
    ACTIVE = "active"
    FINISHED = "finished"
    STOPPED = "stopped"


class Lane(StrEnum):
    """The queues, most urgent first."""

    TRANSACTIONAL = "transactional"
    COURSE = "course"
    CAMPAIGN = "campaign"


class DeliveryKind(StrEnum):
    CONFIRM = "confirm"
    WELCOME = "welcome"
    STEP = "step"


class DeliveryState(StrEnum):
    """The states of design.md's table; see `delivery/states.py` for the ways between them."""

    PLANNED = "planned"
    HELD = "held"
    SENDING = "sending"
    QUARANTINED = "quarantined"
    ACCEPTED = "accepted"
    BOUNCED = "bounced"
    SUPPRESSED = "suppressed"
    SKIPPED = "skipped"
    FAILED = "failed"
    UNCERTAIN = "uncertain"
    CANCELLED = "cancelled"


class EventKind(StrEnum):
    CONFIRMED = "confirmed"
    UNSUBSCRIBED = "unsubscribed"
    BOUNCED = "bounced"


class Enrollment(Base):
    """One subscriber in one course.

    The course day `anchor_day` falls on `anchor_date` in the subscriber's zone; every other day is
    counted from there. `last_day` is the course day of the step planned last (0: only the welcome).
    """

    __tablename__ = "enrollments"

    id: Mapped[Key]
    subscriber_id: Mapped[int] = mapped_column(ForeignKey("subscribers.id", ondelete="CASCADE"))
    course_id: Mapped[int] = mapped_column(ForeignKey("courses.id"))
    state: Mapped[str]
    reason: Mapped[str] = mapped_column(server_default="")
    anchor_date: Mapped[date | None]
    anchor_day: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    last_day: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    last_delivery_id: Mapped[int | None]
    next_due_at: Mapped[datetime | None]
    round: Mapped[int] = mapped_column(SmallInteger, server_default="1")
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("subscriber_id", "course_id"),
        # All that the tick reads: it stays small however many have finished.
        Index("ix_enrollments_due", "next_due_at", postgresql_where=text("state = 'active'")),
        Index(None, "course_id", "state"),
        one_of("state", EnrollmentState),
    )


class Delivery(Base):
    """One message for one subscriber: the outbox row, written when it is due.

    `due_at` never changes; `next_attempt_at` does. `offered_until` is set while the row's id is on
    its way to a worker, `token` and `lease_until` while a worker has it; both are the database's time.
    What is never deleted (messages, lists, courses, steps) is named without a foreign key: its check would
    lock the same row for every mail and cost more than the insert.
    `cuts` counts connections that broke after the final dot, `crashes` workers that were lost over it.
    """

    __tablename__ = "deliveries"

    id: Mapped[Key]
    dedup_key: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    lane: Mapped[str]
    state: Mapped[str] = mapped_column(server_default=DeliveryState.PLANNED)
    reason: Mapped[str] = mapped_column(server_default="")
    subscriber_id: Mapped[int] = mapped_column(ForeignKey("subscribers.id", ondelete="CASCADE"))
    message_id: Mapped[int]
    list_id: Mapped[int]
    course_id: Mapped[int | None]
    step_id: Mapped[int | None]
    enrollment_id: Mapped[int | None] = mapped_column(ForeignKey("enrollments.id", ondelete="CASCADE"))
    due_at: Mapped[datetime]
    next_attempt_at: Mapped[datetime]
    offered_until: Mapped[datetime | None]
    token: Mapped[uuid.UUID | None]
    lease_until: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    deferrals: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    cuts: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    crashes: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    settled_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        Index(
            "ix_deliveries_open",
            "lane",
            "next_attempt_at",
            "id",
            postgresql_where=text("state = 'planned'"),
        ),
        Index("ix_deliveries_leased", "lease_until", postgresql_where=text("state = 'sending'")),
        Index(None, "subscriber_id"),
        Index(None, "course_id", "state"),
        one_of("kind", DeliveryKind),
        one_of("lane", Lane),
        one_of("state", DeliveryState),
    )


class Attempt(Base):
    """One conversation with a server about one delivery, and how the server answered."""

    __tablename__ = "attempts"

    id: Mapped[Key]
    delivery_id: Mapped[int] = mapped_column(ForeignKey("deliveries.id", ondelete="CASCADE"), index=True)
    at: Mapped[datetime]
    outcome: Mapped[str]
    code: Mapped[int | None] = mapped_column(SmallInteger)
    reply: Mapped[str] = mapped_column(server_default="")


class Event(Base):
    """Something that came back: a confirmation, an unsubscribe, a bounce."""

    __tablename__ = "events"

    id: Mapped[Key]
    kind: Mapped[str]
    at: Mapped[datetime]
    subscriber_id: Mapped[int] = mapped_column(ForeignKey("subscribers.id", ondelete="CASCADE"), index=True)
    delivery_id: Mapped[int | None] = mapped_column(ForeignKey("deliveries.id", ondelete="CASCADE"))
    detail: Mapped[str] = mapped_column(server_default="")

    __table_args__ = (one_of("kind", EventKind),)
