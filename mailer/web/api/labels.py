"""Tags and custom fields: what there is, and one that is renamed or removed for everybody."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from mailer.desk import labels as desk
from mailer.desk.labels import Step
from mailer.models import FieldType
from mailer.web.api.caller import Audience, See
from mailer.web.api.once import OnceDep
from mailer.web.api.paging import Page, PagingDep
from mailer.web.api.told import Changed, Told
from mailer.web.deps import PartsDep

router = APIRouter(tags=["Tags and fields"])

Key = Annotated[str, Path(examples=["city"], max_length=63)]


class TagShown(BaseModel):
    """A tag, and how many people have it; of many people near enough."""

    tag: str = Field(examples=["walker"])
    people: int
    is_exact: bool


class FieldShown(BaseModel):
    """A custom field, and what its values are."""

    key: str = Field(examples=["city"])
    type: FieldType


class FieldDeclared(Told):
    """What a field's values are; it stays so."""

    type: FieldType = FieldType.TEXT


class TagNamed(Told):
    """A tag."""

    tag: str = Field(min_length=1, max_length=200, examples=["walker"])


class TagRenamed(TagNamed):
    """A tag, and its new name. Who has both keeps one."""

    # Of spaces alone it would be no name, and the tag would go.
    to: str = Field(pattern=r"\S", max_length=200, examples=["hiker"])


class FieldRenamed(Told):
    """A field's new name."""

    to: str = Field(pattern=r"\S", max_length=63, examples=["town"])


class People(BaseModel):
    """For how many people it was done just now. Ask again with a new key until it `is_done`."""

    people: int
    is_done: bool

    @classmethod
    def of(cls, step: Step) -> People:
        return cls(people=step.people, is_done=step.after is None)


@router.get("/tags")
def list_tags(parts: PartsDep, actor: See, paging: PagingDep) -> Page[TagShown]:
    """All tags by their letters, with how many people have each."""
    after = paging.after("tags", str) or ""
    with parts.session() as session:
        page = desk.list_tags(session, actor, after, paging.limit)
    return paging.page_until(
        page.tags,
        "tags",
        page.next or None,
        lambda row: TagShown(tag=row[0], people=row[1].count, is_exact=row[1].is_exact),
    )


@router.post("/tags/rename", response_model=People)
def rename_tag(actor: Audience, once: OnceDep, asked: TagRenamed) -> Response:
    """Rename a tag for up to 5,000 of those who have it. Rules that ask for it are not changed."""
    return once.answer(actor, lambda session: People.of(desk.change_tag(session, actor, asked.tag, asked.to)))


@router.post("/tags/remove", response_model=People)
def remove_tag(actor: Audience, once: OnceDep, asked: TagNamed) -> Response:
    """Take a tag away from up to 5,000 of those who have it; it cannot be undone."""
    return once.answer(actor, lambda session: People.of(desk.change_tag(session, actor, asked.tag, "")))


@router.get("/fields")
def list_fields(parts: PartsDep, actor: See, paging: PagingDep) -> Page[FieldShown]:
    """All custom fields, by their keys."""
    after = paging.after("fields", str) or ""
    with parts.session() as session:
        rows = desk.page_fields(session, actor, after, paging.limit + 1)
    return paging.page(
        rows, "fields", lambda row: str(row[0]), lambda row: FieldShown(key=row[0], type=row[1])
    )


@router.put("/fields/{key}")
def declare_field(parts: PartsDep, actor: Audience, key: Key, asked: FieldDeclared) -> Changed:
    """Declare a field. Declared again with its type it stays as it is; another type is refused."""
    with parts.session() as session:
        desk.declare_field(session, actor, key, asked.type)
    return Changed(changed=True)


@router.post("/fields/{key}/rename", response_model=People)
def rename_field(actor: Audience, once: OnceDep, key: Key, asked: FieldRenamed) -> Response:
    """Rename a field for up to 5,000 of those who have something in it."""
    return once.answer(actor, lambda session: People.of(desk.change_field(session, actor, key, asked.to)))


@router.post("/fields/{key}/remove", response_model=People)
def remove_field(actor: Audience, once: OnceDep, key: Key) -> Response:
    """Remove a field, and what up to 5,000 people have in it; it cannot be undone."""

    def act(session: Session) -> People:
        return People.of(desk.change_field(session, actor, key, ""))

    return once.answer(actor, act)
