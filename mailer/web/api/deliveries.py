"""Deliveries: what became of every mail."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Query, Response
from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy.orm import Session

from mailer.delivery.bulk import is_many
from mailer.delivery.ledger import Filter
from mailer.delivery.reasons import ReasonKind
from mailer.desk import deliveries as desk
from mailer.models import BulkAct, DeliveryState, Lane
from mailer.queue import ERRANDS, TaskName
from mailer.reports.ledger import LedgerRow
from mailer.web.api.caller import Run, See
from mailer.web.api.once import OnceDep
from mailer.web.api.paging import Page, PagingDep
from mailer.web.api.told import RowId, Told
from mailer.web.deps import PartsDep

router = APIRouter(prefix="/deliveries", tags=["Deliveries"])

MOST_ACTED = 1_000_000_000
"""More mails than anybody has; past some thousands workers do it."""
Slug = Annotated[str | None, Query(min_length=1, max_length=200)]


class DeliveryRow(BaseModel):
    """One mail: `mail` is the step's key, the campaign's slug or the kind; `reply` a server's last word."""

    id: int
    subscriber_id: int
    email: str = Field(examples=["ada@reader.example"])
    course: str | None = Field(examples=["calm"])
    mail: str = Field(examples=["hello"])
    state: DeliveryState
    reason: str = Field(examples=[""])
    due_at: datetime
    next_attempt_at: datetime
    settled_at: datetime | None
    attempts: int
    reply: str = Field(examples=["250 taken"])

    @classmethod
    def of(cls, row: LedgerRow) -> DeliveryRow:
        return cls.model_validate(row, from_attributes=True)


class Act(StrEnum):
    """What can be done to mails that have not left, or of which nobody knows."""

    RETRY = "retry"
    HOLD = "hold"
    RELEASE = "release"
    CANCEL = "cancel"
    SETTLE_ACCEPTED = "settle-accepted"
    SETTLE_CANCELLED = "settle-cancelled"


class Weighing(Told):
    """What would be done to which mails: those of `ids`, or those that fit all that is named beside it."""

    act: Act = Field(examples=["cancel"])
    ids: list[Annotated[int, Field(ge=1, lt=2**63)]] = Field(
        default_factory=list, max_length=1000, examples=[[1]]
    )
    course: str | None = Field(default=None, min_length=1, max_length=200)
    campaign: str | None = Field(default=None, min_length=1, max_length=200)
    step: str | None = Field(default=None, min_length=1, max_length=200)
    state: list[DeliveryState] = Field(default_factory=list, max_length=len(DeliveryState))
    domain: str | None = Field(default=None, min_length=1, max_length=255)
    reason: str | None = Field(default=None, min_length=1, max_length=200)
    lane: Lane | None = None
    kind: ReasonKind | None = Field(default=None, description="What servers' answers were about.")

    def filter(self) -> Filter:
        """As the ledger has it."""
        return Filter(
            course=self.course,
            step=self.step,
            states=tuple(self.state),
            domain=self.domain,
            reason=self.reason,
            campaign=self.campaign,
            ids=tuple(self.ids),
            lane=self.lane,
            kind=self.kind,
        )


class Acting(Weighing):
    """What to do to which mails: those of `ids`, or those that fit all that is named beside it."""

    because: str = Field(default="", max_length=500, description="Why, for whoever looks next.")
    at_most: int = Field(ge=1, le=MOST_ACTED, description="When there are more, nothing is done.")
    seen_at: AwareDatetime | None = Field(
        default=None, description="When they were counted: none that were written since are touched."
    )


class WeighedShown(BaseModel):
    """To how many it would be done by state, at that moment."""

    counts: dict[str, int] = Field(examples=[{"planned": 12}])
    total: int
    seen_at: datetime


class Acted(BaseModel):
    """How many mails were changed. Many are the workers' (202): `act` is the address that says how far."""

    changed: int
    is_done: bool
    act: str | None = Field(default=None, examples=[None])


class ActShown(BaseModel):
    """An act on many mails: `changed` so far of at most `seen`. `error` says why it ended early, if so.

    `failures`: its newest part failed so often on our side; it is tried again, and ended after five times.
    """

    id: int
    act: Act = Field(validation_alias="verb")
    who: str = Field(examples=["olive@example.org by token the shop"])
    because: str
    seen: int
    changed: int
    asked_at: datetime
    failures: int
    ended_at: datetime | None
    error: str

    @classmethod
    def of(cls, row: BulkAct) -> ActShown:
        return cls.model_validate(row, from_attributes=True)


