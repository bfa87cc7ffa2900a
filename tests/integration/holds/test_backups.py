"""`steadypost db backup` and `db restore` as somebody types them, on a database of their own."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import psycopg
import pytest
from alembic.command import downgrade
from sqlalchemy import select, text

from mailer.db import Sessions, make_engine, make_sessions, session_scope
from mailer.delivery.guard import may_send
from mailer.delivery.holds import guarded
from mailer.delivery.installation import Installation
from mailer.embedded.dump import connection_words, dump
from mailer.migrations import config
from mailer.models import Action, Delivery, Subscriber
from tests.support.cast import ADA, BEN, join, publish_folder, write_course
from tests.support.place import HOLD_AFTER
from tests.support.stack import run

BEFORE_THE_GUARD = "0007"
Command = Callable[..., "subprocess.CompletedProcess[str]"]
SECRET = "a secret for backups that is long enough to be one"


@pytest.fixture
def command(database_url: str, tmp_path: Path) -> Command:
    """Runs `steadypost …`; a refusal is a sentence, never a traceback."""

    def typed(*arguments: str, ends: int = 0, data_dir: Path = tmp_path) -> subprocess.CompletedProcess[str]:
        variables = {"STEADYPOST_DATABASE_URL": database_url, "STEADYPOST_SECRET_KEY": SECRET}
        done = run(data_dir, *arguments, **variables)
        assert done.returncode == ends, done.stderr + done.stdout
        assert "Traceback" not in done.stderr
        return done

    return typed


@pytest.fixture
def backup(database_url: str, tmp_path: Path, now: datetime) -> Path:
    """A backup of a house with the course "calm" and Ada in it, whose confirmation is due."""
    with looking_into(database_url) as sessions, session_scope(sessions) as session:
        publish_folder(session, write_course(tmp_path / "calm", opt_in="double"), now)
        join(session, ADA, now)
    file = tmp_path / "house.backup"
    dump(database_url, file, lambda _: None)
    return file


def ben_joins(database_url: str, now: datetime) -> None:
    """Somebody joins after the backup was made."""
    with looking_into(database_url) as sessions, session_scope(sessions) as session:
        join(session, BEN, now)


@contextmanager
def looking_into(url: str) -> Iterator[Sessions]:
    """The database, with no connection left open afterwards: a restore refuses one that is in use."""
    engine = make_engine(url)
    try:
        yield make_sessions(engine)
    finally:
        engine.dispose()


def people(url: str) -> set[str]:
    with looking_into(url) as sessions, session_scope(sessions) as session:
        return set(session.execute(select(Subscriber.email)).scalars())


def empty(url: str) -> None:
    """As a database that was just made."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")


def test_a_backup_is_for_its_owner_alone_and_says_what_is_not_in_it(backup: Path, command: Command) -> None:
    assert backup.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in backup.parent.iterdir() if path.name.startswith(".")] == []
    said = command("db", "backup", str(backup.with_name("second.backup"))).stdout
    assert "Not in it: the STEADYPOST_SECRET_KEY. Keep that too" in said


def test_a_backup_never_overwrites_a_file(backup: Path, command: Command) -> None:
    before = backup.read_bytes()
    assert "is there already" in command("db", "backup", str(backup), ends=1).stderr
    assert backup.read_bytes() == before


def test_what_was_backed_up_comes_back_and_everything_is_on_hold(
    backup: Path, command: Command, database_url: str, tmp_path: Path
) -> None:
    empty(database_url)
    said = command("db", "restore", str(backup)).stdout
    assert "Restored: 1 person from" in said
    assert "Everything is on hold" in said
    assert people(database_url) == {ADA}
    with looking_into(database_url) as sessions, session_scope(sessions) as session:
        (hold,) = guarded(session)
        assert (hold.scope, hold.cause) == ("everything", "fence")
        assert hold.reason.startswith("the database was restored from a backup")
        assert not may_send(session, Installation(tmp_path), HOLD_AFTER)
        actions = [action.what for action in session.execute(select(Action)).scalars()]
        assert actions == ["db restore"]
    shown = command("hold", "show").stdout
    assert "On hold: everything since" in shown
    assert "system/confirm" in shown
    released = command("hold", "release", "--policy", "skip-stale", "--stale-after", "0", "--yes").stdout
    assert "Released: everything. 1 mail passed over" in released
    assert "Nothing is on hold by itself." in command("hold", "show").stdout
    with looking_into(database_url) as sessions, session_scope(sessions) as session:
        assert may_send(session, Installation(tmp_path), HOLD_AFTER)
        assert session.execute(select(Delivery.state)).scalars().all() == ["skipped"]


