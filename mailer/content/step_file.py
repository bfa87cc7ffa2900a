"""One step's Markdown file, read: its front matter key by key, and where its text begins."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import time
from pathlib import Path

import yaml

from mailer.content.course_source import Problem, StepSource
from mailer.content.course_words import (
    SLUG,
    find_control_character,
    is_one_line,
    known_or_near,
    parse_send_time,
)
from mailer.models import StepKind

FRONT_MATTER = re.compile(r"---[ \t]*\n(.*?)^---[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
SETTINGS = ("key", "subject", "preheader", "kind", "day", "send_time", "week")
NO_DAY = 0


def read_step(path: Path, default_time: time, problems: list[Problem]) -> StepSource | None:
    """The step in `path`, what is wrong left blank and told; None when its text cannot even be found."""
    name = path.name
    text = _read_text(path, problems)
    if text is None:
        return None
    match = FRONT_MATTER.match(text)
    if not match:
        is_begun = text.startswith("---")
        what = "The front matter is not closed." if is_begun else "There is no front matter."
        fix = "Write a line --- where it ends."
        if not is_begun:
            fix = "Begin the file with a `---` block with key, subject, kind and day, or move the file away."
        problems.append(Problem(name, 1, what, fix))
        return None
    fields = _Fields(name, problems)
    fields.read(match[1])
    body_line = text[: match.end()].count("\n") + 1
    body = text[match.end() :]
    _check_body(name, body, body_line, problems)
    kind = fields.kind()
    return StepSource(
        path=path,
        key=fields.slug("key"),
        subject=fields.one_line("subject"),
        preheader=fields.one_line("preheader", default=""),
        kind=kind,
        day=fields.day(),
        send_time=fields.send_time(default_time),
        week=fields.week(kind),
        body=body,
        body_line=body_line,
        lines=fields.lines,
    )


def _read_text(path: Path, problems: list[Problem]) -> str | None:
    """The file's text with plain line ends, or None and a problem."""
    try:
        content = path.read_bytes()
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        problems.append(Problem(path.name, line, "The file is not UTF-8 text.", "Save it as UTF-8."))
    except OSError as error:
        what = f"The file cannot be read ({error.strerror})."
        problems.append(Problem(path.name, 1, what, "Mend its permissions."))
    return None


def _check_body(name: str, body: str, body_line: int, problems: list[Problem]) -> None:
    if not body.strip():
        fix = "Write it below the front matter."
        problems.append(Problem(name, body_line, "The step has no text.", fix))
    found = find_control_character(body)
    if found:
        what = f"The text has a control character ({found[1]})."
        problems.append(Problem(name, body_line + found[0], what, "Delete it."))


@dataclass
class _Fields:
    """The front matter's values, each turned into what it means or into a problem.

    `blank` are settings that were told to be wrong already, or that could not be read at all.
    """

    path: str
    problems: list[Problem]
    values: dict[str, str] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    blank: set[str] = field(default_factory=set)

    def read(self, source: str) -> None:
        """The block's settings as text, so that 08:00 stays a time."""
        try:
            node = yaml.compose(source, Loader=yaml.BaseLoader)
        except yaml.YAMLError as error:
            self._unreadable(error)
            return
        if not isinstance(node, yaml.MappingNode):
            what = "The front matter is not a list of `name: value`."
            self.problems.append(Problem(self.path, 1, what, "Write one a line."))
            self.blank.update(SETTINGS)
            return
        for key, value in node.value:
            self._take(key, value)

    def _unreadable(self, error: yaml.YAMLError) -> None:
        mark = getattr(error, "problem_mark", None)
        why = getattr(error, "problem", None) or getattr(error, "reason", None) or "it is not YAML"
        what = f"The front matter cannot be read ({why})."
        fix = "Put text that has a colon, a quote or a # in quotes."
        self.problems.append(Problem(self.path, mark.line + 2 if mark else 1, what, fix))
        self.blank.update(SETTINGS)

    def _take(self, key: yaml.Node, value: yaml.Node) -> None:
        line = key.start_mark.line + 2
        name = key.value if isinstance(key, yaml.ScalarNode) else ""
        if name not in SETTINGS:
            what = f"`{name or 'this'}` is not a setting of a step."
            self.problems.append(Problem(self.path, line, what, known_or_near(name, SETTINGS)))
        elif name in self.lines:
            what = f"`{name}` stands here twice."
            self.problems.append(Problem(self.path, line, what, "Keep one of the two."))
        else:
            self.lines[name] = line
            if isinstance(value, yaml.ScalarNode):
                self.values[name] = value.value.strip()
            else:
                self._problem(name, f"`{name}` is not plain text.", "Write one value.")

    def _problem(self, name: str, what: str, fix: str, *, is_warning: bool = False) -> None:
        if name not in self.blank:
            self.problems.append(Problem(self.path, self.lines.get(name, 1), what, fix, is_warning))
        self.blank.add(name)

    def one_line(self, name: str, default: str | None = None) -> str:
        value = self.values.get(name, default)
        if not value and default is None:
            self._problem(name, f"`{name}` is missing.", f"Write `{name}: …` in the front matter.")
        if value and not is_one_line(value):
            self._problem(name, f"`{name}` has a line break.", "Write it on one line.")
            return ""
        return value or ""

    def slug(self, name: str) -> str:
        value = self.one_line(name)
        if value and not SLUG.fullmatch(value):
            self._problem(name, f"`{name}` is {value!r}.", "Use small letters, digits and hyphens.")
        return value

    def kind(self) -> StepKind:
        value = self.values.get("kind", StepKind.LESSON)
        if value in set(StepKind):
            return StepKind(value)
        self._problem("kind", f"`kind` is {value!r}.", "Write lesson, protocol or check-in.")
        return StepKind.LESSON

    def day(self) -> int:
        value = self.values.get("day", "")
        if re.fullmatch(r"[0-9]{1,4}", value) and int(value) >= 1:
            return int(value)
        what = f"`day` is {value!r}." if value else "`day` is missing."
        fix = "Write the day of the course, a number from 1 (day 0 is the welcome)."
        self._problem("day", what, fix)
        return NO_DAY

    def week(self, kind: StepKind) -> int | None:
        value = self.values.get("week")
        if value is None:
            return None
        if not re.fullmatch(r"[0-9]{1,3}", value) or int(value) < 1:
            self._problem("week", f"`week` is {value!r}.", "Write the week of the protocol, a number from 1.")
            return None
        if kind is not StepKind.PROTOCOL and "kind" not in self.blank:
            what = f"`week` means nothing for a {kind}."
            self._problem("week", what, "Delete it, or write `kind: protocol`.", is_warning=True)
        return int(value)

    def send_time(self, default: time) -> time:
        value = self.values.get("send_time")
        parsed = default if value is None else parse_send_time(value)
        if parsed is None:
            self._problem("send_time", f"{value!r} is not a time of day.", "Write it as 08:00.")
        return parsed or default


def place_of(step: StepSource, setting: str) -> tuple[str, int]:
    """The file and line on which a step says `setting`."""
    return step.path.name, step.lines.get(setting, 1)
