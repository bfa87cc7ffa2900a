"""`steadypost subscriber import` at work: how far it is and what it did, for a terminal or a program."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from mailer.audience.importing import ImportReport, Progress
from mailer.audience.staging import NotTaken
from mailer.cli.show import console, count, say
from mailer.errors import Refused

SHOWN_ROWS = 20
STOPPED = (
    "Stopped; what is done stays done. Run the same command again to go on, or with --restart to begin anew."
)


@contextmanager
def watched(*, is_quiet: bool) -> Iterator[Callable[[Progress], None]]:
    """Something to tell the progress to; a terminal shows it. Ctrl-C becomes one sentence on how to go on."""
    try:
        if is_quiet:
            yield lambda _: None
            return
        with console.status("Reading…") as status:
            screen = _Screen(status.update)
            yield screen.tell
    except KeyboardInterrupt:
        raise Refused(STOPPED) from None


class _Screen:
    """The line that says how far the import is, and one before it when it is gone on with."""

    def __init__(self, show: Callable[[str], None]) -> None:
        self._show = show
        self._is_reading: bool | None = None
        self._began = time.monotonic()

    def tell(self, at: Progress) -> None:
        if at.is_reading != self._is_reading:
            self._is_reading, self._began = at.is_reading, time.monotonic()
            if at.before:
                what = count(at.before, "row") if at.is_reading else count(at.before, "person", "people")
                say(f"Going on where it was stopped: {what} {'read' if at.is_reading else 'added'} before")
        rate = (at.done - at.before) / max(time.monotonic() - self._began, 0.001)
        what = (
            f"Reading: {at.done:,} rows" if at.is_reading else f"Adding: {at.done:,} of {at.total:,} people"
        )
        self._show(f"{what}, {rate:,.0f} a second, {at.refused:,} refused")


def as_values(report: ImportReport) -> dict[str, Any]:
    """A report for programs; `refused` and `kept_away` hold the first thousand rows."""
    told = asdict(report)
    told["pending"] = told.pop("asked")
    for name, rows in (("refused", report.refused), ("kept_away", report.kept_away)):
        told[name] = [{"line": row.line, "value": row.value, "reason": row.reason} for row in rows]
    return told


def print_report(name: str, report: ImportReport, refused_to: str | None) -> None:
    """A report for people; `name` is the file's."""
    delimiter = "tabs" if report.delimiter == "\t" else report.delimiter
    say(f"{name}: {count(report.rows, 'row')}, read as {report.encoding} with {delimiter}")
    if report.guess is not None:
        line, text = report.guess
        say(f"  the encoding is a guess: see whether line {line} is right: {text}  (else give --encoding)")
    if not report.has_header:
        say("  no header: only the column of addresses was used")
    say(f"  {report.new_people:,} new people, {report.known_people:,} known ones")
    say(f"  {report.joined:,} joined the list, {report.already_on_list:,} were on it")
    for number, what in (
        (report.asked, "of the new ones get a mail to confirm"),
        (report.unconfirmed, "have been asked before and have not confirmed"),
        (report.repeated, "rows were about somebody named in another row"),
        (report.left_before, "left before and stay away"),
        (report.suppressed, "have an address that is not mailed, and were not put on the list"),
    ):
        if number:
            say(f"  {number:,} {what}")
    if report.ignored_columns:
        say(f"  columns not used: {', '.join(report.ignored_columns)} (declare them with `subscriber field`)")
    kept_away = report.left_before + report.suppressed
    _print_rows("refused", report.refused_rows, report.refused)
    _print_rows("kept away", kept_away, report.kept_away)
    if refused_to is not None:
        say(f"  {refused_to} lists every row that was not taken")
    elif max(report.refused_rows, kept_away) > SHOWN_ROWS:
        say("  --refused-to FILE.csv writes them all")


def _print_rows(what: str, number: int, rows: Sequence[NotTaken]) -> None:
    if number:
        say(f"  {count(number, 'row')} {what}:")
    for row in rows[:SHOWN_ROWS]:
        # A refused address is in its reason already.
        address = "" if row.value in row.reason else f"{row.value}: "
        say(f"    line {row.line}: {address}{row.reason}")
    if number > SHOWN_ROWS:
        say(f"    … and {number - SHOWN_ROWS:,} more")
