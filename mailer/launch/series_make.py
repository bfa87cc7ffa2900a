"""The next occurrence of a series becomes a campaign, once, in one transaction."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.clock import local_date
from mailer.content.series_text import Occasion
from mailer.errors import MailerError, Refused
from mailer.launch.campaign import (
    NO_APPROVAL,
    Approval,
    Launch,
    Nobody,
    look_ahead,
    put_draft,
    schedule,
    schedule_local,
)
from mailer.launch.mailing import of_files
from mailer.launch.preflight import first_error
from mailer.launch.series_look import Look
from mailer.launch.series_news import MOST_NEW, News, news_of, note_items
from mailer.launch.series_template import CannotMake, compile_occurrence
from mailer.links import Signer
from mailer.models import Outcome, Series, SeriesOccurrence, SeriesState
from mailer.schedule.cadence import Cadence
from mailer.schedule.campaigns import find_campaign
from mailer.schedule.local_time import LocalTime, Past
from mailer.schedule.series import get_series, set_next

LEASE = timedelta(minutes=5)
"""So long one that was claimed is left alone: longer than all feeds of one look may keep us waiting."""
TRY_AGAIN = timedelta(hours=1)
"""After a trouble: long enough not to be a burden on somebody's site."""
A_SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Due:
    """A series whose moment had come `at` that time, and how to ask its feed (`feed_url` empty: none)."""

    series_id: int
    slug: str
    next_on: date
    feed_url: str
    marks: dict[str, Any]
    at: datetime
    is_early: bool = False


@dataclass(frozen=True)
class Made:
    """What became of it. `outcome` is None when nothing was to be done, or `trouble` says why it was not."""

    outcome: Outcome | None = None
    campaign: str = ""
    words: str = ""
    trouble: str = ""


def claim_due(session: Session, now: datetime, limit: int = 20) -> list[Due]:
    """The series whose moment has come; nobody else is given them for the length of a LEASE.

    That spares their sites, and workers that would wait for them. What makes each day once is `make`.
    """
    chosen = select(Series).where(Series.wakes_at <= now).order_by(Series.wakes_at, Series.id).limit(limit)
    found = []
    for series in session.execute(chosen.with_for_update(skip_locked=True)).scalars():
        # Its zone may have other rules than when this was worked out.
        due_at = _due_at(series)
        series.wakes_at = now + LEASE if due_at <= now else due_at
        if due_at <= now:
            found.append(_due(series, now, is_early=False))
    session.flush()
    # A calendar waits for nobody's site.
    return sorted(found, key=lambda one: bool(one.feed_url))


def due_now(session: Session, slug: str, now: datetime) -> Due:
    """The series, to be made now; raises NotFound, or Refused when no occurrence of it is to come."""
    series = get_series(session, slug)
    if series.state != SeriesState.ACTIVE or series.next_on is None:
        fix = f"`steadypost campaign series show {slug}` says more."
        raise Refused(f"{slug} is {series.state}, so nothing of it is to come; {fix}")
    return _due(series, now, is_early=True)


def as_if_due(session: Session, slug: str, now: datetime) -> Due:
    """The series, to be looked at only, whatever its state; raises NotFound."""
    return _due(get_series(session, slug), now, is_early=True)


def _due(series: Series, now: datetime, *, is_early: bool) -> Due:
    next_on = series.next_on or local_date(now, Cadence.of(series.cadence).zone)
    feed_url, marks = series.feed_url or "", dict(series.feed)
    return Due(series.id, series.slug, next_on, feed_url, marks, now, is_early)


