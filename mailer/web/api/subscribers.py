"""Subscribers: people, what is known of them, their lists, their export and their erasure."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from mailer.audience.subscribers import Changes, Person
from mailer.desk import audience
from mailer.desk import subscribers as desk
from mailer.desk.subscribers import Given
from mailer.models import Subscriber, SubscriptionState
from mailer.reports.export import Profile
from mailer.schedule.pace_case import What
from mailer.web.api.caller import Audience, Export, See
from mailer.web.api.once import OnceDep
from mailer.web.api.paging import Page, PagingDep
from mailer.web.api.problems import BadRequest
from mailer.web.api.told import RowId, Told
from mailer.web.deps import PartsDep
from mailer.web.pace_form import Wish, wish_of

router = APIRouter(prefix="/subscribers", tags=["Subscribers"])

Fields = Annotated[
    dict[str, Given], Field(description="Custom fields that were declared.", examples=[{"city": "Lisbon"}])
]


class SubscriberRow(BaseModel):
    """A person."""

    id: int
    email: str = Field(examples=["ada@reader.example"])
    name: str = Field(examples=["Ada"])
    language: str | None = Field(examples=["en"])
    zone: str | None = Field(examples=["Europe/Lisbon"])
    tags: list[str] = Field(examples=[["walker"]])
    fields: dict[str, Any] = Field(examples=[{"city": "Lisbon"}])
    created_at: datetime

    @classmethod
    def of(cls, row: Subscriber) -> SubscriberRow:
        return cls.model_validate(row, from_attributes=True)


class OnList(BaseModel):
    """A person's consent to a list as it stands now."""

    list: str
    state: SubscriptionState
    since: datetime


class InCourse(BaseModel):
    """A person in a course, by the number of their enrollment; `day` is that of the mail planned last."""

    enrollment_id: int
    course: str
    state: str
    day: int
    next_due_at: datetime | None


class SubscriberWhole(SubscriberRow):
    """A person, with their lists and courses. `suppressed` is why they are not mailed, empty if they are."""

    suppressed: str
    lists: list[OnList]
    courses: list[InCourse]

    @classmethod
    def of_profile(cls, found: Profile) -> SubscriberWhole:
        return cls(
            **SubscriberRow.of(found.person).model_dump(),
            suppressed=found.suppressed,
            lists=[
                OnList(list=slug, state=SubscriptionState(state), since=at) for slug, state, at in found.lists
            ],
            courses=[
                InCourse(enrollment_id=number, course=slug, state=state, day=day, next_due_at=due)
                for slug, state, day, due, number in found.courses
            ],
        )


class NewSubscriber(Told):
    """Somebody to add, or to complete. With `list` goes `consent`: the words that they agreed to."""

    email: str = Field(max_length=320, examples=["ada@reader.example"])
    name: str = Field(default="", max_length=200, examples=["Ada"])
    language: str | None = Field(default=None, max_length=35, examples=["en"])
    zone: str | None = Field(default=None, max_length=64, examples=["Europe/Lisbon"])
    tags: list[str] = Field(default_factory=list, max_length=100, examples=[["walker"]])
    fields: Fields = Field(default_factory=dict)
    list_: str = Field(default="", alias="list", max_length=100, examples=["calm"])
    consent: str = Field(
        default="",
        max_length=2000,
        examples=["Send me the course."],
        description="The words that this person agreed to; kept as evidence.",
    )
    source: str = Field(
        default="",
        max_length=200,
        examples=["sign-up form of the shop"],
        description="By which way they agreed; the token's name, if you say nothing.",
    )


class AddedSubscriber(BaseModel):
    """Who was added. `state` is of the list: pending until they confirm, then active. Null without a list."""

    id: int
    state: SubscriptionState | None


class Address(Told):
    """An address to look for."""

    email: str = Field(max_length=320, examples=["ada@reader.example"])


class Found(BaseModel):
    """Whose address it is."""

    id: int