class AttemptRow(BaseModel):
    """One conversation with a server that did not end with the mail's acceptance."""

    at: datetime
    outcome: str
    code: int | None
    reply: str


class DeliveryWhole(DeliveryRow):
    """One mail with the conversations about it."""

    conversations: list[AttemptRow]


@router.get("")
def list_deliveries(
    parts: PartsDep,
    actor: See,
    paging: PagingDep,
    course: Slug = None,
    campaign: Slug = None,
    step: Annotated[
        str | None, Query(min_length=1, max_length=200, description="A step's key, or confirm or welcome.")
    ] = None,
    state: Annotated[list[DeliveryState], Query(description="May be given more than once.")] = [],  # noqa: B006
    domain: Annotated[str | None, Query(min_length=1, max_length=255, description="Of addresses.")] = None,
    reason: Annotated[
        str | None, Query(min_length=1, max_length=200, description="A part of the reason.")
    ] = None,
    subscriber: Annotated[int | None, Query(ge=1, lt=2**63, description="The id of one person.")] = None,
    lane: Lane | None = None,
    kind: Annotated[ReasonKind | None, Query(description="What servers' answers were about.")] = None,
) -> Page[DeliveryRow]:
    """Mails, oldest first. Name at least a course, a campaign, a subscriber, a lane or a kind."""
    filter_ = Filter(
        course=course,
        step=step,
        states=tuple(state),
        domain=domain,
        reason=reason,
        campaign=campaign,
        subscriber_id=subscriber,
        lane=lane,
        kind=kind,
    )
    after = paging.after("deliveries", int) or 0
    with parts.session() as session:
        rows = desk.list_rows(session, actor, filter_, after, paging.limit + 1)
    return paging.page(rows, "deliveries", lambda row: row.id, DeliveryRow.of)


@router.get("/{delivery_id}")
def show_delivery(parts: PartsDep, actor: See, delivery_id: RowId) -> DeliveryWhole:
    """One mail, and the conversations about it that did not end with its acceptance."""
    with parts.session() as session:
        row, attempts = desk.show_row(session, actor, delivery_id)
        talks = [AttemptRow.model_validate(one, from_attributes=True) for one in attempts]
    return DeliveryWhole(**DeliveryRow.of(row).model_dump(), conversations=talks)


@router.post("/weigh", response_model=WeighedShown)
def weigh(actor: Run, once: OnceDep, asked: Weighing) -> Response:
    """To how many an act would be done. Nothing is changed; then act with `total` and `seen_at` of it."""

    def do(session: Session) -> WeighedShown:
        found = desk.weigh(session, actor, asked.act, asked.filter())
        return WeighedShown(counts=dict(found.counts), total=found.total, seen_at=found.seen_at)

    return once.answer(actor, do)


@router.post("/act", response_model=Acted, responses={202: {"model": Acted, "description": "Asked for"}})
def act(parts: PartsDep, actor: Run, once: OnceDep, asked: Acting, tasks: BackgroundTasks) -> Response:
    """Retry, hold, release, cancel or settle mails. Those whose state the act does not fit are left alone.

    With an `at_most` above 2,000 workers do it a part at a time, and the answer (202) says where to look.
    """

    def do(session: Session) -> Acted:
        done = desk.act_or_ask(
            *(session, actor, asked.act, asked.filter(), asked.at_most, asked.because.strip()),
            asked.seen_at,
        )
        if isinstance(done, BulkAct):
            return Acted(changed=0, is_done=False, act=f"{parts.base_url}/api/v1/deliveries/acts/{done.id}")
        return Acted(changed=done, is_done=True)

    answer = once.answer(actor, do, 202 if is_many(asked.at_most) else 200)
    if answer.status_code == 202:
        # After the answer: a broker that is away takes seconds to find out. The beat asks before long anyway.
        tasks.add_task(parts.broker.send, TaskName.ACT_ON_MANY, queue=ERRANDS, expires=60)
    return answer


@router.get("/acts/{act_id}")
def show_act(parts: PartsDep, actor: See, act_id: RowId) -> ActShown:
    """How far an act on many mails is."""
    with parts.session() as session:
        return ActShown.of(desk.see_act(session, actor, act_id))


@router.post("/acts/{act_id}/stop", response_model=ActShown)
def stop_act(actor: Run, once: OnceDep, act_id: RowId) -> Response:
    """Do no more of it; what was changed stays so."""
    return once.answer(actor, lambda session: ActShown.of(desk.stop_act(session, actor, act_id)))
