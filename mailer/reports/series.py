"""Series at a glance, and one of them: what is to come, what was made, what is the matter."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.audience.aim import Aim
from mailer.models import Campaign, MailingList, Series, SeriesOccurrence
from mailer.schedule.cadence import Cadence
from mailer.schedule.series import coming, get_series

PAST = 20
"""So many of what was made are shown."""


@dataclass(frozen=True)
class SeriesRow:
    """One series. `next_at` is the moment of its next occurrence; `trouble` is why there may be none."""

    slug: str
    subject: str
    state: str
    repeats: str
    feed_url: str | None
    to_whom: str
    made: int
    next_at: datetime | None
    trouble: str
    notice: str

    def as_values(self) -> dict[str, Any]:
        """For programs; moments as ISO 8601."""
        return asdict(self) | {"next_at": self.next_at.isoformat() if self.next_at else None}


@dataclass(frozen=True)
class OccurrenceRow:
    """What became of one day of it. `state` is that of its campaign; `items` those of its feed."""

    day: date
    made_at: datetime
    outcome: str
    campaign: str | None
    state: str | None
    items: int
    words: str

    def as_values(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self) | {"day": self.day.isoformat(), "made_at": self.made_at.isoformat()}


@dataclass(frozen=True)
class SeriesReport:
    """One series in full; `coming` are its next days with their moments, `past` the newest first.

    `looked_at` is when its feed was last asked, `feed_title` what that calls itself.
    """

    row: SeriesRow
    coming: tuple[tuple[date, datetime], ...]
    past: tuple[OccurrenceRow, ...]
    looked_at: datetime | None
    feed_title: str


def series_overview(
    session: Session, now: datetime, after: str = "", limit: int | None = None
) -> list[SeriesRow]:
    """Every series, by its slug; or `limit` at most, those after the slug `after`."""
    lists = dict(session.execute(select(MailingList.id, MailingList.slug)).all())
    chosen = select(Series).where(Series.slug > after).order_by(Series.slug).limit(limit)
    every = session.execute(chosen).scalars()
    return [_row(session, series, lists, now) for series in every]


def describe_series(session: Session, slug: str, now: datetime, *, ahead: int = 3) -> SeriesReport:
    """The series of this slug, so many of its days `ahead`; raises NotFound."""
    series = get_series(session, slug)
    lists = dict(session.execute(select(MailingList.id, MailingList.slug)).all())
    chosen = (
        select(SeriesOccurrence, Campaign.slug, Campaign.state)
        .outerjoin(Campaign, Campaign.id == SeriesOccurrence.campaign_id)
        .where(SeriesOccurrence.series_id == series.id)
        .order_by(SeriesOccurrence.day.desc())
        .limit(PAST)
    )
    past = tuple(
        OccurrenceRow(one.day, one.made_at, one.outcome, campaign, state, one.items, one.words)
        for one, campaign, state in session.execute(chosen)
    )
    return SeriesReport(
        row=_row(session, series, lists, now),
        coming=tuple(coming(session, series, now, ahead)),
        past=past,
        looked_at=series.looked_at,
        feed_title=series.feed.get("title", ""),
    )


def _row(session: Session, series: Series, lists: dict[int, str], now: datetime) -> SeriesRow:
    aim = Aim.of(series.aim)
    to_whom = ", ".join(lists[id_] for id_ in series.list_ids) or "every list"
    to_whom += f", {aim.within()}" if aim.within() else ""
    to_whom += f", but not those {aim.without()}" if aim.without() else ""
    ahead = coming(session, series, now, 1)
    return SeriesRow(
        slug=series.slug,
        subject=series.subject,
        state=series.state,
        repeats=Cadence.of(series.cadence).in_words(),
        feed_url=series.feed_url,
        to_whom=to_whom,
        made=series.made,
        next_at=ahead[0][1] if ahead else None,
        trouble=series.trouble,
        notice=series.notice,
    )
