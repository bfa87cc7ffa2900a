"""`steadypost suppression`: addresses that must not be mailed."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mailer.audience.addresses import BadAddress, normalise
from mailer.audience.spreadsheet import open_sheet
from mailer.audience.suppression import lift, list_suppressions, may_be_lifted, suppress_all
from mailer.cli.asking import Yes, ask_first, operator
from mailer.cli.connect import connect
from mailer.cli.show import as_json, as_table, count, say, warn
from mailer.db import business_now
from mailer.errors import Refused
from mailer.models import Action, SuppressionReason

app = typer.Typer(help="Addresses that must not be mailed.", no_args_is_help=True)

SHOWN_LINES = 10


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
        found = list_suppressions(session, reason, limit)
    if as_json_:
        as_json(
            [
                {"email": row.email, "reason": row.reason, "detail": row.detail, "at": row.at.isoformat()}
                for row in found
            ]
        )
        return
    as_table(
        ("address", "reason", "since (UTC)", "detail"),
        [
            (row.email or "(erased)", row.reason, f"{row.at:%Y-%m-%d %H:%M}", row.detail or "-")
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
    words = detail.encode(errors="replace").decode().strip()
    with connect() as connected, connected.session() as session:
        now = business_now(session)
        done = suppress_all(session, named, SuppressionReason(reason), now, words)
        changed = done.new + done.graver
        if changed:
            about = {"reason": str(reason), "new": done.new}
            session.add(Action(at=now, who=operator(), what="suppression add", detail=about, rows=changed))
    say(f"{count(done.new, 'address', 'addresses')} new: not mailed any more.")
    if done.graver:
        say(f"{done.graver:,} were stopped by their readers; now for this reason.")
    if done.known:
        say(f"{done.known:,} had been stopped before.")
    if bad:
        lines = ", ".join(map(str, bad[:SHOWN_LINES])) + (" …" if len(bad) > SHOWN_LINES else "")
        warn(f"{count(len(bad), 'row')} without an address that can be read, line {lines}.")


@app.command("lift")
def lift_(
    email: str,
    despite_their_wish: Annotated[
        bool, typer.Option("--despite-their-wish", help="Also when the reader complained or stopped it.")
    ] = False,
    yes: Yes = False,
) -> None:
    """Mail an address again. A reader's complaint or own stop is not lifted by the way."""
    with connect() as connected:
        with connected.session() as session:
            found = may_be_lifted(session, email, despite_their_wish=despite_their_wish)
        ask_first(f"Mail this address again ({found.reason} since {found.at:%Y-%m-%d})?", yes=yes)
        with connected.session() as session:
            now = business_now(session)
            lift(session, email, now, who=operator(), despite_their_wish=despite_their_wish)
    say("The address may be mailed again; courses that ended for it stay ended until `course enroll`.")


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
