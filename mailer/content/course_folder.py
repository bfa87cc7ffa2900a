"""A course as files: `course.toml` and one Markdown file per step, read with every problem collected."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from mailer.content.course_source import CourseSource, Problem, SenderSource, StepSource
from mailer.content.course_toml import COURSE_FILE, read_header
from mailer.content.course_words import parse_send_time
from mailer.content.step_file import NO_DAY, place_of, read_step
from mailer.models import OptIn, StepKind

__all__ = [
    "COURSE_FILE",
    "CourseSource",
    "OptIn",
    "Problem",
    "SenderSource",
    "StepKind",
    "StepSource",
    "parse_send_time",
    "read_course",
    "read_draft",
]

STEP_SUFFIXES = frozenset({".md", ".markdown"})


def read_course(folder: Path) -> tuple[CourseSource | None, list[Problem]]:
    """The course in `folder` and everything wrong with its files.

    Steps without a key or a day are left out, and the course is None when `course.toml` lacks what a
    course cannot be without. Raises Refused when there is no course folder at all.
    """
    draft, problems = read_draft(folder)
    if not (draft.slug and draft.list_slug and draft.title):
        return None, problems
    return replace(draft, steps=tuple(step for step in draft.steps if step.key and step.day)), problems


def read_draft(folder: Path) -> tuple[CourseSource, list[Problem]]:
    """The same with blanks wherever something is wrong, so that all the rest can be checked too."""
    problems: list[Problem] = []
    course = read_header(folder, problems)
    files = _step_files(folder)
    if not files:
        fix = "Add one Markdown file per step, or import a guide."
        problems.append(Problem(COURSE_FILE, 1, "The course has no steps.", fix))
    read = (read_step(path, course.send_time, problems) for path in files)
    steps = sorted((step for step in read if step), key=lambda step: (step.day, step.path.name))
    problems.extend(_clashes(steps, course.days))
    return replace(course, steps=tuple(steps)), problems


def _step_files(folder: Path) -> list[Path]:
    """Every Markdown file, whatever its name: one that is left out silently would be missed too late."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in STEP_SUFFIXES and not path.name.startswith(".") and path.is_file()
    )


def _clashes(steps: Sequence[StepSource], days: int) -> Iterator[Problem]:
    """Keys used twice, two steps on one day, and steps after the course's end."""
    by_key: dict[str, StepSource] = {}
    by_day: dict[int, StepSource] = {}
    for step in steps:
        if step.key and (other := by_key.setdefault(step.key, step)) is not step:
            what = f"The key {step.key!r} is also that of {other.path.name}."
            yield Problem(*place_of(step, "key"), what, "Give each step a key of its own.")
        if step.day == NO_DAY:
            continue
        if (other := by_day.setdefault(step.day, step)) is not step:
            what = f"Day {step.day} already has {other.path.name}."
            fix = "Give each step a day of its own: nobody gets two mails on one day."
            yield Problem(*place_of(step, "day"), what, fix)
        if step.day > days:
            what = f"Day {step.day} is after the course's last day, {days}."
            yield Problem(*place_of(step, "day"), what, "Move the step or raise `days` in course.toml.")
