"""Finding a port that is free on this machine."""

from __future__ import annotations

import socket
from collections.abc import Collection
from contextlib import suppress

from mailer.errors import Refused

LOOPBACK = "127.0.0.1"
HIGHEST = 65535


def free_port(preferred: int, *, except_for: Collection[int] = ()) -> int:
    """`preferred` when nothing listens on it on 127.0.0.1, else the next higher port that is free.

    `except_for` are ports that were chosen already but are not listened on yet. Somebody else may take
    a free port before it is used; whoever binds it must still be ready to fail.
    """
    for port in range(preferred, HIGHEST + 1):
        if port not in except_for and _is_free(port):
            return port
    raise Refused(f"no port from {preferred} up is free on {LOOPBACK}; stop something that listens there")


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as ours:
        # As servers do: a port whose last connections are still winding down counts as free.
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):
            ours.bind((LOOPBACK, port))
            return True
    return False
