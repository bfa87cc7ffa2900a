"""How a guide was understood, put right by whoever brought it, before it becomes a course.

What is wished of a section is kept apart from the guide, and done anew each time that it is understood: for
another number of days, say. The result are step files as an author would leave them, so that the guide can
be brought again later: a section that is left out stays out, a title that was changed stays so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from mailer.content.course_folder import StepKind, StepSource, read_draft
from mailer.content.file_edit import changed_file
from mailer.content.guide.days import plan_days
from mailer.content.guide.folder import file_name
from mailer.content.guide.markdown_text import heading
from mailer.content.guide.memory import MEMORY_FILE, recall
from mailer.content.guide.model import text_of
from mailer.content.guide.names import unique_slug
from mailer.content.guide.steps import literal
from mailer.content.timeline import put_on_day
from mailer.errors import Refused

FENCE = re.compile(r"(`{3,}|~{3,}|:{3,})")
SHOWN = 70
"""Signs of a part's beginning, to tell it from the others."""


class Place(StrEnum):
    """Where a section goes: into a mail of its own, into the mail of the section before, or nowhere."""

    OWN = "own"
    BEFORE = "before"
    OUT = "out"


@dataclass(frozen=True)
class Wish:
    """What is to be otherwise with a section. `split` is the number of the part that begins a new mail."""

    title: str = ""
    place: Place = Place.OWN
    day: int | None = None
    split: int | None = None


@dataclass(frozen=True)
class Section:
    """A section as it is now. `parts` are the beginnings of what it can be split at, by their numbers from 1.

    `day` is None when it has no mail of its own.
    """

    key: str
    kind: StepKind
    title: str
    day: int | None
    wish: Wish
    parts: tuple[str, ...] = ()


@dataclass
class _Mail:
    """A section on its way: its file, what that says, and its text in parts, the heading first."""

    key: str
    name: str
    kind: StepKind
    week: int | None
    title: str
    day: int
    parts: list[str]
    wish: Wish
    beginnings: tuple[str, ...] = field(default=())

    @property
    def is_lesson(self) -> bool:
        return self.kind is StepKind.LESSON


def adjust(folder: Path, wishes: Mapping[str, Wish], days: int) -> tuple[Section, ...]:
    """Make a course folder that was just imported as it is wished, by keys; raises Refused.

    Lessons that become more or fewer are spread over the days anew, and then those with a day of their own
    get it.
    """
    source, _problems = read_draft(folder)
    mails = [
        _Mail(
            *(step.key, step.path.name, step.kind, step.week, step.subject, step.day),
            parts_of(step.body),
            wishes.get(step.key, Wish()),
        )
        for step in source.steps
    ]
    lessons = sum(mail.is_lesson for mail in mails)
    mails = _split(mails, wishes)
    for mail in mails:
        if mail.wish.title:
            mail.title = literal(mail.wish.title)
            mail.parts[0] = f"# {heading(text_of(mail.wish.title))}"
    kept = _joined(mails)
    if sum(mail.is_lesson for mail in kept) != lessons or len(kept) != len(mails):
        _spread(kept, days)
    _write(folder, kept, {step.key: step for step in source.steps})
    _move(folder, kept, wishes)
    dated = {step.key: step.day for step in read_draft(folder)[0].steps}
    _remember(folder, dated)
    sections = (
        Section(mail.key, mail.kind, mail.title, dated.get(mail.key), mail.wish, mail.beginnings)
        for mail in mails
    )
    return tuple(sections)


def parts_of(body: str) -> list[str]:
    """The heading, and each paragraph, list or block below it; what stands between fences stays whole."""
    parts: list[str] = []
    lines: list[str] = []
    fence = ""
    for line in body.strip("\n").split("\n"):
        found = FENCE.match(line)
        if found and not fence:
            fence = found[1]
        elif found and line.strip() == fence:
            fence = ""
        if line.strip() or fence:
            lines.append(line)
        elif lines:
            parts.append("\n".join(lines))
            lines = []
    return [*parts, "\n".join(lines)] if lines else parts


