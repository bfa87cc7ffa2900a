"""The embedded PostgreSQL: found again, recovered after kills, and never two on one folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from mailer.embedded import account as accounts
from mailer.embedded.account import CANDIDATES, become, first_closed_folder, server_account
from mailer.embedded.postgres import EmbeddedPostgres
from mailer.embedded.postgres_program import PACKAGE, find_program_folder
from mailer.embedded.process import leaders, servers_in, wait_until
from mailer.embedded.runtime import runtime_path
from mailer.errors import Refused
from tests.support.servers import short_folder

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become another user")


@pytest.fixture(scope="module")
def pattern() -> Iterator[Path]:
    """A data folder with a database that holds Ada, whose server was stopped as it should be."""
    with short_folder() as folder:
        server = EmbeddedPostgres(folder)
        write_ada(server.start())
        server.stop()
        yield folder


@pytest.fixture
def server(pattern: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(pattern)
    yield server
    server.stop()


def write_ada(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS reader (name text PRIMARY KEY)")
        connection.execute("INSERT INTO reader VALUES ('Ada') ON CONFLICT DO NOTHING")


def readers(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        return [str(name) for (name,) in connection.execute("SELECT name FROM reader")]


def servers(server: EmbeddedPostgres) -> list[int]:
    """The numbers of the server processes of this folder, without their children."""
    return [process.pid for process in leaders(servers_in(server.cluster, {"postgres"}))]


def test_the_first_start_makes_a_database_with_utf8_checksums_and_utc(data_dir: Path) -> None:
    server = EmbeddedPostgres(data_dir)
    try:
        with psycopg.connect(server.start()) as connection:
            row = connection.execute(
                "SELECT current_setting('server_encoding'), current_setting('data_checksums'),"
                " current_setting('timezone'), lower('ÄÖÉ'), current_database()"
            ).fetchone()
    finally:
        server.stop()
    assert row == ("UTF8", "on", "UTC", "äöé", "steadypost")


def test_the_second_start_finds_the_data_of_the_first(server: EmbeddedPostgres) -> None:
    assert readers(server.start()) == ["Ada"]


def test_stopping_leaves_no_process_and_no_socket_folder(server: EmbeddedPostgres) -> None:
    server.start()
    assert server.is_alive()
    server.stop()
    assert not server.is_alive()
    assert servers(server) == []
    assert not runtime_path(server.data_dir).exists()


def test_nothing_listens_on_tcp(server: EmbeddedPostgres) -> None:
    server.start()
    assert server.pid
    assert psutil.Process(server.pid).net_connections("inet") == []


def test_the_address_does_not_depend_on_the_environment(
    server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPORT", "9")
    monkeypatch.setenv("PGDATA", "/nowhere")
    assert readers(server.start()) == ["Ada"]


def test_another_process_knows_the_address_without_starting_anything(server: EmbeddedPostgres) -> None:
    assert EmbeddedPostgres(server.data_dir).url() == server.start()


def test_data_survives_a_kill_of_the_server(server: EmbeddedPostgres) -> None:
    server.start()
    assert server.pid
    os.kill(server.pid, signal.SIGKILL)
    assert wait_until(lambda: not server.is_alive(), 5)
    server.stop()
    assert readers(server.start()) == ["Ada"]


def test_a_stale_pid_file_that_names_a_living_stranger_does_not_matter(server: EmbeddedPostgres) -> None:
    account = server_account(server.cluster)
    stranger = subprocess.Popen(["/bin/sleep", "60"], **become(account))
    try:
        stale = server.cluster / "postmaster.pid"
        stale.write_text(f"{stranger.pid}\n{server.cluster}\n1\n5432\n\n\n")
        assert readers(server.start()) == ["Ada"]
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_server_left_behind_is_stopped_and_started_anew(server: EmbeddedPostgres) -> None:
    account = server_account(server.cluster)
    program = find_program_folder(server.cluster) / "bin" / "postgres"
    # The shell ends at once, so this server has no parent, like one whose parent was killed.
    orphan = (
        f"'{program}' -D '{server.cluster}' -c listen_addresses='' -k '{server.cluster}' >/dev/null 2>&1 &"
    )
    subprocess.run(["/bin/sh", "-c", orphan], check=True, cwd="/", start_new_session=True, **become(account))
    assert wait_until(lambda: len(servers(server)) == 1, 5)
    left_behind = servers(server)
    assert readers(server.start()) == ["Ada"]
    assert servers(server) == [server.pid]
    assert server.pid not in left_behind


def test_a_second_start_on_the_same_folder_is_refused_and_disturbs_nothing(server: EmbeddedPostgres) -> None:
    url = server.start()
    with pytest.raises(Refused, match=rf"is in use \(process {os.getpid()}\)"):
        EmbeddedPostgres(server.data_dir).start()
    assert readers(url) == ["Ada"]


def test_the_demo_gets_an_empty_database_each_time(server: EmbeddedPostgres) -> None:
    server.start()
    url = server.create_database("demo")
    write_ada(url)
    with psycopg.connect(url):  # even while somebody is connected
        assert server.recreate_database("demo") == url
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM pg_tables WHERE tablename = 'reader'").fetchone() == (
            0,
        )
    assert readers(server.url()) == ["Ada"]


def test_a_server_that_cannot_start_says_why_and_where_its_log_is(server: EmbeddedPostgres) -> None:
    settings = server.cluster / "postgresql.conf"
    good = settings.read_text()
    settings.write_text(good + "\nshared_buffers = 'rather large'\n")
    try:
        with pytest.raises(Refused) as refused:
            server.start()
    finally:
        settings.write_text(good)
    assert "shared_buffers" in str(refused.value)
    assert str(server.log) in str(refused.value)


def test_a_first_start_that_was_cut_short_leaves_nothing_that_is_used(data_dir: Path) -> None:
    unfinished = data_dir / "database.new"
    unfinished.mkdir()
    (unfinished / "PG_VERSION").write_text("18\n")
    server = EmbeddedPostgres(data_dir)
    try:
        server.start()
    finally:
        server.stop()
    assert not unfinished.exists()


@as_root
def test_root_hands_the_server_to_another_user(server: EmbeddedPostgres) -> None:
    server.start()
    assert server.pid
    assert psutil.Process(server.pid).username() in CANDIDATES


@as_root
def test_a_folder_that_the_other_user_cannot_reach_is_refused_and_not_opened(data_dir: Path) -> None:
    data_dir.chmod(0o700)
    with pytest.raises(Refused, match=rf"who may not enter {data_dir}; set STEADYPOST_DATA_DIR"):
        EmbeddedPostgres(data_dir / "inside").start()
    assert data_dir.stat().st_mode & 0o777 == 0o700
    assert list(data_dir.iterdir()) == []


@as_root
def test_programs_that_the_other_user_cannot_reach_are_copied_once(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with short_folder() as closed:
        link_programs_into(closed)
        closed.chmod(0o700)
        monkeypatch.syspath_prepend(str(closed))
        server = EmbeddedPostgres(data_dir)
        try:
            write_ada(server.start())
            (copy,) = data_dir.glob("postgresql-*")
            made = copy.stat().st_mtime_ns
            server.stop()
            assert readers(server.start()) == ["Ada"]
        finally:
            server.stop()
        assert copy.stat().st_mtime_ns == made


def link_programs_into(folder: Path) -> None:
    """Make `folder` look like the place of packages in an environment of Python."""
    programs = find_program_folder(folder / "no data yet")
    package = folder / PACKAGE
    package.mkdir()
    (package / "__init__.py").touch()
    (package / programs.name).symlink_to(programs)
    libraries = programs.parent.with_name(f"{PACKAGE}.libs")
    if libraries.exists():
        (folder / libraries.name).symlink_to(libraries)


ORDINARY_USER = """
import os, sys
from pathlib import Path
from mailer.embedded.postgres import EmbeddedPostgres
from mailer.embedded.redis import EmbeddedRedis

def run(folder):
    for server in (EmbeddedPostgres(folder), EmbeddedRedis(folder)):
        print(server.start(), server.is_alive())
        server.stop()

# Once as root, so that everything is imported while root's Python can still be read.
run(Path(sys.argv[1]))
os.setgroups([]); os.setgid(int(sys.argv[3])); os.setuid(int(sys.argv[3]))
run(Path(sys.argv[2]))
"""


@as_root
def test_an_ordinary_user_runs_both_servers_as_themselves(data_dir: Path) -> None:
    nobody = accounts.Account("nobody", 65534, 65534)
    if first_closed_folder(find_program_folder(data_dir), nobody):
        pytest.skip("the project is in a folder that no other user can reach")
    theirs = data_dir / "theirs"
    theirs.mkdir()
    os.chown(theirs, nobody.uid, nobody.gid)
    command = [sys.executable, "-c", ORDINARY_USER, str(data_dir / "ours"), str(theirs), str(nobody.uid)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.stderr == ""
    assert [line.split()[1] for line in answer.stdout.splitlines()] == ["True"] * 4
    assert (theirs / "database").stat().st_uid == nobody.uid
