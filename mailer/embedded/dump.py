"""PostgreSQL's own backups: pg_dump writes one, pg_restore says what is in it and gives it back as SQL.

The programs are the newest of those we carry, also for a server that is not ours; pg_dump reads older
servers than itself. Passwords go by the environment, never on the command line, where others see them.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from mailer.embedded.postgres_program import find_program_folder
from mailer.embedded.process import POLL_SECONDS
from mailer.errors import Refused

OURS = frozenset({"alembic_version", "instance", "subscribers", "enrollments", "deliveries"})
"""Tables that every backup of ours has had."""


def dump(url: str, file: Path, watch: Callable[[int], None]) -> None:
    """Write a backup of the database at `url` to `file`, which only its owner can read.

    A file of that name is never overwritten, and one that was cut short is not left. `watch` hears from
    time to time how many bytes are written. Raises Refused.
    """
    connection, environment = connection_words(url)
    unfinished = _begin(file.absolute())
    try:
        with tempfile.TemporaryFile() as said:
            command = [str(_program("pg_dump")), "--format=custom", "--no-owner", "--no-privileges"]
            command += ["--schema=public", "--no-password", "--file", str(unfinished), "--dbname", connection]
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=environment
            )
            _wait(process, lambda: watch(unfinished.stat().st_size))
            if process.returncode:
                raise Refused(f"The backup could not be made: {_last_line(said)}")
        with unfinished.open("rb") as written:
            os.fsync(written.fileno())
        os.link(unfinished, file)
    except FileExistsError:
        raise Refused(f"{file} is there already; choose another name, or move it away.") from None
    except OSError as error:
        raise Refused(f"{file} cannot be written ({error.strerror}).") from None
    finally:
        unfinished.unlink(missing_ok=True)


def refuse_foreign(file: Path) -> None:
    """Raise Refused unless `file` is a backup that `dump` made; nothing of it is carried out."""
    if not file.is_file():
        raise Refused(f"There is no file {file}.")
    listed = subprocess.run(
        [_program("pg_restore"), "--list", file], capture_output=True, env=_environment(), check=False
    )
    lines = listed.stdout.decode(errors="replace").splitlines()
    # "219; 1259 16385 TABLE public deliveries steadypost"
    tables = {words[5] for words in map(str.split, lines) if words[3:5] == ["TABLE", "public"]}
    if listed.returncode or not tables >= OURS:
        raise Refused(
            f"{file} is not a backup of Steadypost's database, or it is damaged; "
            "`steadypost db backup` makes one."
        )


@contextmanager
def as_sql(file: Path) -> Iterator[Iterator[bytes]]:
    """The backup as lines of SQL, with the rows of each table behind its COPY.

    Whoever reads them all finds out at the end whether that was all: raises Refused when it was not.
    """
    command = [str(_program("pg_restore")), "--no-owner", "--no-privileges"]
    # Naming the schema leaves the schema itself out, which is there.
    command += ["--schema=public", "--file=-", str(file)]
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, env=_environment())
        assert process.stdout is not None  # noqa: S101
        try:
            yield _all_lines(process, process.stdout, said, file)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


def _all_lines(
    process: subprocess.Popen[bytes], output: IO[bytes], said: IO[bytes], file: Path
) -> Iterator[bytes]:
    yield from output
    if process.wait():
        raise Refused(f"{file} is damaged: {_last_line(said)}")


def _begin(file: Path) -> Path:
    """An empty file beside `file`, for its owner alone; raises Refused."""
    if file.exists():
        raise Refused(f"{file} is there already; choose another name, or move it away.")
    unfinished = file.with_name(f".{file.name}.{os.getpid()}.unfinished")
    try:
        os.close(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise Refused(f"{file} cannot be written ({error.strerror}).") from None
    return unfinished


def _wait(process: subprocess.Popen[bytes], watch: Callable[[], None]) -> None:
    try:
        while process.poll() is None:
            watch()
            try:
                process.wait(timeout=POLL_SECONDS)
            except subprocess.TimeoutExpired:
                continue
    finally:
        process.kill()
        process.wait()


def _program(name: str) -> Path:
    return find_program_folder(Path("no cluster")) / "bin" / name


def connection_words(url: str) -> tuple[str, dict[str, str]]:
    """How libpq is told where to connect, without the password, and the environment that has it."""
    values = conninfo_to_dict(f"postgresql://{url.partition('://')[2]}")
    password = values.pop("password", None)
    return make_conninfo("", **values), _environment() | ({"PGPASSWORD": str(password)} if password else {})


def _environment() -> dict[str, str]:
    """Nothing of ours: PGOPTIONS and the like would steer the programs."""
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


def _last_line(said: IO[bytes]) -> str:
    said.seek(0)
    lines = [line.strip() for line in said.read().decode(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "its program ended without a word"
