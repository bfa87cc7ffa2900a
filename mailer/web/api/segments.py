"""Segments: saved rules, and who meets them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from mailer.desk import segments as desk
from mailer.desk.segments import SegmentShown
from mailer.web.api.caller import See, Write
from mailer.web.api.once import OnceDep
from mailer.web.api.paging import Page, PagingDep
from mailer.web.api.told import Changed, Told
from mailer.web.deps import PartsDep

router = APIRouter(prefix="/segments", tags=["Segments"])

Slug = Annotated[str, Path(examples=["walkers"], max_length=100)]
SAMPLE = 100


class Segment(BaseModel):
    """A segment, its rule, and what that means as a sentence."""

    slug: str = Field(examples=["walkers"])
    title: str = Field(examples=["People who walk"])
    rule: str = Field(examples=['tag "walker"'])
    means: str = Field(examples=["who have the tag walker"])

    @classmethod
    def of(cls, row: SegmentShown) -> Segment:
        return cls.model_validate(row, from_attributes=True)


class SegmentWritten(Told):
    """Its rule, in the words of docs/segments.md, and a name for people."""

    rule: str = Field(min_length=1, max_length=5000, examples=['tag "walker"'])
    title: str = Field(default="", max_length=200, examples=["People who walk"])


class Rule(Told):
    """A rule to try."""

    rule: str = Field(min_length=1, max_length=5000, examples=['tag "walker" and not on list "news"'])


class Count(BaseModel):
    """How many people meet it now."""

    people: int


class Sample(Count):
    """How many people meet it now, and the first few of them."""

    sample: list[str] = Field(examples=[["ada@reader.example"]])


class Tried(Count):
    """What a rule means, and how many people meet it now."""

    means: str


@router.get("")
def list_segments(parts: PartsDep, actor: See, paging: PagingDep) -> Page[Segment]:
    """All segments, by their slugs."""
    after = paging.after("segments", str) or ""
    with parts.session() as session:
        rows = desk.list_segments(session, actor, after, paging.limit + 1)
        return paging.page(rows, "segments", lambda row: str(row.slug), Segment.of)


@router.post("/try", response_model=Tried)
def try_rule(actor: See, once: OnceDep, asked: Rule) -> Response:
    """Try a rule without saving it: what it means, and how many people meet it."""

    def act(session: Session) -> Tried:
        means, look = desk.try_rule(session, actor, asked.rule)
        return Tried(means=f"who {means}", people=look.people)

    return once.answer(actor, act)


@router.get("/{slug}")
def show_segment(parts: PartsDep, actor: See, slug: Slug) -> Segment:
    """One segment with its rule as a sentence."""
    with parts.session() as session:
        return Segment.of(desk.show_segment(session, actor, slug))


@router.put("/{slug}")
def put_segment(parts: PartsDep, actor: Write, slug: Slug, asked: SegmentWritten) -> Segment:
    """Save a rule as a segment, or give a segment another rule."""
    with parts.session() as session:
        return Segment.of(desk.put_segment(session, actor, slug, asked.rule, asked.title))


@router.delete("/{slug}")
def remove_segment(parts: PartsDep, actor: Write, slug: Slug) -> Changed:
    """Forget a segment; nobody who is in it is touched."""
    with parts.session() as session:
        desk.remove_segment(session, actor, slug)
    return Changed(changed=True)


@router.get("/{slug}/count")
def count_segment(parts: PartsDep, actor: See, slug: Slug) -> Count:
    """How many people meet its rule now."""
    with parts.session() as session:
        return Count(people=desk.look_at_segment(session, actor, slug).people)


@router.get("/{slug}/sample")
def sample_segment(
    parts: PartsDep, actor: See, slug: Slug, most: Annotated[int, Query(ge=1, le=SAMPLE)] = 10
) -> Sample:
    """How many people meet its rule now, and the first few of them."""
    with parts.session() as session:
        look = desk.look_at_segment(session, actor, slug, most)
    return Sample(people=look.people, sample=list(look.sample))
