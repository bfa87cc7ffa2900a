"""Mails: one to one person, because of something that they did."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from mailer.audience.subscribers import Person
from mailer.desk import mails as desk
from mailer.launch.mails import Text
from mailer.web.api.caller import See, Send, Write
from mailer.web.api.once import OnceDep
from mailer.web.api.paging import Page, PagingDep
from mailer.web.api.problems import BadRequest
from mailer.web.api.told import Told
from mailer.web.deps import PartsDep

router = APIRouter(tags=["Mails"])

MARKDOWN = "# Your order\n\n{{ greeting }}\n\nIt is on its way."


class TemplateShown(BaseModel):
    """A template, and the languages that it is there in."""

    name: str = Field(examples=["receipt"])
    languages: list[str] = Field(examples=[["en"]])


class TemplateWritten(Told):
    """A mail to be sent by its name: Markdown that begins with a title, and the variables of every mail."""

    subject: str = Field(min_length=1, max_length=500, examples=["Your order"])
    markdown: str = Field(min_length=1, max_length=100_000, examples=[MARKDOWN])
    preheader: str = Field(default="", max_length=500, examples=["It is on its way."])
    language: str = Field(default="en", max_length=35)


class To(Told):
    """To whom. Who is not known yet is added, on no list."""

    email: str = Field(max_length=320, examples=["ada@reader.example"])
    name: str = Field(default="", max_length=200, examples=["Ada"])
    language: str | None = Field(default=None, max_length=35, examples=["en"])


class Mail(Told):
    """A mail: a `template`, or `subject` and `markdown` of its own. It comes from the sender of `list`."""

    to: To
    list_: str = Field(alias="list", min_length=1, max_length=100, examples=["news"])
    template: str = Field(default="", max_length=100, examples=["receipt"])
    subject: str = Field(default="", max_length=500, examples=[""])
    markdown: str = Field(default="", max_length=100_000, examples=[""])
    preheader: str = Field(default="", max_length=500, examples=[""])

    def what(self) -> str | Text:
        """The template's name or the text; raises BadRequest for both and for neither."""
        is_text = bool(self.subject and self.markdown)
        if bool(self.template) == is_text or (self.template and (self.subject or self.markdown)):
            raise BadRequest("Name a template, or write subject and markdown.")
        if self.template:
            return self.template
        return Text(self.subject, self.markdown, self.preheader, self.to.language or "en")


class Queued(BaseModel):
    """The mail in the outbox; `GET /deliveries/{id}` says what became of it."""

    delivery_id: int
    subscriber_id: int


@router.get("/templates")
def list_templates(parts: PartsDep, actor: See, paging: PagingDep) -> Page[TemplateShown]:
    """All templates, by their names."""
    after = paging.after("templates", str) or ""
    with parts.session() as session:
        rows = desk.list_templates(session, actor, after, paging.limit + 1)
    return paging.page(
        rows,
        "templates",
        lambda row: str(row.name),
        lambda row: TemplateShown.model_validate(row, from_attributes=True),
    )


@router.put("/templates/{name}")
def put_template(
    parts: PartsDep,
    actor: Write,
    name: Annotated[str, Path(examples=["receipt"], max_length=100)],
    asked: TemplateWritten,
) -> TemplateShown:
    """Keep a mail under a name, in one language; what is sent from now on is the new version."""
    text = Text(asked.subject, asked.markdown, asked.preheader, asked.language)
    with parts.session() as session:
        found = desk.put_template(session, actor, name, text)
    return TemplateShown.model_validate(found, from_attributes=True)


@router.post("/mails", status_code=202, response_model=Queued)
def send_mail(actor: Send, once: OnceDep, asked: Mail) -> Response:
    """Send one mail to one person: a receipt, a reset. Not for news: it has nothing to unsubscribe from.

    It is a delivery like all others, and leaves before courses and campaigns. A suppressed address gets
    nothing; the delivery says so.
    """
    what = asked.what()
    person = Person(asked.to.email, asked.to.name, asked.to.language)

    def act(session: Session) -> Queued:
        sent = desk.send_mail(session, actor, person, asked.list_, what)
        return Queued(delivery_id=sent.delivery_id, subscriber_id=sent.subscriber_id)

    return once.answer(actor, act, 202)
