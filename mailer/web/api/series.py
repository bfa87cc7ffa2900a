"""Series: campaigns that recur, by the calendar or from a feed."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from mailer.desk import series as desk
from mailer.errors import Refused
from mailer.launch.series_look import Look, look_at_feed
from mailer.launch.series_make import Due
from mailer.models import Outcome, SeriesState
from mailer.reports.series import SeriesRow
from mailer.web.api.caller import See, Send
from mailer.web.api.once import OnceDep
from mailer.web.api.paging import Page, PagingDep
from mailer.web.api.told import Changed, Told
from mailer.web.deps import Parts, PartsDep

router = APIRouter(prefix="/series", tags=["Series"])

Slug = Annotated[str, Path(examples=["weekly"], max_length=100)]
TEXT = """---
slug: weekly
subject: "The week"
lists: [calm]
every: week
at: "09:00"
zone: Europe/Lisbon
---
# The week

{{ greeting }}

What happened in the garden.
"""


class SeriesShown(BaseModel):
    """A series. `trouble` is why its next campaign may not be made, `notice` what is odd about its feed."""

    slug: str = Field(examples=["weekly"])
    subject: str = Field(examples=["The week"])
    state: SeriesState
    repeats: str = Field(examples=["every week on Monday at 09:00 (Europe/Lisbon)"])
    feed_url: str | None = Field(examples=[None])
    to_whom: str = Field(examples=["calm"])
    made: int
    next_at: datetime | None
    trouble: str
    notice: str

    @classmethod
    def of(cls, row: SeriesRow) -> SeriesShown:
        return cls.model_validate(row, from_attributes=True)


class Coming(BaseModel):
    """A day on which it comes, and the moment."""

    day: date
    at: datetime


class OccurrenceShown(BaseModel):
    """What became of one of its days."""

    day: date
    made_at: datetime
    outcome: Outcome
    campaign: str | None
    state: str | None
    items: int
    words: str


class SeriesWhole(SeriesShown):
    """A series with what is to come, and the newest of what was made."""

    coming: list[Coming]
    past: list[OccurrenceShown]
    looked_at: datetime | None
    feed_title: str


class Writing(Told):
    """A series' file, and its translations: Markdown with front matter, as docs/campaigns.md has it."""

    markdown: str = Field(max_length=200_000, examples=[TEXT])
    translations: list[Annotated[str, Field(max_length=200_000)]] = Field(
        default_factory=list, max_length=30, examples=[[]]
    )
    agreed: list[str] = Field(
        default_factory=list,
        max_length=10,
        examples=[["warnings"]],
        description="`warnings`, in spite of them.",
    )


class Put(BaseModel):
    """What became of it. `old_items`: so many of its feed count as known, and are not mailed."""

    slug: str = Field(examples=["weekly"])
    is_new: bool
    is_changed: bool
    old_items: int


class ReachShown(BaseModel):
    """Whom an occurrence would reach now, and who of its lists is left out."""

    people: int
    suppressed: int
    pending: int
    unsubscribed: int
    outside: int
    excluded: int


class MailShown(BaseModel):
    """The mail in one language, as a made-up reader would get it."""

    language: str
    subject: str
    text: str
    html: str


class SeriesPreview(BaseModel):
    """What would be made now. `items` are new in its feed (null: it has none); of none one is invented."""

    campaign: str = Field(examples=["weekly-2026-12-01"])
    items: int | None
    notices: list[str]
    mails: list[MailShown]


class Ran(BaseModel):
    """What became of it: a campaign, or (nothing new, nobody to get it, a `trouble`) none."""

    outcome: Outcome | None
    campaign: str = Field(examples=["weekly-2026-12-01"])
    words: str
    trouble: str


class Skipped(BaseModel):
    """How many items are known now, and not mailed."""

    items: int


class Resumed(BaseModel):
    """Its next day; null when it has ended meanwhile."""

    next_on: date | None


@router.get("")
def list_series(parts: PartsDep, actor: See, paging: PagingDep) -> Page[SeriesShown]:
    """All series, by their slugs."""
    after = paging.after("series", str) or ""
    with parts.session() as session:
        rows = desk.list_series(session, actor, after, paging.limit + 1)
    return paging.page(rows, "series", lambda row: str(row.slug), SeriesShown.of)