class SubscriberChange(Told):
    """What shall be another; what is left out stays. A field that is null is taken away."""

    name: str | None = Field(default=None, max_length=200)
    language: str | None = Field(
        default=None, max_length=35, description="Empty: not known.", examples=["pt-BR"]
    )
    zone: str | None = Field(default=None, max_length=64, description="Empty: not known.")
    fields: Fields = Field(default_factory=dict)
    add_tags: list[str] = Field(default_factory=list, max_length=100, examples=[["reader of the year"]])
    remove_tags: list[str] = Field(default_factory=list, max_length=100)


class Leaving(Told):
    """Which list somebody leaves; none: all of them, and all mail to them stops."""

    list_: str = Field(default="", alias="list", max_length=100, examples=["calm"])
    source: str = Field(default="", max_length=200, description="By which way they said so.")


class Left(BaseModel):
    """Whether anything changed; not when they had left before."""

    changed: bool


class PaceAsked(Told):
    """What somebody wants of their course, as they could say it by their own page.

    `gap`, `hour` and `zone` go with the action of their name, `until` with pause, `weekdays` (0: Monday) with
    weekdays; null and none: as the course has it.
    """

    action: What = Field(examples=["pause"])
    gap: int | None = Field(default=None, ge=1, le=7, description="Days from mail to mail: 1, 2 or 7.")
    until: date | None = Field(default=None, examples=["2030-01-07"])
    hour: time | None = None
    weekdays: list[Annotated[int, Field(ge=0, le=6)]] = Field(default_factory=list, max_length=7)
    zone: str = Field(default="", max_length=64)

    def wish(self) -> Wish | None:
        """As the form of that page says it."""
        fields = {
            "action": str(self.action),
            "gap": "as-written" if self.gap is None else str(self.gap),
            "until": str(self.until or ""),
            "hour": f"{self.hour:%H:%M}" if self.hour else "",
            "zone": self.zone,
            **{f"day-{day}": "yes" for day in self.weekdays},
        }
        return wish_of(fields, date.min)


class Erased(BaseModel):
    """How much there was."""

    mails: int
    lists: int


class Decision(BaseModel):
    """One moment of somebody's story."""

    at: datetime
    mail: str
    what: str


@router.get("")
def list_subscribers(
    parts: PartsDep,
    actor: Export,
    paging: PagingDep,
    tag: Annotated[str, Query(max_length=200)] = "",
    list_: Annotated[str, Query(alias="list", max_length=100, description="The slug of a list.")] = "",
    state: Annotated[
        SubscriptionState | None, Query(description="Of the list; takes `list` beside it.")
    ] = None,
) -> Page[SubscriberRow]:
    """People in the order in which they came; with `list` those who are or were on it.

    That somebody takes them out is in the record of actions.
    """
    after = paging.after("subscribers", int) or 0
    if state and not list_:
        raise BadRequest("Name the list whose state is meant.")
    with parts.session() as session:
        rows = desk.list_subscribers(
            session, actor, after, paging.limit + 1, tag=tag, list_=list_, state=state or ""
        )
        return paging.page(rows, "subscribers", lambda row: row.id, SubscriberRow.of)


@router.post("", status_code=201, response_model=AddedSubscriber)
def add_subscriber(actor: Audience, once: OnceDep, asked: NewSubscriber) -> Response:
    """Add somebody, or complete what is known of them, and put them on a list.

    On a list with double opt-in they get a mail to confirm, and are mailed when they did. An address that is
    suppressed is taken too: its mails are not sent, and `GET /deliveries` says why.
    """
    person = Person(asked.email, asked.name, asked.language, asked.zone, tuple(asked.tags))

    def act(session: Any) -> AddedSubscriber:
        added = desk.add_subscriber(
            session,
            actor,
            person,
            asked.fields,
            list_=asked.list_,
            consent=asked.consent,
            source=asked.source,
        )
        state = SubscriptionState(added.state) if added.state else None
        return AddedSubscriber(id=added.subscriber_id, state=state)

    return once.answer(actor, act, 201)


