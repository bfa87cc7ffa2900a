"""How many mails somebody gets at most, over all courses and campaigns."""

from __future__ import annotations

from datetime import time
from enum import StrEnum

from sqlalchemy import CheckConstraint, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from mailer.models.base import Base, one_of


class Losing(StrEnum):
    """What becomes of a campaign's mail for which there is no room: another day, or nothing."""

    MOVE = "move"
    DROP = "drop"


class FrequencyCap(Base):
    """The one row of it. Days and hours are the subscriber's own; None: no such limit."""

    __tablename__ = "frequency_cap"

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    per_day: Mapped[int | None] = mapped_column(SmallInteger)
    per_week: Mapped[int | None] = mapped_column(SmallInteger)
    quiet_from: Mapped[time | None]
    quiet_until: Mapped[time | None]
    losing: Mapped[str] = mapped_column(server_default=Losing.MOVE)

    __table_args__ = (CheckConstraint("id = 1", name="id"), one_of("losing", Losing))
