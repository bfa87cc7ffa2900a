"""`steadypost sender`: who mails come from, by which transports, signed with which keys."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mailer.cli import sender_dkim, sender_transport
from mailer.cli.asking import operator
from mailer.cli.connect import connect
from mailer.cli.show import as_json, as_table, say, warn
from mailer.delivery import roster
from mailer.delivery.senders import change_sender
from mailer.errors import Refused
from mailer.reports.transports import sender_values
from mailer.schedule.courses import is_published

app = typer.Typer(help="Who mails come from: address, transports, DKIM.", no_args_is_help=True)
app.add_typer(sender_transport.app, name="transport")
app.add_typer(sender_dkim.app, name="dkim")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@app.command("list")
def list_(as_json_: AsJson = False) -> None:
    """Show every sender with its transports and whether its mail is signed."""
    with connect() as connected, connected.session() as session:
        found = [sender_values(session, one) for one in roster.list_senders(session)]
    if as_json_:
        as_json(found)
        return
    as_table(
        ("sender", "name", "address", "transports", "DKIM"),
        [
            (
                *(one["sender"], one["name"], one["email"]),
                ", ".join(f"{way['transport']} ({way['weight']})" for way in one["transports"]),
                ", ".join(key["selector"] for key in one["dkim"] if key["state"] == "signs") or "not signed",
            )
            for one in found
        ],
        "There is no sender yet; `steadypost course publish DIR` makes one.",
    )


@app.command("show")
def show(slug: str, as_json_: AsJson = False) -> None:
    """Show one sender: its address, its transports with their weights, its DKIM keys."""
    with connect() as connected, connected.session() as session:
        found = sender_values(session, roster.get_sender(session, slug))
    if as_json_:
        as_json(found)
        return
    say(f"{found['sender']}: {found['name']} <{found['email']}>")
    say(f"Reply-To: {found['reply_to'] or 'none'}")
    say(f"Postal address: {found['postal_address']}")
    say(f"Counts: {_counts(found)}")
    say("Transports: " + ", ".join(f"{one['transport']} ({one['weight']})" for one in found["transports"]))
    as_table(
        ("selector", "domain", "algorithm", "state"),
        [(key["selector"], key["domain"], key["algorithm"], key["state"]) for key in found["dkim"]],
        f"Its mail is not signed; `steadypost sender dkim new {slug}` makes a key.",
    )


@app.command("edit")
def edit(
    slug: str,
    name: Annotated[str | None, typer.Option(help="What readers see as the sender.")] = None,
    email: Annotated[str | None, typer.Option(help="The From address.")] = None,
    reply_to: Annotated[
        str | None, typer.Option(help="Where answers go; empty: to the From address.")
    ] = None,
    postal_address: Annotated[str | None, typer.Option(help="In the foot of every mail.")] = None,
    track_clicks: Annotated[
        bool | None, typer.Option("--track-clicks/--no-track-clicks", help="Count who follows links.")
    ] = None,
    track_opens: Annotated[
        bool | None, typer.Option("--track-opens/--no-track-opens", help="Count the loading of a pixel.")
    ] = None,
    decoy: Annotated[
        bool | None, typer.Option("--decoy/--no-decoy", help="A hidden link that only machines follow.")
    ] = None,
) -> None:
    """Change a sender. Mail that has not left yet goes out in the new way."""
    given = {"name": name, "email": email, "reply_to": reply_to, "postal_address": postal_address}
    changes = {field: value.strip() for field, value in given.items() if value is not None}
    wishes = {"track_clicks": track_clicks, "track_opens": track_opens, "decoy": decoy}
    switches = {field: wish for field, wish in wishes.items() if wish is not None}
    if not changes and not switches:
        raise Refused(
            "Say what to change: --name, --email, --reply-to, --postal-address, --track-clicks, "
            "--track-opens or --decoy."
        )
    with connect() as connected, connected.session() as session:
        sender = roster.get_sender(session, slug)
        change_sender(session, sender, changes, switches, operator())
        idle = [key for key in sender_values(session, sender)["dkim"] if key["state"].startswith("idle")]
        has_course = is_published(session, slug)
    say(f"Changed {slug}: {', '.join([*changes, *switches])}.")
    if has_course and changes:
        warn(f"The next `course publish` of {slug} puts back what its course.toml says; change it there too.")
    for key in idle:
        warn(f"The key {key['selector']} is of {key['domain']} and does not sign any more; make a new one.")


def _counts(found: dict[str, Any]) -> str:
    words = {"track_clicks": "clicks", "track_opens": "opens", "decoy": "with a decoy link"}
    return ", ".join(word for field, word in words.items() if found[field]) or "nothing"