@router.post("/find", response_model=Found)
def find_subscriber(actor: See, once: OnceDep, asked: Address) -> Response:
    """The id of whoever has this address. It is sent in the body, so that it ends in no log."""
    return once.answer(
        actor,
        lambda session: Found(id=desk.find_subscriber(session, actor, asked.email).person.id),
    )


@router.get("/{subscriber_id}")
def show_subscriber(parts: PartsDep, actor: See, subscriber_id: RowId) -> SubscriberWhole:
    """What is known of somebody, with their lists and courses."""
    with parts.session() as session:
        return SubscriberWhole.of_profile(desk.show_subscriber(session, actor, subscriber_id))


@router.patch("/{subscriber_id}")
def change_subscriber(
    parts: PartsDep, actor: Audience, subscriber_id: RowId, asked: SubscriberChange
) -> SubscriberWhole:
    """Change what is known of somebody. Lessons keep to a new zone from the next one on."""
    changes = Changes(
        name=asked.name,
        language=asked.language,
        zone=asked.zone,
        tags_added=asked.add_tags,
        tags_removed=asked.remove_tags,
    )
    with parts.session() as session:
        found = desk.change_subscriber(session, actor, subscriber_id, changes, asked.fields)
        return SubscriberWhole.of_profile(found)


@router.delete("/{subscriber_id}")
def erase_subscriber(parts: PartsDep, actor: Audience, subscriber_id: RowId) -> Erased:
    """Forget somebody for good; it cannot be undone.

    All that is known of them goes: lists and consents, courses and answers, mails and clicks. A hash of their
    address stays, so that an import does not bring them back, and counts of mails stay.
    """
    with parts.session() as session:
        erased = desk.erase_subscriber(session, actor, subscriber_id)
        return Erased(mails=erased.mails, lists=erased.lists)


@router.post("/{subscriber_id}/leave", response_model=Left)
def leave(actor: Audience, once: OnceDep, subscriber_id: RowId, asked: Leaving) -> Response:
    """Take somebody off a list and its courses; without a list off all of them, and all mail stops."""
    return once.answer(
        actor,
        lambda session: Left(
            changed=desk.end_subscription(session, actor, subscriber_id, asked.list_, source=asked.source)
        ),
    )


@router.post("/{subscriber_id}/enrollments/{enrollment_id}/pace", response_model=Left)
def change_pace(
    actor: Audience, once: OnceDep, subscriber_id: RowId, enrollment_id: RowId, asked: PaceAsked
) -> Response:
    """Change the pace of somebody's course as they could themselves: a gap, a pause, the next mail now."""
    wish = asked.wish()
    if wish is None:
        raise BadRequest("Name what is to be done.")
    return once.answer(
        actor,
        lambda session: Left(
            changed=audience.change_pace(session, actor, subscriber_id, enrollment_id, wish, None)
        ),
    )


@router.get("/{subscriber_id}/export")
def export_subscriber(parts: PartsDep, actor: Export, subscriber_id: RowId) -> dict[str, Any]:
    """All that is kept of somebody: their lists with the evidence, courses, answers, mails and clicks."""
    with parts.session() as session:
        return desk.export_subscriber(session, actor, subscriber_id)


@router.get("/{subscriber_id}/why")
def tell_why(
    parts: PartsDep,
    actor: See,
    subscriber_id: RowId,
    paging: PagingDep,
    mail: Annotated[
        str | None, Query(max_length=200, description="One mail: a step's key or a campaign's slug.")
    ] = None,
) -> Page[Decision]:
    """Why somebody got a mail or did not: everything that was decided about them, oldest first."""
    with parts.session() as session:
        story = desk.tell_why(session, actor, subscriber_id, mail)
        return paging.part(
            story.decisions, "why", lambda one: Decision(at=one.at, mail=one.mail, what=one.what)
        )
