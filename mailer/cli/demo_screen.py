"""What the demo shows in the terminal: the day, who received what, what is next, and the queues."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta

from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from mailer.cli.demo_cast import CAST, Reader, Wish
from mailer.cli.show import console, count, say
from mailer.clock import zone
from mailer.embedded.mailbox.store import StoredMail

NEWEST = 12


class Screen:
    """A live picture on a terminal, plain lines everywhere else."""

    def __init__(self, days: int, mailbox_url: str | None, depths: Callable[[], dict[str, int]]) -> None:
        self._days = days
        self._mailbox_url = mailbox_url
        self._depths = depths
        self._newest: deque[tuple[str, str, str]] = deque(maxlen=NEWEST)
        self._received: dict[str, int] = {reader.email: 0 for reader in CAST}
        self._states: dict[str, str] = {}
        self._total = 0
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None

    def __enter__(self) -> Screen:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_error: object) -> None:
        if self._live is not None:
            self._live.stop()

    def update(
        self,
        start: datetime,
        at: datetime,
        next_at: datetime | None,
        arrived: list[StoredMail],
        states: dict[str, str],
    ) -> None:
        """Show the moment `at`: what has just arrived and what comes next."""
        self._states = states
        for mail in arrived:
            self._add(mail)
        if self._live is None:
            return
        self._live.update(self._picture(start, at, next_at), refresh=True)

    def note(self, at: datetime, reader: Reader, wish: Wish) -> None:
        """Show what a reader has just done with a mail."""
        local = f"{at.astimezone(zone(reader.zone)):%a %d %b %H:%M}"
        self._newest.append((f"{local} {_place(reader.zone)}", reader.name, f"({wish})"))
        if self._live is None:
            say(f"{local}  {_place(reader.zone):<12} {reader.name:<11} ({wish})")

    def _add(self, mail: StoredMail) -> None:
        self._total += 1
        for reader in CAST:
            if reader.email in mail.recipients:
                self._received[reader.email] += 1
                local = mail.date.strftime("%a %d %b %H:%M") if mail.date else "?"
                self._newest.append((f"{local} {_place(reader.zone)}", reader.name, mail.subject))
                if self._live is None:
                    say(f"{local}  {_place(reader.zone):<12} {reader.name:<11} {mail.subject}")

    def _picture(self, start: datetime, at: datetime, next_at: datetime | None) -> RenderableType:
        day = (at - start) // timedelta(days=1)
        bar = Text("━" * min(day, self._days), style="green")
        bar.append("━" * max(0, self._days - day), style="bright_black")
        head = Text.assemble(("Day ", "bold"), (f"{day:>2} ", "bold"), bar, f"  {count(self._total, 'mail')}")
        waits = " · ".join(f"{name} {depth}" for name, depth in self._depths().items()) or "Redis is away"
        comes = f"{next_at:%a %d %b %H:%M} UTC" if next_at else "nothing more"
        foot = Text(f"next: {comes}   queues: {waits}\nmailbox: {self._mailbox_url or 'your SMTP server'}")
        return Group(head, Text(), self._mails(), Text(), self._readers(at), Text(), foot)

    def _mails(self) -> Table:
        table = Table(box=None, pad_edge=False, expand=False)
        table.add_column("at the reader's hour", style="bright_black", no_wrap=True)
        table.add_column("reader", no_wrap=True)
        table.add_column("mail", no_wrap=True, overflow="ellipsis")
        # The readers and the line of what is next stay in sight on a small terminal too.
        shown = max(3, min(NEWEST, console.height - len(CAST) - 11))
        for when, who, subject in list(self._newest)[-shown:]:
            table.add_row(when, who, Text(subject))
        return table

    def _readers(self, at: datetime) -> Table:
        table = Table(box=None, pad_edge=False)
        for name in ("reader", "their clock", "mails", "state"):
            table.add_column(name, justify="right" if name == "mails" else "left", no_wrap=True)
        for reader in CAST:
            local = at.astimezone(zone(reader.zone))
            state = self._states.get(reader.email, "")
            mails = str(self._received[reader.email])
            table.add_row(reader.name, f"{local:%a %H:%M} {_place(reader.zone)}", mails, state)
        return table


def _place(zone_name: str) -> str:
    return zone_name.rpartition("/")[2].replace("_", " ")
