"""What `course.toml` says the course does beside its steps: when it stops, what follows, what enrolls."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from mailer.content.course_rules import rule_of
from mailer.content.course_source import FlowSource
from mailer.content.course_words import SLUG, find_control_character, known_or_near

SETTINGS = ("stop_when", "then", "triggers", "catch_up", "ask_whom")
POLICIES = ("shift", "rhythm", "skip-stale")
SINCE = ("now", "all")
MOST_HOURS = 24 * 366

Tell = Callable[[str, str, str], None]
"""Takes the place of a setting ("then.0.when"), what is wrong, and the fix."""


@dataclass(frozen=True)
class FlowToml:
    """The settings of one file; what is wrong with them is left out and told."""

    table: dict[str, Any]
    slug: str
    tell: Tell

    def read(self) -> FlowSource:
        """What the course does by rules."""
        late = self._catch_up()
        return FlowSource(
            stop_when=tuple(self._stop_when()),
            then=tuple(self._then()),
            triggers=tuple(self._triggers()),
            policy=late.get("policy", ""),
            stale_after_hours=late.get("stale_after_hours"),
            ask_whom=self._ask_whom(),
        )

    def _stop_when(self) -> Iterator[str]:
        written = self.table.get("stop_when", [])
        rules = written if isinstance(written, list) else [written]
        for rule in rules:
            if found := self._rule("stop_when", rule):
                yield found

    def _then(self) -> Iterator[tuple[str, str]]:
        known = ("course", "when")
        for place, table in self._tables("then", known, 'course = "…"'):
            course = table.get("course")
            if not isinstance(course, str) or not SLUG.fullmatch(course):
                what = f"The course that follows is {course!r}." if course else "It names no course."
                self.tell(f"{place}.course", what, 'Write the slug of a published course: course = "…".')
            elif course == self.slug:
                what = "The course follows itself, so it would never end."
                self.tell(f"{place}.course", what, "Name another course, or delete these lines.")
            else:
                yield course, self._rule(f"{place}.when", table["when"]) if "when" in table else ""

    def _triggers(self) -> Iterator[tuple[str, str]]:
        for place, table in self._tables("triggers", ("when", "from"), "when = 'tag \"vip\"'"):
            since = table.get("from", "now")
            if since not in SINCE:
                what = f"`from` is {since!r}."
                fix = "Write now, or all: also those who met the rule before it was published."
                self.tell(f"{place}.from", what, fix)
            elif "when" not in table:
                self.tell(place, "The trigger has no rule.", "Write when = 'tag \"vip\"', or the like.")
            elif rule := self._rule(f"{place}.when", table["when"]):
                yield rule, since

    def _tables(
        self, name: str, known: tuple[str, ...], example: str
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """Each of the tables below [[name]], with its place."""
        written = self.table.get(name, [])
        if not isinstance(written, list) or not all(isinstance(one, dict) for one in written):
            fix = f"Write a line [[{name}]], and {example} below it."
            self.tell(name, f"`{name}` is not a list of sections.", fix)
            return
        for number, table in enumerate(written):
            place = f"{name}.{number}"
            for setting in table.keys() - set(known):
                what = f"`{setting}` is not a setting of `{name}`."
                self.tell(f"{place}.{setting}", what, known_or_near(setting, known))
            yield place, table

    def _rule(self, place: str, written: object) -> str:
        if not isinstance(written, str):
            self.tell(place, f"`{place.rpartition('.')[2]}` is not text.", "Write the rule in single quotes.")
            return ""
        name = place.rpartition(".")[2]
        return rule_of(written, self.slug, lambda what, fix: self.tell(place, f"`{name}` {what}", fix))

    def _catch_up(self) -> dict[str, Any]:
        written, known = self.table.get("catch_up", {}), ("policy", "stale_after_hours")
        if not isinstance(written, dict):
            fix = "Write a line [catch_up], and policy below it."
            self.tell("catch_up", "`catch_up` is not a section.", fix)
            return {}
        for setting in written.keys() - set(known):
            what = f"`{setting}` is not a setting of `catch_up`."
            self.tell(f"catch_up.{setting}", what, known_or_near(setting, known))
        found = {}
        policy, hours = written.get("policy", ""), written.get("stale_after_hours")
        if policy and policy not in POLICIES:
            self.tell("catch_up.policy", f"`policy` is {policy!r}.", "Write shift, rhythm or skip-stale.")
        elif policy:
            found["policy"] = policy
        if type(hours) is int and 1 <= hours <= MOST_HOURS:
            found["stale_after_hours"] = hours
        elif hours is not None:
            what = f"`stale_after_hours` is {hours!r}, not a whole number from 1 to {MOST_HOURS}."
            self.tell("catch_up.stale_after_hours", what, "Write for instance stale_after_hours = 48.")
        return found

    def _ask_whom(self) -> str:
        written = self.table.get("ask_whom", "")
        if not isinstance(written, str):
            self.tell("ask_whom", "`ask_whom` is not text.", 'Write ask_whom = "…".')
            return ""
        if found := find_control_character(written):
            self.tell("ask_whom", f"`ask_whom` has a control character ({found[1]}).", "Delete it.")
            return ""
        return written.strip()
