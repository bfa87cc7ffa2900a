"""Lists: what people sign up to."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from mailer.desk import lists as desk
from mailer.models import OptIn
from mailer.reports.overview import ListRow
from mailer.web.api.caller import See, Write
from mailer.web.api.paging import Page, PagingDep
from mailer.web.api.told import Told
from mailer.web.deps import PartsDep

router = APIRouter(prefix="/lists", tags=["Lists"])

Slug = Annotated[str, Path(examples=["news"], max_length=100)]


class List(BaseModel):
    """A list, and how many people are in which state of it."""

    slug: str = Field(examples=["news"])
    title: str = Field(examples=["News of the house"])
    opt_in: OptIn
    active: int
    pending: int
    ended: int

    @classmethod
    def of(cls, row: ListRow) -> List:
        return cls.model_validate(row, from_attributes=True)


class ListWritten(Told):
    """What readers see, and whether they confirm by a mail (double) or not (single)."""

    title: str = Field(min_length=1, max_length=200, examples=["News of the house"])
    opt_in: OptIn = OptIn.DOUBLE


@router.get("")
def list_lists(parts: PartsDep, actor: See, paging: PagingDep) -> Page[List]:
    """All lists, by their slugs."""
    after = paging.after("lists", str) or ""
    with parts.session() as session:
        rows = desk.list_lists(session, actor, after, paging.limit + 1)
        return paging.page(rows, "lists", lambda row: str(row.slug), List.of)


@router.get("/{slug}")
def show_list(parts: PartsDep, actor: See, slug: Slug) -> List:
    """One list."""
    with parts.session() as session:
        return List.of(desk.show_list(session, actor, slug))


@router.put("/{slug}")
def put_list(parts: PartsDep, actor: Write, slug: Slug, asked: ListWritten) -> List:
    """Make a list, or give it another title and opt-in. Its first course or campaign gives it a sender."""
    with parts.session() as session:
        return List.of(desk.put_list(session, actor, slug, asked.title, asked.opt_in))
