"""Everything about a course folder that would go wrong, found at once, before anything goes out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mailer.content.compile import CompiledMessage, Progress, compile_step
from mailer.content.course_folder import CourseSource, Problem, StepSource, read_draft
from mailer.content.media import MediaFile, course_media
from mailer.models import StepKind


@dataclass(frozen=True)
class CompiledCourse:
    """A course folder that is ready to be published."""

    source: CourseSource
    steps: tuple[tuple[StepSource, CompiledMessage], ...]
    media: tuple[MediaFile, ...]


def check_course(folder: Path) -> tuple[CompiledCourse | None, list[Problem]]:
    """The compiled course and every problem in it; None when an error stands in the way.

    Every text is compiled whatever else is wrong, so that one look finds all there is to mend.
    Raises Refused when the folder is no course folder at all.
    """
    source, problems = read_draft(folder)
    media = course_media(folder)
    compiled = []
    for step, progress in zip(source.steps, _progress(source), strict=True):
        if not step.body.strip():
            continue  # told already, and all else that could be said follows from it
        message, found = compile_step(source, step, position=progress, media=media.names)
        problems.extend(found)
        if message is not None:
            compiled.append((step, message))
    problems = sorted_problems(problems)
    if any(not problem.is_warning for problem in problems):
        return None, problems
    return CompiledCourse(source, tuple(compiled), media.files), problems


def sorted_problems(problems: list[Problem]) -> list[Problem]:
    """The problems in the order of files and lines, each once."""
    return sorted(set(problems), key=lambda problem: (problem.path, problem.line, problem.what))


def _progress(source: CourseSource) -> list[Progress]:
    """For each step "lesson 5 of 18, day 9 of 30, week 2 of 4"."""
    lessons = sum(step.kind == StepKind.LESSON for step in source.steps)
    weeks = max((step.week or 0 for step in source.steps), default=0)
    found, lesson = [], 0
    for step in source.steps:
        lesson += step.kind == StepKind.LESSON
        found.append(
            Progress(
                lesson=lesson,
                lessons=lessons,
                day=step.day,
                days=source.days,
                week=step.week,
                weeks=weeks,
            )
        )
    return found
