"""A course's steps in their order: waits become days, and a version takes the day of its original."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from mailer.content.course_source import Problem, StepSource
from mailer.content.course_words import known_or_near
from mailer.content.step_file import place_of
from mailer.content.step_timing import NO_DAY, inherited
from mailer.models import StepKind


def arrange(steps: Sequence[StepSource], days: int, problems: list[Problem]) -> tuple[StepSource, ...]:
    """The steps, which come in the order of their files, in that of their days.

    On one day a step's variants come first, by their keys, and its gentler version last.
    """
    problems.extend(_same_keys(steps))
    dated = list(_after_waits(steps))
    originals = {step.key: step for step in dated if step.key}
    arranged = [_beside(step, originals, problems) for step in dated]
    arranged.sort(key=lambda step: (step.day, bool(step.easier_than), not step.instead_of, step.key))
    problems.extend(_clashes(arranged, days))
    problems.extend(_second_gentler(arranged))
    return tuple(arranged)


def _after_waits(steps: Sequence[StepSource]) -> Iterator[StepSource]:
    """Each step with its day; a wait counts from the step of the file before, the first one from day 0."""
    before = 0
    for step in steps:
        if step.wait is not None and step.is_plain:
            step = replace(step, day=before + step.wait)
        if step.is_plain and step.day != NO_DAY:
            before = step.day
        yield step


def _beside(step: StepSource, originals: Mapping[str, StepSource], problems: list[Problem]) -> StepSource:
    """A variant or a gentler version with the day of its original; without one when it has none."""
    if step.is_plain:
        return step
    setting = "instead_of" if step.instead_of else "easier_than"
    wrong = _wrong_original(step, setting, originals)
    if wrong:
        problems.append(Problem(*place_of(step, setting), *wrong))
        return replace(step, day=NO_DAY)
    original = originals[step.instead_of or step.easier_than]
    problems.extend(_own_day(step, setting, original))
    if step.week not in (None, original.week):
        what = f"Week {step.week} is not that of {original.key}, which it stands beside (`{setting}`)."
        problems.append(Problem(*place_of(step, "week"), what, "Delete the line: the week is the same."))
    if setting == "instead_of" and "when" not in step.lines:
        what = f"Nobody would get it: a step that stands for {original.key} needs a rule."
        problems.append(Problem(*place_of(step, setting), what, 'Write for instance `when: tag "vip"`.'))
    if setting == "easier_than" and step.condition:
        what = "`when` means nothing for a gentler version: readers get it by what they answer."
        problems.append(Problem(*place_of(step, "when"), what, "Delete it.", is_warning=True))
    return inherited(step, original)


def _wrong_original(
    step: StepSource, setting: str, originals: Mapping[str, StepSource]
) -> tuple[str, str] | None:
    """What is wrong with the key that a step stands beside, and the fix."""
    key = step.instead_of or step.easier_than
    original = originals.get(key)
    if step.instead_of and step.easier_than:
        return "The step has both instead_of and easier_than.", "Keep one of the two."
    if original is None:
        others = [other for other in originals if other != step.key]
        return f"`{setting}` names {key!r}, which is no step.", known_or_near(key, others)
    if _is_circle(step, originals):
        what = f"`{setting}` leads in a circle back to {step.key}."
        return what, "Give one of these steps a day of its own, and let the others name it."
    if not original.is_plain:
        on = original.instead_of or original.easier_than
        return f"`{setting}` names {key!r}, which has no day of its own.", f"Name {on} instead."
    if setting == "easier_than" and original.kind is not StepKind.PROTOCOL:
        what = f"`easier_than` names {key!r}, which is a {original.kind}, not a protocol step."
        return what, "Name the step of a week (`kind: protocol`), or delete the line."
    return None


def _is_circle(step: StepSource, originals: Mapping[str, StepSource]) -> bool:
    seen, at = set(), step
    while (key := at.instead_of or at.easier_than) in originals and key not in seen:
        seen.add(key)
        at = originals[key]
    return step.key in seen


def _own_day(step: StepSource, setting: str, original: StepSource) -> Iterator[Problem]:
    """A day of its own can only be the same day, or is not meant."""
    if "wait" in step.lines:
        what = f"`wait` means nothing here: the step comes on the day of {original.key}."
        yield Problem(*place_of(step, "wait"), what, "Delete it.", is_warning=True)
    if step.day in (NO_DAY, original.day):
        return
    what = f"Day {step.day} is not that of {original.key}, which it stands beside (`{setting}`)."
    yield Problem(*place_of(step, "day"), what, "Delete the line: the day is the same.")


def _same_keys(steps: Sequence[StepSource]) -> Iterator[Problem]:
    by_key: dict[str, StepSource] = {}
    for step in steps:
        if step.key and (other := by_key.setdefault(step.key, step)) is not step:
            what = f"The key {step.key!r} is also that of {other.path.name}."
            yield Problem(*place_of(step, "key"), what, "Give each step a key of its own.")


def _clashes(steps: Sequence[StepSource], days: int) -> Iterator[Problem]:
    """Two steps on one day, or of one week, and steps after the course's end."""
    by_day: dict[int, StepSource] = {}
    by_week: dict[int, StepSource] = {}
    for step in steps:
        if step.day == NO_DAY or not step.is_plain:
            continue
        if step.week and (other := by_week.setdefault(step.week, step)) is not step:
            what = f"Week {step.week} already has {other.path.name}."
            fix = "Give each protocol step a week of its own: what readers answer is kept by its number."
            yield Problem(*place_of(step, "week"), what, fix)
        setting = "wait" if step.wait else "day"
        if (other := by_day.setdefault(step.day, step)) is not step:
            what = f"Day {step.day} already has {other.path.name}."
            fix = "Give each step a day of its own: nobody gets two mails on one day."
            yield Problem(*place_of(step, setting), what, fix)
        if step.day > days:
            what = f"Day {step.day} is after the course's last day, {days}."
            yield Problem(*place_of(step, setting), what, "Move the step or raise `days` in course.toml.")


def _second_gentler(steps: Sequence[StepSource]) -> Iterator[Problem]:
    by_key: dict[str, StepSource] = {}
    for step in steps:
        if step.day == NO_DAY or not step.easier_than:
            continue
        if (other := by_key.setdefault(step.easier_than, step)) is not step:
            what = f"{step.easier_than} already has a gentler version, {other.path.name}."
            yield Problem(*place_of(step, "easier_than"), what, "Keep one of the two.")
