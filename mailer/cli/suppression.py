"""`steadypost suppression`: addresses that must not be mailed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mailer.audience.addresses import BadAddress, normalise
from mailer.audience.spreadsheet import open_sheet
from mailer.audience.suppression import (
    Lifting,
    lift,
    list_suppressions,
    may_be_lifted,
    suppress_all,
    who_may_lift,
)
from mailer.cli.asking import Yes, ask_first, operator
from mailer.cli.connect import connect
from mailer.cli.show import as_json, as_table, count, say, warn
from mailer.db import business_now
from mailer.errors import Refused
from mailer.models import Action, Role, Suppression, SuppressionReason
from mailer.schedule.enroll import go_on

app = typer.Typer(help="Addresses that must not be mailed.", no_args_is_help=True)

SHOWN_LINES = 10

COMMAND_LINE = Role.OWNER
"""Whoever has a shell here has the database too."""


class ByHand(StrEnum):
    """What a person may give as the reason; bounces and readers' own stops are recorded as they happen."""

    MANUAL = SuppressionReason.MANUAL
    COMPLAINT = SuppressionReason.COMPLAINT


@app.command("list")
def list_(
    reason: Annotated[SuppressionReason | None, typer.Option(help="Only those for this reason.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="How many at most; all without it.")] = None,
    as_json_: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Show the addresses that are not mailed and why, newest first."""
    with connect() as connected, connected.session() as session:
        found = list_suppressions(session, business_now(session), reason, limit)
    if as_json_:
        as_json([_as_values(row) for row in found])
        return
    as_table(
        ("address", "reason", "since (UTC)", "until (UTC)", "detail"),
        [
            (row.email or "(erased)", row.reason, _minute(row.at), _minute(row.until), row.detail or "-")
            for row in found
        ],
        "Every address may be mailed.",
    )


@app.command("add")
def add(
    emails: Annotated[list[str] | None, typer.Argument(metavar="EMAIL...", show_default=False)] = None,
    file: Annotated[Path | None, typer.Option(help="A CSV file with a column of addresses.")] = None,
    reason: Annotated[ByHand, typer.Option(help="Why they must not be mailed.")] = ByHand.MANUAL,
    detail: Annotated[str, typer.Option(help="Where this comes from, in your words.")] = "",
) -> None:
    """Stop all mail to addresses. What is stopped already stays as it is."""
    if not emails and file is None:
        raise Refused("Name an address, or a file with --file.")
    named = [normalise(email)[0] for email in emails or []]
    bad: list[int] = []
    named += _addresses(file, bad) if file else []
    words = _words(detail)
    with connect() as connected, connected.session() as session:
        now = business_now(session)
        done = suppress_all(session, named, SuppressionReason(reason), now, words)
        changed = done.new + done.graver
        if changed:
            about = {"reason": str(reason), "new": done.new}
            session.add(Action(at=now, who=operator(), what="suppression add", detail=about, rows=changed))
    say(f"{count(done.new, 'address', 'addresses')} new: not mailed any more.")
    if done.graver:
        say(f"{done.graver:,} had been stopped for a while, or by their readers; now for this reason.")
    if done.known:
        say(f"{done.known:,} had been stopped before.")
    if bad:
        lines = ", ".join(map(str, bad[:SHOWN_LINES])) + (" …" if len(bad) > SHOWN_LINES else "")
        warn(f"{count(len(bad), 'row')} without an address that can be read, line {lines}.")


@app.command("lift")
def lift_(
    email: str,
    despite_their_wish: Annotated[
        bool,
        typer.Option(
            "--despite-their-wish",
            help="Also when the reader complained or stopped it; say --because of what.",
        ),
    ] = False,
    because: Annotated[str, typer.Option(help="Why; kept in the action log.")] = "",
    yes: Yes = False,
) -> None:
    """Mail an address again. A reader's complaint or own stop is not lifted by the way."""
    with connect() as connected:
        allowed = who_may_lift(connected.settings)
        lifting = Lifting(operator(), COMMAND_LINE, allowed, despite_their_wish, _words(because))
        with connected.session() as session:
            found = may_be_lifted(session, email, business_now(session), lifting)
        ask_first(f"Mail this address again ({found.reason} since {found.at:%Y-%m-%d})?", yes=yes)
        with connected.session() as session:
            now = business_now(session)
            lift(session, email, now, lifting)
            if found.until is not None:
                go_on(session, email, now)
    say("The address may be mailed again; courses that ended for it stay ended until `course enroll`.")


def _as_values(row: Suppression) -> dict[str, str | None]:
    return {
        "email": row.email,
        "reason": row.reason,
        "detail": row.detail,
        "at": row.at.isoformat(),
        "until": row.until.isoformat() if row.until else None,
    }


def _minute(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else "-"


def _words(text: str) -> str:
    """Text from the command line, which need not be UTF-8, as it can be kept."""
    return text.encode(errors="replace").decode().strip()


def _addresses(file: Path, bad: list[int]) -> Iterator[str]:
    """The addresses of a file; the lines that hold none are added to `bad`."""
    with open_sheet(file) as sheet:
        if "email" not in sheet.columns:
            raise Refused(f"{file.name} has no column with addresses; name one `email`.")
        place = sheet.columns.index("email")
        for row in sheet.rows:
            try:
                yield normalise(row.cells[place] if place < len(row.cells) else "")[0]
            except BadAddress:
                bad.append(row.line)
