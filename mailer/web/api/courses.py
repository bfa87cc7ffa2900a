"""Courses: published from a zip file of their folder, taken back, simulated, and the people in them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time
from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Query, Response
from pydantic import AwareDatetime, BaseModel, Field

from mailer.clock import zone
from mailer.delivery.signing import Keyring
from mailer.desk import courses as desk
from mailer.launch.effect import read_bring
from mailer.launch.foreseen import Foreseen
from mailer.launch.invented import Invented
from mailer.launch.publish import Past, Plan
from mailer.launch.simulate import Line as Foretold
from mailer.launch.simulate import Simulation
from mailer.launch.uploaded import compile_course
from mailer.models import Answer
from mailer.reports.overview import CourseRow
from mailer.web.api.caller import See, Send, Write
from mailer.web.api.once import OnceDep
from mailer.web.api.paging import Page, PagingDep
from mailer.web.api.sent_tests import Tested, Testing, send_each
from mailer.web.api.told import Checked, Told
from mailer.web.deps import PartsDep

router = APIRouter(tags=["Courses"])

Slug = Annotated[str, Path(examples=["calm"], max_length=100)]
StepKey = Annotated[str, Path(examples=["hello"], max_length=200)]
Zip = Annotated[
    bytes,
    Body(
        media_type="application/zip",
        description="The course folder as a zip file: course.toml, a Markdown file for each step, media/.",
    ),
]
PEOPLE = 100
WEEKS = 104


class Course(BaseModel):
    """A published course, and how many people are in which state of it. `steps` are its mails."""

    slug: str = Field(examples=["calm"])
    title: str = Field(examples=["A calm week"])
    list: str = Field(examples=["calm"])
    version: int
    steps: int
    waiting: int
    active: int
    finished: int
    stopped: int

    @classmethod
    def of(cls, row: CourseRow) -> Course:
        return cls.model_validate(row, from_attributes=True)


class StepShown(BaseModel):
    """One mail of a course: on which course day it leaves, and for whom."""

    key: str = Field(examples=["hello"])
    kind: str = Field(examples=["lesson"])
    day: int
    send_time: time = Field(examples=["08:00:00"])
    subject: str = Field(examples=["About hello"])
    timing: dict[str, Any] = Field(examples=[{}])
    condition: str = Field(examples=[""])
    instead_of: str = Field(examples=[""])
    easier_than: str = Field(examples=[""])
    languages: list[str] = Field(examples=[["en"]])


class CourseWhole(BaseModel):
    """A published course with its steps, in the order of their days."""

    slug: str = Field(examples=["calm"])
    title: str
    subtitle: str
    language: str
    zone: str
    days: int
    version: int
    list_: str = Field(serialization_alias="list", examples=["calm"])
    steps: list[StepShown]


class ChangeShown(BaseModel):
    """What publishing does to one step, and how many people it reaches."""

    kind: str = Field(examples=["add"])
    key: str = Field(examples=["hello"])
    what: str = Field(examples=["day 1, 08:00"])
    reached: int


class PlanShown(BaseModel):
    """What publishing changes; nothing, when `changes` is empty. `past`: readers past a new step's day;
    `finished`: those who finished without it."""

    slug: str = Field(examples=["calm"])
    version: int
    changes: list[ChangeShown]
    past: dict[str, int] = Field(examples=[{}])
    finished: dict[str, int] = Field(examples=[{}])

    @classmethod
    def of(cls, plan: Plan) -> PlanShown:
        return cls.model_validate(plan.as_values())


class UndoneShown(BaseModel):
    """`taken_back` is the version that was in place, `like` the one that is again; `version` its number."""

    taken_back: int
    like: int
    version: int
    readers: int


class Enrolling(Told):
    """One person, or (none named) the people of the course's list."""

    subscriber_id: int | None = Field(default=None, ge=1, examples=[1])


class Enrolled(BaseModel):
    """How many are newly in it, or one person's `state`. Ask again with a new key until it `is_done`."""

    newly: int | None
    state: str | None
    is_done: bool


