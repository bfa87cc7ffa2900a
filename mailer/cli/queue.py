"""`steadypost queue`: what waits and moves, and stopping it for a while."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from mailer.cli.asking import operator
from mailer.cli.connect import Connected, connect
from mailer.cli.show import as_json, console, printable, say, warn
from mailer.db import business_now
from mailer.delivery.holds import checked, list_holds, pause, resume
from mailer.embedded.redis import EmbeddedRedis
from mailer.errors import Refused
from mailer.links import Signer
from mailer.models import HoldCause, HoldScope
from mailer.queue import QUEUES, Broker
from mailer.reports.metrics import metrics_token
from mailer.reports.queues import HoldStatus, LaneStatus, QueueStatus, age_words, queue_status

app = typer.Typer(help="What waits and moves; pause and resume.", no_args_is_help=True)

WATCH_SECONDS = 2.0

Scope = Annotated[HoldScope, typer.Argument(help="What kind of thing.")]
Target = Annotated[str, typer.Argument(help="Its name: a lane, a slug, a domain. Everything has none.")]
Reason = Annotated[str, typer.Option(help="Why, for whoever looks next.")]


@app.command("status")
def status(
    watch: Annotated[bool, typer.Option("--watch", help="Look again every 2 seconds until Ctrl-C.")] = False,
    as_json_: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Show each lane, what moves in it, the workers that take from it, and what is paused."""
    if watch and as_json_:
        raise Refused("--watch is for people and --json for programs; choose one.")
    with connect() as connected:
        broker = _broker(connected)
        if watch:
            _watch(connected, broker)
            return
        found = _look(connected, broker)
    if as_json_:
        as_json(found.as_values())
        return
    console.print(_picture(found))


@app.command("pause")
def pause_(scope: Scope, target: Target = "", reason: Reason = "") -> None:
    """Stop sending: everything, or one lane, course, campaign, sender or domain. What is due waits."""
    with connect() as connected, connected.session() as session:
        name = f"{scope} {checked(session, scope, target)}".strip()
        done = pause(session, scope, target, business_now(session), who=operator(), reason=_plain(reason))
    if done is None:
        say(f"Paused already: {name}.")
        return
    say(f"Paused: {name}. No mail is lost; `steadypost queue resume {name}` goes on.")


@app.command("resume")
def resume_(scope: Scope, target: Target = "", reason: Reason = "") -> None:
    """Go on sending what was paused."""
    with connect() as connected, connected.session() as session:
        done = resume(session, scope, target, business_now(session), who=operator(), reason=_plain(reason))
        others = [f"{hold.scope} {hold.target}".strip() for hold in list_holds(session)]
    name = f"{scope} {done.target if done else target}".strip()
    say(f"Resumed: {name}." if done else f"Not paused: {name}.")
    if others:
        warn(f"Still paused: {', '.join(others)}.")


@app.command("metrics-token")
def metrics_token_() -> None:
    """Print what Prometheus must send as `Authorization: Bearer …` to read /metrics."""
    with connect() as connected:
        typer.echo(metrics_token(Signer(connected.settings.secret_key)))


def _plain(reason: str) -> str:
    """What was typed, in letters that a database takes."""
    return reason.encode(errors="replace").decode().replace("\0", "").strip()


def _broker(connected: Connected) -> Broker:
    """The configured broker, or that of a stack that runs in the data folder."""
    settings = connected.settings
    return Broker(settings.redis_url or EmbeddedRedis(settings.data_dir).redis_url)


def _look(connected: Connected, broker: Broker) -> QueueStatus:
    # Before the transaction begins: a broker that is away takes seconds to find out.
    depths = broker.depths()
    with connected.session() as session:
        return queue_status(session, business_now(session), {name: depths.get(name) for name in QUEUES})


def _watch(connected: Connected, broker: Broker) -> None:
    """Draw anew until Ctrl-C, which is how it is meant to end."""
    try:
        with Live(_picture(_look(connected, broker)), console=console, auto_refresh=False) as live:
            while True:
                time.sleep(WATCH_SECONDS)
                live.update(_picture(_look(connected, broker)), refresh=True)
    except KeyboardInterrupt:
        return


def _picture(found: QueueStatus) -> RenderableType:
    parts: list[RenderableType] = [_lanes(found), Text()]
    if found.is_empty and not found.holds:
        parts.append(Text("Nothing is due. `steadypost course enroll` puts people into a course."))
    depths = (f"{name} {'?' if depth is None else depth}" for name, depth in found.depths.items())
    parts.append(Text(f"Tasks in Redis: {', '.join(depths)}"))
    if found.workers:
        parts += [Text(), _workers(found)]
    parts += [
        Text(printable(f"{_stopped(hold)} since {hold.since:%Y-%m-%d %H:%M} UTC{_why(hold.reason)}"))
        for hold in found.holds
    ]
    parts += [Text(printable(f"Allowed by {one.words}")) for one in found.allowed]
    warnings = found.warnings()
    if warnings:
        parts += [Text(), *(Text(printable(f"! {line}")) for line in warnings)]
    if not found.workers:
        parts.append(Text("`steadypost up` starts the workers, or look at those that you run yourself."))
    return Group(*parts)


def _stopped(hold: HoldStatus) -> str:
    if hold.cause == HoldCause.PERSON:
        return f"Paused: {hold.name}"
    if hold.cause == HoldCause.CANARY:
        return f"Stopped by its canary: {hold.name}"
    return f"On hold (`steadypost hold show`): {hold.name}"


def _why(reason: str) -> str:
    return f": {reason}" if reason else ""


def _lanes(found: QueueStatus) -> Table:
    """A column for each lane, which fits every terminal; a row for each figure."""
    table = _table("", *(lane.lane for lane in found.lanes))
    figures: dict[str, Callable[[LaneStatus], str]] = {
        "waiting": lambda lane: f"{lane.waiting:,}",
        "oldest due": lambda lane: "-" if lane.oldest is None else age_words(lane.oldest),
        "on their way": lambda lane: f"{lane.on_their_way:,}",
        "deferred": lambda lane: f"{lane.deferred:,}",
        "sent in the last minute": lambda lane: f"{lane.sent_last_minute:,}",
        "sent per second": lambda lane: f"{lane.per_second or 0:,.1f}",
        "empty in": lambda lane: "?" if lane.drain_seconds is None else age_words(lane.drain_seconds),
        "held": lambda lane: f"{lane.held:,}",
        "quarantined": lambda lane: f"{lane.quarantined:,}",
        "with overdue workers": lambda lane: f"{lane.lapsed:,}",
    }
    for name, figure in figures.items():
        table.add_row(name, *map(figure, found.lanes))
    return table


def _workers(found: QueueStatus) -> Table:
    table = _table("queue", "worker", "heartbeat", "round trip")
    for worker in found.workers:
        table.add_row(
            worker.queue,
            printable(worker.worker),
            f"{age_words(worker.age)} ago",
            age_words(worker.round_trip),
        )
    return table


def _table(*names: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for position, name in enumerate(names):
        table.add_column(Text(name), justify="left" if position == 0 else "right", overflow="fold")
    return table
