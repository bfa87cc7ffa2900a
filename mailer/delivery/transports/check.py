"""Whether a relay lets us in, and where it does not."""

from __future__ import annotations

from contextlib import suppress

from mailer.delivery.transports.base import TroubleKind
from mailer.delivery.transports.connect import CannotConnect, Connector, Timeouts
from mailer.delivery.transports.server import SmtpServer
from mailer.errors import BadSetting, Refused
from mailer.fetch import Fetcher

PHASES = {
    TroubleKind.UNREACHABLE: "It cannot be reached",
    TroubleKind.BUSY: "It was reached, and asks us to come later",
    TroubleKind.UNWELCOME: "It was reached, and refuses us",
    TroubleKind.TLS: "It was reached, but TLS fails",
    TroubleKind.LOGIN: "It was reached, but the login fails",
}
TIMEOUTS = Timeouts(connect=10, greeting=15, command=20)


def server_of(url: str) -> SmtpServer:
    """The relay that a URL describes; raises Refused without repeating the URL, which holds a password."""
    if not url.startswith(("smtp://", "smtps://")):
        raise Refused("Write the URL as smtp://user:password@host:587 or smtps://user:password@host:465.")
    try:
        server = SmtpServer.from_url(url)
    except BadSetting as error:
        raise Refused(f"The URL is not understood: {error.what}.") from None
    except ValueError:
        raise Refused("The URL is not understood: # and / in a password are written %23 and %2F.") from None
    if not url.partition("://")[2].rpartition("@")[2].strip("/").partition("?")[0]:
        raise Refused("The URL names no host; write it as smtp://user:password@host:587.")
    return server


def check_server(server: SmtpServer, fetcher: Fetcher) -> None:
    """Connect, secure and log in, and hang up again; raises Refused with the phase that failed."""
    try:
        connection = Connector(server, TIMEOUTS, fetcher=fetcher).open()
    except CannotConnect as error:
        trouble = error.trouble
        raise Refused(f"{PHASES[trouble.kind]} ({trouble.reason}).") from None
    connection.sock.setblocking(True)
    with suppress(OSError):
        connection.sock.sendall(b"QUIT\r\n")
    connection.sock.close()