class Person(Told):
    """Somebody invented, for a look ahead: who they are, when they enroll, what they answer each week."""

    name: str = Field(default="", max_length=200, examples=["Ada"])
    zone: str = Field(default="", max_length=64, examples=["Europe/Lisbon"])
    language: str = Field(default="", max_length=35, examples=["en"])
    tags: list[str] = Field(default_factory=list, max_length=100)
    fields: dict[str, str] = Field(default_factory=dict)
    enrolled_at: AwareDatetime | None = None
    gap: int | None = Field(default=None, ge=1, le=31, description="Days from mail to mail.")
    answers: dict[int, list[Answer]] = Field(
        default_factory=dict, description="By week: what they say after its first mail, its second, …"
    )

    def invented(self, number: int) -> Invented:
        """As the simulation has it, called by their place among the others; raises UnknownZone."""
        if self.zone:
            zone(self.zone)
        return Invented(
            email=str(number),
            name=self.name,
            zone=self.zone,
            language=self.language,
            tags=tuple(sorted(tag.strip().lower() for tag in self.tags)),
            fields=self.fields,
            enrolled_at=self.enrolled_at,
            gap=self.gap,
            answers={week: tuple(said) for week, said in self.answers.items()},
        )


class Simulating(Told):
    """For whom, from when (today), and how far to look ahead."""

    people: list[Person] = Field(min_length=1, max_length=PEOPLE)
    start: date | None = None
    weeks: int = Field(default=8, ge=1, le=WEEKS)


class Foreseeing(Told):
    """One mail of a simulation: whose, which step, when, what was said of each week by then (its number and
    the answer), and whether it comes once more (`is_repeat` of its line)."""

    person: Person
    step: str = Field(max_length=100, examples=["walk"])
    at: AwareDatetime
    said: dict[int, Answer] = Field(default_factory=dict)
    is_repeat: bool = False


class MailForeseen(BaseModel):
    """The mail as this person would get it; its links are those of a test and change nothing."""

    subject: str
    html: str
    text: str


class Line(BaseModel):
    """One mail of somebody, sent or passed over, and why. `person` is their place in `people`, from 0."""

    person: int
    step: str
    subject: str
    due_at: datetime
    local_time: str = Field(examples=["Tue 2026-12-01 08:00 WET"])
    reason: str
    is_repeat: bool

    @classmethod
    def of(cls, line: Foretold) -> Line:
        more = {"person": int(line.email), "is_repeat": line.is_repeat}
        return cls.model_validate(line.as_values() | more)


class Simulated(BaseModel):
    """What everybody would get, and what they would not, in the order of the moments."""

    sends: list[Line]
    skips: list[Line]

    @classmethod
    def of(cls, found: Simulation) -> Simulated:
        sends, skips = ([Line.of(line) for line in lines] for lines in (found.sends, found.skips))
        return cls(sends=sends, skips=skips)


@router.get("/courses")
def list_courses(parts: PartsDep, actor: See, paging: PagingDep) -> Page[Course]:
    """All published courses, by their slugs."""
    after = paging.after("courses", str) or ""
    with parts.session() as session:
        rows = desk.list_courses(session, actor, after, paging.limit + 1)
        return paging.page(rows, "courses", lambda row: str(row.slug), Course.of)


@router.post("/courses/plan", response_model=PlanShown)
def plan_course(actor: Write, once: OnceDep, content: Zip) -> Response:
    """What publishing a course folder would change, and how many readers each change reaches.

    Nothing is written. What is wrong with the files is a problem that lists each error with its line and fix.
    """
    compiled, _ = compile_course(content)
    return once.answer(actor, lambda session: PlanShown.of(desk.plan_course(session, actor, compiled)))


@router.post("/courses/check", response_model=Checked)
def check_course(parts: PartsDep, actor: Write, once: OnceDep, content: Zip) -> Response:
    """What would go wrong for the readers of a course folder; it is not published. Takes seconds.

    What is wrong with the files themselves is a problem that lists each error with its line and fix.
    """
    compiled, found = compile_course(content)
    return once.answer(
        actor,
        lambda session: Checked.of(
            desk.check_course(session, actor, compiled, found, parts.signer, parts.base_url)
        ),
    )


@router.post("/courses", response_model=PlanShown)
def publish_course(
    parts: PartsDep,
    actor: Send,
    once: OnceDep,
    content: Zip,
    past: Annotated[
        Past, Query(description="New steps for readers who are past their day: skip, next or end.")
    ] = Past.SKIP,
    past_of: Annotated[
        list[str],
        Query(
            description="The same for one step: `breathing=next`. As often as there are steps.",
            max_length=1000,
        ),
    ] = [],  # noqa: B006
    finished: Annotated[
        list[str],
        Query(description="Steps that those get who have finished without them.", max_length=1000),
    ] = [],  # noqa: B006
    agreed: Annotated[
        list[str], Query(description="`warnings`, to publish in spite of them.", max_length=10)
    ] = [],  # noqa: B006
) -> Response:
    """Publish a course folder: new, or a new version of a course. The same folder again changes nothing."""
    compiled, found = compile_course(content)
    bring = read_bring([past.value, *past_of], finished)
    parts.ask_links(
        lambda session: desk.unasked_links(session, actor, compiled, parts.signer, parts.base_url)
    )
    return once.answer(
        actor,
        lambda session: PlanShown.of(
            desk.publish_course(
                session, actor, compiled, found, parts.signer, parts.base_url, bring=bring, agreed=agreed
            )
        ),
    )


