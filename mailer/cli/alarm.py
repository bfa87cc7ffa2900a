"""`steadypost alarm`: what was found wrong with sending, and who is told."""

from __future__ import annotations

from typing import Annotated

import typer

from mailer.cli.asking import Yes, actor, ask_first
from mailer.cli.connect import connect
from mailer.cli.show import as_json, as_table, say
from mailer.desk import alarms as desk
from mailer.models import ChannelKind
from mailer.sealing import Seal

app = typer.Typer(help="What was found wrong with sending, and who is told.", no_args_is_help=True)
channel_app = typer.Typer(help="Who is told of alarms, and of their end.", no_args_is_help=True)
app.add_typer(channel_app, name="channel")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Number = Annotated[
    int, typer.Argument(metavar="ID", help="As `alarm channel list` shows it.", min=1, max=2**63 - 1)
]


@app.command("list")
def list_(as_json_: AsJson = False) -> None:
    """Show the newest alarms, those that are open among them."""
    with connect() as connected, connected.session() as session:
        found = [
            {
                "id": one.id,
                "kind": one.kind,
                "target": one.target,
                "words": one.words,
                "seen_at": one.seen_at.isoformat(),
                "opened_at": one.opened_at.isoformat() if one.opened_at else None,
                "resolved_at": one.resolved_at.isoformat() if one.resolved_at else None,
            }
            for one in desk.see_alarms(session, actor()).alarms
        ]
    if as_json_:
        as_json(found)
        return
    as_table(
        ("alarm", "of", "what", "since (UTC)", "over (UTC)"),
        [
            (one["kind"], one["target"] or "-", one["words"], one["seen_at"], one["resolved_at"] or "open")
            for one in found
        ],
        "There was no alarm yet.",
    )


@channel_app.command("list")
def channels(as_json_: AsJson = False) -> None:
    """Show who is told, and how that went last."""
    with connect() as connected, connected.session() as session:
        view = desk.see_alarms(session, actor())
        found = []
        for one in view.channels:
            note = view.notes.get(one.id)
            told_at = note.told_at.isoformat() if note and note.told_at else None
            error = note.error if note else ""
            found.append(
                {"id": one.id, "kind": one.kind, "to": one.shown, "told_at": told_at, "error": error}
            )
    if as_json_:
        as_json(found)
        return
    as_table(
        ("id", "by", "to", "told last (UTC)", "what was wrong with that"),
        [(one["id"], one["kind"], one["to"], one["told_at"] or "-", one["error"] or "-") for one in found],
        "Nobody is told; `steadypost alarm channel add mail ADDRESS` has somebody told.",
    )


@channel_app.command("add")
def add(
    kind: Annotated[ChannelKind, typer.Argument(help="By which way.")],
    address: Annotated[str, typer.Argument(help="A mail address, or an https:// address.")],
    as_json_: AsJson = False,
) -> None:
    """Have somebody told. The secret that signs a webhook's calls is shown this once."""
    with connect() as connected, connected.session() as session:
        seal = Seal(connected.settings.secret_key)
        shown, secret = desk.add_channel(session, actor(), seal, kind, address)
    if as_json_:
        as_json({"to": shown, "secret": secret})
        return
    say(f"{shown} is told of alarms from now on.")
    if secret:
        say(f"Its calls are signed with {secret}")
        say("Keep that now: it is not shown again.")


@channel_app.command("test")
def test(channel_id: Number) -> None:
    """Have a channel told that this is a test; `alarm channel list` says how that went."""
    with connect() as connected, connected.session() as session:
        shown = desk.try_channel(session, actor(), channel_id)
    say(f"A test is on its way to {shown}, once the workers run.")


@channel_app.command("remove")
def remove(channel_id: Number, yes: Yes = False) -> None:
    """Tell a channel nothing any more. Asks first."""
    with connect() as connected:
        with connected.session() as session:
            shown = desk.see_channel(session, actor(), channel_id).shown
        ask_first(f"Tell {shown} nothing any more when something is wrong?", yes=yes)
        with connected.session() as session:
            desk.remove_channel(session, actor(), channel_id)
    say(f"Removed: {shown}.")
