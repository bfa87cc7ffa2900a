"""Ports that are free on this machine, and stay ours until something listens on them."""

from __future__ import annotations

import socket
import sys
from contextlib import suppress

from mailer.errors import Refused

LOOPBACK = "127.0.0.1"
HIGHEST = 65535


class PortClaims:
    """The ports of one start. Other starts on this machine take none of them until they are released.

    Between finding a port free and the server that listens on it seconds may pass; two stacks started
    together would take the same one, and one of them take the other's web app for its own. A claim also
    keeps the port while its server is started again. The kernel ends the claims of a process with it.
    """

    def __init__(self) -> None:
        self._held: dict[int, socket.socket] = {}

    def take(self, preferred: int) -> int:
        """`preferred` when it is free and nobody's claim, else the next higher port that is."""
        for port in range(preferred, HIGHEST + 1):
            claim = None if port in self._held else _claim(port)
            if claim is None:
                continue
            if _is_free(port):
                self._held[port] = claim
                return port
            claim.close()
        raise Refused(f"no port from {preferred} up is free on {LOOPBACK}; stop something that listens there")

    def release(self) -> None:
        """Let others have the ports."""
        while self._held:
            self._held.popitem()[1].close()


def _claim(port: int) -> socket.socket | None:
    """What holds the claim to `port` until it is closed; None when somebody else has it.

    An abstract name (unix(7)) lives in the kernel beside the ports and leaves no file behind. Only Linux
    has them; elsewhere two starts in one second are not told apart.
    """
    held = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    if sys.platform == "linux":
        try:
            held.bind(f"\0steadypost-port-{port}")
        except OSError:
            held.close()
            return None
    return held


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as ours:
        # As servers do: a port whose last connections are still winding down counts as free.
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):
            ours.bind((LOOPBACK, port))
            return True
    return False
