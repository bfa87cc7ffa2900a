"""Segments: saved rules, never copies of people. Who is in one is asked whenever it is used."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from mailer.errors import NotFound, Refused
from mailer.models import Campaign, CampaignState, Course, Segment, Series, Step, Subscriber
from mailer.rules import Rule, as_sql, conditions, expand, parse, problems
from mailer.rules.grammar import BadRule
from mailer.rules.model import InSegment

SAMPLE = 10


@dataclass(frozen=True)
class Look:
    """How many are in a segment, and some of their addresses."""

    people: int
    sample: tuple[str, ...]


class Use(NamedTuple):
    """What asks for a segment: a segment, course, campaign or series by its slug; `why` it may not go."""

    what: str
    slug: str
    why: str


class Saved(NamedTuple):
    """A segment that was saved, and the approved campaigns that have to be `asked_again` because of it."""

    segment: Segment
    asked_again: list[str]


def find_segment(session: Session, slug: str, *, for_update: bool = False) -> Segment | None:
    """The segment of this slug, locked `for_update`; or None."""
    chosen = select(Segment).where(Segment.slug == slug)
    if for_update:
        chosen = chosen.with_for_update().execution_options(populate_existing=True)
    return session.execute(chosen).scalar_one_or_none()


def get_segment(session: Session, slug: str) -> Segment:
    """The segment of this slug; raises NotFound."""
    found = find_segment(session, slug)
    if found is None:
        raise NotFound(f"There is no segment {slug!r}; `steadypost segment list` shows them all")
    return found


def list_segments(session: Session, after: str = "", limit: int | None = None) -> list[Segment]:
    """All of them, by their slugs; or `limit` at most, those after the slug `after`."""
    chosen = select(Segment).where(Segment.slug > after).order_by(Segment.slug).limit(limit)
    return list(session.execute(chosen).scalars())


def checked(session: Session, text: str) -> Rule:
    """The rule that `text` says, whole; raises BadRule for what cannot be read or is not there."""
    rule = parse(text)
    found = problems(session, rule)
    if found:
        raise BadRule(" ".join(found))
    return expand(session, rule)


def save_segment(session: Session, slug: str, text: str, title: str, now: datetime) -> Saved:
    """Make the segment, or give it another rule; raises BadRule, also when it would be made of itself, or
    when what is made of it could not be asked any more.

    A campaign that a second person has approved waits for that again when it is for other people by this.
    """
    segment = find_segment(session, slug) or Segment(slug=slug, created_at=now)
    if _names(text, slug):
        raise BadRule(f'The segment "{slug}" cannot be made of itself; write its rule out.')
    checked(session, text)
    is_other = segment.rule != text
    segment.rule, segment.changed_at = text, now
    segment.title = title or segment.title or ""
    session.add(segment)
    session.flush()
    # Another segment may be made of this one.
    expand(session, InSegment(slug))
    made_of = _check_made_of(session, slug)
    return Saved(segment, _ask_again(session, made_of) if is_other else [])


def _ask_again(session: Session, slugs: Collection[str]) -> list[str]:
    """Have the approved campaigns for these segments, or for all but them, wait for a yes again."""
    named = or_(*(Campaign.aim[name].astext.in_(slugs) for name in ("segment", "exclude_segment")))
    approved = Campaign.state == CampaignState.SCHEDULED, Campaign.approved_by.is_not(None)
    chosen = select(Campaign).where(*approved, named).order_by(Campaign.id).with_for_update()
    found = list(session.execute(chosen.execution_options(populate_existing=True)).scalars())
    for one in found:
        one.awaits_approval, one.approved_by = True, None
    session.flush()
    return [one.slug for one in found]


def _check_made_of(session: Session, slug: str) -> set[str]:
    """The segments that are made of this one, itself too; raises BadRule when one of them, or a course that
    names it, could not be asked any more."""
    texts = {other.slug: other.rule for other in list_segments(session)}
    made_of = newest = {slug}
    while newest:
        newest = {other for other in texts.keys() - made_of if any(_names(texts[other], s) for s in newest)}
        made_of = made_of | newest
    for other in sorted(made_of - {slug}):
        try:
            expand(session, InSegment(other))
        except BadRule as error:
            raise BadRule(f'"{other}" is made of "{slug}". {error.what}') from None
    for course, text in rules_of_courses(session):
        if any(_names(text, one, course) for one in made_of):
            try:
                expand(session, parse(text, course))
            except BadRule as error:
                raise BadRule(f'The course "{course}" asks for "{slug}". {error.what}') from None
    return made_of


def uses(session: Session, slug: str) -> list[Use]:
    """Everything that asks for the segment, or will; it cannot be removed as long as there is something."""
    found = [
        Use("segment", other.slug, f"{other.slug} is made of {slug}; change that one first.")
        for other in list_segments(session)
        if other.slug != slug and _names(other.rule, slug)
    ]
    # A course's readers would wait for a rule that cannot be asked.
    courses = dict.fromkeys(
        course for course, text in rules_of_courses(session) if _names(text, slug, course)
    )
    asks = "The course {0} asks for {1}; publish it without that first."
    found += [Use("course", course, asks.format(course, slug)) for course in courses]
    aimed = "The {2} {0} is for {1}, or not; change that one first."
    for what, rows in (
        ("campaign", session.execute(select(Campaign.slug, Campaign.aim).where(_is_to_come())).all()),
        ("series", session.execute(select(Series.slug, Series.aim)).all()),
    ):
        found += [
            Use(what, other, aimed.format(other, slug, what))
            for other, aim in rows
            if slug in (aim.get("segment"), aim.get("exclude_segment"))
        ]
    return found


def remove_segment(session: Session, slug: str) -> None:
    """Forget the segment; raises NotFound, or Refused as long as something asks for it."""
    segment = get_segment(session, slug)
    for use in uses(session, slug):
        raise Refused(use.why)
    session.delete(segment)
    session.flush()


def _is_to_come() -> ColumnElement[bool]:
    return Campaign.state.in_((CampaignState.DRAFT, CampaignState.SCHEDULED, CampaignState.SENDING))


def _names(text: str, slug: str, course: str | None = None) -> bool:
    return any(isinstance(one, InSegment) and one.slug == slug for one in conditions(parse(text, course)))


def rules_of_courses(session: Session) -> Iterator[tuple[str, str]]:
    """Every rule of what is published, with its course's slug."""
    steps = select(Course.slug, Step.condition).join(Step, Step.course_id == Course.id)
    for slug, text in session.execute(steps.where(Step.condition != "", Step.retired_at.is_(None))):
        yield slug, text
    for slug, flow in session.execute(select(Course.slug, Course.flow)):
        texts = [*flow.get("stop_when", ())]
        texts += [one.get("when", "") for name in ("then", "triggers") for one in flow.get(name, ())]
        yield from ((slug, text) for text in texts if text)


def rule_of(session: Session, slug: str) -> Rule:
    """The segment's rule with all segments in it written out; raises NotFound or BadRule."""
    return expand(session, parse(get_segment(session, slug).rule))


def look_at(session: Session, rule: Rule, now: datetime, sample: int = SAMPLE) -> Look:
    """How many people meet a whole rule at `now`, and the first few of them."""
    meets = as_sql(rule, now)
    people = session.execute(select(func.count()).select_from(Subscriber).where(meets)).scalar_one()
    some = session.execute(select(Subscriber.email).where(meets).order_by(Subscriber.id).limit(sample))
    return Look(people, tuple(some.scalars()))
