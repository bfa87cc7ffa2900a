"""`steadypost list`: what people sign up to."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from mailer.audience.lists import add_list
from mailer.cli.asking import Yes, actor, ask_first
from mailer.cli.connect import Connected, connect
from mailer.cli.show import as_json, as_table, console, count, say
from mailer.delivery.roster import get_sender
from mailer.desk.lists import look_at_removal, remove_list
from mailer.errors import Refused
from mailer.launch import list_acts
from mailer.models import OptIn
from mailer.reports.overview import lists_overview

app = typer.Typer(help="Lists and how people get on them.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@app.command("add")
def add(
    slug: str,
    title: Annotated[str, typer.Option(help="What readers see.")],
    opt_in: Annotated[OptIn, typer.Option(help="Whether people confirm by a mail.")] = OptIn.DOUBLE,
    sender: Annotated[str, typer.Option(help="Whom those mails come from, by its slug.")] = "",
) -> None:
    """Add a list, or change its title, opt-in and sender. Publishing a course makes the list it names."""
    with connect() as connected, connected.session() as session:
        sender_id = get_sender(session, sender).id if sender else None
        add_list(session, slug, title, opt_in, sender_id)
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


@app.command("remove")
def remove(slug: str, yes: Yes = False) -> None:
    """Delete a list that nothing needs; its people leave it, and the evidence of their consent stays."""
    with connect() as connected:
        with connected.session() as session:
            people = look_at_removal(session, actor(), slug).people
        ask_first(f"Delete the list {slug}, which {count(people, 'person', 'people')} then leave?", yes=yes)
        with connected.session() as session:
            act_id = remove_list(session, actor(), slug)
        with console.status("Its people leave it…"):
            left = _see_through(connected, act_id)
    say(f"Deleted the list {slug}; {count(left, 'person', 'people')} left it.")


def _see_through(connected: Connected, act_id: int) -> int:
    """Do an act to its end, beside the workers; returns to how many it was done. Raises Refused."""
    while True:
        with connected.session() as session:
            is_ours = list_acts.do_part(session, act_id)
            act, _, _ = list_acts.get_act(session, act_id)
            if act.ended_at is not None:
                return act.changed
            if act.failures:
                raise Refused("Something went wrong on our side; workers try it again every minute.")
        if not is_ours:
            time.sleep(0.2)  # a worker is at it
