"""A course around one body, so that a test shows the body and what becomes of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import time
from pathlib import Path

import pytest

from mailer.content.compile import Progress, compile_step
from mailer.content.course_folder import StepKind, StepSource
from tests.support.mails import BODY_LINE, POSITION, Write, Written, course_around


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Compiles a body below a title; other things of the step or the course can be given by name."""

    def compiled(
        body: str,
        *,
        title: str = "# A title\n\n",
        media: dict[str, str] | None = None,
        position: Progress = POSITION,
        subject: str = "A subject",
        preheader: str = "",
        kind: StepKind = StepKind.LESSON,
        **of_course: object,
    ) -> Written:
        step = StepSource(
            path=tmp_path / "01-a-step.md",
            key="a-step",
            subject=subject,
            preheader=preheader,
            kind=kind,
            day=9,
            send_time=time(8),
            body=title + body,
            body_line=BODY_LINE - title.count("\n"),
            week=position.week if kind is StepKind.PROTOCOL else None,
            lines={"key": 2, "subject": 3, "preheader": 4},
        )
        source = replace(course_around(tmp_path), **of_course)  # type: ignore[arg-type]
        return Written(*compile_step(source, step, position=position, media=media or {}))

    return compiled
