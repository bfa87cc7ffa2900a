"""The way from a guide file to a course folder."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from mailer.content.course_folder import COURSE_FILE
from mailer.content.guide.accounting import unplaced
from mailer.content.guide.days import plan_days
from mailer.content.guide.folder import Header, course_toml, file_name, step_file
from mailer.content.guide.matching import Choose
from mailer.content.guide.memory import MEMORY_FILE, Memory, RememberedStep, recall
from mailer.content.guide.model import LineNote
from mailer.content.guide.names import slug_of, unique_slug
from mailer.content.guide.readers import read_guide
from mailer.content.guide.reimport import Reimport, remember
from mailer.content.guide.report import Fate, ImportReport, StepReport
from mailer.content.guide.steps import Draft, drafts_of
from mailer.content.guide.structure import Guide, understand
from mailer.content.guide.swap import create_folder, recover
from mailer.errors import Refused

FEWEST_STEPS = 2
"""Fewer are no course: a letter, a shopping list, a program."""


@dataclass(frozen=True)
class _Understood:
    """A guide file with the steps it gives and all there is to tell about it."""

    guide: Guide
    drafts: list[Draft]
    left_out: tuple[LineNote, ...]
    doubtful: tuple[LineNote, ...]


def import_guide(path: Path, out: Path, *, days: int = 30, choose: Choose | None = None) -> ImportReport:
    """Makes the guide in `path` a course folder at `out`, or brings a folder it once became up to date.

    `days` is the course's length. An earlier import's folder keeps its own; a larger number than that
    import was given makes it longer. `choose` answers ties. Raises Refused, and leaves everything as
    it was, when the file is no guide, the days are too few, or `out` is something else.
    """
    recover(out.absolute())
    out = out.resolve()
    memory = _memory_of(out)
    understood = _understand(path)
    if memory is None:
        return _create(path, out, understood, days)
    header = _header(understood.guide, out.name, days)
    work = Reimport(out, memory, header, understood.drafts, choose)
    has_changed = work.run(path)
    return ImportReport(
        folder=out,
        slug=work.course.slug,
        title=understood.guide.title,
        steps=tuple(work.reports),
        left_out=understood.left_out,
        doubtful=(*understood.doubtful, *work.doubtful),
        differences="\n\n".join(work.differences),
        has_changed=has_changed,
    )


def default_folder(path: Path) -> Path:
    """Where a guide goes when nobody says: a folder, here, named after its title. Raises Refused."""
    return Path(course_slug(_understand(path).guide.title))


def course_slug(title: str) -> str:
    """The slug of a course with this title."""
    return slug_of(title) or "course"


def _memory_of(out: Path) -> Memory | None:
    """What was imported into `out`; None when it is free. Raises Refused when it holds something else."""
    if not out.exists():
        return None
    if not out.is_dir():
        raise Refused(f"{out} is a file; name a folder with --out.")
    if not any(out.iterdir()):
        return None
    memory = recall(out)
    if memory is None:
        what = "no memory of an import" if (out / COURSE_FILE).exists() else "other files and no course"
        raise Refused(f"{out} has {what}, so nothing was changed in it; name another folder with --out.")
    if not (out / COURSE_FILE).is_file():
        raise Refused(f"{out} has lost its {COURSE_FILE}; restore it, or name another folder with --out.")
    return memory


def _understand(path: Path) -> _Understood:
    reading = read_guide(path)
    guide = understand(reading)
    if not guide.title and guide.lessons:
        title = path.stem.replace("-", " ").replace("_", " ").strip().capitalize()
        note = LineNote(1, title, "the guide names no title; this is the file's name")
        guide = replace(guide, title=title, doubtful=(note, *guide.doubtful))
    drafts, notes = drafts_of(guide)
    if len(drafts) < FEWEST_STEPS:
        raise Refused(
            f"{path} has no structure of a guide: no title with sections below it was found; "
            "give it a title and a heading above each section."
        )
    texts = [draft.body for draft in drafts] + [guide.title, guide.subtitle, guide.disclaimer]
    texts += [note.text for note in guide.left_out]
    lost = [
        LineNote(piece.line, piece.text, "this could not be placed in any step; see whether it matters")
        for piece in unplaced(reading.pieces, texts)
    ]
    return _Understood(guide, drafts, _sorted(*guide.left_out, *lost), _sorted(*guide.doubtful, *notes))


def _sorted(*notes: LineNote) -> tuple[LineNote, ...]:
    return tuple(sorted(notes, key=lambda note: note.line))


def _header(guide: Guide, slug: str, days: int) -> Header:
    return Header(slug, guide.title, guide.subtitle, guide.language, guide.disclaimer, days)


def _create(path: Path, out: Path, understood: _Understood, days: int) -> ImportReport:
    """A new folder with every step of the guide."""
    steps = _steps(understood.drafts, days)
    header = _header(understood.guide, course_slug(understood.guide.title), days)
    files = {COURSE_FILE: course_toml(header)}
    for draft, step in steps:
        files[step.file] = step_file(draft, step.key, step.day)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    # In the guide's order, weeks last: the next import tells by it what stood between what.
    in_order = sorted((step for _, step in steps), key=lambda step: (step.week or 0, step.day))
    memory = Memory(path.name, sha256, days, header.from_guide(), tuple(in_order))
    files[MEMORY_FILE] = memory.to_json()
    create_folder(out, files)
    reports = [
        StepReport(step.key, step.kind, step.day, step.subject, out / step.file, Fate.NEW)
        for _, step in steps
    ]
    return ImportReport(
        folder=out,
        slug=header.slug,
        title=header.title,
        steps=tuple(reports),
        left_out=understood.left_out,
        doubtful=understood.doubtful,
    )


def _steps(drafts: list[Draft], days: int) -> list[tuple[Draft, RememberedStep]]:
    """Each draft with its key, day and file, in the order of their days."""
    weeks = [draft.week for draft in drafts if draft.week is not None]
    lesson_days, week_days = plan_days(len(drafts) - len(weeks), weeks, days)
    lessons = iter(lesson_days)
    dated = [(week_days[draft.week] if draft.week else next(lessons), draft) for draft in drafts]
    taken = {f"week-{week}" for week in weeks}
    steps = []
    for order, (day, draft) in enumerate(sorted(dated, key=lambda pair: pair[0]), start=1):
        key = f"week-{draft.week}" if draft.week else unique_slug(draft.heading, taken, f"lesson-{order}")
        taken.add(key)
        steps.append((draft, remember(draft, key, file_name(order, key), day)))
    return steps
