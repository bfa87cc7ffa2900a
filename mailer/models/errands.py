"""What takes longer than a page may: the coming days worked out, and acts on many mails."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Float, Index, SmallInteger, func, text
from sqlalchemy.orm import Mapped, mapped_column

from mailer.models.base import Base, Key


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
    """One act on many mails that somebody confirmed, done a part at a time (launch/bulk_acts.py).

    `verb` and `filter` say what and to which, at most `seen` of them; `because` is kept with each mail. All
    those with an id up to `up_to` are behind it, `changed` of them were changed. It has ended once
    `ended_at` is set; `error` says why before its end, if it did.
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
    ended_at: Mapped[datetime | None]
    error: Mapped[str] = mapped_column(server_default="")

    __table_args__ = (Index("ix_bulk_acts_open", "id", postgresql_where=text("ended_at IS NULL")),)
