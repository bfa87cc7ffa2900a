"""`steadypost clicks`: who followed the links of mails, and judging that anew."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from mailer.cli.connect import connect
from mailer.cli.show import as_json, as_table, count, say
from mailer.feedback.clicks import recompute
from mailer.reports.clicks import click_report

app = typer.Typer(help="Clicks: people and machines, by link.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@app.command("show")
def show(
    slug: Annotated[str, typer.Argument(help="A campaign's slug, or a course's.")], as_json_: AsJson = False
) -> None:
    """Show how many people followed links, which, and how much of it was machines."""
    with connect() as connected, connected.session() as session:
        found = click_report(session, slug)
    if as_json_:
        as_json(found.as_values())
        return
    people, machines = count(found.people, "person", "people"), count(found.machines, "request", "requests")
    say(f"{slug}: links followed by {people}; {machines} of machines.")
    if found.opened:
        say(f"The open pixel was loaded for {count(found.opened, 'person', 'people')}.")
    rows = [(link.url, link.people, link.machines) for link in found.links]
    empty = "No click was counted; `steadypost sender edit SENDER --track-clicks` begins to."
    as_table(("link", "people", "machine requests"), rows, empty)


@app.command("recompute")
def recompute_(
    since: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Only mails with a click on that day (UTC) or later."),
    ] = None,
    as_json_: AsJson = False,
) -> None:
    """Judge stored clicks by today's rules, some mails at a time; twice changes nothing more."""
    begin = since.replace(tzinfo=UTC) if since is not None else None
    last, rows, changed = 0, 0, 0
    with connect() as connected:
        while True:
            with connected.session() as session:
                done = recompute(session, after=last, since=begin)
            if done is None:
                break
            last, rows, changed = done.last, rows + done.rows, changed + done.changed
    if as_json_:
        as_json({"clicks": rows, "changed": changed})
        return
    say(f"Judged {count(rows, 'click', 'clicks')}; {changed:,} changed.")
