"""The import command killed with SIGKILL: started again, it goes on, and nobody is asked twice."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from mailer.audience.importing import AT_ONCE
from mailer.audience.subscribers import Person, add_subscriber
from mailer.db import Sessions, session_scope
from tests.support.cast import publish_folder, write_course
from tests.support.stack import COMMAND, ROOT, environment, run

ROWS = 2 * AT_ONCE + 1000
LAST = "zz@reader.example"
"""Somebody known already, in the last of three parts."""


@pytest.fixture
def settings(database_url: str) -> dict[str, str]:
    return {
        "STEADYPOST_DATABASE_URL": database_url,
        "STEADYPOST_SECRET_KEY": "a-secret-for-commands-long-enough-to-be-one",
    }


@pytest.fixture
def command(sessions: Sessions, tmp_path: Path, now: datetime) -> tuple[str, ...]:
    """An import of three parts, onto a list whose people confirm. Its second row is no address."""
    with session_scope(sessions) as session:
        publish_folder(session, write_course(tmp_path / "calm", opt_in="double"), now)
        add_subscriber(session, Person(LAST))
    file = tmp_path / "fair.csv"
    people = "".join(f"reader{number:06}@house.example\n" for number in range(ROWS - 2))
    file.write_text(f"email\nreader@home\n{people}{LAST}\n", encoding="utf-8")
    words = ("--list", "calm", "--consent", "They ticked the box.", "--json")
    return ("subscriber", "import", str(file), *words, "--refused-to", str(tmp_path / "refused.csv"))


@pytest.fixture
def held(database_url: str, command: object) -> Iterator[psycopg.Connection]:
    """Somebody else has the last person's row for a while, so that the last part cannot end."""
    with psycopg.connect(database_url) as connection:
        connection.execute("SELECT FROM subscribers WHERE email_key = %s FOR UPDATE", (LAST,))
        yield connection


def killed(
    tmp_path: Path, command: tuple[str, ...], settings: dict[str, str], is_time: Callable[[], bool]
) -> None:
    """Start the command and kill it as soon as `is_time`."""
    process = subprocess.Popen(
        [*COMMAND, *command],
        cwd=ROOT,
        env=environment(tmp_path, **settings),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 120
        while not is_time():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()


def number(sessions: Sessions, query: str) -> int:
    with session_scope(sessions) as session:
        return int(session.scalar(text(query)) or 0)


def test_an_import_killed_in_its_middle_goes_on_where_it_was(
    tmp_path: Path,
    sessions: Sessions,
    settings: dict[str, str],
    command: tuple[str, ...],
    held: psycopg.Connection,
) -> None:
    killed(
        tmp_path, command, settings, lambda: number(sessions, "SELECT sum(rows_read) FROM imports") >= AT_ONCE
    )
    parts = "SELECT count(*) FROM imports, jsonb_object_keys(parts)"
    killed(tmp_path, command, settings, lambda: number(sessions, parts) == 2)
    held.rollback()
    # What is committed stays, and the third part was rolled back as a whole.
    assert number(sessions, "SELECT count(*) FROM subscriptions") == 2 * AT_ONCE
    assert number(sessions, "SELECT count(*) FROM deliveries") == 2 * AT_ONCE

    done = run(tmp_path, *command, **settings)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["rows"], told["people"], told["repeated"]) == (ROWS, ROWS - 1, 0)
    assert (told["new_people"], told["joined"], told["pending"]) == (ROWS - 2, ROWS - 1, ROWS - 1)
    assert [row["line"] for row in told["refused"]] == [2]
    with (tmp_path / "refused.csv").open(encoding="utf-8-sig", newline="") as file:
        assert [row["line"] for row in csv.DictReader(file)] == ["2"]
    for query in (
        "SELECT count(*) FROM subscribers",
        "SELECT count(*) FROM subscriptions",
        "SELECT count(DISTINCT subscription_id) FROM consents",
        "SELECT count(*) FROM consents",
        "SELECT count(DISTINCT subscriber_id) FROM deliveries",
        "SELECT count(*) FROM deliveries",
    ):
        assert number(sessions, query) == ROWS - 1, query
    assert number(sessions, r"SELECT count(*) FROM pg_class WHERE relname ~ '^import_[0-9]'") == 0


def test_ctrl_c_says_how_to_go_on(
    tmp_path: Path,
    sessions: Sessions,
    settings: dict[str, str],
    command: tuple[str, ...],
    held: psycopg.Connection,
) -> None:
    process = subprocess.Popen(
        [*COMMAND, *command],
        cwd=ROOT,
        env=environment(tmp_path, **settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Whoever runs the tests in the background of a shell has it ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        deadline = time.monotonic() + 120
        while number(sessions, "SELECT count(*) FROM imports, jsonb_object_keys(parts)") < 2:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        # A part that has been begun is ended first.
        held.rollback()
        printed, refusal = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, printed) == (1, "")
    assert refusal.count("\n") == 1
    assert "Run the same command again to go on" in refusal
    assert run(tmp_path, *command, **settings).returncode == 0
    assert number(sessions, "SELECT count(*) FROM deliveries") == ROWS - 1
