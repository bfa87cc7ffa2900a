"""A guide made into a course folder, which a program looks at, changes, and publishes."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Response
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from mailer.content.arrivals import MOST_GUIDE
from mailer.content.guide.model import LineNote
from mailer.desk import drafts as desk
from mailer.web.api.caller import Write
from mailer.web.api.once import OnceDep

router = APIRouter(tags=["Courses"])

Guide = Annotated[
    bytes, Body(media_type="application/octet-stream", description="A .txt, .md, .html or .docx file.")
]


class Note(BaseModel):
    """A place of the guide, by its line, and why it was left out or is to be looked at."""

    line: int
    text: str
    why: str


class CourseOfGuide(BaseModel):
    """What a guide becomes: so many mails, and a `folder` to be published or changed.

    `folder` is a zip file in Base64. `left_out` is in no mail; `doubtful` was understood, and may be wrong.
    """

    slug: str = Field(examples=["sleep"])
    title: str = Field(examples=["Sleeping better"])
    steps: int
    left_out: list[Note]
    doubtful: list[Note]
    folder: str

    @classmethod
    def of(cls, found: desk.CourseOfGuide) -> CourseOfGuide:
        report = found.arrival.report
        return cls(
            slug=found.slug,
            title=found.title,
            steps=found.arrival.steps,
            left_out=_notes(report.left_out),
            doubtful=_notes(report.doubtful),
            folder=base64.b64encode(found.folder).decode("ascii"),
        )


def _notes(notes: Sequence[LineNote]) -> list[Note]:
    values: list[dict[str, Any]] = [asdict(note) for note in notes]
    return [Note(**one) for one in values]


@router.post("/courses/guide", response_model=CourseOfGuide, max_body_size=MOST_GUIDE)
def read_guide(
    actor: Write,
    once: OnceDep,
    content: Guide,
    file: Annotated[str, Query(max_length=200, description="What it is called.", examples=["sleep.md"])],
    days: Annotated[int, Query(ge=1, le=3660, description="How many days the course takes.")] = 30,
    title: Annotated[str, Query(max_length=200, description="Empty: the guide's own.")] = "",
    slug: Annotated[str, Query(max_length=100, description="Empty: made of the title.")] = "",
    sender: Annotated[
        str, Query(max_length=100, description="A sender whose name and addresses it takes over.")
    ] = "",
) -> Response:
    """Make a course folder of a guide: a mail for each section, the weeks of its protocol, on these days.

    Nothing is kept or published: send the folder to `/courses/plan` and `/courses`.
    """

    def act(session: Session) -> CourseOfGuide:
        asked = session, actor, file, content, days
        return CourseOfGuide.of(desk.course_of_guide(*asked, title=title, slug=slug, sender=sender))

    return once.answer(actor, act)
