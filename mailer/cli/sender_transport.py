"""`steadypost sender transport`: which relays a sender's mail goes by."""

from __future__ import annotations

from typing import Annotated

import typer

from mailer.cli.asking import operator
from mailer.cli.connect import connect
from mailer.cli.show import say
from mailer.delivery import roster
from mailer.delivery.ways import DEFAULT

app = typer.Typer(help="Which relays its mail goes by, and how much by each.", no_args_is_help=True)


@app.command("add")
def add(
    sender: str,
    transport: str,
    weight: Annotated[int, typer.Option(help="Its share; 0: only when no other one can.")] = 1,
) -> None:
    """Have a sender's mail go by a transport too, or change the weight of one that it has."""
    with connect() as connected, connected.session() as session:
        by = roster.get_transport(session, transport)
        roster.use_transport(session, roster.get_sender(session, sender), by, weight, operator())
        ways = roster.transports_of(session, roster.get_sender(session, sender))
    total = sum(share for _, share in ways)
    shares = (
        f"{one.slug} {round(100 * share / total)} %" if share else f"{one.slug} when no other can"
        for one, share in ways
    )
    say(f"{sender} sends by {', '.join(shares) if total else ', '.join(one.slug for one, _ in ways)}.")
    if len(ways) == 1 and transport != DEFAULT:
        say(f"`default` is not used for {sender} any more; add it with --weight 0 to have it stand by.")


@app.command("remove")
def remove(sender: str, transport: str) -> None:
    """Have none of a sender's mail go by a transport any more."""
    with connect() as connected, connected.session() as session:
        who = roster.get_sender(session, sender)
        by = roster.get_transport(session, transport)
        done = roster.stop_using(session, who, by, operator())
        ways = [one.slug for one, _ in roster.transports_of(session, who)]
    say(f"{sender} does not send by {transport}{' any more' if done else ' anyway'}.")
    say(f"It sends by {', '.join(ways) or DEFAULT}.")
