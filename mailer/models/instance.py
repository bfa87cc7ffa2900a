"""This installation itself: one row."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from mailer.models.base import Base


class Instance(Base):
    """`stepped_at` is the demo's clock: while it is set, business time stands still there.

    Mails of what began before `kept_since` may have been dropped; see delivery/partitions.py.
    """

    __tablename__ = "instance"

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    stepped_at: Mapped[datetime | None]
    kept_since: Mapped[datetime | None]

    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)
