"""The open connections to one server, and those that are being opened meanwhile by threads."""

from __future__ import annotations

import selectors
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from mailer.delivery.transports.base import Trouble
from mailer.delivery.transports.connect import CannotConnect, Connection
from mailer.delivery.transports.conversation import Conversation

READ_BYTES = 16_384
PLAIN_BYTES = 262_144
"""What is handed to the kernel at once: the final dot of a longer mail is asked for late, as it leaves."""
TLS_BYTES = 16_384
"""One TLS record, so that it is known of each byte whether the kernel has it."""
WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError, InterruptedError)


class Line:
    """One open connection: its socket, what is said over it, and `since` when nothing has moved."""

    __slots__ = ("is_blocked", "is_fresh", "is_open", "most_bytes", "since", "sock", "talk", "tls")

    def __init__(self, connection: Connection) -> None:
        self.sock = connection.sock
        self.tls = self.sock if isinstance(self.sock, ssl.SSLSocket) else None
        self.talk = Conversation(connection.abilities)
        self.most_bytes = PLAIN_BYTES if self.tls is None else TLS_BYTES
        self.since = time.monotonic()
        self.is_fresh = True
        """Opened for these mails, not kept from earlier ones."""
        self.is_blocked = False
        """The kernel has no room for what is to be written."""
        self.is_open = True

    @property
    def is_barren(self) -> bool:
        """Whether it was opened for these mails, and not one of them was answered over it."""
        return self.is_fresh and not self.talk.answers

    def chunk(self) -> tuple[bytes | memoryview, int]:
        """What to write next, and where in the output it ends."""
        talk = self.talk
        length, at = len(talk.output), talk.output_at
        if at == 0 and length <= self.most_bytes:
            return talk.output, length
        until = min(at + self.most_bytes, length)
        return memoryview(talk.output)[at:until], until

    def read(self) -> bytes | None:
        """What has come: None for nothing yet, no bytes when the server has hung up; raises OSError."""
        try:
            data = self.sock.recv(READ_BYTES)
        except WOULD_BLOCK:
            return None
        if self.tls is not None and data:
            while self.tls.pending():  # decrypted already, so no selector would tell
                data += self.tls.recv(READ_BYTES)
        return data


class Lines:
    """Every connection of a pool. Openings end in `arrived`, and make `select` return a line of None."""

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect
        self._selector = selectors.DefaultSelector()
        self._wake_up, self._bell = socket.socketpair()
        self._wake_up.setblocking(False)
        self._selector.register(self._wake_up, selectors.EVENT_READ, None)
        self._lock = threading.Lock()
        self._arrived: deque[Connection | Trouble | Exception] = deque()
        self._is_closed = False
        self.open: dict[Line, None] = {}
        self.opening = 0

    def start_opening(self) -> None:
        """Open one more, in a thread of its own."""
        self.opening += 1
        threading.Thread(target=self._open_one, name="smtp-connect", daemon=True).start()

    def arrived(self) -> list[Line | Trouble]:
        """What became of the openings that have ended."""
        with suppress(BlockingIOError):
            self._wake_up.recv(4096)
        ended: list[Line | Trouble] = []
        while self._arrived:
            result = self._arrived.popleft()
            self.opening -= 1
            if isinstance(result, Exception):
                raise result  # a bug, which must not look like a server's trouble
            ended.append(self._add(result) if isinstance(result, Connection) else result)
        return ended

    def select(self, seconds: float) -> list[Line | None]:
        """The lines on which something has happened, waiting for at most so long."""
        return [key.data for key, _ in self._selector.select(seconds)]

    def block(self, line: Line, is_blocked: bool) -> None:
        """Wait for room to write, or no longer."""
        if line.is_blocked != is_blocked:
            line.is_blocked = is_blocked
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if is_blocked else 0)
            self._selector.modify(line.sock, events, line)

    def hang_up(self, line: Line, *, politely: bool = False) -> None:
        """End a connection; `politely` only between mails: within one, QUIT would be taken for its text."""
        if not line.is_open:
            return
        line.is_open = False
        del self.open[line]
        self._selector.unregister(line.sock)
        if politely:
            with suppress(OSError):
                line.sock.send(b"QUIT\r\n")  # nobody waits for its answer
        line.sock.close()

    def close(self) -> None:
        """End all, politely where nothing is going on."""
        with self._lock:
            self._is_closed = True
        for line in list(self.open):
            self.hang_up(line, politely=line.talk.is_idle)
        self.abandon()

    def abandon(self) -> None:
        """Let go of everything without a word, as the child of a fork must: its parent goes on talking."""
        for line in self.open:
            line.sock.close()
        for result in self._arrived:
            if isinstance(result, Connection):
                result.sock.close()
        self._selector.close()
        self._wake_up.close()
        self._bell.close()

    def _add(self, connection: Connection) -> Line:
        line = Line(connection)
        self.open[line] = None
        self._selector.register(line.sock, selectors.EVENT_READ, line)
        return line

    def _open_one(self) -> None:
        result: Connection | Trouble | Exception
        try:
            result = self._connect()
        except CannotConnect as error:
            result = error.trouble
        except Exception as error:
            result = error
        with self._lock:
            if not self._is_closed:
                self._arrived.append(result)
                self._bell.send(b"!")
            elif isinstance(result, Connection):
                result.sock.close()
