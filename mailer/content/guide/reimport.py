"""A changed guide imported into the course folder it once became."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import tomlkit

from mailer.content.course_folder import COURSE_FILE, CourseSource, StepSource, read_course
from mailer.content.guide.days import day_of_week_step, free_day
from mailer.content.guide.differences import three_way
from mailer.content.guide.folder import SEND_TIME, Header, changed_toml, file_name, step_file
from mailer.content.guide.matching import Choose, match_steps
from mailer.content.guide.memory import MEMORY_FILE, Memory, RememberedStep
from mailer.content.guide.merge import Merged, is_edited, merge_step
from mailer.content.guide.model import LineNote
from mailer.content.guide.names import unique_slug
from mailer.content.guide.report import Fate, StepReport
from mailer.content.guide.steps import Draft
from mailer.content.guide.swap import replace_folder
from mailer.errors import Refused


@dataclass
class Reimport:
    """The folder's files, what was imported last, and, once `run`, what becomes of them."""

    folder: Path
    memory: Memory
    header: Header
    drafts: list[Draft]
    choose: Choose | None
    files: dict[str, str] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)
    reports: list[StepReport] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    doubtful: list[LineNote] = field(default_factory=list)

    def run(self, source: Path) -> bool:
        """Merges and writes; False when the folder was left untouched because nothing is different."""
        self.course = _read(self.folder)
        matching = match_steps(self.memory.steps, self.drafts, self.choose)
        self._note_replaced(matching.replaced, matching.found)
        self._course_toml()
        gone = [step for step in self.memory.steps if step not in matching.found.values()]
        remembered_gone = list(self._lose(gone))
        remembered = self._merge(matching.found)
        memory = Memory(
            source=source.name,
            sha256=hashlib.sha256(source.read_bytes()).hexdigest(),
            days=max(self.header.days, self.memory.days),
            course=self.header.from_guide(),
            steps=(*remembered, *remembered_gone),
        )
        if memory != self.memory:
            self.files[MEMORY_FILE] = memory.to_json()
        if self.files or self.removed:
            replace_folder(self.folder, self.files, self.removed)
        self.reports.sort(key=lambda report: report.day)
        return bool(self.files or self.removed)

    def _mine(self, step: RememberedStep) -> StepSource | None:
        """The author's file of a remembered step: by its key, or by its name when the key was changed."""
        by_key = {mine.key: mine for mine in self.course.steps}
        by_name = {mine.path.name: mine for mine in self.course.steps}
        return by_key.get(step.key) or by_name.get(step.file)

    def _lose(self, gone: list[RememberedStep]) -> Iterator[RememberedStep]:
        """Steps whose section the guide has no more: removed if untouched, otherwise remembered as gone."""
        for step in gone:
            mine = self._mine(step)
            if mine is None:
                if not step.is_gone:
                    self._report(step, step.day, step.subject, None, Fate.GONE)
            elif is_edited(step, mine):
                yield replace(step, is_gone=True)
                fate = Fate.KEPT if step.is_gone else Fate.GONE
                self._report(step, mine.day, mine.subject, mine.path, fate)
            else:
                self.removed.append(mine.path.name)
                self._report(step, mine.day, mine.subject, None, Fate.GONE)

    def _merge(self, found: Mapping[int, RememberedStep]) -> list[RememberedStep]:
        """Each draft merged into its earlier step, or made a new one."""
        remembered: dict[int, RememberedStep] = {}
        mines = {number: self._mine(step) for number, step in found.items()}
        for number, step in found.items():
            mine = mines[number]
            merged = merge_step(step, self.drafts[number], mine)
            remembered[number] = merged.remembered
            self._keep(merged, mine)
        taken = {step.day for step in self.course.steps if step.path.name not in self.removed}
        days = {number: mine.day if mine else found[number].day for number, mine in mines.items()}
        for number, draft in enumerate(self.drafts):
            if number not in found:
                days[number] = self._day(number, days, taken)
                taken.add(days[number])
                remembered[number] = self._add(draft, days[number])
        return [remembered[number] for number in sorted(remembered)]

    def _keep(self, merged: Merged, mine: StepSource | None) -> None:
        step = merged.remembered
        if merged.text is not None and mine is not None:
            self.files[mine.path.name] = merged.text
        if merged.difference:
            self.differences.append(merged.difference)
        day, path = (mine.day, mine.path) if mine else (step.day, None)
        self._report(step, day, merged.subject, path, merged.fate)

    def _add(self, draft: Draft, day: int) -> RememberedStep:
        taken = {step.key for step in self.course.steps} | {step.key for step in self.memory.steps}
        taken |= {report.key for report in self.reports}
        wanted = f"week-{draft.week}" if draft.week else draft.heading
        order = 1 + sum(report.day < day and report.path is not None for report in self.reports)
        key = unique_slug(wanted, taken, f"lesson-{order}")
        name = file_name(order, key)
        self.files[name] = step_file(draft, key, day)
        step = remember(draft, key, name, day)
        self._report(step, day, draft.subject, self.folder / name, Fate.NEW)
        return step

    def _day(self, number: int, days: Mapping[int, int], taken: set[int]) -> int:
        """A free day for a new step: between its neighbours, or as near as there is one."""
        draft, last = self.drafts[number], self._days()
        if draft.week is not None:
            after, before = day_of_week_step(draft.week) - 1, None
            if after >= last:
                raise Refused(
                    f"The guide now has a week {draft.week}; make the course {after + 1} days long or more "
                    "(--days, or in its settings)."
                )
        else:
            lessons = {other: day for other, day in days.items() if self.drafts[other].week is None}
            after = max((day for other, day in lessons.items() if other < number), default=0)
            before = min(
                (day for other, day in lessons.items() if other > number and day > after), default=None
            )
        day = free_day(after, before, taken, last, first=draft.week is not None)
        if day is None:
            raise Refused(
                f"There is no free day for the new section “{draft.heading}”: all {last} days have a mail; "
                f"make the course {last + 1} days long or more (--days, or in its settings)."
            )
        if day < after or (before is not None and day > before):
            why = f"no day was free at its place in the order, so it went to day {day}"
            self.doubtful.append(LineNote(draft.line, draft.heading, why))
        return day

    def _days(self) -> int:
        """How long the course is: as long as its author says, or as --days now asks beyond the last time."""
        asked = self.header.days if self.header.days > self.memory.days else 0
        return max(self.course.days, asked)

    def _course_toml(self) -> None:
        """The guide's changes to title, subtitle, disclaimer and so on, where the author made none."""
        text = (self.folder / COURSE_FILE).read_text(encoding="utf-8")
        mine = tomlkit.parse(text).unwrap()
        changes: dict[str, str | int] = {}
        for name, now in self.header.from_guide().items():
            before, own = self.memory.course.get(name, ""), str(mine.get(name, "")).strip()
            if now in (before, own):
                continue
            if own == before.strip():
                changes[name] = now
            else:
                place = f"{COURSE_FILE}, {name}"
                self.differences.append(three_way(place, base=before, guide=now, author=own))
        if self._days() != self.course.days:
            changes["days"] = self._days()
        if changes:
            self.files[COURSE_FILE] = changed_toml(text, changes)

    def _note_replaced(self, replaced: list[int], found: Mapping[int, RememberedStep]) -> None:
        for number in replaced:
            why = (
                f"this was read as a new version of the step `{found[number].key}`, only because it stands "
                "in its place; if it is another lesson, give it a file and a key of its own"
            )
            self.doubtful.append(LineNote(self.drafts[number].line, self.drafts[number].heading, why))

    def _report(self, step: RememberedStep, day: int, subject: str, path: Path | None, fate: Fate) -> None:
        self.reports.append(StepReport(step.key, step.kind, day, subject, path, fate))


def remember(draft: Draft, key: str, name: str, day: int) -> RememberedStep:
    """A new step as the base for later imports."""
    return RememberedStep(
        key=key,
        file=name,
        kind=draft.kind,
        heading=draft.heading,
        subject=draft.subject,
        preheader=draft.preheader,
        body=draft.body,
        day=day,
        send_time=SEND_TIME,
        week=draft.week,
    )


def _read(folder: Path) -> CourseSource:
    """The course as its author left it. Raises Refused when a file is broken, for its edits would be lost."""
    course, problems = read_course(folder)
    errors = [problem for problem in problems if not problem.is_warning]
    read = {step.path.name for step in course.steps} if course else set()
    for problem in errors:
        if course is None or (problem.path.endswith(".md") and problem.path not in read):
            place = f"{folder / problem.path}, line {problem.line}"
            raise Refused(f"{place}: {problem.what} {problem.fix} Then import again.")
    if course is None:
        raise Refused(f"{folder / COURSE_FILE} cannot be used; run `steadypost course check {folder}`.")
    return course
