"""Everything about a course folder that would go wrong, found at once, before anything goes out."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

from mailer.content.compile import Compiled, CompiledMessage, Progress, compile_step
from mailer.content.course_files import course_files
from mailer.content.course_folder import COURSE_FILE, CourseSource, Problem, StepSource, read_draft
from mailer.content.course_rules import own_references
from mailer.content.course_source import Translation
from mailer.content.media import MediaFile, course_media
from mailer.content.newest import Newest
from mailer.models import StepKind
from mailer.schedule.timing import NoSuchDay, read_timing, window_on

LONG_AGO = date(2024, 1, 1)
"""The first day of a leap year, so that every date of the calendar is looked at."""


@dataclass(frozen=True)
class CompiledCourse:
    """A course folder that is ready to be published. `translations` say their language themselves.

    `files` are all of the folder's, as they are.
    """

    source: CourseSource
    steps: tuple[tuple[StepSource, CompiledMessage], ...]
    media: tuple[MediaFile, ...]
    translations: tuple[tuple[StepSource, CompiledMessage], ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)


def check_course(folder: Path) -> tuple[CompiledCourse | None, list[Problem]]:
    """The compiled course and every problem in it; None when an error stands in the way.

    Every text is compiled whatever else is wrong, so that one look finds all there is to mend.
    Raises Refused when the folder is no course folder at all.
    """
    source, problems = read_draft(folder)
    media = course_media(folder)
    files = course_files(folder, problems)
    problems += [*_never(source), *own_references(source)]
    compiled: list[tuple[StepSource, CompiledMessage]] = []
    translated: list[tuple[StepSource, CompiledMessage]] = []
    for step, progress in zip(source.steps, progress_of(source), strict=True):
        for translation in (None, *step.translations):
            course, written = in_language(source, step, translation)
            if not written.body.strip():
                continue  # told already, and all else that could be said follows from it
            message, found = compile_cached(course, written, progress, media.names)
            problems.extend(found)
            if message is not None:
                (translated if translation else compiled).append((step, message))
    problems = sorted_problems(problems)
    if any(not problem.is_warning for problem in problems):
        return None, problems
    return CompiledCourse(source, tuple(compiled), media.files, tuple(translated), files), problems


_COMPILED: Newest[str, Compiled] = Newest(500)
"""Mails by all that they are made of: after an edit only what was edited is made anew."""


def compile_cached(
    course: CourseSource, step: StepSource, position: Progress, media: Mapping[str, str]
) -> Compiled:
    """As `compile_step`; wherever the folder lies, the same text is the same mail."""
    frame = (course.title, course.list_title, course.disclaimer, course.sender, course.language)
    text = (step.path.name, step.subject, step.preheader, step.kind, step.body, step.body_line, step.lines)
    key = hashlib.sha256(repr((frame, text, position, sorted(media.items()))).encode()).hexdigest()
    return _COMPILED.get(key, lambda: compile_step(course, step, position=position, media=media))


def in_language(
    source: CourseSource, step: StepSource, translation: Translation | None
) -> tuple[CourseSource, StepSource]:
    """The course and step as a translation says them: its text, and our own words in its language."""
    if translation is None:
        return source, step
    written = replace(
        step,
        path=translation.path,
        subject=translation.subject,
        preheader=translation.preheader,
        body=translation.body,
        body_line=translation.body_line,
        lines=translation.lines,
    )
    return replace(source, language=translation.language), written


def _never(source: CourseSource) -> Iterator[Problem]:
    """Steps that may leave on no day at all: quiet all year, or on all of their weekdays."""
    for step in source.steps:
        timing = read_timing(step.timing.as_values())
        starts = [timing.not_before or LONG_AGO]
        starts += [date.fromisoformat(one[:10]) for one in timing.quiet if len(one) > len("12-25")]
        try:
            for start in starts:
                window_on(start, step.send_time, timing, "Etc/UTC")
        except NoSuchDay:
            setting = next((name for name in ("quiet", "not_before", "weekdays") if name in step.lines), "")
            place = (step.path.name, step.lines[setting]) if setting else (COURSE_FILE, _quiet_line(source))
            what = f"{step.path.name} may leave on no day of two years: all of its weekdays are quiet."
            yield Problem(*place, what, "Allow more weekdays, or fewer quiet dates.")


def _quiet_line(source: CourseSource) -> int:
    return source.lines.get("quiet", source.lines.get("weekdays", 1))


def sorted_problems(problems: list[Problem]) -> list[Problem]:
    """The problems in the order of files and lines, each once."""
    return sorted(set(problems), key=lambda problem: (problem.path, problem.line, problem.what))


def progress_of(source: CourseSource) -> list[Progress]:
    """For each step "lesson 5 of 18, day 9 of 30, week 2 of 4"."""
    lesson_days = sorted({step.day for step in source.steps if step.kind == StepKind.LESSON})
    lessons = sum(step.kind == StepKind.LESSON and step.is_plain for step in source.steps)
    weeks = max((step.week or 0 for step in source.steps), default=0)
    found = []
    for step in source.steps:
        found.append(
            Progress(
                # A lesson's variants are as far as it is: they share its day.
                lesson=bisect_right(lesson_days, step.day),
                lessons=lessons,
                day=step.day,
                days=source.days,
                week=step.week,
                weeks=weeks,
            )
        )
    return found
