"""What an import did, and what it may have to ask."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from mailer.content.course_folder import StepKind
from mailer.content.guide.model import LineNote


class Fate(StrEnum):
    """What an import did with one step.

    KEPT: the author's own text or settings stand, and the guide says nothing new. CONFLICT: both were
    changed, and the author's file was left as it is. GONE: the guide has it no more; the file was
    removed if the author had not touched it.
    """

    NEW = "new"
    UNCHANGED = "unchanged"
    UPDATED = "updated"
    KEPT = "kept"
    CONFLICT = "conflict"
    GONE = "gone"


@dataclass(frozen=True)
class StepReport:
    """One step after the import. `path` is None when it has no file (any more)."""

    key: str
    kind: StepKind
    day: int
    subject: str
    path: Path | None
    fate: Fate


@dataclass(frozen=True)
class ImportReport:
    """`steps` are in the order of their days. `differences` is empty or three-way, to be read by people."""

    folder: Path
    slug: str
    title: str
    steps: tuple[StepReport, ...]
    left_out: tuple[LineNote, ...]
    doubtful: tuple[LineNote, ...]
    differences: str = ""
    has_changed: bool = True


@dataclass(frozen=True)
class TieOption:
    """An earlier step that a section may be the new version of."""

    key: str
    heading: str
    excerpt: str


@dataclass(frozen=True)
class Tie:
    """A section of the changed guide that several earlier steps match equally well.

    The answer is the key of one of `options`, or None when the section is a step of its own.
    """

    heading: str
    excerpt: str
    line: int
    options: tuple[TieOption, ...]

    def __str__(self) -> str:
        asked = f"“{self.heading}” (line {self.line}: {self.excerpt}) matches these steps equally well:"
        return "\n".join(
            [asked, *(f"  {each.key}: {each.heading} ({each.excerpt})" for each in self.options)]
        )
