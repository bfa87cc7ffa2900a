"""`steadypost up`: the whole stack on the real clock."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

import typer

from mailer.cli.show import console, say, warn
from mailer.cli.stack import Stack
from mailer.links import Signer
from mailer.settings import PROJECT, Settings, load_settings

app = typer.Typer()


@app.command()
def up() -> None:
    """Run Steadypost for real use, with its own PostgreSQL, Redis and mailbox wherever no URL is set."""
    settings = load_settings()
    stopping = stop_on_signals()
    stack = Stack(settings, say)
    with console.status("Starting…"):
        stack.start()
    try:
        _introduce(stack, settings)
        while not stopping.wait(1):
            stack.look_after()
    finally:
        say("Stopping; what is due goes out at the next start.")
        stack.stop()
        say("Everything is stopped.")


def stop_on_signals() -> threading.Event:
    """An event that Ctrl-C and SIGTERM set, so that everything is stopped in order."""
    stopping = threading.Event()

    def ask(_number: int, _frame: FrameType | None) -> None:
        if stopping.is_set():  # asked twice: the person is in a hurry
            raise KeyboardInterrupt
        stopping.set()

    signal.signal(signal.SIGINT, ask)
    signal.signal(signal.SIGTERM, ask)
    return stopping


def _command() -> str:
    """How this command was called."""
    is_module = Path(sys.argv[0]).name == "__main__.py"
    return f"{sys.executable} -m mailer.cli" if is_module else sys.argv[0]


def _introduce(stack: Stack, asked: Settings) -> None:
    say(f"Steadypost runs at {stack.settings.base_url}")
    if asked.smtp_url is None:
        say(f"Mail goes to the local mailbox at {stack.mailbox_url} and to nobody else;")
        say("  set STEADYPOST_SMTP_URL=smtp://user:password@host:587 to send it out.")
    else:
        server = urlsplit(asked.smtp_url)
        say(f"Mail goes out through {server.hostname}.")
    kept = "your PostgreSQL" if asked.database_url else f"{asked.data_dir}"
    say(f"Data is kept in {kept}; logs in {asked.data_dir / 'logs'}. Ctrl-C stops everything.")
    say(f"It listens on {stack.local_url}.")
    for reason in dict.fromkeys(stack.on_hold):
        warn(f"ON HOLD: {reason}. `steadypost hold show` says what is overdue and what can be done.")
    if not stack.is_set_up:
        say("Begin here, in a browser: who you are, who mails come from, and a first mail.")
        say(f"  {Signer(stack.settings.secret_key).setup_url(stack.settings.base_url)}")
    else:
        say(f"Sign in at {stack.settings.base_url}/desk")
    say(f"In another terminal: {_command()} course publish {PROJECT / 'templates/courses'}/*")
