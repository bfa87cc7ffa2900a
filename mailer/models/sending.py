"""When and whether: enrollments, delivery rows, the attempts made for them, and what came back."""

from __future__ import annotations

import uuid
from datetime import date, datetime, time
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    DDL,
    BigInteger,
    ForeignKey,
    Identity,
    Index,
    SmallInteger,
    UniqueConstraint,
    event,
    false,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
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
    """Repeat: a week's step once more, because its reader was not ready to go on.

    Mail: to one person, because of something that they did elsewhere, as a program asked for it.
    Data: the link to what is kept of somebody, because they asked for it on a page of ours.
    """

    CONFIRM = "confirm"
    WELCOME = "welcome"
    STEP = "step"
    REPEAT = "repeat"
    CAMPAIGN = "campaign"
    MAIL = "mail"
    DATA = "data"


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

    What the reader chose: `gap` days from mail to mail (None: as written), their own `send_time` and
    `weekdays` (bit 0 is Monday), nothing before `paused_until`, the next lesson at once (`asked_at`).
    `answers` holds what they said of each week since it was last sent, `repeats` how often it was sent again.
    `extras` are steps that come before what is next, `last_extras` those after all others. `begun_at` is when
    the course began, or began anew: what was had and said before that is past (None: nothing was). One that
    has ended and `begins_again` does so when its reader confirms, and stays as it ended if they never do.
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
    gap: Mapped[int | None] = mapped_column(SmallInteger)
    send_time: Mapped[time | None]
    weekdays: Mapped[int | None] = mapped_column(SmallInteger)
    paused_until: Mapped[date | None]
    asked_at: Mapped[datetime | None]
    answers: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    repeats: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    extras: Mapped[list[int]] = mapped_column(ARRAY(BigInteger), server_default="{}")
    last_extras: Mapped[list[int]] = mapped_column(ARRAY(BigInteger), server_default="{}")
    begun_at: Mapped[datetime | None]
    begins_again: Mapped[bool] = mapped_column(server_default=text("false"))

    @property
    def waits(self) -> bool:
        """Whether it begins when its reader confirms, for the first time or again."""
        return self.state == EnrollmentState.WAITING or self.begins_again

    __table_args__ = (
        UniqueConstraint("subscriber_id", "course_id"),
        # All that the tick reads: it stays small however many have finished.
        Index("ix_enrollments_due", "next_due_at", postgresql_where=text("state = 'active'")),
        Index(None, "course_id", "state"),
        one_of("state", EnrollmentState),
    )


class Delivery(Base):
    """One message for one subscriber: the outbox row, written when it is due.

    `due_at` never changes; `next_attempt_at` does. `source` is what it is part of and what takes turns and
    is paused as one: `course:12`, `campaign:7`, or `list:3` for a confirmation, `mail:3` for what a program
    sends from that list's sender. While it is `sending`, `batch_id` names the batch that it belongs to.
    `code` and `reply` are what a server said last. `cuts` counts connections that broke after the final dot,
    `crashes` workers that were lost over it. `because` says why a lesson leaves then and so, NULL where its
    course has it so (schedule/reasons.py), and of a campaign's mail what it was put off for. `no_room_since`
    is since when such a mail has looked for room under the cap, and found none.

    Nothing is referenced by a foreign key: the check costs more than the insert, and locks the same row for
    every mail. Messages, lists, courses, steps and campaigns are never deleted; a person's rows go with the
    person.

    The table is partitioned by id, whose upper bits say in which month that began which the mail belongs to
    (see outbox.py). So a key that is unique in its partition is unique, and old months can be dropped whole.
    """

    __tablename__ = "deliveries"

    # Columns of a fixed width first: no padding between them.
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    subscriber_id: Mapped[int]
    message_id: Mapped[int]
    list_id: Mapped[int]
    course_id: Mapped[int | None]
    step_id: Mapped[int | None]
    enrollment_id: Mapped[int | None]
    campaign_id: Mapped[int | None]
    batch_id: Mapped[int | None]
    due_at: Mapped[datetime]
    next_attempt_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]
    no_room_since: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    deferrals: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    cuts: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    crashes: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    code: Mapped[int | None] = mapped_column(SmallInteger)
    dedup_key: Mapped[str]
    kind: Mapped[str]
    lane: Mapped[str]
    source: Mapped[str]
    state: Mapped[str] = mapped_column(server_default=DeliveryState.PLANNED)
    reason: Mapped[str] = mapped_column(server_default="")
    reply: Mapped[str | None]
    because: Mapped[str | None]

    __table_args__ = (
        # What dispatch reads: source by source, so that none that is paused stands before another.
        Index(
            "ix_deliveries_open",
            "lane",
            "source",
            "next_attempt_at",
            "id",
            postgresql_where=text("state = 'planned'"),
        ),
        # What somebody may want to look at or act on; the many that were accepted are not in it.
        Index(
            "ix_deliveries_aside",
            "source",
            "state",
            "id",
            postgresql_where=text("state NOT IN ('planned', 'sending', 'accepted')"),
        ),
        Index(None, "subscriber_id"),
        one_of("kind", DeliveryKind),
        one_of("lane", Lane),
        one_of("state", DeliveryState),
        {"postgresql_partition_by": "RANGE (id)"},
    )


