"""A real PostgreSQL server for this installation alone: private socket, data in the data folder."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psycopg
from psycopg import sql

from mailer.embedded.account import Account, first_closed_folder, server_account
from mailer.embedded.postgres_program import reachable_program_folder
from mailer.embedded.process import (
    POLL_SECONDS,
    end_servers,
    last_lines,
    servers_in,
    spawn,
)
from mailer.embedded.runtime import (
    FolderLock,
    make_data_dir,
    make_runtime_folder,
    runtime_path,
)
from mailer.embedded.server import EmbeddedServer
from mailer.errors import Refused

NAME = "steadypost"
# Only names the socket file: nothing listens on TCP. Written into the URL so that PGPORT cannot change it.
PORT = 5432
SOCKET_PART = "pg"
# Recovery after a crash replays the log, which may take long on a slow disk.
PATIENCE_SECONDS = 300.0
# "Shutting Down the Server": fast, then immediate (the next start recovers), then the last resort.
SHUTDOWN = ((signal.SIGINT, 60.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 5.0))
# Written into postgresql.conf once, so whoever runs this may tune them there.
FIRST_SETTINGS = {
    "shared_buffers": "128MB",
    "max_wal_size": "512MB",
    "jit": "off",  # the statements are short; compiling them costs more than it saves
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
}


class EmbeddedPostgres(EmbeddedServer):
    """The server of one data folder: started, found again, recovered and stopped by us alone."""

    def __init__(self, data_dir: Path) -> None:
        super().__init__(data_dir, "postgres", SOCKET_PART, SHUTDOWN)
        self.cluster = self.data_dir / "database"

    def start(self) -> str:
        """Start the server (making it on the first start) and return the URL of its database.

        A server left over from a killed parent is stopped first. Raises Refused with one sentence
        when the server cannot run here.
        """
        account = server_account(self.cluster)
        self._refuse_closed_folders(account)
        make_data_dir(self.data_dir)
        self._lock = FolderLock(self.data_dir / "database.lock", f"{self.cluster} is in use")
        try:
            programs = reachable_program_folder(self.cluster, self.data_dir, account)
            self._make_cluster(programs, account)
            self._end_leftovers()
            self._launch(programs, account)
            self._wait_until_ready()
            return self.create_database(NAME)
        except BaseException:
            self.stop()
            raise

    @property
    def _socket_folder(self) -> Path:
        return runtime_path(self.data_dir) / SOCKET_PART

    def url(self, database: str = NAME) -> str:
        """The address of one database of this server, for SQLAlchemy and libpq alike.

        The same whether this process or another one started the server, or nobody has yet.
        """
        return f"postgresql://{NAME}@/{database}?host={self._socket_folder}&port={PORT}"

    def create_database(self, name: str) -> str:
        """Make the database `name` unless it is there; returns its URL."""
        with self._connect() as connection:
            there = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
            if there is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self.url(name)

    def recreate_database(self, name: str) -> str:
        """Drop the database `name`, even while in use, and make it afresh; returns its URL."""
        with self._connect() as connection:
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )
        return self.create_database(name)

    def _connect(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self.url("postgres"), autocommit=True, connect_timeout=10)

    def _refuse_closed_folders(self, account: Account | None) -> None:
        closed = first_closed_folder(self.data_dir, account) if account else None
        if account and closed:
            raise Refused(
                f"PostgreSQL does not run as root, so it runs as the user {account.name}, who may not enter "
                f"{closed}; set STEADYPOST_DATA_DIR to a folder that everybody can reach, such as "
                "/var/lib/steadypost, or start Steadypost as an ordinary user"
            )

    def _make_cluster(self, programs: Path, account: Account | None) -> None:
        """Run initdb on the first start; one that was cut short leaves nothing that would be used."""
        if self.cluster.exists():
            return
        unfinished = self.cluster.with_name("database.new")
        end_servers(unfinished, {"postgres"}, [(signal.SIGKILL, 5.0)])
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        if account:
            os.chown(unfinished, account.uid, account.gid)
        initdb = [str(programs / "bin" / "initdb"), "--pgdata", str(unfinished), *_initdb_options()]
        self._process = self._spawn(initdb, account)
        code = self._process.wait()
        self._process = None
        if code:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise Refused(
                f"PostgreSQL could not make its data folder {self.cluster}: "
                f"{last_lines(self.log)} (see {self.log})"
            )
        unfinished.rename(self.cluster)

    def _end_leftovers(self) -> None:
        """End a server of this data that a killed parent left behind, and what would make ours refuse."""
        end_servers(self.cluster, {"postgres"}, SHUTDOWN)
        if servers_in(self.cluster, {"postgres"}):
            raise Refused(f"an earlier PostgreSQL server of {self.cluster} does not end; see {self.log}")
        # These name the process of an earlier server. None is left, so if its number lives, it is a
        # stranger's, and PostgreSQL would refuse to start because of it.
        (self.cluster / "postmaster.pid").unlink(missing_ok=True)
        for leftover in make_runtime_folder(self.data_dir, SOCKET_PART).iterdir():
            leftover.unlink()

    def _launch(self, programs: Path, account: Account | None) -> None:
        if account:
            os.chown(self._socket_folder, account.uid, account.gid)
        settings = {
            "listen_addresses": "",
            "port": str(PORT),
            "unix_socket_directories": str(self._socket_folder),
            "unix_socket_permissions": "0700",
            "logging_collector": "off",
            # The details of an error quote rows, and so addresses.
            "log_error_verbosity": "terse",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        server = [str(programs / "bin" / "postgres"), "-D", str(self.cluster), *options]
        self._process = self._spawn(server, account)

    def _spawn(self, command: list[str], account: Account | None) -> subprocess.Popen[bytes]:
        try:
            return spawn(
                command,
                log=self.log,
                env=_environment(),
                account=account,
                when_parent_dies=signal.SIGINT,  # SIGTERM would wait for every client to leave
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise Refused(f"PostgreSQL could not be started ({error})") from None

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            if not self.is_alive():
                raise Refused(f"PostgreSQL did not start: {last_lines(self.log)} (see {self.log})")
            try:
                self._connect().close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise Refused(
                        f"PostgreSQL did not become ready in {PATIENCE_SECONDS:.0f} seconds: "
                        f"{last_lines(self.log)} (see {self.log})"
                    ) from None
            time.sleep(POLL_SECONDS)


def _initdb_options() -> list[str]:
    settings = [f"--set={name}={value}" for name, value in FIRST_SETTINGS.items()]
    return [
        f"--username={NAME}",
        "--auth=trust",  # the socket's folder lets nobody else in
        "--encoding=UTF8",
        "--data-checksums",
        "--no-instructions",
        # Built in, so text compares and folds the same on every machine, whatever its C library and locales
        # are; the programs in the wheel come without ICU.
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        *settings,
    ]


def _environment() -> dict[str, str]:
    """A server's environment: nothing of ours, since PGPORT, PGDATA, LC_ALL and the like would steer it."""
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