def make(
    session: Session,
    due: Due,
    look: Look | None,
    now: datetime,
    *,
    who: str,
    signer: Signer,
    base_url: str,
    approval: Approval = NO_APPROVAL,
) -> Made:
    """Make the occurrence that is due: its campaign, its record and what it knows of the feed, or none of it.

    None of it either, but a `trouble`, when its mails could not be made for its readers: a draft could not be
    mended, as its text is the series'. Its links, which are new each time, are not asked. Of several that are
    due only the latest is made. Whoever comes second, or with an old look, changes nothing: the series' row
    is locked, and each day has one record.
    """
    series = _locked(session, due.series_id)
    if series is None or not _is_still(series, due, now):
        return Made()
    if series.feed_url and (look is None or look.url != series.feed_url):
        return Made()
    if look is not None:
        series.looked_at = now
    news = news_of(session, series, look.feed if look is not None else None)
    what = look.trouble if look is not None else ""
    if what := what or _too_many(series, news):
        return _in_trouble(session, series, what, now)
    occasion, words = _occasion(series, due, look, news, now)
    if _record_of(session, series, occasion.day) is not None:
        set_next(session, series, now)  # made early, before the calendar was changed
        return Made()
    try:
        with session.begin_nested():
            made = _make(
                *(session, series, occasion, news, now),
                who=who,
                signer=signer,
                base_url=base_url,
                due=due,
                approval=approval,
            )
    except Nobody as nobody:
        made = Made(Outcome.NOBODY, words=str(nobody))
    except MailerError as error:
        return _in_trouble(session, series, str(error), now)
    if due.is_early and made.outcome in (Outcome.NOBODY, Outcome.NOTHING_NEW):
        series.trouble = ""
        return made  # nobody got anything, so the day itself is still to come
    made = replace(made, words=" ".join(filter(None, (made.words, words))))
    _record(session, series, occasion, made, look, now)
    note_items(session, series, news.renamed, now)
    return made


def next_occasion(session: Session, series: Series, due: Due, look: Look | None, now: datetime) -> Occasion:
    """What would be made of the series now."""
    news = news_of(session, series, look.feed if look is not None else None)
    return _occasion(series, due, look, news, now)[0]


def _locked(session: Session, series_id: int) -> Series | None:
    chosen = select(Series).where(Series.id == series_id).with_for_update()
    return session.execute(chosen.execution_options(populate_existing=True)).scalar_one_or_none()


def _is_still(series: Series, due: Due, now: datetime) -> bool:
    is_there = series.state == SeriesState.ACTIVE and series.next_on == due.next_on
    return is_there and (due.is_early or _due_at(series) <= now)


def _due_at(series: Series) -> datetime:
    """The moment of its next occurrence, by its zone's rules of today."""
    if series.next_on is None:
        raise ValueError(f"nothing of {series.slug} is to come")
    return Cadence.of(series.cadence).due_at(series.next_on)


def _too_many(series: Series, news: News) -> str:
    """What to say of so many new items that they can be no news; empty when they can."""
    if len(news.new) <= MOST_NEW:
        return ""
    return (
        f"Its feed has {len(news.new):,} new items at once, and a mail takes {MOST_NEW} at most; "
        f"`steadypost campaign series skip {series.slug}` takes them as known, without a mail."
    )


def _occasion(series: Series, due: Due, look: Look | None, news: News, now: datetime) -> tuple[Occasion, str]:
    """What is to be made, and what is to be said of those before it that were missed."""
    cadence = Cadence.of(series.cadence)
    day, missed = cadence.latest_due(due.next_on, now)
    words = f"{missed:,} before it, from {due.next_on} on, missed and not made up for." if missed else ""
    words = " ".join(filter(None, (words, news.words())))
    feed = look.feed if look is not None else None
    return Occasion(day, series.made + 1, feed, news.new, cadence.zone), words


