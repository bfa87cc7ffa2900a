"""A changed guide beside the draft it once became: what it means for each step, and taking what is chosen.

It is the import of a changed guide, made in a copy of the folder; what is chosen is carried over from there.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from mailer.content.course_folder import COURSE_FILE, StepSource, read_draft
from mailer.content.guide.importing import import_guide
from mailer.content.guide.memory import MEMORY_FILE, Memory, RememberedStep, recall
from mailer.content.guide.merge import with_changes
from mailer.content.guide.model import LineNote
from mailer.content.guide.report import Fate, StepReport, Tie
from mailer.errors import MailerError, Refused


class NotAnswered(MailerError):
    """A section of the guide may be the new version of several steps; say of which."""

    def __init__(self, tie: Tie) -> None:
        super().__init__(str(tie))
        self.tie = tie


@dataclass(frozen=True)
class Section:
    """What the guide changes in one file of the draft; `before` or `after` is empty where there is none.

    `is_own`: its author has reworded it, so that taking this loses what they wrote.
    """

    name: str
    subject: str
    day: int
    fate: Fate
    before: str
    after: str
    is_own: bool = False


@dataclass(frozen=True)
class Again:
    """All that the guide changes. `differences` is told only: where the author's settings stand."""

    sections: tuple[Section, ...]
    left_out: tuple[LineNote, ...]
    doubtful: tuple[LineNote, ...]
    differences: str
    old: Memory
    new: Memory

    def files(self, folder: Path, chosen: Collection[str]) -> dict[str, str | bytes]:
        """All files of the folder with these sections taken; the others are told of the next time again."""
        files: dict[str, str | bytes] = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file()
        }
        for section in self.sections:
            if section.name not in chosen:
                continue
            if section.after:
                files[section.name] = section.after
            else:
                files.pop(section.name, None)
        files[MEMORY_FILE] = self._memory(chosen).to_json()
        return files

    def _memory(self, chosen: Collection[str]) -> Memory:
        """What the next import begins from: the new text of what was taken, the old one of what was not."""
        fates = {section.name: section.fate for section in self.sections}
        open_ = {name for name in fates if name not in chosen}
        before = {step.file: step for step in self.old.steps}
        steps: list[RememberedStep] = []
        for step in self.new.steps:
            if step.file in chosen and fates.get(step.file) is Fate.GONE:
                continue
            if step.file not in open_ or fates[step.file] is Fate.GONE:
                steps.append(step)
            elif step.file in before:
                steps.append(replace(before[step.file], key=step.key))
        kept = {step.file for step in steps}
        steps += [before[name] for name in sorted(open_) if name in before and name not in kept]
        course = self.old.course if COURSE_FILE in open_ else self.new.course
        return replace(self.new, course=course, steps=tuple(steps))


def has_guide(folder: Path) -> bool:
    """Whether a course folder was made of a guide that can be brought again."""
    return (folder / MEMORY_FILE).is_file()


def look_again(guide: Path, folder: Path, answers: Mapping[str, str]) -> Again:
    """What the guide changes in this folder, which stays as it is.

    `answers` name the step that a doubtful section continues (empty: a step of its own), by the section's
    heading. Raises NotAnswered, or Refused when it is no guide, or the folder was made of none.
    """
    old = recall(folder)
    if old is None:
        raise Refused("This course was not made of a guide, so nothing can tell what has changed in it.")

    def choose(tie: Tie) -> str | None:
        if tie.heading not in answers:
            raise NotAnswered(tie)
        return answers[tie.heading] or None

    with TemporaryDirectory(prefix="steadypost-") as home:
        copy = Path(home) / folder.name
        shutil.copytree(folder, copy)
        report = import_guide(guide, copy, days=old.days, choose=choose)
        new = recall(copy)
        assert new is not None  # noqa: S101
        before = {step.path.name: step for step in read_draft(folder)[0].steps}
        old, new = _named(old, before), _named(new, before)
        found = [one for step in report.steps for one in _sections(step, folder, copy, before, old, new)]
        toml, changed = ((path / COURSE_FILE).read_text(encoding="utf-8") for path in (folder, copy))
    if toml != changed:
        found.insert(0, Section(COURSE_FILE, report.title, 0, Fate.UPDATED, toml, changed))
    return Again(
        sections=tuple(found),
        left_out=report.left_out,
        doubtful=report.doubtful,
        differences=report.differences,
        old=old,
        new=new,
    )


def _sections(
    step: StepReport, folder: Path, copy: Path, before: Mapping[str, StepSource], old: Memory, new: Memory
) -> Iterator[Section]:
    """What comes of one step, when there is something to choose."""
    mine = next((one for one in before.values() if one.key == step.key), None)
    name = step.path.name if step.path else mine.path.name if mine else ""
    own = (folder / name).read_text(encoding="utf-8") if mine else ""
    match step.fate:
        case Fate.NEW:
            text = (copy / name).read_text(encoding="utf-8")
            yield Section(name, step.subject, step.day, step.fate, "", text)
        case Fate.UPDATED if mine:
            text = (copy / name).read_text(encoding="utf-8")
            yield Section(name, step.subject, step.day, step.fate, own, text)
        case Fate.CONFLICT if mine:
            text = _in_the_guides_words(mine, old, new)
            yield Section(name, step.subject, step.day, step.fate, own, text, is_own=True)
        case Fate.GONE if mine:
            yield Section(name, step.subject, step.day, step.fate, own, "", is_own=(copy / name).exists())


def _in_the_guides_words(mine: StepSource, old: Memory, new: Memory) -> str:
    """A step's file with the guide's text; its subject and preheader stay where its author changed them."""
    was, is_ = (next(one for one in memory.steps if one.file == mine.path.name) for memory in (old, new))
    settings = {
        name: getattr(is_, name)
        for name in ("subject", "preheader")
        if getattr(mine, name) == getattr(was, name) != getattr(is_, name)
    }
    return with_changes(mine, settings, is_.body)


def _named(memory: Memory, before: Mapping[str, StepSource]) -> Memory:
    """A memory with the names that its steps' files have in the draft."""
    names = {step.key: name for name, step in before.items()}
    steps = (replace(step, file=names.get(step.key, step.file)) for step in memory.steps)
    return replace(memory, steps=tuple(steps))
