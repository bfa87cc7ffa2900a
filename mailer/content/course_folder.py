"""A course as files: `course.toml` and a Markdown file per step and translation; every problem is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mailer.content.arrange import arrange
from mailer.content.course_source import CourseSource, Problem, SenderSource, StepSource
from mailer.content.course_toml import COURSE_FILE, read_header
from mailer.content.course_words import parse_send_time
from mailer.content.step_file import read_step
from mailer.content.translations import language_in, with_translations
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
    files = _text_files(folder)
    own = [path for path in files if language_in(path) is None]
    if not own:
        fix = "Add one Markdown file per step, or import a guide."
        problems.append(Problem(COURSE_FILE, 1, "The course has no steps.", fix))
    read = [step for path in own if (step := read_step(path, course, problems))]
    translated = with_translations(
        read, [path for path in files if path not in own], course.language, problems
    )
    return replace(course, steps=arrange(translated, course.days, problems)), problems


def _text_files(folder: Path) -> list[Path]:
    """Every Markdown file, whatever its name: one that is left out silently would be missed too late."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in STEP_SUFFIXES and not path.name.startswith(".") and path.is_file()
    )