def _make(
    session: Session,
    series: Series,
    occasion: Occasion,
    news: News,
    now: datetime,
    *,
    who: str,
    signer: Signer,
    base_url: str,
    due: Due,
    approval: Approval,
) -> Made:
    if series.feed_url and not occasion.items:
        return Made(Outcome.NOTHING_NEW)
    slug = f"{series.slug}-{occasion.day}"
    if find_campaign(session, slug) is not None:
        return Made(Outcome.TAKEN, words=f"There is a campaign {slug} already, so none was made.")
    compiled = compile_occurrence(session, series.template, slug, occasion)
    # Before the draft, which keeps everybody else from publishing.
    error = first_error(session, of_files(session, compiled), signer, base_url, now)
    campaign = put_draft(session, compiled, now, who=who).campaign
    occurrence = SeriesOccurrence(
        series_id=series.id, day=occasion.day, made_at=now, outcome=Outcome.MADE, campaign_id=campaign.id
    )
    session.add(occurrence)
    session.flush()  # what is surprising depends on which series it is of
    seen = look_ahead(session, slug, now)  # nobody to get it is not the mail's fault
    if error is not None:
        raise CannotMake(f"{error} `steadypost campaign series preview {series.slug}` shows the mail.")
    if seen.surprising or news.is_rebuilt:
        occurrence.outcome = Outcome.ASKS
        asked = " ".join(one.words for one in seen.surprising)
        fix = f"It is a draft: `steadypost campaign send {slug}` asks about it."
        return Made(Outcome.ASKS, slug, f"{asked} {fix}".strip())
    _send(session, series, seen, occasion.day, now, who=who, is_early=due.is_early, approval=approval)
    return Made(Outcome.MADE, slug)


def _send(
    session: Session,
    series: Series,
    seen: Launch,
    day: date,
    now: datetime,
    *,
    who: str,
    is_early: bool,
    approval: Approval,
) -> None:
    """Now, or by each reader's own clock; zones that have passed while it could not be made get it late."""
    cadence = Cadence.of(series.cadence)
    if is_early or not cadence.is_local:
        schedule(session, seen, now, now, who=who, approval=approval)
        return
    at = datetime.combine(day, cadence.at)
    decided_at = min(now, cadence.due_at(day)) - A_SECOND
    local = LocalTime(at, cadence.zone, decided_at, Past.SEND)
    schedule_local(session, seen, local, now, who=who, approval=approval)


def _record(
    session: Session, series: Series, occasion: Occasion, made: Made, look: Look | None, now: datetime
) -> None:
    """Write down what became of the day, and what is known of the feed from now on; go on to the next."""
    is_mailed = made.outcome in (Outcome.MADE, Outcome.ASKS)
    occurrence = _record_of(session, series, occasion.day)
    if occurrence is None:
        occurrence = SeriesOccurrence(series_id=series.id, day=occasion.day, made_at=now)
        session.add(occurrence)
    occurrence.outcome, occurrence.words = str(made.outcome), made.words
    occurrence.items = len(occasion.items)
    session.flush()
    if is_mailed:
        series.made += 1
        note_items(session, series, occasion.items, now, occurrence.id)
    if look is not None:
        _remember(series, look, is_all_known=is_mailed or not occasion.items)
    series.trouble = ""
    # After the day itself too, when it was made early.
    set_next(session, series, max(now, Cadence.of(series.cadence).due_at(occasion.day)))
    session.flush()


def _record_of(session: Session, series: Series, day: date) -> SeriesOccurrence | None:
    chosen = select(SeriesOccurrence).where(
        SeriesOccurrence.series_id == series.id, SeriesOccurrence.day == day
    )
    return session.execute(chosen).scalar_one_or_none()


def _remember(series: Series, look: Look, *, is_all_known: bool) -> None:
    """Keep the feed's marks only when all that it has is known: "not modified" would hide the rest."""
    if look.feed is not None:
        series.notice = " ".join(look.feed.notices)
    title = look.feed.title if look.feed is not None else series.feed.get("title", "")
    marks = {"etag": look.etag, "modified": look.modified} if is_all_known else {}
    series.feed = {"title": title, **marks}


def _in_trouble(session: Session, series: Series, what: str, now: datetime) -> Made:
    """Keep what is wrong in its row, and look again in an hour; by then the day may be the next one's."""
    series.trouble = what
    if series.next_on is not None:  # after `run` its own moment may be far off
        series.wakes_at = max(now + TRY_AGAIN, Cadence.of(series.cadence).due_at(series.next_on))
    session.flush()
    return Made(trouble=what)
