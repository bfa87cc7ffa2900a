"""Series: campaigns that recur, by the calendar or from a feed.

A feed is on another machine: whoever calls these looks at it in between, with no session open.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy.orm import Session

from mailer.accounts.rights import Actor, Right, needs
from mailer.audience.recipients import Reach
from mailer.content.course_source import Problem
from mailer.db import business_now
from mailer.errors import Refused
from mailer.launch import series
from mailer.launch.asked import ask_for_yes, refuse_faulty
from mailer.launch.campaign import Approval
from mailer.launch.mailing import of_files
from mailer.launch.preflight import preflight
from mailer.launch.series import Added
from mailer.launch.series_look import Look
from mailer.launch.series_make import Due, Made, as_if_due, due_now, make
from mailer.launch.series_preview import Preview, preview
from mailer.launch.series_template import CheckedSeries
from mailer.launch.uploaded import compile_series
from mailer.links import Signer
from mailer.reports.forms import list_choices
from mailer.reports.series import SeriesReport, SeriesRow, describe_series, series_overview
from mailer.schedule.series import find_series, get_series
from mailer.seen import refuse_unseen
from mailer.seen import seen_of as digest_of


@dataclass(frozen=True)
class Checked:
    """A series' files that were read `at` a moment, and the warnings about them.

    `needs_look`: its feed is a new one.
    """

    series: CheckedSeries
    warnings: Sequence[Problem]
    needs_look: bool
    at: datetime


@needs(Right.SEE)
def list_series(session: Session, _: Actor, after: str, limit: int) -> list[SeriesRow]:
    """Series by their slugs, those after `after`."""
    return series_overview(session, business_now(session), after, limit)


@needs(Right.SEE)
def show_series(session: Session, _: Actor, slug: str, ahead: int) -> SeriesReport:
    """One of them, so many of its days `ahead`; raises NotFound."""
    return describe_series(session, slug, business_now(session), ahead=ahead)


@needs(Right.SEND)
def texts_of(session: Session, _: Actor, slug: str) -> list[str]:
    """Its files as they were added, the first and its translations; raises NotFound."""
    return [one["text"] for one in get_series(session, slug).template["files"]]


@needs(Right.SEND)
def lists_with_sender(session: Session, _: Actor) -> list[str]:
    """The slugs of lists that a series can be for as they are."""
    return [one.slug for one in list_choices(session)]


@needs(Right.SEE)
def look_at_audience(session: Session, _: Actor, slug: str) -> Reach:
    """Whom an occurrence would reach now; raises NotFound or Refused."""
    return series.reach_of(session, get_series(session, slug), business_now(session))


@needs(Right.SEND)
def check_files(session: Session, _: Actor, texts: Sequence[str], *, pictures_of: str = "") -> Checked:
    """Read a series' files, the first and its translations; raises FaultyFiles.

    They may show the pictures of the series `pictures_of`, which is changed by them.
    """
    if not texts:
        raise Refused("Write its file: when it comes, to whom, and what it says.")
    now = business_now(session)
    media = get_series(session, pictures_of).template["media"] if pictures_of else {}
    found, warnings = compile_series(session, texts, now, media)
    return Checked(found, warnings, series.is_first_look(session, found), now)


@needs(Right.SEND)
def seen_of(session: Session, actor: Actor, slug: str) -> str:
    """What tells whether a series still says what somebody saw of it; raises NotFound."""
    return digest_of(*texts_of(session, actor, slug))


@needs(Right.SEND)
def refuse_another(session: Session, actor: Actor, checked: Checked, slug: str, seen: str) -> None:
    """Raises Refused where saving would replace what its author has not seen: a new series (no `slug`) one
    that there is, a changed one another, or one that somebody else has changed since it was `seen`."""
    named = checked.series.slug
    is_there = find_series(session, named) is not None
    if not slug and is_there:
        raise Refused(f"There is a series {named!r} already. Write another slug, or change that one.")
    if slug and named != slug:
        raise Refused(f"This is the series {slug!r}, and its file says {named!r}; begin a new one for that.")
    if slug and is_there:
        refuse_unseen(seen, *texts_of(session, actor, slug))


@needs(Right.SEND)
def put_series(
    session: Session,
    actor: Actor,
    checked: Checked,
    look: Look | None,
    signer: Signer,
    base_url: str,
    agreed: Collection[str],
) -> Added:
    """Have its campaigns made from now on, or bring it up to date; `look` is the first one at its feed.

    Raises FaultyFiles, NotAgreed for warnings that nobody agreed to, and Refused.
    """
    now = business_now(session)
    found = preflight(session, of_files(session, checked.series.sample), signer, base_url, now)
    problems = [*checked.warnings, *found]
    refuse_faulty(f"The series {checked.series.slug}", problems)
    ask_for_yes((), problems, agreed)
    return series.add_series(session, checked.series, look, now, who=actor.who)


@needs(Right.SEE)
def to_be_looked_at(session: Session, _: Actor, slug: str) -> Due:
    """What its feed has to be asked by, to show what would be made; raises NotFound."""
    return as_if_due(session, slug, business_now(session))


@needs(Right.SEE)
def preview_series(
    session: Session, _: Actor, due: Due, look: Look | None, signer: Signer, base_url: str
) -> Preview:
    """What would be made now; raises Refused or CannotMake."""
    return preview(session, due, look, business_now(session), signer=signer, base_url=base_url)


@needs(Right.SEND)
def to_be_made(session: Session, _: Actor, slug: str) -> Due:
    """What its feed has to be asked by, to make its next occurrence now; raises NotFound or Refused."""
    return due_now(session, slug, business_now(session))


@needs(Right.SEND)
def make_now(
    session: Session,
    actor: Actor,
    due: Due,
    look: Look | None,
    signer: Signer,
    base_url: str,
    *,
    needs_approval: bool,
) -> Made:
    """Make the next occurrence in place of when it was to come. Leaves one Action."""
    approval = Approval(needs_approval, actor.operator_id)
    return make(
        *(session, due, look, business_now(session)),
        who=actor.who,
        signer=signer,
        base_url=base_url,
        approval=approval,
    )


@needs(Right.SEND)
def to_be_skipped(session: Session, _: Actor, slug: str) -> Due:
    """What its feed has to be asked by, to take all in it as known; raises NotFound or Refused."""
    due = as_if_due(session, slug, business_now(session))
    if not due.feed_url:
        raise Refused(f"{slug} has no feed, so there is nothing to skip.")
    return due


@needs(Right.SEND)
def items_to_skip(session: Session, _: Actor, slug: str, look: Look) -> list[str]:
    """The titles of what would be taken as known; raises NotFound or Refused."""
    return series.items_to_skip(session, slug, look)


@needs(Right.SEND)
def skip_items(session: Session, actor: Actor, slug: str, look: Look, at_most: int | None = None) -> int:
    """Take all that is in its feed as known; how many were new. Raises NotFound, or Refused, also when more
    than `at_most` are."""
    return series.skip_items(session, slug, look, business_now(session), who=actor.who, at_most=at_most)


@needs(Right.SEND)
def pause_series(session: Session, actor: Actor, slug: str) -> bool:
    """Make nothing of it until it is resumed; False when it was paused. Raises NotFound or Refused."""
    return series.pause_series(session, slug, business_now(session), who=actor.who)


@needs(Right.SEND)
def resume_series(session: Session, actor: Actor, slug: str) -> date | None:
    """Go on with it; its next day, None when it has ended meanwhile. Raises NotFound or Refused."""
    return series.resume_series(session, slug, business_now(session), who=actor.who)


@needs(Right.SEND)
def remove_series(session: Session, actor: Actor, slug: str) -> None:
    """Forget it; the campaigns that it made stay. Raises NotFound."""
    series.remove_series(session, slug, business_now(session), who=actor.who)
