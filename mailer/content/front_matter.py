"""A Markdown file with front matter: read setting by setting, and where its text begins."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from mailer.content.course_source import Problem
from mailer.content.course_words import SLUG, find_control_character, is_one_line, known_or_near

FRONT_MATTER = re.compile(r"---[ \t]*\n(.*?)^---[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Text:
    """A file cut in two: its front matter's YAML, and the Markdown below, which begins on `body_line`."""

    settings: str
    body: str
    body_line: int


def read_text(path: Path, noun: str, begin_with: str, problems: list[Problem]) -> Text | None:
    """The two parts of `path`; None and a problem when they cannot be told apart.

    `noun` is what the file is to be, such as step; `begin_with` says how such a file begins.
    """
    text = _decoded(path, problems)
    if text is None:
        return None
    match = FRONT_MATTER.match(text)
    if not match:
        is_begun = text.startswith("---")
        what = "The front matter is not closed." if is_begun else "There is no front matter."
        fix = "Write a line --- where it ends." if is_begun else begin_with
        problems.append(Problem(path.name, 1, what, fix))
        return None
    found = Text(match[1], text[match.end() :], text[: match.end()].count("\n") + 1)
    _check_body(path.name, noun, found, problems)
    return found


def read_plain(path: Path, noun: str, problems: list[Problem]) -> str | None:
    """The text of a file that has no front matter of its own, what is wrong told; None when it has none."""
    text = _decoded(path, problems)
    if text is None:
        return None
    if FRONT_MATTER.match(text):
        what = "The file has front matter, which counts in the campaign's own file alone."
        problems.append(Problem(path.name, 1, what, "Delete it, and leave the text."))
    _check_body(path.name, noun, Text("", text, 1), problems)
    return text if text.strip() else None


def _decoded(path: Path, problems: list[Problem]) -> str | None:
    """The file's text with plain line ends, or None and a problem."""
    try:
        content = path.read_bytes()
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        problems.append(Problem(path.name, line, "The file is not UTF-8 text.", "Save it as UTF-8."))
    except OSError as error:
        what = f"The file cannot be read ({error.strerror})."
        problems.append(Problem(path.name, 1, what, "Mend its name or its permissions."))
    return None


def _check_body(name: str, noun: str, text: Text, problems: list[Problem]) -> None:
    if not text.body.strip():
        fix = "Write it below the front matter."
        problems.append(Problem(name, text.body_line, f"The {noun} has no text.", fix))
    found = find_control_character(text.body)
    if found:
        what = f"The text has a control character ({found[1]})."
        problems.append(Problem(name, text.body_line + found[0], what, "Delete it."))


@dataclass
class Settings:
    """The front matter's values, each turned into what it means or into a problem.

    `known` are the settings that a `noun` has; `lists`, `sections` and `of_sections` name those of them that
    may hold several values, settings of their own, or sections of their own (kept in `groups`). `blank` are
    settings that were told to be wrong already, or that could not be read at all.
    """

    path: str
    noun: str
    known: tuple[str, ...]
    problems: list[Problem]
    lists: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()
    of_sections: tuple[str, ...] = ()
    values: dict[str, str] = field(default_factory=dict)
    several: dict[str, list[str]] = field(default_factory=dict)
    section: dict[str, dict[str, str]] = field(default_factory=dict)
    groups: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)
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
            self.blank.update(self.known)
            return
        for key, value in node.value:
            self._take(key, value)

    def _unreadable(self, error: yaml.YAMLError) -> None:
        mark = getattr(error, "problem_mark", None)
        why = getattr(error, "problem", None) or getattr(error, "reason", None) or "it is not YAML"
        what = f"The front matter cannot be read ({why})."
        fix = "Put text that has a colon, a quote or a # in quotes."
        self.problems.append(Problem(self.path, mark.line + 2 if mark else 1, what, fix))
        self.blank.update(self.known)

    def _take(self, key: yaml.Node, value: yaml.Node) -> None:
        line = key.start_mark.line + 2
        name = key.value if isinstance(key, yaml.ScalarNode) else ""
        if name not in self.known:
            what = f"`{name or 'this'}` is not a setting of a {self.noun}."
            self.problems.append(Problem(self.path, line, what, known_or_near(name, self.known)))
            return
        if name in self.lines:
            what = f"`{name}` stands here twice."
            self.problems.append(Problem(self.path, line, what, "Keep one of the two."))
            return
        self.lines[name] = line
        if isinstance(value, yaml.ScalarNode):
            self.values[name] = value.value.strip()
        elif name in self.lists and isinstance(value, yaml.SequenceNode):
            self.several[name] = [self._plain(name, each) for each in value.value]
        elif name in self.sections and isinstance(value, yaml.MappingNode):
            self.section[name] = self._section(name, value)
        elif name in self.of_sections and isinstance(value, yaml.MappingNode):
            self._take_group(name, value)
        else:
            self.problem(name, f"`{name}` is not plain text.", "Write one value.")

    def _section(self, name: str, node: yaml.MappingNode) -> dict[str, str]:
        """A section's settings, their lines kept as `section.setting`."""
        found = {}
        for key, value in node.value:
            inner = self._plain(name, key)
            self.lines[f"{name}.{inner}"] = key.start_mark.line + 2
            found[inner] = self._plain(f"{name}.{inner}", value)
        return found

    def _take_group(self, name: str, node: yaml.MappingNode) -> None:
        """Sections of a section, their lines kept as `section.inner.setting`."""
        self.groups[name] = {}
        for key, value in node.value:
            inner = self._plain(name, key)
            place = f"{name}.{inner}"
            self.lines[place] = key.start_mark.line + 2
            if isinstance(value, yaml.MappingNode):
                self.groups[name][inner] = self._section(place, value)
            else:
                self.problem(
                    place, f"`{inner}` has nothing below it.", "Write `name: value` there, indented."
                )

    def _plain(self, name: str, node: yaml.Node) -> str:
        if isinstance(node, yaml.ScalarNode):
            return str(node.value).strip()
        self.problem(name, f"`{name}` holds more than plain text.", "Write one value.")
        return ""

    def problem(self, name: str, what: str, fix: str, *, is_warning: bool = False) -> None:
        """Tell what is wrong with a setting, once."""
        if name not in self.blank:
            line = self.lines.get(name) or self.lines.get(name.rpartition(".")[0])
            line = line or self.lines.get(name.partition(".")[0], 1)
            self.problems.append(Problem(self.path, line, what, fix, is_warning))
        self.blank.add(name)

    def one_line(self, name: str, default: str | None = None) -> str:
        """The setting as one line of text; one without a `default` must be there."""
        value = self.values.get(name, default)
        if not value and default is None:
            self.problem(name, f"`{name}` is missing.", f"Write `{name}: …` in the front matter.")
        if value and not is_one_line(value):
            self.problem(name, f"`{name}` has a line break.", "Write it on one line.")
            return ""
        return value or ""

    def slug(self, name: str) -> str:
        """The setting as a slug; it must be there."""
        value = self.one_line(name)
        if value and not SLUG.fullmatch(value):
            self.problem(name, f"`{name}` is {value!r}.", "Use small letters, digits and hyphens.")
        return value
