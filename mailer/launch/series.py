"""A series' life as people decide it: added, paused, resumed, removed. What it makes is `series_make`'s."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from mailer.audience.aim import Aim, narrowing
from mailer.audience.lists import keep_lists
from mailer.audience.recipients import Reach, count_recipients, list_ids_of
from mailer.clock import local_date
from mailer.content.feed import Feed
from mailer.errors import Refused
from mailer.launch.campaign_check import CompiledCampaign
from mailer.launch.series_look import Look
from mailer.launch.series_news import News, news_of, note_items
from mailer.launch.series_template import CheckedSeries
from mailer.models import Action, Media, Series, SeriesState
from mailer.schedule.cadence import Cadence
from mailer.schedule.series import find_series, get_series, set_next


@dataclass(frozen=True)
class Added:
    """What became of a series' files. `old_items`: so many of its feed count as known, and are not mailed."""

    series: Series
    is_new: bool
    is_changed: bool
    old_items: int = 0


def is_first_look(session: Session, checked: CheckedSeries) -> bool:
    """Whether adding it needs a look at its feed: it is new, or another feed than it was."""
    series = find_series(session, checked.slug)
    return bool(checked.repeats.feed) and (series is None or series.feed_url != checked.repeats.feed)


def add_series(
    session: Session, checked: CheckedSeries, look: Look | None, now: datetime, *, who: str
) -> Added:
    """Make the series, or bring it up to date; the same files again change nothing.

    `look` is the first one at its feed (see `is_first_look`): what is in it is old, but for the newest
    `first`. Raises Refused when the feed is none; then nothing is changed.
    """
    series = find_series(session, checked.slug, to_change=True)
    is_new = series is None
    if series is None:
        series = Series(slug=checked.slug, state=SeriesState.ACTIVE, created_at=now, made=0, feed={})
        series.trouble = series.notice = ""
    needs_look = bool(checked.repeats.feed) and series.feed_url != checked.repeats.feed
    if needs_look and (look is None or look.feed is None or look.url != checked.repeats.feed):
        raise Refused(look.trouble if look and look.trouble else "Its feed was not looked at; add it again.")
    was = _content(series)
    cadence = _cadence(series, checked, now, is_new=is_new)
    is_retimed = series.cadence != cadence.as_values()
    source = checked.sample.source
    series.subject, series.template = checked.repeats.subject, dict(checked.template)
    series.cadence, series.feed_url = cadence.as_values(), checked.repeats.feed or None
    series.list_ids, series.aim = keep_lists(session, source.lists), _aim(checked.sample).as_values()
    if _content(series) == was:
        return Added(series, is_new=False, is_changed=False)
    _put_media(session, checked.sample)
    session.add(series)
    session.flush()
    if is_retimed:
        set_next(session, series, now)
    elif series.trouble and series.state == SeriesState.ACTIVE:
        _wake(series, now)  # whoever mended it wants to see whether it is mended
    series.trouble = ""
    old = 0
    if needs_look and look is not None and look.feed is not None:
        old = _begin_feed(session, series, look, look.feed, checked.repeats.first, now)
    elif not series.feed_url:
        series.feed, series.notice = {}, ""
    note(session, "series add" if is_new else "series change", series, now, who)
    session.flush()
    return Added(series, is_new, is_changed=True, old_items=old)


def _content(series: Series) -> tuple[object, ...]:
    return series.template, series.cadence, series.feed_url, series.list_ids, series.aim


def _cadence(series: Series, checked: CheckedSeries, now: datetime, *, is_new: bool) -> Cadence:
    """Its cadence; one that is brought up to date goes on being counted from where it was."""
    cadence = checked.cadence(local_date(now, checked.repeats.zone))
    if is_new or checked.repeats.begins is not None:
        return cadence
    return replace(cadence, anchor=Cadence.of(series.cadence).anchor)


def _aim(compiled: CompiledCampaign) -> Aim:
    source = compiled.source
    return Aim(source.segment, source.exclude_segment, source.exclude_lists, source.not_if_sent)


def _put_media(session: Session, compiled: CompiledCampaign) -> None:
    for file in compiled.media:
        values = {"name": file.name, "content_type": file.content_type, "content": file.content}
        session.execute(insert(Media).values(values).on_conflict_do_nothing(index_elements=["name"]))


