"""`course.toml`, read key by key, so that everything wrong with it is found in one go."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from datetime import date, time
from pathlib import Path
from typing import Any, TypeVar

from mailer.clock import zone_names
from mailer.content.course_flow import SETTINGS as FLOW
from mailer.content.course_flow import FlowToml
from mailer.content.course_source import CourseSource, Problem, SenderSource, TimingSource
from mailer.content.course_words import (
    SLUG,
    find_control_character,
    is_address,
    is_language,
    is_one_line,
    known_or_near,
    parse_send_time,
)
from mailer.content.timing_words import Unfit, read_quiet, read_weekdays, read_window
from mailer.errors import Refused
from mailer.models import OptIn

COURSE_FILE = "course.toml"
MOST_DAYS = 3660
SETTINGS = (
    *("slug", "title", "subtitle", "language", "zone", "list", "list_title", "opt_in"),
    *("consent", "days", "send_time", "window", "weekdays", "quiet", "disclaimer", "sender"),
    *FLOW,
)
SENDER = {
    "name": "Readers see this name in their inbox.",
    "email": "Mails need an address to come from.",
    "postal_address": "Laws such as CAN-SPAM ask for it at the foot of every mail.",
}
"""What a sender must have, and why."""

Read = TypeVar("Read")
Words = TypeVar("Words", str, list[str])


def read_header(folder: Path, problems: list[Problem]) -> CourseSource:
    """The course as `course.toml` says it, without steps. What is wrong is left blank and told.

    Raises Refused when there is no such file.
    """
    path = folder / COURSE_FILE
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise Refused(
            f"{folder} has no {COURSE_FILE}; make a course folder with `steadypost course import FILE`."
        ) from None
    except OSError as error:
        raise Refused(f"{path} cannot be read ({error.strerror}); mend its permissions.") from None
    try:
        text = content.decode("utf-8-sig")
        return _CourseToml(tomllib.loads(text), text, problems).read(folder)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        problems.append(Problem(COURSE_FILE, line, "The file is not UTF-8 text.", "Save it as UTF-8."))
    except tomllib.TOMLDecodeError as error:
        problems.append(_broken(text, str(error)))
    # Nothing is known of the course then, and only the steps can still be looked at.
    blank = _CourseToml({"days": MOST_DAYS}, "", [])
    return blank.read(folder)


def _broken(text: str, message: str) -> Problem:
    place = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", message)
    line = int(place[1]) if place and place[1] else max(1, len(text.splitlines()))
    what = f"{message[: place.start()] if place else message}."
    return Problem(COURSE_FILE, line, what, "Mend the TOML: one `name = value` a line, text in quotes.")


class _CourseToml:
    """The settings of one file, each turned into what it means or into a problem."""

    def __init__(self, table: dict[str, Any], text: str, problems: list[Problem]) -> None:
        self.table = table
        self.lines = _lines_of(text)
        self.problems = problems

    def read(self, folder: Path) -> CourseSource:
        for name in self.table.keys() - set(SETTINGS):
            self._problem(name, f"`{name}` is not a setting of a course.", known_or_near(name, SETTINGS))
        slug, title = self._slug("slug"), self._line("title")
        send_time, until = self._hours()
        return CourseSource(
            folder=folder,
            slug=slug,
            title=title,
            subtitle=self._line("subtitle", default=""),
            language=self._language(),
            zone=self._zone(),
            list_slug=self._slug("list", default=slug),
            list_title=self._line("list_title", default=title),
            opt_in=self._opt_in(),
            consent=self._text("consent", default=""),
            days=self._days(),
            send_time=send_time,
            disclaimer=self._text("disclaimer", default=""),
            sender=self._sender(),
            steps=(),
            timing=TimingSource(
                until=until,
                weekdays=self._several("weekdays", read_weekdays, TimingSource.weekdays),
                quiet=self._several("quiet", read_quiet, ()),
            ),
            flow=FlowToml(self.table, slug, self._tell).read(),
            lines={".".join(filter(None, place)): line for place, line in self.lines.items()},
        )

    def _problem(self, name: str, what: str, fix: str, section: str = "") -> None:
        line = self.lines.get((section, name)) or self.lines.get((section or name, "")) or 1
        self.problems.append(Problem(COURSE_FILE, line, what, fix))

    def _tell(self, place: str, what: str, fix: str) -> None:
        """A problem with the setting "section.number.name", or with the nearest that has a line."""
        section, _, name = place.rpartition(".")
        at = self.lines.get((section, name)) or self.lines.get((section, "")) or self.lines.get((place, ""))
        first = place.partition(".")[0]
        line = at or self.lines.get((first, "")) or self.lines.get(("", first)) or 1
        self.problems.append(Problem(COURSE_FILE, line, what, fix))

    def _text(self, name: str, default: str | None = None) -> str:
        value = self.table.get(name, default)
        if not isinstance(value, str) or (default is None and not value.strip()):
            what = f"`{name}` is not text." if name in self.table and value != "" else f"`{name}` is missing."
            self._problem(name, what, f'Write {name} = "…".')
            return default or ""
        found = find_control_character(value)
        if found:
            self._problem(name, f"`{name}` has a control character ({found[1]}).", "Delete it.")
            return default or ""
        return value.strip()

    def _line(self, name: str, default: str | None = None) -> str:
        value = self._text(name, default)
        if not is_one_line(value):
            self._problem(name, f"`{name}` has a line break.", "Write it on one line.")
            return ""
        return value

    def _slug(self, name: str, default: str | None = None) -> str:
        value = self._text(name, default)
        if value and not SLUG.fullmatch(value):
            fix = "Use small letters, digits and hyphens, as in my-course."
            self._problem(name, f"`{name}` is {value!r}.", fix)
            return ""
        return value

    def _language(self) -> str:
        value = self._text("language", default="en")
        if is_language(value):
            return value
        self._problem("language", f"{value!r} is not a language.", "Write a tag such as en, de or pt-BR.")
        return "en"

    def _zone(self) -> str:
        value = self._text("zone", default="Etc/UTC")
        if value in zone_names():
            return value
        self._problem("zone", f"{value!r} is not a time zone.", "Write an IANA name such as Europe/Lisbon.")
        return "Etc/UTC"

    def _opt_in(self) -> OptIn:
        value = self._text("opt_in", default=OptIn.DOUBLE)
        if value in set(OptIn):
            return OptIn(value)
        self._problem("opt_in", f"`opt_in` is {value!r}.", "Write single or double.")
        return OptIn.DOUBLE

    def _days(self) -> int:
        value = self.table.get("days", 30)
        if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MOST_DAYS:
            return value
        what = f"`days` is {value!r}, not a whole number from 1 to {MOST_DAYS}."
        self._problem("days", what, "Write for instance days = 30.")
        return MOST_DAYS

    def _hours(self) -> tuple[time, time | None]:
        """From when to when mails leave that do not say it themselves; None: for as long as the day lasts."""
        if "window" not in self.table:
            return self._send_time(), None
        if "send_time" in self.table:
            fix = "Keep the window: it opens at a send time."
            self._problem("window", "The course has both a send_time and a window.", fix)
        written = self._text("window")
        anything: tuple[time, time | None] = (time(8), None)
        return self._worded("window", read_window, written, anything) if written else anything

    def _several(self, name: str, read: Callable[[list[str]], Read], default: Read) -> Read:
        """A setting of several values, as a list or with commas between them."""
        written = self.table.get(name)
        if written is None:
            return default
        values = written if isinstance(written, list) else [written]
        # TOML has dates of its own, which may stand without quotes.
        if not all(isinstance(value, str | date) for value in values):
            self._problem(name, f"`{name}` is not text.", f'Write {name} = "…", or a list of such texts.')
            return default
        return self._worded(name, read, [str(value) for value in values], default)

    def _worded(self, name: str, read: Callable[[Words], Read], words: Words, default: Read) -> Read:
        try:
            return read(words)
        except Unfit as unfit:
            self._problem(name, unfit.what, unfit.fix)
            return default

    def _send_time(self) -> time:
        written = self.table.get("send_time")
        if isinstance(written, time):  # TOML has times of its own, such as 08:00:00
            return written.replace(second=0, microsecond=0)
        value = self._text("send_time", default="08:00")
        parsed = parse_send_time(value)
        if parsed is None:
            fix = 'Write for instance send_time = "08:00".'
            self._problem("send_time", f"{value!r} is not a time of day.", fix)
        return parsed or time(8)

    def _sender(self) -> SenderSource:
        section = self.table.get("sender", {})
        if not isinstance(section, dict):
            fix = "Write a line [sender], and name, email and postal_address below it."
            self._problem("sender", "`sender` is not a section.", fix)
            return SenderSource("", "", "")
        known = (*SENDER, "reply_to")
        for name in section.keys() - set(known):
            what = f"`{name}` is not a setting of a sender."
            self._problem(name, what, known_or_near(name, known), "sender")
        values = {name: self._of_sender(name, section.get(name, "")) for name in known}
        for name in ("email", "reply_to"):
            if values[name] and not is_address(values[name]):
                what = f"{values[name]!r} is not an email address."
                self._problem(name, what, "Write name@domain.", "sender")
        return SenderSource(**values)

    def _of_sender(self, name: str, value: object) -> str:
        if not isinstance(value, str):
            self._problem(name, f"The sender's {name} is not text.", f'Write {name} = "…".', "sender")
            return ""
        value = value.strip()
        if not value and name in SENDER:
            fix = f'{SENDER[name]} Write {name} = "…" below [sender].'
            self._problem(name, f"The sender's {name} is missing.", fix, "sender")
        is_postal = name == "postal_address"
        if find_control_character(value) if is_postal else not is_one_line(value):
            what = f"The sender's {name} has a {'control character' if is_postal else 'line break'}."
            self._problem(name, what, "Write it plainly." if is_postal else "Write it on one line.", "sender")
            return ""
        return value


def _lines_of(text: str) -> dict[tuple[str, str], int]:
    """The line of each (section, key), and of each (section, "") itself; "then.0" is the first [[then]]."""
    found: dict[tuple[str, str], int] = {}
    section, is_inside_text, tables = "", False, list[str]()
    for number, line in enumerate(text.splitlines(), start=1):
        marks = len(re.findall(r'"""|\'\'\'', line))
        if not is_inside_text:
            heading = re.match(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]", line)
            key = re.match(r'\s*["\']?([\w-]+)["\']?\s*=', line)
            if heading:
                section = heading[2]
                if heading[1] == "[[":  # a list of tables, told apart by their numbers
                    found.setdefault((section, ""), number)
                    section = f"{section}.{sum(name.startswith(f'{section}.') for name in tables)}"
                    tables.append(section)
                found.setdefault((section, ""), number)
            elif key:
                found.setdefault((section, key[1]), number)
        is_inside_text ^= marks % 2 == 1
    return found
