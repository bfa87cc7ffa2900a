"""What courses did: their versions, each step as a funnel, and the statement of every mail."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field

from mailer.desk import courses as desk
from mailer.desk.publishing import compare_versions as compared
from mailer.desk.publishing import pack_version
from mailer.desk.reports import see_course
from mailer.reports.course_report import CourseFigures, StepReaders
from mailer.reports.course_versions import Side
from mailer.web.api.caller import See, Write
from mailer.web.api.campaigns import Statement
from mailer.web.api.paging import Page, PagingDep
from mailer.web.deps import PartsDep
from mailer.web.taking_out import attached

router = APIRouter(prefix="/courses/{slug}", tags=["Courses"])

Slug = Annotated[str, Path(examples=["calm"], max_length=100)]
Number = Annotated[int, Query(ge=1, lt=2**31)]
VersionNumber = Annotated[int, Path(ge=1, lt=2**31, examples=[1])]


class VersionShown(BaseModel):
    """A published version, and how many steps it has."""

    number: int
    published_at: datetime
    steps: int


class SettingShown(BaseModel):
    """A setting that differs; empty where one of the two does not say it."""

    name: str
    old: str
    new: str


class PieceShown(BaseModel):
    """Some words, and in which of the two texts they stand."""

    side: Side
    words: str


class StepDifferenceShown(BaseModel):
    """How one step differs: `what` is added, gone or changed."""

    key: str
    subject: str
    what: str
    settings: list[SettingShown]
    pieces: list[PieceShown]


class DifferenceShown(BaseModel):
    """All that differs between two versions."""

    old: int
    new: int
    settings: list[SettingShown]
    steps: list[StepDifferenceShown]


class ReadersShown(BaseModel):
    """What readers did at a step. `people` clicked, each once; `left` unsubscribed when it was their last."""

    people: int
    machines: int
    requests: int
    left: int
    stopped: int


class StepReport(BaseModel):
    """One step as a funnel: `due` is the sum of the five after it. `readers`: null where not counted."""

    key: str = Field(examples=["hello"])
    subject: str
    kind: str
    day: int
    week: int | None
    is_gone: bool
    due: int
    accepted: int
    refused: int
    not_sent: int
    unknown: int
    open: int
    again: int
    readers: ReadersShown | None


class WeekAnswersShown(BaseModel):
    """The check-ins of one course week: sent, and what readers answered last."""

    week: int
    sent: int
    done: int
    not_yet: int
    too_hard: int
    silent: int


class CohortShown(BaseModel):
    """Those who began in one week (from a Monday, UTC); `reached` as many came to each of `weeks`."""

    week: date
    began: int
    reached: list[int]
    active: int
    finished: int
    left: int
    waiting: int


class CourseReport(BaseModel):
    """What a course did. `answers`, `cohorts` and readers are null where nobody asked for a long count."""

    steps: list[StepReport]
    answers: list[WeekAnswersShown] | None
    weeks: list[int] | None = Field(description="The course weeks that `reached` is about.")
    cohorts: list[CohortShown] | None
    older: date | None = Field(description="`before` for the cohorts before these; null without any.")

    @classmethod
    def of(cls, found: CourseFigures) -> CourseReport:
        readers = found.readers
        steps = [
            StepReport.model_validate(
                {
                    **vars(one),
                    "readers": None if readers is None else vars(readers.get(one.key, StepReaders())),
                }
            )
            for one in found.steps
        ]
        answers = found.answers
        return cls(
            steps=steps,
            answers=None if answers is None else [WeekAnswersShown(**vars(one)) for one in answers],
            weeks=list(found.cohorts.weeks) if found.cohorts else None,
            cohorts=[CohortShown.model_validate(one, from_attributes=True) for one in found.cohorts.rows]
            if found.cohorts
            else None,
            older=found.cohorts.older if found.cohorts else None,
        )


@router.get("/versions")
def list_course_versions(parts: PartsDep, actor: See, slug: Slug, paging: PagingDep) -> Page[VersionShown]:
    """The published versions of a course, the newest first."""
    before = paging.after("versions", int)
    with parts.session() as session:
        rows = desk.page_versions(session, actor, slug, before, paging.limit + 1)
    return paging.page(
        rows,
        "versions",
        lambda row: int(row.number),
        lambda row: VersionShown.model_validate(row, from_attributes=True),
    )


@router.get(
    "/versions/{version}/course.zip",
    response_class=Response,
    responses={200: {"content": {"application/zip": {}}, "description": "The folder"}},
)
def export_course_version(parts: PartsDep, actor: Write, slug: Slug, version: VersionNumber) -> Response:
    """The course folder that a version was published from, byte for byte."""
    with parts.session() as session:
        content = pack_version(session, actor, slug, version)
    return Response(content, media_type="application/zip", headers=attached(f"{slug}-version-{version}.zip"))


@router.get("/difference")
def compare_versions(parts: PartsDep, actor: See, slug: Slug, old: Number, new: Number) -> DifferenceShown:
    """What differs between two published versions, in the words that readers see."""
    with parts.session() as session:
        found = compared(session, actor, slug, old, new)
    return DifferenceShown.model_validate(found, from_attributes=True)


@router.get("/report")
def show_course_report(
    parts: PartsDep,
    actor: See,
    slug: Slug,
    counted: Annotated[bool, Query(description="Count also what takes long, for up to 10 seconds.")] = False,
    before: Annotated[date | None, Query(description="Cohorts of weeks before that of this day.")] = None,
) -> CourseReport:
    """Each step as a funnel, what readers answered, and how far those who began in a week came."""
    with parts.session() as session:
        return CourseReport.of(see_course(session, actor, slug, is_asked=counted, before=before))


@router.get("/statement")
def show_course_statement(parts: PartsDep, actor: See, slug: Slug) -> Statement:
    """The balanced statement of a course: what became of every mail, and what is missing."""
    with parts.session() as session:
        return Statement.of(desk.see_statement(session, actor, slug))
