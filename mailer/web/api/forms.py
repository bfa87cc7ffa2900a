"""Sign-up forms: pages by which people put themselves on a list."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from mailer.audience.forms import MAX_TITLE, MAX_WORDS, FormText
from mailer.desk import forms as desk
from mailer.models import SignUpForm
from mailer.web.api.caller import See, Write
from mailer.web.api.once import OnceDep
from mailer.web.api.paging import Page, PagingDep
from mailer.web.api.told import Changed, Told
from mailer.web.deps import PartsDep

router = APIRouter(prefix="/forms", tags=["Forms"])

Slug = Annotated[str, Path(examples=["calm"], max_length=MAX_TITLE)]


class FormWords(Told):
    """What visitors read, and the words that they agree to. A health course's form says that it is one."""

    list_: str = Field(alias="list", max_length=100, examples=["calm"])
    title: str = Field(max_length=MAX_TITLE, examples=["A calm week"])
    words: str = Field(default="", max_length=MAX_WORDS, examples=["Seven letters, one a day."])
    consent: str = Field(max_length=MAX_WORDS, examples=["Send me the course."])
    language: str = Field(default="en", max_length=35)
    asks_name: bool = False
    is_health: bool = False

    def text(self) -> FormText:
        """As the desk has it."""
        return FormText(list_slug=self.list_, **self.model_dump(exclude={"slug", "list_"}))


class NewForm(FormWords):
    """A form to make; `slug` is a part of its address."""

    slug: str = Field(max_length=MAX_TITLE, examples=["calm-spring"])


class Form(BaseModel):
    """A form. Nobody signs up by one that is closed."""

    slug: str = Field(examples=["calm"])
    list: str = Field(examples=["calm"])
    title: str
    words: str
    consent: str
    language: str
    asks_name: bool
    is_health: bool
    created_at: datetime
    closed_at: datetime | None

    @classmethod
    def of(cls, form: SignUpForm, list_slug: str) -> Form:
        told = {name: getattr(form, name) for name in cls.model_fields if name != "list"}
        return cls(**told, list=list_slug)


@router.get("")
def list_forms(parts: PartsDep, actor: See, paging: PagingDep) -> Page[Form]:
    """All forms, by their slugs."""
    after = paging.after("forms", str) or ""
    with parts.session() as session:
        rows = desk.page_forms(session, actor, after, paging.limit + 1)
        return paging.page(
            rows, "forms", lambda row: str(row[0].slug), lambda row: Form.of(row[0], row[1].slug)
        )


@router.post("", status_code=201, response_model=Changed)
def add_form(actor: Write, once: OnceDep, asked: NewForm) -> Response:
    """Make a form; it is open at once."""

    def act(session: Session) -> Changed:
        desk.add_form(session, actor, asked.slug, asked.text())
        return Changed(changed=True)

    return once.answer(actor, act, 201)


@router.get("/{slug}")
def show_form(parts: PartsDep, actor: See, slug: Slug) -> Form:
    """One form."""
    with parts.session() as session:
        found = desk.show_form(session, actor, slug)
        return Form.of(found.form, found.list_slug)


@router.put("/{slug}")
def change_form(parts: PartsDep, actor: Write, slug: Slug, asked: FormWords) -> Changed:
    """Give a form other words; what people agreed to before stays as they saw it."""
    with parts.session() as session:
        desk.change_form(session, actor, slug, asked.text())
    return Changed(changed=True)


@router.post("/{slug}/close", response_model=Changed)
def close_form(actor: Write, once: OnceDep, slug: Slug) -> Response:
    """Let nobody sign up by it any more."""
    return once.answer(
        actor, lambda session: Changed(changed=desk.close_form(session, actor, slug, is_closed=True))
    )


@router.post("/{slug}/open", response_model=Changed)
def open_form(actor: Write, once: OnceDep, slug: Slug) -> Response:
    """Let people sign up by it again."""
    return once.answer(
        actor, lambda session: Changed(changed=desk.close_form(session, actor, slug, is_closed=False))
    )
