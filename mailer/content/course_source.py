"""What a course folder says, as values: the course, its sender, its steps, and what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, time
from pathlib import Path
from typing import Any

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


EVERY_DAY = 0b1111111
"""All weekdays; bit 0 is Monday."""


@dataclass(frozen=True)
class TimingSource:
    """What narrows a step's moment beside its day and the send time; `until` is when its window closes.

    `weekdays` are those allowed (bit 0 is Monday). `quiet` are dates on which it does not leave: "12-25" in
    every year, "2027-04-01", or "2027-04-01/2027-04-05" with both ends.
    """

    until: time | None = None
    weekdays: int = EVERY_DAY
    not_before: date | None = None
    quiet: tuple[str, ...] = ()

    def as_values(self) -> dict[str, Any]:
        """As plain values, of what is said only: how a published step keeps it."""
        values = {
            "until": f"{self.until:%H:%M}" if self.until else None,
            "weekdays": None if self.weekdays == EVERY_DAY else self.weekdays,
            "not_before": self.not_before.isoformat() if self.not_before else None,
            "quiet": list(self.quiet) or None,
        }
        return {name: value for name, value in values.items() if value is not None}


ANY_TIME = TimingSource()


@dataclass(frozen=True)
class Translation:
    """A step's text in another language, from a file of its own; all else is as in the step."""

    path: Path
    language: str
    subject: str
    preheader: str
    body: str
    body_line: int
    lines: dict[str, int] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class StepSource:
    """One step as its author wrote it. `body` is Markdown; `body_line` is the file's line it begins on.

    In a draft `key` and `subject` are empty and `day` is 0 where the file does not say them rightly.
    `wait` is how many days it comes after the step before, where its author wrote that. `condition` is a
    rule; `instead_of` and `easier_than` are keys of steps whose day it shares. `lines` has the settings
    that the file itself says.
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
    wait: int | None = None
    timing: TimingSource = ANY_TIME
    condition: str = ""
    instead_of: str = ""
    easier_than: str = ""
    translations: tuple[Translation, ...] = ()
    lines: dict[str, int] = field(default_factory=dict, compare=False)

    @property
    def is_plain(self) -> bool:
        """Whether it has its day for itself, and does not stand beside another step."""
        return not (self.instead_of or self.easier_than)


@dataclass(frozen=True)
class FlowSource:
    """What a course does by rules beside its steps; every rule is as its author wrote it.

    `then` are the courses that follow, each with its rule (empty: for everybody); `triggers` are rules that
    enroll, each with "now" or "all". `policy` is what is done when it is late (empty: shift).
    """

    stop_when: tuple[str, ...] = ()
    then: tuple[tuple[str, str], ...] = ()
    triggers: tuple[tuple[str, str], ...] = ()
    policy: str = ""
    stale_after_hours: int | None = None
    ask_whom: str = ""

    def as_values(self) -> dict[str, Any]:
        """As plain values, of what is said only: how a published course keeps it."""
        late = {"policy": self.policy, "stale_after_hours": self.stale_after_hours}
        values = {
            "stop_when": list(self.stop_when),
            "then": [{"course": course, "when": when} for course, when in self.then],
            "triggers": [{"when": when, "from": since} for when, since in self.triggers],
            "catch_up": {name: value for name, value in late.items() if value},
            "ask_whom": self.ask_whom,
        }
        return {name: value for name, value in values.items() if value}


NO_FLOW = FlowSource()


@dataclass(frozen=True)
class CourseSource:
    """A course folder, read. `steps` are in the order of their days.

    `send_time` and `timing` are for steps that do not say their own. `lines` are those of course.toml.
    """

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
    timing: TimingSource = ANY_TIME
    flow: FlowSource = NO_FLOW
    lines: dict[str, int] = field(default_factory=dict, compare=False)
