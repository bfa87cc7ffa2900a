"""What: senders, published messages, courses and their steps."""

from __future__ import annotations

from datetime import date, datetime, time
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, LargeBinary, SmallInteger, UniqueConstraint, false, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from mailer.models.base import Base, Key, one_of


class StepKind(StrEnum):
    LESSON = "lesson"
    PROTOCOL = "protocol"
    CHECK_IN = "check-in"


class Sender(Base):
    """Who mails come from, and what it wants to know of them: nothing, unless somebody switches it on."""

    __tablename__ = "senders"

    id: Mapped[Key]
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    email: Mapped[str]
    reply_to: Mapped[str] = mapped_column(server_default="")
    postal_address: Mapped[str]
    track_clicks: Mapped[bool] = mapped_column(server_default=false())
    track_opens: Mapped[bool] = mapped_column(server_default=false())
    decoy: Mapped[bool] = mapped_column(server_default=false())


class Message(Base):
    """One published version of one mail in one language: four Jinja2 templates. Never changed.

    `source` says what it is a version of: `system/confirm`, or `course/<slug>/<step key>`. `links` are the
    web addresses that its author links to, in order: what a tracked link's number means. `sender_id` is
    there when this version has a sender of its own: a campaign's variant.
    """

    __tablename__ = "messages"

    id: Mapped[Key]
    source: Mapped[str]
    language: Mapped[str]
    digest: Mapped[str]
    subject: Mapped[str]
    html: Mapped[str]
    text: Mapped[str]
    links: Mapped[list[str]] = mapped_column(JSONB, server_default="[]")
    sender_id: Mapped[int | None] = mapped_column(ForeignKey("senders.id"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (Index(None, "source", "language"),)


class Media(Base):
    """A published picture, served under /media/<name>; the name is a hash of its bytes."""

    __tablename__ = "media"

    name: Mapped[str] = mapped_column(primary_key=True)
    content_type: Mapped[str]
    content: Mapped[bytes] = mapped_column(LargeBinary)


class Course(Base):
    """A drip sequence of steps. `zone` is for subscribers who have none of their own.

    `flow` is what the course does by rules, as course.toml says it: `stop_when`, `then`, `triggers`,
    `catch_up`, `ask_whom`. `triggers_asked_on` is the last day (UTC) on which its triggers were asked.
    """

    __tablename__ = "courses"

    id: Mapped[Key]
    slug: Mapped[str] = mapped_column(unique=True)
    title: Mapped[str]
    subtitle: Mapped[str] = mapped_column(server_default="")
    language: Mapped[str]
    zone: Mapped[str]
    days: Mapped[int] = mapped_column(SmallInteger)
    consent: Mapped[str] = mapped_column(server_default="")
    list_id: Mapped[int] = mapped_column(ForeignKey("lists.id"))
    sender_id: Mapped[int] = mapped_column(ForeignKey("senders.id"))
    version: Mapped[int] = mapped_column(server_default="0")
    flow: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    triggers_asked_on: Mapped[date | None]


class CourseFiles(Base):
    """The files that versions were published from, as a zip; `digest` is of their names and bytes."""

    __tablename__ = "course_files"

    digest: Mapped[str] = mapped_column(primary_key=True)
    packed: Mapped[bytes] = mapped_column(LargeBinary)


class CourseVersion(Base):
    """What one publication put in place: the course's settings, and every step with its message.

    `files_digest` says from which files; None for those published before versions kept them.
    """

    __tablename__ = "course_versions"

    id: Mapped[Key]
    course_id: Mapped[int] = mapped_column(ForeignKey("courses.id"))
    number: Mapped[int]
    published_at: Mapped[datetime]
    manifest: Mapped[dict[str, Any]]
    files_digest: Mapped[str | None] = mapped_column(ForeignKey("course_files.digest"), index=True)

    __table_args__ = (UniqueConstraint("course_id", "number"),)


class Step(Base):
    """One mail of a course and when it leaves. The key stays when the course is edited.

    `timing` is what narrows its moment beside day and send time (see `timing.Timing`). `condition` is a rule:
    who does not meet it does not get the step. A step with `instead_of` takes the place of that step for
    those who meet its condition; one with `easier_than` is for readers who found that week too hard.
    `languages` holds the message of each language it was translated to, `message_id` everybody else's.
    """

    __tablename__ = "steps"

    id: Mapped[Key]
    course_id: Mapped[int] = mapped_column(ForeignKey("courses.id"))
    key: Mapped[str]
    kind: Mapped[str]
    day: Mapped[int] = mapped_column(SmallInteger)
    send_time: Mapped[time]
    week: Mapped[int | None] = mapped_column(SmallInteger)
    subject: Mapped[str]
    source_digest: Mapped[str]
    message_id: Mapped[int] = mapped_column(ForeignKey("messages.id"))
    retired_at: Mapped[datetime | None]
    timing: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    condition: Mapped[str] = mapped_column(server_default="")
    instead_of: Mapped[str] = mapped_column(server_default="")
    easier_than: Mapped[str] = mapped_column(server_default="")
    languages: Mapped[dict[str, Any]] = mapped_column(server_default="{}")

    __table_args__ = (UniqueConstraint("course_id", "key"), one_of("kind", StepKind))