def _begin_feed(session: Session, series: Series, look: Look, feed: Feed, first: int, now: datetime) -> int:
    """Take what is in the feed now as old, but for the newest `first`; returns how many are old."""
    old = feed.items[first:]
    note_items(session, series, old, now)
    # With items still to be mailed the feed has to be read in full again.
    marks = {} if first else {"etag": look.etag, "modified": look.modified}
    series.feed = {"title": feed.title, **marks}
    series.notice, series.looked_at = " ".join(feed.notices), now
    return len(old)


def items_to_skip(session: Session, slug: str, look: Look) -> list[str]:
    """The titles of what `skip_items` would pass over now; raises as that does."""
    return [item.title for item in _news_to_skip(session, get_series(session, slug), look).new]


def _news_to_skip(session: Session, series: Series, look: Look) -> News:
    if look.trouble or look.url != series.feed_url:
        raise Refused(look.trouble or f"{series.slug} has another feed by now; ask again.")
    return news_of(session, series, look.feed)


def skip_items(
    session: Session, slug: str, look: Look, now: datetime, *, who: str, at_most: int | None = None
) -> int:
    """Take all that is in the feed now as known, so that the next mail begins with what comes after.

    Returns how many were new. Raises NotFound, or Refused when it has no feed, that cannot be read, or more
    than `at_most` are new, which is what somebody saw.
    """
    series = get_series(session, slug, to_change=True)
    news = _news_to_skip(session, series, look)
    if at_most is not None and len(news.new) > at_most:
        raise Refused("Something new has come into the feed meanwhile; look again, then take it as known.")
    note_items(session, series, [*news.new, *news.renamed], now)
    new = len(news.new)
    series.trouble, series.looked_at = "", now
    _wake(series, now)
    note(session, "series skip", series, now, who, items=str(new))
    session.flush()
    return new


def _wake(series: Series, now: datetime) -> None:
    """Let the tick look at it again, now or when its moment comes."""
    if series.next_on is not None:
        series.wakes_at = max(now, Cadence.of(series.cadence).due_at(series.next_on))


def pause_series(session: Session, slug: str, now: datetime, *, who: str) -> bool:
    """Make nothing of it until it is resumed; False when it is paused already. Raises NotFound or Refused."""
    series = get_series(session, slug, to_change=True)
    if series.state == SeriesState.ENDED:
        raise Refused(f"{slug} has ended; there is nothing to pause.")
    if series.state == SeriesState.PAUSED:
        return False
    series.state, series.next_on, series.wakes_at = SeriesState.PAUSED, None, None
    note(session, "series pause", series, now, who)
    session.flush()
    return True


def resume_series(session: Session, slug: str, now: datetime, *, who: str) -> date | None:
    """Go on with the first day that is still to come: what fell into the pause is not made up for.

    Returns that day; None: it has ended meanwhile. Raises NotFound, or Refused when it is not paused.
    """
    series = get_series(session, slug, to_change=True)
    if series.state != SeriesState.PAUSED:
        raise Refused(f"{slug} is {series.state}, not paused.")
    series.state, series.trouble = SeriesState.ACTIVE, ""
    set_next(session, series, now)
    note(session, "series resume", series, now, who)
    session.flush()
    return series.next_on


def remove_series(session: Session, slug: str, now: datetime, *, who: str) -> None:
    """Forget the series and what it knows of its feed; the campaigns that it made stay. Raises NotFound."""
    series = get_series(session, slug, to_change=True)
    note(session, "series remove", series, now, who)
    session.delete(series)
    session.flush()


def reach_of(session: Session, series: Series, now: datetime) -> Reach:
    """Whom an occurrence would reach now, by its file. Raises NotFound or Refused if a name is gone."""
    narrowed = narrowing(session, Aim.of(series.aim), now)
    list_ids = list_ids_of(session, series.list_ids)
    return count_recipients(session, list_ids, now, narrowed.inside, narrowed.excluded)


def note(
    session: Session, what: str, series: Series, now: datetime, who: str, rows: int = 0, **detail: str
) -> None:
    """Write into the action log what somebody did to a series."""
    session.add(Action(at=now, who=who, what=what, detail={"series": series.slug, **detail}, rows=rows))
