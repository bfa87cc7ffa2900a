"""`steadypost schedule`: what is to come."""

from __future__ import annotations

from typing import Annotated

import typer

from mailer.cli.connect import connect
from mailer.cli.show import as_json, as_table, count, say
from mailer.db import business_now
from mailer.launch.forecast import forecast

app = typer.Typer(help="What leaves in the coming days, and against which limits.", no_args_is_help=True)


@app.callback()
def _nouns() -> None:
    """Keep `forecast` a verb of its own while it is the only one."""


@app.command("forecast")
def forecast_(
    days: Annotated[int, typer.Option(min=1, max=366, help="How many days to look ahead.")] = 14,
    as_json_: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Show the load hour by hour, and what collides. Nothing is sent or written."""
    with connect() as connected, connected.session() as session:
        found = forecast(session, business_now(session), days)
    if as_json_:
        as_json(found.as_values())
        return
    rows = [
        (f"{hour.begins_at:%a %Y-%m-%d %H:%M} UTC", name, mails)
        for hour in found.hours
        for name, mails in sorted(hour.mails.items())
    ]
    as_table(
        ("hour", "what", "mails"), rows, "Nothing is to come; enroll people with `steadypost course enroll`."
    )
    for hour in found.too_much():
        say(
            f"{hour.begins_at:%a %Y-%m-%d %H:%M} UTC: {hour.total:,} mails are due, and an hour takes "
            f"{found.most_per_hour:,}; the rest follows in the next ones."
        )
    for one in found.collisions:
        say(
            f"{count(one.readers, 'reader')} of {one.campaign} also get a lesson on {one.starts_at:%a %d %b}."
        )
    say(f"{count(sum(hour.total for hour in found.hours), 'mail')} in {count(days, 'day')}.")
