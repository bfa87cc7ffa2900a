"""`steadypost transport`: the relays that mail goes by, their limits and their health."""

from __future__ import annotations

from typing import Annotated

import typer

from mailer.audience.addresses import normalise
from mailer.cli.asking import Yes, ask_first, operator
from mailer.cli.connect import Connected, connect
from mailer.cli.one_mail import hand_over
from mailer.cli.show import as_json, as_table, say
from mailer.cli.stack import running_smtp_url
from mailer.delivery import roster
from mailer.delivery.buckets import WORDS
from mailer.delivery.one_mail import transport_test
from mailer.delivery.transports.check import check_server, server_of
from mailer.delivery.transports.server import SmtpServer
from mailer.delivery.warmup import WarmupPlan
from mailer.delivery.ways import DEFAULT
from mailer.errors import Refused
from mailer.fetch import fetcher_of
from mailer.models import Period
from mailer.reports.transports import TransportView, transport_view
from mailer.sealing import Seal
from mailer.settings import load_settings

app = typer.Typer(help="Relays that mail goes by: limits, health, warm-up.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
NoCheck = Annotated[
    bool,
    typer.Option("--no-check", help="Do not connect to it first."),
]
Url = Annotated[
    str,
    typer.Option(
        prompt="URL (smtp://user:password@host:587)",
        hide_input=True,
        help="smtp://user:password@host:587 or smtps://…; asked for when it is left out, so that no password"
        " stays in the shell's history.",
    ),
]


@app.command("list")
def list_(as_json_: AsJson = False) -> None:
    """Show every transport, how it is, and what it did today."""
    with connect() as connected, connected.session() as session:
        views = [_view(connected, one.slug) for one in roster.list_transports(session)]
    if as_json_:
        as_json([view.as_values() for view in views])
        return
    as_table(
        ("transport", "server", "state", "today", "deferred", "used by"),
        [
            (
                *(view.slug, view.server, _state(view), view.accepted_today, view.deferred_today),
                ", ".join(f"{slug} ({weight})" for slug, weight in view.senders) or _by_default(view),
            )
            for view in views
        ],
        "There is no transport.",
    )


@app.command("show")
def show(slug: str, as_json_: AsJson = False) -> None:
    """Show one transport: its health, its limits and what is left of them, its warm-up."""
    with connect() as connected:
        view = _view(connected, slug)
    if as_json_:
        as_json(view.as_values())
        return
    say(f"{view.slug}: {view.server}, {view.conversations} conversations for each worker process")
    say(f"State: {_state(view)}")
    say(f"Today: {view.accepted_today:,} accepted, {view.deferred_today:,} deferred")
    say(f"Used by: {', '.join(f'{s} ({w})' for s, w in view.senders) or _by_default(view)}")
    if view.warmup:
        plan = view.warmup
        say(
            f"Warm-up: {plan['today']:,} today, up to {plan['growth_percent']} % more a day,"
            f" until {plan['target']:,} a day"
        )
    as_table(
        ("limit", "free now"),
        [(str(limit), limit.free(view.now)) for limit in view.limits],
        f"No limits; `steadypost transport limit {view.slug} --per-hour N` sets one.",
    )


@app.command("add")
def add(
    slug: str,
    url: Url,
    conversations: Annotated[int, typer.Option(help="Connections of each worker process.")] = 4,
    no_check: NoCheck = False,
) -> None:
    """Add a relay. It is connected to first; no mail goes by it before a sender names it."""
    server = server_of(url)
    if not no_check:
        _try_out(server)
    with connect() as connected, connected.session() as session:
        roster.add_transport(session, _seal(connected), slug, url, conversations, operator())
    say(f"Added {slug} ({server}){'' if no_check else ': it lets us in'}.")
    say(f"Next: `steadypost sender transport add SENDER {slug} --weight 1`.")


@app.command("edit")
def edit(
    slug: str,
    url: Annotated[str | None, typer.Option(help="The new URL; `-` asks for it.")] = None,
    conversations: Annotated[int | None, typer.Option(help="Connections of each worker process.")] = None,
    no_check: NoCheck = False,
) -> None:
    """Change a relay's URL or its connections. One that was out is tried again at once."""
    if url is None and conversations is None:
        raise Refused("Say what to change: --url or --conversations.")
    if url == "-":
        url = str(typer.prompt("URL (smtp://user:password@host:587)", hide_input=True))
    if url is not None and slug != DEFAULT:
        server = server_of(url)
        if not no_check:
            _try_out(server)
    with connect() as connected, connected.session() as session:
        transport = roster.get_transport(session, slug)
        roster.edit_transport(
            session, _seal(connected), transport, operator(), url=url, conversations=conversations
        )
    say(f"Changed {slug}.")


@app.command("remove")
def remove(slug: str, yes: Yes = False) -> None:
    """Forget a relay that no sender uses any more."""
    with connect() as connected:
        with connected.session() as session:
            roster.get_transport(session, slug)
        ask_first(f"Forget the transport {slug}, its limits and its password?", yes=yes)
        with connected.session() as session:
            roster.remove_transport(session, roster.get_transport(session, slug), operator())
    say(f"Removed {slug}.")


@app.command("test")
def send_test(
    slug: str,
    to: Annotated[str, typer.Option(help="Where the test mail goes.")],
    from_: Annotated[
        str | None,
        typer.Option("--from", help="From which address; a sender's, or else the recipient's own."),
    ] = None,
) -> None:
    """Send one real mail by this transport, outside every count and limit."""
    address, _ = normalise(to)
    sender, _ = normalise(from_) if from_ else (None, None)
    with connect() as connected:
        with connected.session() as session:
            transport = roster.get_transport(session, slug)
            users = roster.senders_by(session, transport)
            if sender is None:
                sender = roster.get_sender(session, users[0][0]).email if users else address
        reply = hand_over(connected, transport, transport_test(transport, from_=sender, to=address).email)
    say(f"Sent to {address} from {sender} by {slug}: {reply.code} {reply.text}")


@app.command("pause")
def pause(slug: str, reason: Annotated[str, typer.Option(help="Why, for whoever looks next.")] = "") -> None:
    """Send nothing by it; its senders' mail goes by their other transports, or waits."""
    with connect() as connected, connected.session() as session:
        transport = roster.get_transport(session, slug)
        done = roster.pause_transport(session, transport, reason.strip(), operator())
    say(
        f"Paused {slug}; `steadypost transport resume {slug}` goes on."
        if done
        else f"Paused already: {slug}."
    )


@app.command("resume")
def resume(slug: str) -> None:
    """Send by it again; one that is out is tried at once instead of at its next probe."""
    with connect() as connected, connected.session() as session:
        done = roster.resume_transport(session, roster.get_transport(session, slug), operator())
    say(f"Resumed {slug}." if done else f"{slug} is in use already.")


@app.command("limit")
def limit(
    slug: str,
    per_minute: Annotated[int | None, typer.Option(min=0, help="0 takes the limit away.")] = None,
    per_hour: Annotated[int | None, typer.Option(min=0, help="0 takes the limit away.")] = None,
    per_day: Annotated[int | None, typer.Option(min=0, help="A day of UTC; 0 takes it away.")] = None,
    to: Annotated[str, typer.Option(help="Only mail to this domain and those of the same provider.")] = "",
) -> None:
    """Limit what goes by a transport, over all workers together; a quota a second is given a minute."""
    wanted = {Period.MINUTE: per_minute, Period.HOUR: per_hour, Period.DAY: per_day}
    chosen = {period: most for period, most in wanted.items() if most is not None}
    if not chosen:
        raise Refused("Say how many: --per-minute, --per-hour or --per-day.")
    group = ""
    with connect() as connected, connected.session() as session:
        transport = roster.get_transport(session, slug)
        for period, most in chosen.items():
            group = roster.set_limit(session, transport, period, most or None, to, operator())
    where = f" to {group}" if group else ""
    for period, most in chosen.items():
        say(
            f"{slug}{where}: "
            + (f"at most {most:,} {WORDS[period]}." if most else f"no limit {WORDS[period]}.")
        )


@app.command("warmup")
def warmup(
    slug: str,
    first: Annotated[int, typer.Option(min=1, help="Mails on the first day, which is today.")] = 50,
    target: Annotated[int, typer.Option(min=1, help="Mails a day at which it is over.")] = 10_000,
    growth: Annotated[int, typer.Option(help="Percent more on each day that went well.")] = 50,
    end: Annotated[bool, typer.Option("--end", help="End the warm-up.")] = False,
) -> None:
    """Let a new relay or address begin slowly: a ceiling a day that grows while receivers are content."""
    plan = None if end else WarmupPlan(first, target, growth)
    with connect() as connected, connected.session() as session:
        roster.set_warmup(session, roster.get_transport(session, slug), plan, operator())
    if plan is None:
        say(f"{slug} is not warming up.")
        return
    say(f"{slug}: at most {first:,} mails today, {growth} % more each day that goes well.")
    say(f"It reaches {target:,} after {plan.days()} days; the rest goes by other transports, or waits.")


def _try_out(server: SmtpServer) -> None:
    try:
        check_server(server, fetcher_of(load_settings()))
    except Refused as error:
        raise Refused(f"{error} --no-check skips this look.") from None


def _view(connected: Connected, slug: str) -> TransportView:
    try:
        default_url: str | None = running_smtp_url(connected.settings)
    except Refused:
        default_url = None
    with connected.session() as session:
        transport = roster.get_transport(session, slug)
        return transport_view(session, transport, _seal(connected), default_url)


def _seal(connected: Connected) -> Seal:
    return Seal(connected.settings.secret_key)


def _state(view: TransportView) -> str:
    words = view.state
    if view.since is not None:
        words += f" since {view.since:%Y-%m-%d %H:%M} UTC"
    if view.reason:
        words += f": {view.reason}"
    if view.state == "out" and view.next_probe_at is not None:
        words += f" (tried again at {view.next_probe_at:%H:%M:%S} UTC)"
    return words


def _by_default(view: TransportView) -> str:
    return "senders without their own" if view.slug == DEFAULT else "nobody yet"
