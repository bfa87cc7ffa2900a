"""Several kept SMTP conversations with one server, in one thread."""

from __future__ import annotations

import os
import time

from mailer.delivery.transports.base import Email, Feed, NotSent, Pool, Result, Trouble
from mailer.delivery.transports.connect import Connector, Timeouts
from mailer.delivery.transports.lines import Lines
from mailer.delivery.transports.sending import Health, Sending
from mailer.delivery.transports.server import SmtpServer
from mailer.fetch import PUBLIC_ONLY, Fetcher

STALE_AFTER_SECONDS = 20.0
"""A connection idle for longer is replaced: servers, and routers on the way, forget it without a word."""


class SmtpPool:
    """Up to `conversations` kept connections; see Pool. Nothing is opened before the first mail.

    After `mails_per_connection` mails a connection is exchanged for a new one.
    """

    def __init__(
        self,
        server: SmtpServer,
        *,
        conversations: int = 4,
        mails_per_connection: int = 1000,
        helo_name: str | None = None,
        timeouts: Timeouts = Timeouts(),  # noqa: B008 (it is frozen)
        fetcher: Fetcher = PUBLIC_ONLY,
    ) -> None:
        self.server = server
        self._limits = conversations, mails_per_connection
        self._timeouts = timeouts
        self._connector = Connector(server, timeouts, helo_name, fetcher)
        self._health = Health()
        self._lines: Lines | None = None
        self._process = 0

    def send_all(self, feed: Feed) -> Trouble | None:
        """Send what the feed gives; see Pool."""
        lines = self._kept()
        sending = Sending(str(self.server), lines, self._health, feed, self._limits, self._timeouts)
        return sending.run()

    def close(self) -> None:
        """End all conversations, politely where nothing is going on. The next mail would open new ones."""
        if self._lines is not None:
            if self._process == os.getpid():
                self._lines.close()
            else:
                self._lines.abandon()
            self._lines = None

    def _kept(self) -> Lines:
        """The lines of this process, without those that have been idle for too long."""
        if self._process != os.getpid():
            self.close()
        if self._lines is None:
            self._lines, self._process = Lines(self._connector.open), os.getpid()
        before = time.monotonic() - STALE_AFTER_SECONDS
        for line in list(self._lines.open):
            if line.since < before:
                self._lines.hang_up(line, politely=True)
        return self._lines


class _Single:
    """A feed of one mail."""

    def __init__(self, email: Email) -> None:
        self._email: Email | None = email
        self.result: Result = NotSent("there was no answer")

    def next(self) -> tuple[int, Email] | None:
        email, self._email = self._email, None
        return None if email is None else (0, email)

    def before_dot(self, key: int) -> bool:  # noqa: ARG002
        return True

    def done(self, key: int, result: Result) -> None:  # noqa: ARG002
        self.result = result

    def tend(self) -> None:
        pass


def send_one(pool: Pool, email: Email) -> Result | Trouble:
    """Send one mail: how it went, or why nothing can be sent at all."""
    feed = _Single(email)
    trouble = pool.send_all(feed)
    if trouble is not None and isinstance(feed.result, NotSent):
        return trouble
    return feed.result
