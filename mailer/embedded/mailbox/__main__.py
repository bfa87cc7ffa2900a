"""Run the local mailbox: python -m mailer.embedded.mailbox --dir DIR --smtp-port N --web-port M."""

from __future__ import annotations

import argparse
import asyncio
import logging
import socket
import sys
from contextlib import suppress
from pathlib import Path

import uvicorn

from mailer.embedded.mailbox.app import create_app
from mailer.embedded.mailbox.smtp import conversation
from mailer.embedded.mailbox.store import MailStore
from mailer.embedded.ports import LOOPBACK
from mailer.errors import Refused


async def serve(folder: Path, smtp_port: int, web_port: int) -> None:
    """Take mails and show them until a signal ends it; both ports are on 127.0.0.1 only."""
    store = MailStore(folder)
    with _listen(smtp_port) as smtp_socket, _listen(web_port) as web_socket:
        loop = asyncio.get_running_loop()
        smtp_server = await loop.create_server(lambda: conversation(store), sock=smtp_socket)
        config = uvicorn.Config(
            create_app(store), access_log=False, log_level="warning", timeout_graceful_shutdown=1
        )
        await uvicorn.Server(config).serve(sockets=[web_socket])
        smtp_server.close()


def _listen(port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((LOOPBACK, port))
    except OSError as error:
        listening.close()
        raise Refused(f"the mailbox cannot listen on {LOOPBACK}:{port} ({error.strerror})") from None
    listening.listen(128)
    return listening


def main() -> int:
    """Read the command line and serve; 1 when that was refused."""
    parser = argparse.ArgumentParser(prog="python -m mailer.embedded.mailbox", description=__doc__)
    parser.add_argument("--dir", type=Path, required=True, help="where mails are kept")
    parser.add_argument("--smtp-port", type=int, default=2525)
    parser.add_argument("--web-port", type=int, default=8026)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    try:
        with suppress(KeyboardInterrupt):
            asyncio.run(serve(arguments.dir, arguments.smtp_port, arguments.web_port))
    except Refused as refusal:
        sys.stderr.write(f"{refusal}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