def _split(mails: Sequence[_Mail], wishes: Mapping[str, Wish]) -> list[_Mail]:
    """The mails, each that is to be split followed by the rest of it, which may be split further."""
    waiting, found = list(reversed(mails)), list[_Mail]()
    taken = {mail.key for mail in mails}
    while waiting:
        mail = waiting.pop()
        found.append(mail)
        if not mail.is_lesson:
            continue
        mail.beginnings = tuple(_beginning(part) for part in mail.parts[1:])
        at = mail.wish.split
        # The first part below the heading begins no new mail: nothing would be left of this one.
        if at is None or not 2 <= at < len(mail.parts):
            continue
        rest, mail.parts = mail.parts[at:], mail.parts[:at]
        title = _title(rest[0]) if rest[0].startswith("#") else f"{mail.title}, continued"
        rest = rest[1:] if rest[0].startswith("#") else rest
        key = unique_slug(title, taken, f"{mail.key}-2")
        taken.add(key)
        name = file_name(int(re.match(r"\d+", mail.name)[0]), key)  # type: ignore[index]
        wish = wishes.get(key, Wish())
        parts = [f"# {title}", *rest]
        waiting.append(_Mail(key, name, mail.kind, None, title, mail.day, parts, wish))
    return found


def _beginning(part: str) -> str:
    words = _title(part.split("\n")[0]) if part.startswith("#") else " ".join(part.split())
    return words if len(words) <= SHOWN else f"{words[:SHOWN].rstrip()}…"


def _title(line: str) -> str:
    """The words of a heading, without the signs of Markdown."""
    return re.sub(r"[*_`\\]", "", line.lstrip("#")).strip()


def _joined(mails: Sequence[_Mail]) -> list[_Mail]:
    """Those that are a mail of their own, with the text of those that go into the one before."""
    kept: list[_Mail] = []
    for mail in mails:
        if mail.wish.place is Place.OWN or (mail.wish.place is Place.BEFORE and not mail.is_lesson):
            kept.append(mail)
        elif mail.wish.place is Place.BEFORE:
            before = next((one for one in reversed(kept) if one.is_lesson), None)
            if before is None:
                raise Refused(f"There is no lesson before “{mail.title}” that it could go into.")
            # Its headings stand one level deeper there.
            before.parts += [f"#{part}" if part.startswith("#") else part for part in mail.parts]
    if not kept:
        raise Refused("Nothing would be left of the guide; keep at least one section.")
    return kept


def _spread(mails: Sequence[_Mail], days: int) -> None:
    lessons = [mail for mail in mails if mail.is_lesson]
    weeks = {mail.week: mail for mail in mails if mail.week is not None}
    lesson_days, week_days = plan_days(len(lessons), sorted(weeks), days)
    for mail, day in zip(lessons, lesson_days, strict=True):
        mail.day = day
    for week, mail in weeks.items():
        mail.day = week_days[week]


def _write(folder: Path, mails: Sequence[_Mail], known: Mapping[str, StepSource]) -> None:
    like = next(iter(known.values())).path.read_text(encoding="utf-8")
    for mail in mails:
        step = known.get(mail.key)
        settings: dict[str, str | int | None] = {"subject": mail.title, "day": mail.day}
        body: str | None = "\n\n".join(mail.parts) + "\n"
        if step is None:
            path, text = folder / mail.name, like
            settings |= {"key": mail.key, "preheader": None, "kind": str(mail.kind), "week": None}
        else:
            path, text = step.path, step.path.read_text(encoding="utf-8")
            said = {"subject": step.subject, "day": step.day}
            settings = {name: value for name, value in settings.items() if value != said[name]}
            # What is as the guide has it stays so to the letter: it is no edit of the author's.
            body = None if mail.parts == parts_of(step.body) else body
        if settings or body is not None:
            path.write_text(changed_file(text, settings, body), encoding="utf-8")
    for key in known.keys() - {mail.key for mail in mails}:
        known[key].path.unlink()


def _move(folder: Path, mails: Sequence[_Mail], wishes: Mapping[str, Wish]) -> None:
    """Each with a day of its own on it, in the order in which that was wished."""
    names = {mail.key: mail.name for mail in mails}
    for key, wish in wishes.items():
        if wish.day is not None and key in names:
            for name, text in put_on_day(read_draft(folder)[0], names[key], wish.day).items():
                (folder / name).write_text(text, encoding="utf-8")


def _remember(folder: Path, dated: Mapping[str, int]) -> None:
    """A day that was found here is no edit of the author's when the guide is brought again."""
    memory = recall(folder)
    if memory is not None:
        steps = tuple(replace(step, day=dated.get(step.key, step.day)) for step in memory.steps)
        (folder / MEMORY_FILE).write_text(replace(memory, steps=steps).to_json(), encoding="utf-8")


def wishes_as_json(wishes: Mapping[str, Wish]) -> str:
    """How they are kept, in the order in which they came."""
    return json.dumps({key: asdict(wish) for key, wish in wishes.items()}, ensure_ascii=False)


def wishes_of_json(text: str) -> dict[str, Wish]:
    """What was kept."""
    return {
        key: Wish(**{**values, "place": Place(values["place"])}) for key, values in json.loads(text).items()
    }
