"""Real servers for tests: one PostgreSQL and one Redis for a whole run, a fresh database for each test."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg

from mailer.cli.connect import prepare_database
from mailer.embedded.postgres import EmbeddedPostgres
from mailer.embedded.redis import EmbeddedRedis
from mailer.embedded.runtime import short_folder as short_folder

MEMORY = Path("/dev/shm")
ROOM_BYTES = 2 * 1024**3
"""The log of the largest tests may take half a gigabyte, in each of several processes."""
OURS = "steadypost-tests"


class Databases:
    """Copies of one migrated database."""

    def __init__(self, server: EmbeddedPostgres) -> None:
        self._server = server
        self._count = 0
        # Nothing here outlives its test, so nothing has to outlive the machine's power.
        with self._maintenance() as connection:
            for setting in ("fsync", "full_page_writes", "synchronous_commit"):
                connection.execute(f"ALTER SYSTEM SET {setting} = off".encode())
            connection.execute("SELECT pg_reload_conf()")
        prepare_database(server.recreate_database("pattern"))

    def fresh(self) -> str:
        """The URL of a database that nobody has used."""
        self._count += 1
        name = f"test_{self._count}"
        with self._maintenance() as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE pattern STRATEGY file_copy".encode())
        return self._server.url(name)

    def drop(self, url: str) -> None:
        """Remove a database, also while something is connected to it."""
        name = url.partition("@/")[2].partition("?")[0]
        with self._maintenance() as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())

    def _maintenance(self) -> psycopg.Connection:
        return psycopg.connect(self._server.url("postgres"), autocommit=True)


@contextmanager
def databases() -> Iterator[Databases]:
    """A PostgreSQL server with the pattern database, stopped at the end."""
    with _fastest_folder() as folder:
        server = EmbeddedPostgres(folder)
        server.start()
        try:
            yield Databases(server)
        finally:
            server.stop()


@contextmanager
def _fastest_folder() -> Iterator[Path]:
    """A folder in memory where there is room: a copy of the pattern then takes a tenth of the time."""
    if not MEMORY.is_dir() or shutil.disk_usage(MEMORY).free < ROOM_BYTES:
        with short_folder() as folder:
            yield folder
        return
    for left in MEMORY.glob(f"{OURS}-*"):  # by runs that were killed
        if not psutil.pid_exists(int(left.name.split("-")[2])):
            shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{OURS}-{os.getpid()}-", dir=MEMORY))
    folder.chmod(0o755)  # root's PostgreSQL runs as another user
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def redis_server() -> Iterator[EmbeddedRedis]:
    """A Redis server, stopped at the end."""
    with short_folder() as folder:
        server = EmbeddedRedis(folder)
        server.start()
        try:
            yield server
        finally:
            server.stop()
