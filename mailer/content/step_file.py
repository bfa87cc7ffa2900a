"""One step's Markdown file, read: what its front matter says, and its text."""

from __future__ import annotations

import re
from datetime import time
from pathlib import Path

from mailer.content.course_source import Problem, StepSource
from mailer.content.course_words import parse_send_time
from mailer.content.front_matter import Settings, read_text
from mailer.models import StepKind

SETTINGS = ("key", "subject", "preheader", "kind", "day", "send_time", "week")
BEGIN = "Begin the file with a `---` block with key, subject, kind and day, or move the file away."
NO_DAY = 0


def read_step(path: Path, default_time: time, problems: list[Problem]) -> StepSource | None:
    """The step in `path`, what is wrong left blank and told; None when its text cannot even be found."""
    text = read_text(path, "step", BEGIN, problems)
    if text is None:
        return None
    settings = Settings(path.name, "step", SETTINGS, problems)
    settings.read(text.settings)
    kind = _kind(settings)
    return StepSource(
        path=path,
        key=settings.slug("key"),
        subject=settings.one_line("subject"),
        preheader=settings.one_line("preheader", default=""),
        kind=kind,
        day=_day(settings),
        send_time=_send_time(settings, default_time),
        week=_week(settings, kind),
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


def _day(settings: Settings) -> int:
    value = settings.values.get("day", "")
    if re.fullmatch(r"[0-9]{1,4}", value) and int(value) >= 1:
        return int(value)
    what = f"`day` is {value!r}." if value else "`day` is missing."
    fix = "Write the day of the course, a number from 1 (day 0 is the welcome)."
    settings.problem("day", what, fix)
    return NO_DAY


def _week(settings: Settings, kind: StepKind) -> int | None:
    value = settings.values.get("week")
    if value is None:
        return None
    if not re.fullmatch(r"[0-9]{1,3}", value) or int(value) < 1:
        settings.problem("week", f"`week` is {value!r}.", "Write the week of the protocol, a number from 1.")
        return None
    if kind is not StepKind.PROTOCOL and "kind" not in settings.blank:
        what = f"`week` means nothing for a {kind}."
        settings.problem("week", what, "Delete it, or write `kind: protocol`.", is_warning=True)
    return int(value)


def _send_time(settings: Settings, default: time) -> time:
    value = settings.values.get("send_time")
    parsed = default if value is None else parse_send_time(value)
    if parsed is None:
        settings.problem("send_time", f"{value!r} is not a time of day.", "Write it as 08:00.")
    return parsed or default


def place_of(step: StepSource, setting: str) -> tuple[str, int]:
    """The file and line on which a step says `setting`."""
    return step.path.name, step.lines.get(setting, 1)
