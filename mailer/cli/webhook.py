"""`steadypost webhook`: which programs are told what happens, and how that went."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mailer.cli.asking import Yes, actor, ask_first
from mailer.cli.connect import connect
from mailer.cli.show import as_json, as_table, say
from mailer.desk import webhooks as desk
from mailer.models import Webhook, WebhookCall, WebhookKind
from mailer.sealing import Seal
from mailer.webhooks.endpoints import CHOICES

app = typer.Typer(help="Programs that are told what happens.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Number = Annotated[
    int, typer.Argument(metavar="ID", help="As `webhook list` shows it.", min=1, max=2**63 - 1)
]


@app.command("list")
def list_(as_json_: AsJson = False) -> None:
    """Show every webhook, what it is told, and since when it is paused."""
    with connect() as connected, connected.session() as session:
        found = [_as_values(one) for one in desk.list_webhooks(session, actor())]
    if as_json_:
        as_json(found)
        return
    as_table(
        ("id", "name", "address", "is told", "took a call last (UTC)", "paused"),
        [
            (
                *(one["id"], one["name"], one["url"], ", ".join(one["kinds"])),
                *(one["good_at"] or "-", one["paused_reason"] if one["paused_at"] else "-"),
            )
            for one in found
        ],
        "No program is told; `steadypost webhook add NAME URL --kind subscriber.confirmed` adds one.",
    )


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="What listens there.")],
    url: Annotated[str, typer.Argument(help="Where; https:// unless it is a machine of your own.")],
    kind: Annotated[
        list[WebhookKind] | None,
        typer.Option(help="What it is told; may be given more than once. All without."),
    ] = None,
    as_json_: AsJson = False,
) -> None:
    """Have a program told what happens. The secret that its calls are signed with is shown this once."""
    with connect() as connected, connected.session() as session:
        seal = Seal(connected.settings.secret_key)
        webhook, secret = desk.add_webhook(session, actor(), seal, name, url, kind or CHOICES)
        values = _as_values(webhook)
    if as_json_:
        as_json({**values, "secret": secret})
        return
    say(f"Added {webhook.name} ({webhook.id}): it is told {', '.join(webhook.kinds)}.")
    say(f"Its calls are signed with {secret}")
    say("Keep that now: it is not shown again.")


@app.command("remove")
def remove(webhook_id: Number, yes: Yes = False) -> None:
    """Forget a webhook, its secret and its calls. Asks first."""
    with connect() as connected:
        with connected.session() as session:
            webhook, _ = desk.show_webhook(session, actor(), webhook_id, limit=0)
            question = f"Tell {webhook.name} ({webhook.url}) nothing any more, and forget its calls?"
        ask_first(question, yes=yes)
        with connected.session() as session:
            desk.remove_webhook(session, actor(), webhook_id)
    say(f"Removed: {webhook.name}.")


@app.command("log")
def log(
    webhook_id: Number,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="So many of its newest calls.")] = 20,
    as_json_: AsJson = False,
) -> None:
    """Show what a webhook was told, newest first, and what it answered."""
    with connect() as connected, connected.session() as session:
        webhook, rows = desk.show_webhook(session, actor(), webhook_id, limit=limit)
        calls = [_call_as_values(one) for one in rows]
    if as_json_:
        as_json(calls)
        return
    as_table(
        ("call", "is about", "made (UTC)", "state", "attempts", "answer", "took (ms)"),
        [
            (
                *(one["id"], one["kind"], one["created_at"], one["state"], one["attempts"]),
                *(one["reason"] or one["status"] or "-", one["milliseconds"] or 0),
            )
            for one in calls
        ],
        f"{webhook.name} was told nothing in the last month.",
    )


def _as_values(one: Webhook) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.name,
        "url": one.url,
        "kinds": list(one.kinds),
        "created_at": one.created_at.isoformat(),
        "good_at": one.good_at.isoformat() if one.good_at else None,
        "paused_at": one.paused_at.isoformat() if one.paused_at else None,
        "paused_reason": one.paused_reason,
    }


def _call_as_values(one: WebhookCall) -> dict[str, Any]:
    return {
        "id": one.id,
        "call_id": f"msg_{one.call_id.hex}",
        "kind": one.kind,
        "at": one.at.isoformat(),
        "created_at": f"{one.created_at:%Y-%m-%d %H:%M:%S}",
        "state": one.state,
        "attempts": one.attempts,
        "status": one.status,
        "reason": one.reason,
        "milliseconds": one.milliseconds,
        "due_at": one.due_at.isoformat(),
        "settled_at": one.settled_at.isoformat() if one.settled_at else None,
    }
