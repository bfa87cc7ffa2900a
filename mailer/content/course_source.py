"""What a course folder says, as values: the course, its sender, its steps, and what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import time
from pathlib import Path

from mailer.models import OptIn, StepKind


@dataclass(frozen=True)
class Problem:
    """Something the author has to mend (or, as a warning, to look at), with its place."""

    path: str
    line: int
    what: str
    fix: str
    is_warning: bool = False

    def __str__(self) -> str:
        word = "warning" if self.is_warning else "error"
        return f"{self.path}:{self.line}: {word}: {self.what} {self.fix}"


@dataclass(frozen=True)
class SenderSource:
    """Who the mails come from; `postal_address` is asked for by CAN-SPAM and its kin."""

    name: str
    email: str
    postal_address: str
    reply_to: str = ""


@dataclass(frozen=True)
class StepSource:
    """One step as its author wrote it. `body` is Markdown; `body_line` is the file's line it begins on.

    In a draft `key` and `subject` are empty and `day` is 0 where the file does not say them rightly.
    """

    path: Path
    key: str
    subject: str
    preheader: str
    kind: StepKind
    day: int
    send_time: time
    body: str
    body_line: int
    week: int | None = None
    lines: dict[str, int] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class CourseSource:
    """A course folder, read. `steps` are in the order of their days."""

    folder: Path
    slug: str
    title: str
    subtitle: str
    language: str
    zone: str
    list_slug: str
    list_title: str
    opt_in: OptIn
    consent: str
    days: int
    send_time: time
    disclaimer: str
    sender: SenderSource
    steps: tuple[StepSource, ...]
