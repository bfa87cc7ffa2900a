"""The rules that a course folder holds: read for their form here, asked what they name when published."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mailer.content.course_source import CourseSource, Problem
from mailer.content.course_words import known_or_near
from mailer.rules import BadRule, conditions, parse
from mailer.rules.model import Answered, Reached

EMPTY = "is empty.", 'Write a rule such as tag "vip", or delete the line.'

Tell = Callable[[str, str], None]
"""Takes what is wrong, as the rest of a sentence, and the fix."""


def rule_of(text: str, course_slug: str, tell: Tell) -> str:
    """The rule as it is kept, or nothing after telling what is wrong with it.

    "Week 2" and the like in it are those of the course `course_slug`.
    """
    words = text.strip()
    if not words:
        tell(*EMPTY)
        return ""
    try:
        parse(words, course=course_slug or None)
    except BadRule as error:
        tell("is not a rule.", str(error))
        return ""
    return words


def rules_of(course: CourseSource) -> Iterator[tuple[str, int, str]]:
    """Every rule of a course with the file and line it stands on."""
    for step in course.steps:
        if step.condition:
            yield step.path.name, step.lines.get("when", 1), step.condition
    flow, lines = course.flow, course.lines
    for rule in flow.stop_when:
        yield "course.toml", lines.get("stop_when", 1), rule
    for name, rules in (
        ("then", [when for _, when in flow.then]),
        ("triggers", [w for w, _ in flow.triggers]),
    ):
        for number, rule in enumerate(rules):
            if rule:
                yield "course.toml", line_of(lines, name, number, "when"), rule


def own_references(course: CourseSource) -> Iterator[Problem]:
    """Rules on steps and weeks of this very course that it does not have."""
    keys = [step.key for step in course.steps]
    weeks = {step.week for step in course.steps if step.week}
    for path, line, text in rules_of(course):
        for one in conditions(parse(text, course=course.slug)):
            match one:
                case Reached(key, course.slug) if key not in keys:
                    what = f"The rule names the step {key!r}, which the course does not have."
                    yield Problem(path, line, what, known_or_near(key, keys))
                case Answered(_, week, course.slug) if week not in weeks:
                    what = f"The rule asks for week {week}, which the course does not have."
                    fix = "Name a week that one of its protocol steps has (`week: …`)."
                    yield Problem(path, line, what, fix)


def line_of(lines: dict[str, int], section: str, number: int, setting: str) -> int:
    """The line of a setting in the `number`th of a section's tables, or the nearest line that is known."""
    wanted = (f"{section}.{number}.{setting}", f"{section}.{number}", section)
    return next((lines[name] for name in wanted if name in lines), 1)
