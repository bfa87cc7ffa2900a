"""One step's Markdown file, read: what its front matter says, and its text; and its translations' files."""

from __future__ import annotations

import re
from pathlib import Path

from mailer.content.course_rules import rule_of
from mailer.content.course_source import CourseSource, Problem, StepSource, Translation
from mailer.content.front_matter import Settings, read_text
from mailer.content.step_timing import SETTINGS as TIMING
from mailer.content.step_timing import SEVERAL, Hours, read_day, read_hours
from mailer.models import StepKind

BESIDE = ("instead_of", "easier_than")
TEXTS = ("subject", "preheader")
SETTINGS = ("key", *TEXTS, "kind", "day", "wait", "week", *TIMING, "when", *BESIDE)
BEGIN = "Begin the file with a `---` block with key, subject, kind and day, or move the file away."
BEGIN_TRANSLATION = "Begin the file with a `---` block with its subject, or move the file away."


def read_step(path: Path, course: CourseSource, problems: list[Problem]) -> StepSource | None:
    """The step in `path`, what is wrong left blank and told; None when its text cannot even be found."""
    text = read_text(path, "step", BEGIN, problems)
    if text is None:
        return None
    settings = Settings(path.name, "step", SETTINGS, problems, lists=SEVERAL)
    settings.read(text.settings)
    kind = _kind(settings)
    hours = read_hours(settings, Hours(course.send_time, course.timing))
    beside = {name: settings.slug(name) if name in settings.values else "" for name in BESIDE}
    day, wait = read_day(settings, is_beside=any(name in settings.lines for name in BESIDE))
    return StepSource(
        path=path,
        key=settings.slug("key"),
        subject=settings.one_line("subject"),
        preheader=settings.one_line("preheader", default=""),
        kind=kind,
        day=day,
        wait=wait,
        send_time=hours.send_time,
        timing=hours.timing,
        week=_week(settings, kind),
        condition=_condition(settings, course.slug),
        instead_of=beside["instead_of"],
        easier_than=beside["easier_than"],
        body=text.body,
        body_line=text.body_line,
        lines=settings.lines,
    )


def read_translation(path: Path, language: str, problems: list[Problem]) -> Translation | None:
    """The translation in `path`: its subject, preheader and text. None when its text cannot be found."""
    text = read_text(path, "translation", BEGIN_TRANSLATION, problems)
    if text is None:
        return None
    settings = Settings(path.name, "step", SETTINGS, problems, lists=SEVERAL)
    settings.read(text.settings)
    for name in settings.lines:
        if name not in TEXTS:
            what = f"`{name}` means nothing in a translation: it is said in the step's own file."
            settings.problem(name, what, "Delete the line.", is_warning=True)
    return Translation(
        path=path,
        language=language,
        subject=settings.one_line("subject"),
        preheader=settings.one_line("preheader", default=""),
        body=text.body,
        body_line=text.body_line,
        lines=settings.lines,
    )


def _kind(settings: Settings) -> StepKind:
    value = settings.values.get("kind", StepKind.LESSON)
    if value in set(StepKind):
        return StepKind(value)
    settings.problem("kind", f"`kind` is {value!r}.", "Write lesson, protocol or check-in.")
    return StepKind.LESSON


def _week(settings: Settings, kind: StepKind) -> int | None:
    value = settings.values.get("week")
    if value is None:
        return None
    if not re.fullmatch(r"[0-9]{1,3}", value) or int(value) < 1:
        settings.problem("week", f"`week` is {value!r}.", "Write the week of the protocol, a number from 1.")
        return None
    is_beside = not settings.lines.keys().isdisjoint(("instead_of", "easier_than"))
    if is_beside and "kind" not in settings.lines:
        return int(value)  # its kind is the original's, and so has the week to be
    if kind is not StepKind.PROTOCOL and "kind" not in settings.blank:
        what = f"`week` means nothing for a {kind}."
        settings.problem("week", what, "Delete it, or write `kind: protocol`.", is_warning=True)
        return None
    return int(value)


def _condition(settings: Settings, course_slug: str) -> str:
    if "when" not in settings.values:
        return ""
    return rule_of(
        settings.one_line("when", default=""),
        course_slug,
        lambda what, fix: settings.problem("when", f"`when` {what}", fix),
    )


def place_of(step: StepSource, setting: str) -> tuple[str, int]:
    """The file and line on which a step says `setting`."""
    return step.path.name, step.lines.get(setting, 1)