@router.get("/courses/{slug}")
def show_course(parts: PartsDep, actor: See, slug: Slug) -> CourseWhole:
    """One course with its steps."""
    with parts.session() as session:
        found = desk.show_course(session, actor, slug)
        course = found.course
        return CourseWhole(
            slug=course.slug,
            title=course.title,
            subtitle=course.subtitle,
            language=course.language,
            zone=course.zone,
            days=course.days,
            version=course.version,
            list_=found.list,
            steps=[StepShown.model_validate(step, from_attributes=True) for step in found.steps],
        )


@router.post("/courses/{slug}/undo", response_model=UndoneShown)
def undo_course(actor: Send, once: OnceDep, slug: Slug) -> Response:
    """Take back the last publication for all that has not been sent; doing it twice brings it back."""
    return once.answer(
        actor,
        lambda session: UndoneShown.model_validate(
            desk.undo_course(session, actor, slug), from_attributes=True
        ),
    )


@router.post("/courses/{slug}/steps/{step}/test", response_model=Tested)
def test_step(
    parts: PartsDep, actor: Send, once: OnceDep, slug: Slug, step: StepKey, asked: Testing
) -> Response:
    """Send a published step as a mail to some addresses of yours, outside every count."""
    return once.carry_out(
        actor,
        lambda session: desk.write_step_tests(
            *(session, actor, slug, step, asked.to),
            as_email=asked.as_email,
            signer=parts.signer,
            base_url=parts.base_url,
            keyring=Keyring(parts.seal),
        ),
        lambda mails: send_each(parts, mails),
    )


@router.post("/courses/{slug}/enrollments", response_model=Enrolled)
def enroll(actor: Send, once: OnceDep, slug: Slug, asked: Enrolling) -> Response:
    """Put one person into a course, or up to 1,000 of its list. Who has not confirmed starts when they do."""

    def act(session: Any) -> Enrolled:
        if asked.subscriber_id is not None:
            state = desk.enroll_subscriber(session, actor, slug, asked.subscriber_id)
            return Enrolled(newly=None, state=state, is_done=True)
        newly = desk.enroll_list(session, actor, slug)
        return Enrolled(newly=newly, state=None, is_done=newly < desk.MOST_ENROLLED)

    return once.answer(actor, act)


@router.post("/courses/{slug}/simulate", response_model=Simulated)
def simulate_course(actor: See, once: OnceDep, slug: Slug, asked: Simulating) -> Response:
    """What invented people would get of a course, when and why. Nothing is sent or written."""
    people = [person.invented(number) for number, person in enumerate(asked.people)]
    return once.answer(
        actor,
        lambda session: Simulated.of(
            desk.simulate_course(session, actor, slug, people, asked.start, asked.weeks)
        ),
    )


@router.post("/courses/{slug}/simulate/mail", response_model=MailForeseen)
def show_foreseen(parts: PartsDep, actor: See, once: OnceDep, slug: Slug, asked: Foreseeing) -> Response:
    """One mail of a simulation as this person would get it. Nothing is sent or written."""
    reader = replace(asked.person.invented(0), email="reader@example.org")
    mail = Foreseen(reader, asked.step, asked.at, dict(asked.said), asked.is_repeat)

    def act(session: Any) -> MailForeseen:
        shown = desk.show_foreseen(session, actor, slug, mail, parts.signer, parts.base_url).mail
        return MailForeseen(subject=shown.subject, html=shown.html, text=shown.text)

    return once.answer(actor, act)


@router.get("/forecast", response_model=dict[str, Any])
def look_ahead(
    parts: PartsDep, actor: See, days: Annotated[int, Query(ge=1, le=90, description="How far.")] = 14
) -> Any:
    """What leaves in the coming days, hour by hour, of courses, campaigns and series, and what collides."""
    with parts.session() as session:
        return desk.look_ahead(session, actor, days).as_values()