@router.post("", response_model=Put)
def put_series(parts: PartsDep, actor: Send, once: OnceDep, asked: Writing) -> Response:
    """Have a series' campaigns made and sent from now on, or bring it up to date.

    Errors are a problem that lists each with its line and fix; warnings stop it until you agree to them. What
    is in a feed already counts as known, and is not mailed.
    """
    if (known := once.known(actor)) is not None:
        return known
    with parts.session() as session:
        checked = desk.check_files(session, actor, [asked.markdown, *asked.translations])
    feed = checked.series.repeats.feed
    look = look_at_feed(feed, {}, parts.fetcher, checked.at) if checked.needs_look else None

    def act(session: Session) -> Put:
        done = desk.put_series(session, actor, checked, look, parts.signer, parts.base_url, asked.agreed)
        return Put(
            slug=checked.series.slug,
            is_new=done.is_new,
            is_changed=done.is_changed,
            old_items=done.old_items,
        )

    return once.answer(actor, act)


@router.get("/{slug}")
def show_series(
    parts: PartsDep,
    actor: See,
    slug: Slug,
    ahead: Annotated[int, Query(ge=1, le=100, description="So many of its next days.")] = 3,
) -> SeriesWhole:
    """One series, with what is to come and what was made."""
    with parts.session() as session:
        found = desk.show_series(session, actor, slug, ahead)
    return SeriesWhole(
        **SeriesShown.of(found.row).model_dump(),
        coming=[Coming(day=day, at=at) for day, at in found.coming],
        past=[OccurrenceShown.model_validate(one, from_attributes=True) for one in found.past],
        looked_at=found.looked_at,
        feed_title=found.feed_title,
    )


@router.delete("/{slug}")
def remove_series(parts: PartsDep, actor: Send, slug: Slug) -> Changed:
    """Forget a series and what it knows of its feed; the campaigns that it made stay."""
    with parts.session() as session:
        desk.remove_series(session, actor, slug)
    return Changed(changed=True)


@router.get("/{slug}/audience")
def look_at_series_audience(parts: PartsDep, actor: See, slug: Slug) -> ReachShown:
    """Whom an occurrence would reach if it were made now."""
    with parts.session() as session:
        return ReachShown.model_validate(desk.look_at_audience(session, actor, slug), from_attributes=True)


@router.get("/{slug}/preview")
def preview_series(parts: PartsDep, actor: See, slug: Slug) -> SeriesPreview:
    """What would be made now, of its feed as it is now. Nothing is sent or kept."""
    with parts.session() as session:
        due = desk.to_be_looked_at(session, actor, slug)
    look = _look(parts, due)
    with parts.session() as session:
        found = desk.preview_series(session, actor, due, look, parts.signer, parts.base_url)
    return SeriesPreview.model_validate(found, from_attributes=True)


@router.post("/{slug}/run", response_model=Ran)
def run_series(parts: PartsDep, actor: Send, once: OnceDep, slug: Slug) -> Response:
    """Make its next occurrence now, in place of when it was to come."""
    if (known := once.known(actor)) is not None:
        return known
    with parts.session() as session:
        due = desk.to_be_made(session, actor, slug)
    look = _look(parts, due)
    needs_approval = parts.settings.needs_approval

    def act(session: Session) -> Ran:
        asked = session, actor, due, look, parts.signer, parts.base_url
        made = desk.make_now(*asked, needs_approval=needs_approval)
        if made.outcome is None and not made.trouble:
            raise Refused(f"{slug} was changed or made a moment ago; look at it first.")
        return Ran.model_validate(made, from_attributes=True)

    return once.answer(actor, act)


@router.post("/{slug}/skip", response_model=Skipped)
def skip_items(parts: PartsDep, actor: Send, once: OnceDep, slug: Slug) -> Response:
    """Take all that is in its feed now as known: it is not mailed."""
    if (known := once.known(actor)) is not None:
        return known
    with parts.session() as session:
        due = desk.to_be_skipped(session, actor, slug)
    look = look_at_feed(due.feed_url, due.marks, parts.fetcher, due.at)
    return once.answer(actor, lambda session: Skipped(items=desk.skip_items(session, actor, slug, look)))


@router.post("/{slug}/pause", response_model=Changed)
def pause_series(actor: Send, once: OnceDep, slug: Slug) -> Response:
    """Make nothing of it until it is resumed; campaigns that it has made go on."""
    return once.answer(actor, lambda session: Changed(changed=desk.pause_series(session, actor, slug)))


@router.post("/{slug}/resume", response_model=Resumed)
def resume_series(actor: Send, once: OnceDep, slug: Slug) -> Response:
    """Go on with a paused series; what fell into the pause is not made up for."""
    return once.answer(actor, lambda session: Resumed(next_on=desk.resume_series(session, actor, slug)))


def _look(parts: Parts, due: Due) -> Look | None:
    """One look at its feed, while no transaction is open; None when it has none."""
    return look_at_feed(due.feed_url, due.marks, parts.fetcher, due.at) if due.feed_url else None
