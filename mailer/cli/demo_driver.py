"""The demo's clock: it jumps to the next moment at which something is due, and waits until it is done."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from mailer.cli import demo_cast
from mailer.cli.demo_cast import CAST, Reader, Wish
from mailer.db import Sessions, session_scope, step_clock
from mailer.embedded.mailbox.store import MailStore
from mailer.errors import MailerError, Refused
from mailer.queue import Broker, TaskName
from mailer.reports.flow import next_moment, open_work

PATIENCE_SECONDS = 120.0
POLL_SECONDS = 0.03
ASK_AGAIN_SECONDS = 2.0
MAX_DAYS = 90


class DemoStuck(MailerError):
    """The demo's mails did not leave in time; the logs in its data folder say why."""


class Driver:
    """Lives through the course. `at` is the demo's present; `on_moment` is called after each jump,
    `on_wish` when a reader has done something with a mail."""

    def __init__(
        self,
        sessions: Sessions,
        broker: Broker,
        store: MailStore,
        start: datetime,
        on_moment: Callable[[], None],
        on_wish: Callable[[Reader, Wish], None],
    ) -> None:
        self._sessions = sessions
        self._broker = broker
        self._store = store
        self._on_moment = on_moment
        self._on_wish = on_wish
        self.start = start
        self.at = start
        self.next_at: datetime | None = start
        self._to_confirm = {
            reader: start + reader.confirms_after for reader in CAST if reader.confirms_after is not None
        }
        self._to_do = [(reader, mails, wish) for reader in CAST for mails, wish in reader.wishes]

    def run(self, is_stopped: Callable[[], bool], pause: Callable[[datetime, datetime], None]) -> None:
        """Jump from moment to moment until nothing is to come. `pause(from, to)` sets the pace."""
        while not is_stopped():
            self._settle(is_stopped)
            if self._act():
                self._settle(is_stopped)
            self.next_at = self._next()
            self._on_moment()
            if self.next_at is None:
                return
            if self.next_at - self.start > timedelta(days=MAX_DAYS):
                raise DemoStuck(f"day {MAX_DAYS} and still not done")
            pause(self.at, self.next_at)
            self._jump(self.next_at)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """One transaction, with the workers woken after it."""
        with session_scope(self._sessions, self._broker.wake) as session:
            yield session

    def _jump(self, to: datetime) -> None:
        self.at = to
        with session_scope(self._sessions) as session:
            step_clock(session, to)

    def _settle(self, is_stopped: Callable[[], bool]) -> None:
        """Send the tick through Celery, and wait until everything that is due now has come to an end."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        asked_at = 0.0
        while not is_stopped():
            with session_scope(self._sessions) as session:
                work = open_work(session, self.at)
            if not work:
                return
            if time.monotonic() > deadline:
                raise DemoStuck(f"{work} still open at {self.at}")
            if time.monotonic() - asked_at > ASK_AGAIN_SECONDS:
                self._broker.send(TaskName.TICK)
                asked_at = time.monotonic()
            time.sleep(POLL_SECONDS)

    def _act(self) -> bool:
        """Let readers do what they do at this moment; True when somebody did something."""
        acted = False
        for reader in [reader for reader, at in self._to_confirm.items() if at <= self.at]:
            del self._to_confirm[reader]
            demo_cast.confirm(reader, self._store)
            acted = True
        for doing in list(self._to_do):
            reader, mails, wish = doing
            if len(demo_cast.mails_to(self._store, reader)) >= mails:
                self._to_do.remove(doing)
                demo_cast.act(wish, reader, self._store)
                self._on_wish(reader, wish)
                acted = True
        return acted

    def _next(self) -> datetime | None:
        with session_scope(self._sessions) as session:
            moments = [next_moment(session), *self._to_confirm.values()]
        upcoming = [moment for moment in moments if moment is not None]
        if any(moment < self.at for moment in upcoming):
            raise Refused("Something due was left behind; the demo's clock cannot go on.")
        return min(upcoming, default=None)
