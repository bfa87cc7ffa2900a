"""Series: campaigns that recur, by the calendar or from a feed."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, UniqueConstraint, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from mailer.models.base import Base, Key, one_of


class SeriesState(StrEnum):
    """Ended: its last day or its last time is over."""

    ACTIVE = "active"
    PAUSED = "paused"
    ENDED = "ended"


class Outcome(StrEnum):
    """What became of one occurrence of a series.

    Asks: it is a draft, because something about it is surprising. Taken: there was a campaign of its name.
    """

    MADE = "made"
    ASKS = "asks"
    NOBODY = "nobody"
    NOTHING_NEW = "nothing-new"
    TAKEN = "taken"


class Series(Base):
    """A campaign's template and when it repeats.

    `template` holds its files (name and text, the first one leading) and the published names of their
    pictures; `list_ids` and `aim` are those of the file when it was added, for counting ahead. The next
    occurrence is that of the day `next_on`; the tick looks at `wakes_at`, which is later than its moment
    after a trouble. `made` counts the campaigns made. `trouble` is what keeps it from making one, `notice`
    what is odd about its feed; both empty when all is well. `feed` keeps the feed's title, ETag and
    Last-Modified.
    """

    __tablename__ = "series"

    id: Mapped[Key]
    slug: Mapped[str] = mapped_column(unique=True)
    subject: Mapped[str]
    template: Mapped[dict[str, Any]]
    cadence: Mapped[dict[str, Any]]
    list_ids: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    aim: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    state: Mapped[str] = mapped_column(server_default=SeriesState.ACTIVE)
    feed_url: Mapped[str | None]
    feed: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    next_on: Mapped[date | None]
    wakes_at: Mapped[datetime | None]
    made: Mapped[int] = mapped_column(server_default="0")
    trouble: Mapped[str] = mapped_column(server_default="")
    notice: Mapped[str] = mapped_column(server_default="")
    looked_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (one_of("state", SeriesState), Index(None, "wakes_at"))


class SeriesOccurrence(Base):
    """One day of a series and what became of it; the same day is never made twice."""

    __tablename__ = "series_occurrences"

    id: Mapped[Key]
    series_id: Mapped[int] = mapped_column(ForeignKey("series.id", ondelete="CASCADE"))
    day: Mapped[date]
    made_at: Mapped[datetime]
    outcome: Mapped[str]
    campaign_id: Mapped[int | None] = mapped_column(ForeignKey("campaigns.id"), index=True)
    items: Mapped[int] = mapped_column(server_default="0")
    words: Mapped[str] = mapped_column(server_default="")

    __table_args__ = (one_of("outcome", Outcome), UniqueConstraint("series_id", "day"))


class SeriesItem(Base):
    """An item of a feed that was mailed (`occurrence_id`) or passed over, by its id's fingerprint.

    `twin` stands for what it says, in case its site gives it another id; empty when that tells nothing.
    """

    __tablename__ = "series_items"

    series_id: Mapped[int] = mapped_column(ForeignKey("series.id", ondelete="CASCADE"), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(primary_key=True)
    twin: Mapped[str] = mapped_column(server_default="")
    noted_at: Mapped[datetime]
    occurrence_id: Mapped[int | None] = mapped_column(
        ForeignKey("series_occurrences.id", ondelete="CASCADE"), index=True
    )

    __table_args__ = (Index(None, "series_id", "twin"),)
