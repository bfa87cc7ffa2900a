"""What of a feed is new to a series: by each item's id, and by what it says when a site renames them all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from mailer.content.feed import Feed, FeedItem
from mailer.models import Series, SeriesItem

MOST_NEW = 50
"""Items of one mail. More at once is hardly news: sites that were rebuilt give all their items new ids."""
A_DAY = timedelta(days=1)
"""A site's cache may keep an item back for so long after its date."""


@dataclass(frozen=True)
class News:
    """The items that are `new`, and those that are `renamed`: known, under another id than before.

    `is_rebuilt`: nothing in the feed is known, and most of it is older than what is. `is_turned_over`:
    nothing in it is known, so that something may have come and gone unseen.
    """

    new: tuple[FeedItem, ...] = ()
    renamed: tuple[FeedItem, ...] = ()
    is_rebuilt: bool = False
    is_turned_over: bool = False

    def words(self) -> str:
        """What has to be said of it, as sentences; mostly nothing."""
        if self.is_rebuilt:
            return (
                "Nothing in its feed is known, and most of it is older than the last mail: "
                "the site may have given its old items new ids."
            )
        if self.is_turned_over:
            return (
                "Nothing of the last time is in its feed any more, so some items may have come and gone "
                "unseen; a shorter `every` sees them."
            )
        if self.renamed:
            number = len(self.renamed)
            return f"{number:,} {'item has' if number == 1 else 'items have'} a new id; not mailed again."
        return ""


def news_of(session: Session, series: Series, feed: Feed | None) -> News:
    """What of the feed the series does not know; nothing without a feed."""
    if feed is None or not feed.items:
        return News()
    ids, twins = _known(session, series, feed.items)
    unknown = [item for item in feed.items if item.fingerprint not in ids]
    new = tuple(item for item in unknown if item.twin not in twins)
    renamed = tuple(item for item in unknown if item.twin in twins)
    last = select(func.max(SeriesItem.noted_at)).where(SeriesItem.series_id == series.id)
    known_at = session.execute(last).scalar()
    if known_at is None or len(new) < len(feed.items):
        return News(new, renamed)
    is_rebuilt = 2 * sum(_is_before(item, known_at) for item in new) > len(new)
    return News(new, renamed, is_rebuilt=is_rebuilt, is_turned_over=not is_rebuilt)


def _known(session: Session, series: Series, items: Iterable[FeedItem]) -> tuple[set[str], set[str]]:
    """The ids' fingerprints, and the twins, that were noted before."""
    chosen = select(SeriesItem.fingerprint, SeriesItem.twin).where(
        SeriesItem.series_id == series.id,
        or_(
            SeriesItem.fingerprint.in_([item.fingerprint for item in items]),
            SeriesItem.twin.in_([item.twin for item in items if item.twin]),
        ),
    )
    found = session.execute(chosen).all()
    return {row.fingerprint for row in found}, {row.twin for row in found if row.twin}


def _is_before(item: FeedItem, known_at: datetime) -> bool:
    return item.published is not None and item.published < known_at - A_DAY


def note_items(
    session: Session,
    series: Series,
    items: Iterable[FeedItem],
    now: datetime,
    occurrence_id: int | None = None,
) -> None:
    """Note items as known: mailed with this occurrence, or passed over."""
    rows = [
        {
            "series_id": series.id,
            "fingerprint": item.fingerprint,
            "twin": item.twin,
            "noted_at": now,
            "occurrence_id": occurrence_id,
        }
        for item in items
    ]
    if rows:
        session.execute(insert(SeriesItem).values(rows).on_conflict_do_nothing())
