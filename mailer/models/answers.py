"""What readers say and do: their wishes about pace, their answers to a check-in, their clicks."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, SmallInteger, Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from mailer.models.base import Base, Key, one_of


class Answer(StrEnum):
    """What somebody says of a week of the protocol."""

    DONE = "done"
    NOT_YET = "not-yet"
    TOO_HARD = "too-hard"


class Verdict(StrEnum):
    """Who followed a link."""

    PERSON = "person"
    MACHINE = "machine"


class PaceChange(Base):
    """A change of somebody's pace: what was asked, and their enrollment's columns before and after it.

    Undoing one that began a round notes in `after` under "undone" which round goes on, and behind which day.
    """

    __tablename__ = "pace_changes"

    id: Mapped[Key]
    enrollment_id: Mapped[int] = mapped_column(ForeignKey("enrollments.id", ondelete="CASCADE"), index=True)
    at: Mapped[datetime]
    who: Mapped[str]
    what: Mapped[str]
    before: Mapped[dict[str, Any]]
    after: Mapped[dict[str, Any]]
    delivery_id: Mapped[int | None]
    undone_at: Mapped[datetime | None]


class CheckIn(Base):
    """An answer to a week's check-in; each is kept, the newest counts.

    `times` is how often the week had been sent again before.
    """

    __tablename__ = "check_ins"

    id: Mapped[Key]
    enrollment_id: Mapped[int] = mapped_column(ForeignKey("enrollments.id", ondelete="CASCADE"), index=True)
    subscriber_id: Mapped[int]
    course_id: Mapped[int]
    week: Mapped[int] = mapped_column(SmallInteger)
    times: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    answer: Mapped[str]
    at: Mapped[datetime]
    delivery_id: Mapped[int | None]

    __table_args__ = (Index(None, "course_id", "week", "subscriber_id"), one_of("answer", Answer))


class Click(Base):
    """One request for a tracked link, as it came, with what we take it for. `rules` name why."""

    __tablename__ = "clicks"

    id: Mapped[Key]
    at: Mapped[datetime]
    delivery_id: Mapped[int] = mapped_column(index=True)
    subscriber_id: Mapped[int] = mapped_column(ForeignKey("subscribers.id", ondelete="CASCADE"), index=True)
    message_id: Mapped[int]
    source: Mapped[str]
    link: Mapped[int] = mapped_column(SmallInteger)
    url: Mapped[str]
    method: Mapped[str]
    user_agent: Mapped[str] = mapped_column(server_default="")
    network: Mapped[str] = mapped_column(server_default="")
    verdict: Mapped[str]
    rules: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")

    __table_args__ = (Index(None, "source", "at"), one_of("verdict", Verdict))


class Firing(Base):
    """A course's trigger has met somebody: it enrolls each person once, however often it holds."""

    __tablename__ = "firings"

    course_id: Mapped[int] = mapped_column(ForeignKey("courses.id"), primary_key=True)
    trigger: Mapped[str] = mapped_column(primary_key=True)
    subscriber_id: Mapped[int] = mapped_column(
        ForeignKey("subscribers.id", ondelete="CASCADE"), primary_key=True, autoincrement=False, index=True
    )
    at: Mapped[datetime]
    result: Mapped[str]
