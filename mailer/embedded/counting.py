"""A mail server on loopback that takes every mail and counts it by its Message-ID; it keeps none."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from types import TracebackType
from typing import Any, Self

from aiosmtpd.controller import Controller

from mailer.embedded.ports import LOOPBACK, PortClaims

MESSAGE_ID = re.compile(rb"^Message-ID:\s*(\S+)", re.IGNORECASE | re.MULTILINE)
FIRST_PORT = 2600


class CountingServer:
    """`copies` holds how often each Message-ID was taken. Use it as a context manager.

    Each mail is answered after `delay` seconds, others meanwhile.
    """

    def __init__(self, delay: float = 0.0) -> None:
        self._delay = delay
        self.copies: Counter[str] = Counter()
        self._ports = PortClaims()
        port = self._ports.take(FIRST_PORT)
        self.url = f"smtp://{LOOPBACK}:{port}"
        self._controller = Controller(self, hostname=LOOPBACK, port=port)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        """Called by aiosmtpd at the end of a mail; what is returned is the server's answer."""
        if self._delay:
            await asyncio.sleep(self._delay)
        found = MESSAGE_ID.search(envelope.content)
        self.copies[found[1].decode("ascii", "replace") if found else "without a Message-ID"] += 1
        return "250 2.0.0 counted"

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._controller.stop()
        self._ports.release()