def test_a_restore_throws_nothing_away_unless_it_is_told_to(
    backup: Path, command: Command, database_url: str, now: datetime
) -> None:
    ben_joins(database_url, now)
    refused = command("db", "restore", str(backup), ends=1).stderr
    assert "not empty (2 people, 1 course and 2 mails); say --replace" in refused
    assert "say --yes" in command("db", "restore", str(backup), "--replace", ends=1).stderr
    assert people(database_url) == {ADA, BEN}
    command("db", "restore", str(backup), "--replace", "--yes")
    assert people(database_url) == {ADA}


def test_a_database_in_use_is_not_replaced(backup: Path, command: Command, database_url: str) -> None:
    with psycopg.connect(database_url):
        refused = command("db", "restore", str(backup), "--replace", "--yes", ends=1).stderr
    assert "in use by 1 other connection" in refused
    assert "stop Steadypost" in refused


@pytest.mark.parametrize("damage", ["foreign", "cut short", "cut in its data", "missing"])
def test_a_foreign_or_damaged_file_is_refused_and_changes_nothing(
    backup: Path, command: Command, database_url: str, damage: str, now: datetime
) -> None:
    file = backup.with_name("other.backup")
    if damage == "foreign":
        file.write_text("CREATE TABLE subscribers (id int);")
    elif damage == "cut short":
        file.write_bytes(backup.read_bytes()[:2000])
    elif damage == "cut in its data":
        # The list of contents comes first, and says that all is there.
        file.write_bytes(backup.read_bytes()[:-50_000])
    ben_joins(database_url, now)
    refused = command("db", "restore", str(file), "--replace", "--yes", ends=1).stderr
    assert any(words in refused for words in ("not a backup", "damaged", "There is no file")), refused
    assert len(refused.strip().splitlines()) == 1
    assert people(database_url) == {ADA, BEN}
    assert "Nothing is on hold by itself." in command("hold", "show").stdout


def test_a_backup_of_an_older_version_is_brought_up_to_date(
    backup: Path, command: Command, database_url: str, tmp_path: Path
) -> None:
    engine = make_engine(database_url)
    with engine.connect() as connection:
        downgrade(config(connection), BEFORE_THE_GUARD)
        connection.commit()
    engine.dispose()
    older = tmp_path / "older.backup"
    command("db", "backup", str(older))
    empty(database_url)
    command("db", "restore", str(older))
    with looking_into(database_url) as sessions, session_scope(sessions) as session:
        assert [hold.cause for hold in guarded(session)] == ["fence"]
    assert people(database_url) == {ADA}


def test_a_backup_of_a_newer_version_is_refused_and_changes_nothing(
    backup: Path, command: Command, database_url: str, tmp_path: Path
) -> None:
    with looking_into(database_url) as sessions, session_scope(sessions) as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    newer = tmp_path / "newer.backup"
    command("db", "backup", str(newer))
    empty(database_url)
    assert "A newer Steadypost" in command("db", "restore", str(newer), ends=1).stderr
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT to_regclass('public.instance')").fetchone() == (None,)


def test_a_password_goes_by_the_environment_and_never_on_the_command_line() -> None:
    words, variables = connection_words("postgresql://ann:s%20cret@db.example:5433/house?sslmode=require")
    assert "cret" not in words
    assert variables["PGPASSWORD"] == "s cret"
    assert {"user=ann", "host=db.example", "port=5433", "dbname=house", "sslmode=require"} == set(
        words.split()
    )