class Batch(Base):
    """Some deliveries of one source on their way: offered to the workers, and then with one of them.

    `offered_until` is when an offer that nobody took up is made again. `token` and `lease_until` are there
    once a worker has it: a result counts while the token does. All by the database's clock. The row goes away
    when each of its deliveries has gone on.
    """

    __tablename__ = "batches"

    id: Mapped[Key]
    lane: Mapped[str]
    source: Mapped[str]
    transport_id: Mapped[int | None]
    domain_group: Mapped[str | None]
    delivery_ids: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    made_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    offered_until: Mapped[datetime]
    token: Mapped[uuid.UUID | None]
    lease_until: Mapped[datetime | None]

    __table_args__ = (one_of("lane", Lane),)


class Move(Base):
    """How many deliveries went from one state to another, written with the change itself.

    Only ever added to, so that nobody waits for anybody; the tick folds what is old into `tallies`.
    `old_state` is None for deliveries that are new. What is `sending` counts as planned here. `at` is the
    database's clock.
    """

    __tablename__ = "moves"

    id: Mapped[Key]
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    lane: Mapped[str]
    source: Mapped[str]
    kind: Mapped[str]
    step_id: Mapped[int | None]
    transport_id: Mapped[int | None]
    old_state: Mapped[str | None]
    new_state: Mapped[str]
    mails: Mapped[int]
    is_folded: Mapped[bool] = mapped_column(server_default=false())

    __table_args__ = (
        Index(None, "at"),
        Index("ix_moves_new", "id", postgresql_where=text("NOT is_folded")),
    )


class Tally(Base):
    """How many deliveries of one lane, source, kind and step are in which state: the sum of old moves."""

    __tablename__ = "tallies"

    id: Mapped[Key]
    lane: Mapped[str]
    source: Mapped[str]
    kind: Mapped[str]
    step_id: Mapped[int | None]
    state: Mapped[str]
    mails: Mapped[int]

    __table_args__ = (
        UniqueConstraint("source", "kind", "step_id", "lane", "state", postgresql_nulls_not_distinct=True),
    )


class Attempt(Base):
    """One conversation about one delivery that did not end with its first acceptance, and the answer.

    The one that did is in the delivery's own row. `kind` is the reason in one word (delivery/reasons.py),
    empty for what is older than that. Partitioned as deliveries are, and dropped with them.
    """

    __tablename__ = "attempts"

    delivery_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    at: Mapped[datetime]
    outcome: Mapped[str]
    code: Mapped[int | None] = mapped_column(SmallInteger)
    reply: Mapped[str] = mapped_column(server_default="")
    kind: Mapped[str] = mapped_column(server_default="")
    transport_id: Mapped[int | None]

    __table_args__ = (
        # For what went wrong lately, counted by reason, however many mails there are.
        Index("ix_attempts_kind_at", "kind", "at"),
        Index("ix_attempts_transport_id_at", "transport_id", "at"),
        {"postgresql_partition_by": "RANGE (delivery_id)"},
    )


class Event(Base):
    """Something that came back: a confirmation, an unsubscribe, a bounce. Partitioned by month."""

    __tablename__ = "events"

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    kind: Mapped[str]
    subscriber_id: Mapped[int] = mapped_column(index=True)
    delivery_id: Mapped[int | None]
    detail: Mapped[str] = mapped_column(server_default="")

    __table_args__ = (one_of("kind", EventKind), {"postgresql_partition_by": "RANGE (at)"})


REST = """
    CREATE TABLE deliveries_rest PARTITION OF deliveries DEFAULT WITH (fillfactor = 80);
    CREATE UNIQUE INDEX uq_deliveries_rest_dedup_key ON deliveries_rest (dedup_key);
    CREATE TABLE attempts_rest PARTITION OF attempts DEFAULT;
    CREATE TABLE events_rest PARTITION OF events DEFAULT;
    CREATE SEQUENCE delivery_numbers;
    CREATE FUNCTION forget_mails_of() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO moves (lane, source, kind, step_id, old_state, new_state, mails)
        SELECT lane, source, kind, step_id, replace(state, 'sending', 'planned'), 'forgotten', count(*)
        FROM deliveries WHERE subscriber_id = OLD.id GROUP BY 1, 2, 3, 4, 5;
        DELETE FROM attempts WHERE delivery_id IN (SELECT id FROM deliveries WHERE subscriber_id = OLD.id);
        DELETE FROM deliveries WHERE subscriber_id = OLD.id;
        DELETE FROM events WHERE subscriber_id = OLD.id;
        RETURN OLD;
    END $$;
    CREATE TRIGGER forget_mails BEFORE DELETE ON subscribers FOR EACH ROW EXECUTE FUNCTION forget_mails_of()
"""
"""What SQLAlchemy has no words for: the partition for whatever has none of its own, the numbers of
deliveries, and that a person's rows go with the person."""

event.listen(Base.metadata, "after_create", DDL(REST))  # type: ignore[no-untyped-call]
