"""What takes longer than a page may: the coming days, acts on many mails or whole lists, checks of drafts."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, Float, ForeignKey, Index, SmallInteger, func, text
from sqlalchemy.orm import Mapped, mapped_column

from mailer.models.base import Base, Key, one_of


class Outlook(Base):
    """The one row of it: what leaves in the coming days, worked out last at `made_at`.

    `found` is what launch/outlook.py keeps of it; it took `seconds`. Somebody wants a new one since
    `asked_at`. Both moments are the database's clock. `error` is why the last try did not end well: `found`
    is older then.
    """

    __tablename__ = "outlook"

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    asked_at: Mapped[datetime | None]
    made_at: Mapped[datetime | None]
    seconds: Mapped[float] = mapped_column(Float, server_default="0")
    found: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    error: Mapped[str] = mapped_column(server_default="")

    __table_args__ = (CheckConstraint("id = 1", name="id"),)


class BulkAct(Base):
    """One act on many mails that somebody confirmed, done a part at a time (delivery/bulk.py).

    `verb` and `filter` say what and to which, at most `seen` of them; `because` is kept with each mail. All
    those with an id up to `up_to` are behind it, `changed` of them were changed. It has ended once
    `ended_at` is set; `error` says why before its end, if it did. Its newest part has failed `failures` times
    one after the other, at `failed_at` the last time, by something that nobody foresaw.
    """

    __tablename__ = "bulk_acts"

    id: Mapped[Key]
    asked_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    who: Mapped[str]
    verb: Mapped[str]
    filter: Mapped[dict[str, Any]]
    because: Mapped[str] = mapped_column(server_default="")
    seen: Mapped[int]
    up_to: Mapped[int] = mapped_column(server_default="0")
    changed: Mapped[int] = mapped_column(server_default="0")
    failures: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    failed_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    error: Mapped[str] = mapped_column(server_default="")

    __table_args__ = (Index("ix_bulk_acts_open", "id", postgresql_where=text("ended_at IS NULL")),)


class ListActKind(StrEnum):
    REMOVE = "remove"
    ENROLL = "enroll"


class ListAct(Base):
    """One act on a whole list that somebody confirmed, done a part at a time (launch/list_acts.py).

    Its people leave it, as it is deleted, or join the course `course_id`: `changed` so far of the `seen` that
    were told, those with a subscription up to `up_to`. It has ended once `ended_at` is set; `error` says why
    before its end, if it did. `failures` and `failed_at` are as a BulkAct's.
    """

    __tablename__ = "list_acts"

    id: Mapped[Key]
    asked_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    kind: Mapped[str]
    list_id: Mapped[int] = mapped_column(ForeignKey("lists.id"), index=True)
    course_id: Mapped[int | None] = mapped_column(ForeignKey("courses.id"))
    who: Mapped[str]
    seen: Mapped[int]
    up_to: Mapped[int] = mapped_column(server_default="0")
    changed: Mapped[int] = mapped_column(server_default="0")
    failures: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    failed_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    error: Mapped[str] = mapped_column(server_default="")

    __table_args__ = (
        Index("ix_list_acts_open", "id", postgresql_where=text("ended_at IS NULL")),
        one_of("kind", ListActKind),
    )


class LinkCheck(Base):
    """What a link answered when it was last asked (the database's clock); `what` is empty when it is well."""

    __tablename__ = "link_checks"

    url: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    what: Mapped[str] = mapped_column(server_default="")
    fix: Mapped[str] = mapped_column(server_default="")
    is_warning: Mapped[bool] = mapped_column(server_default=text("false"))


class CheckedKind(StrEnum):
    CAMPAIGN = "campaign"
    COURSE = "course"


class DraftCheck(Base):
    """What the last check of a draft found, so that it is told without being checked again.

    It is of what had the `digest`, and by the database's clock. `errors` are counted; `first` is one of them.
    """

    __tablename__ = "draft_checks"

    kind: Mapped[str] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[str]
    at: Mapped[datetime]
    errors: Mapped[int]
    first: Mapped[str] = mapped_column(server_default="")

    __table_args__ = (
        Index("ix_draft_checks_failing", "kind", "at", postgresql_where=text("errors > 0")),
        one_of("kind", CheckedKind),
    )
