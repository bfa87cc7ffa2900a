"""`steadypost list`: what people sign up to."""

from __future__ import annotations

from typing import Annotated

import typer

from mailer.audience.lists import add_list
from mailer.cli.connect import connect
from mailer.cli.show import as_json, as_table, say
from mailer.models import OptIn
from mailer.reports.overview import lists_overview

app = typer.Typer(help="Lists and how people get on them.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@app.command("add")
def add(
    slug: str,
    title: Annotated[str, typer.Option(help="What readers see.")],
    opt_in: Annotated[OptIn, typer.Option(help="Whether people confirm by a mail.")] = OptIn.DOUBLE,
) -> None:
    """Add a list, or change its title and opt-in. Publishing a course makes the list it names."""
    with connect() as connected, connected.session() as session:
        add_list(session, slug, title, opt_in)
    say(f"The list {slug} is there ({opt_in} opt-in).")


@app.command("list")
def list_all(as_json_: AsJson = False) -> None:
    """Show every list with its people by state."""
    with connect() as connected, connected.session() as session:
        rows = lists_overview(session)
    if as_json_:
        as_json([row.__dict__ for row in rows])
        return
    as_table(
        ("list", "title", "opt-in", "active", "pending", "ended"),
        [(row.slug, row.title, row.opt_in, row.active, row.pending, row.ended) for row in rows],
        "There is no list yet; `steadypost course publish DIR` makes one, or `steadypost list add`.",
    )
