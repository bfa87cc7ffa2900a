"""Steps put on other days: which files of a course change, and to what."""

from __future__ import annotations

from collections.abc import Sequence

from mailer.content.course_source import CourseSource, StepSource
from mailer.content.file_edit import changed_file
from mailer.errors import Refused


def put_on_day(course: CourseSource, name: str, day: int) -> dict[str, str]:
    """The step in the file `name` on another day; the two change places when that has a step.

    Returns the files that change, with their new text; none when it is there already. Raises Refused.
    """
    step = _plain(course, name)
    if not 1 <= day <= course.days:
        raise Refused(f"The course has the days 1 to {course.days}; raise its days in its settings first.")
    if day == step.day:
        return {}
    days = {name: day}
    there = next((one for one in course.steps if one.is_plain and one.day == day), None)
    if there is not None:
        days[there.path.name] = step.day
    return _dated(course, days)


def put_before(course: CourseSource, name: str, before: str) -> dict[str, str]:
    """The step in the file `name` directly before another one (before "": after all others).

    The days of the course stay as they are, and the steps between the two move up by one. Steps of another
    kind keep theirs: a lesson passes the weeks of the protocol, which belong to their days. Raises Refused.
    """
    step = _plain(course, name)
    line = [one for one in course.steps if one.is_plain and one.kind == step.kind and one.day]
    if before and before not in {one.path.name for one in line}:
        # Dropped before a step of another kind: before the next of its own.
        at = _plain(course, before).day
        before = next((one.path.name for one in line if one.day >= at and one is not step), "")
    if before == name:
        return {}
    others = [one for one in line if one is not step]
    at = next((at for at, one in enumerate(others) if one.path.name == before), len(others))
    wanted = [*others[:at], step, *others[at:]]
    dated = zip(wanted, (one.day for one in line), strict=True)
    return _dated(course, {one.path.name: day for one, day in dated if one.day != day})


def neighbour(course: CourseSource, name: str, *, is_later: bool) -> str | None:
    """What to put a step before, so that it comes one place earlier or later; None at an end."""
    step = _plain(course, name)
    line = [one.path.name for one in course.steps if one.is_plain and one.kind == step.kind and one.day]
    if name not in line:
        return None
    at = line.index(name) + (2 if is_later else -1)
    if at < 0 or at > len(line):
        return None
    return line[at] if at < len(line) else ""


def free_day(course: CourseSource) -> int:
    """The first day after all steps, or else the first one between them; raises Refused without any."""
    taken = {step.day for step in course.steps}
    last = max(taken, default=0)
    days: Sequence[int] = [*range(last + 1, course.days + 1), *range(1, last)]
    found = next((day for day in days if day not in taken), None)
    if found is None:
        raise Refused(f"Each of the {course.days} days has its step; raise the days in its settings first.")
    return found


def _plain(course: CourseSource, name: str) -> StepSource:
    step = next((one for one in course.steps if one.path.name == name), None)
    if step is None:
        raise Refused(f"There is no step in {name} any more; look again.")
    if not step.is_plain:
        beside = step.instead_of or step.easier_than
        raise Refused(f"{step.key} comes on the day of {beside}, beside which it stands; move that one.")
    return step


def _dated(course: CourseSource, days: dict[str, int]) -> dict[str, str]:
    """The texts of these files with their new days; a wait gives way to the day that is meant now."""
    files = {}
    for step in course.steps:
        if (day := days.get(step.path.name)) is not None:
            changes = {"day": day, **({"wait": None} if "wait" in step.lines else {})}
            files[step.path.name] = changed_file(step.path.read_text(encoding="utf-8"), changes)
    return files
