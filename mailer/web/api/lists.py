"""Lists: what people sign up to; and what is done to a whole one."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Path, Response
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from mailer.desk import lists as desk
from mailer.models import ListActKind, OptIn
from mailer.queue import ERRANDS, TaskName
from mailer.reports.overview import ListRow
from mailer.web.api.caller import Audience, See, Send, Write
from mailer.web.api.once import OnceDep
from mailer.web.api.paging import Page, PagingDep
from mailer.web.api.told import RowId, Told
from mailer.web.deps import Parts, PartsDep

router = APIRouter(prefix="/lists", tags=["Lists"])

Slug = Annotated[str, Path(examples=["news"], max_length=100)]


class List(BaseModel):
    """A list, and how many people are in which state of it. `sender` is empty until there is one."""

    slug: str = Field(examples=["news"])
    title: str = Field(examples=["News of the house"])
    opt_in: OptIn
    sender: str = Field(examples=["us"])
    active: int
    pending: int
    ended: int

    @classmethod
    def of(cls, row: ListRow) -> List:
        return cls.model_validate(row, from_attributes=True)


class ListWritten(Told):
    """What readers see, and whether they confirm by a mail (double) or not (single).

    `sender` is the slug of whom those mails come from; left out, it stays.
    """

    title: str = Field(min_length=1, max_length=200, examples=["News of the house"])
    opt_in: OptIn = OptIn.DOUBLE
    sender: str = Field(default="", max_length=200, examples=["us"])


class Joining(Told):
    """Which course a list joins: one that belongs to it. `at_most`: enroll no more people than so many."""

    course: str = Field(min_length=1, max_length=100, examples=["calm"])
    at_most: int = Field(ge=1, lt=2**31, examples=[100])


class ListActShown(BaseModel):
    """An act on a whole list: `changed` people so far of at most `seen`. `error` says why it ended early."""

    id: int
    kind: ListActKind
    who: str = Field(examples=["olive@example.org by token the shop"])
    seen: int
    changed: int
    asked_at: datetime
    failures: int
    ended_at: datetime | None
    error: str

    @classmethod
    def of(cls, view: desk.ActView) -> ListActShown:
        return cls.model_validate(view.act, from_attributes=True)


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
    """Make a list, or change it. One that has no sender gets its first course's or campaign's."""
    with parts.session() as session:
        return List.of(desk.put_list(session, actor, slug, asked.title, asked.opt_in, asked.sender))


@router.delete("/{slug}", status_code=202)
def remove_list(parts: PartsDep, actor: Audience, slug: Slug, tasks: BackgroundTasks) -> ListActShown:
    """Delete a list that nothing needs. Its people leave it, by workers where they are many."""
    with parts.session() as session:
        shown = ListActShown.of(desk.see_act(session, actor, desk.remove_list(session, actor, slug)))
    _wake(parts, tasks)
    return shown


@router.post("/{slug}/enroll", status_code=202, response_model=ListActShown)
def enroll_whole_list(
    parts: PartsDep, actor: Send, once: OnceDep, slug: Slug, asked: Joining, tasks: BackgroundTasks
) -> Response:
    """Have everybody of a list join its course who never was in it, by workers where they are many."""

    def act(session: Session) -> ListActShown:
        begun = desk.enroll_whole_list(session, actor, slug, asked.course, asked.at_most)
        return ListActShown.of(desk.see_act(session, actor, begun))

    _wake(parts, tasks)
    return once.answer(actor, act, 202)


@router.get("/acts/{act_id}")
def show_list_act(parts: PartsDep, actor: See, act_id: RowId) -> ListActShown:
    """How far an act on a whole list is."""
    with parts.session() as session:
        return ListActShown.of(desk.see_act(session, actor, act_id))


@router.post("/acts/{act_id}/stop", response_model=ListActShown)
def stop_list_act(actor: Send, once: OnceDep, act_id: RowId) -> Response:
    """Enroll no more; who is in the course stays. A list that is deleted cannot be had back."""
    return once.answer(actor, lambda session: ListActShown.of(desk.stop_enrolling(session, actor, act_id)))


def _wake(parts: Parts, tasks: BackgroundTasks) -> None:
    # After the answer: a broker that is away takes seconds to find out. The beat asks before long anyway.
    tasks.add_task(parts.broker.send, TaskName.ACT_ON_MANY, queue=ERRANDS, expires=60)
