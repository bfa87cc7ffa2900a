"""`steadypost webhook`, `alarm` and what somebody may ask for about themselves, as somebody runs them."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select

from mailer.audience.subscribers import Person, add_subscriber
from mailer.db import Sessions, clock_now, session_scope
from mailer.models import Action, Subscriber, Webhook
from mailer.webhooks.endpoints import get_webhook, send_test
from tests.support.cast import ADA
from tests.support.commands import run_command

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def steadypost(database_url: str, tmp_path: Path) -> Run:
    """Runs the command; it must end with the exit code `ends`, and a refusal is one sentence on stderr."""

    def run(*arguments: str | Path, ends: int = 0) -> subprocess.CompletedProcess[str]:
        surroundings = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "STEADYPOST_DATABASE_URL": database_url,
            "STEADYPOST_SECRET_KEY": "a-secret-for-commands-long-enough-to-be-one",
            "STEADYPOST_DATA_DIR": str(tmp_path / "data"),
        }
        done = run_command([*map(str, arguments)], surroundings, timeout=60)
        assert done.returncode == ends, done.stderr
        if ends == 1:
            assert done.stderr.count("\n") == 1, done.stderr
        return done

    return run


def actions(sessions: Sessions) -> list[str]:
    with session_scope(sessions) as session:
        return list(session.scalars(select(Action.what).order_by(Action.id)))


def test_a_webhook_is_added_listed_and_removed_and_its_calls_are_shown(
    steadypost: Run, sessions: Sessions
) -> None:
    wrong = steadypost("webhook", "add", "the shop", "http://shop.example.org/told", ends=1)
    assert "https://" in wrong.stderr
    url = "https://shop.example.org/told"
    added = json.loads(
        steadypost("webhook", "add", "the shop", url, "--kind", "course.finished", "--json").stdout
    )
    assert (added["kinds"], added["secret"][:6]) == (["course.finished"], "whsec_")
    with session_scope(sessions) as session:
        assert added["secret"] not in session.scalars(select(Webhook.sealed_secret)).one()
        send_test(session, get_webhook(session, added["id"]), clock_now(session))
    (listed,) = json.loads(steadypost("webhook", "list", "--json").stdout)
    assert listed["url"] == url
    assert "secret" not in listed
    (call,) = json.loads(steadypost("webhook", "log", added["id"], "--json").stdout)
    assert (call["kind"], call["state"]) == ("test", "waiting")
    steadypost("webhook", "remove", added["id"], "--yes")
    assert actions(sessions) == ["webhook add", "webhook remove"]


def test_who_is_told_of_alarms_is_set_at_the_command_line(steadypost: Run, sessions: Sessions) -> None:
    assert "There was no alarm yet" in steadypost("alarm", "list").stdout
    steadypost("alarm", "channel", "add", "mail", "olive@example.org")
    made = steadypost("alarm", "channel", "add", "webhook", "https://pager.example.org/k3y", "--json").stdout
    assert json.loads(made)["to"] == "https://pager.example.org/…"
    mail, pager = json.loads(steadypost("alarm", "channel", "list", "--json").stdout)
    assert (mail["to"], pager["kind"]) == ("olive@example.org", "webhook")
    steadypost("alarm", "channel", "test", mail["id"])
    steadypost("alarm", "channel", "remove", mail["id"], "--yes")
    assert actions(sessions)[-2:] == ["alarm channel test", "alarm channel remove"]


def test_ada_is_exported_to_a_file_of_her_own_and_erased(
    steadypost: Run, sessions: Sessions, tmp_path: Path
) -> None:
    with session_scope(sessions) as session:
        add_subscriber(session, Person(ADA, "Ada", None, None, ("walker",)))
    file = tmp_path / "ada.json"
    steadypost("subscriber", "export", ADA, "--to", file)
    assert file.stat().st_mode & 0o077 == 0
    kept = json.loads(file.read_text(encoding="utf-8"))
    assert kept["person"]["tags"] == ["walker"]
    assert "name a new file" in steadypost("subscriber", "export", ADA, "--to", file, ends=1).stderr
    assert "say --yes" in steadypost("subscriber", "erase", ADA, ends=1).stderr
    assert "Erased: 0 mails, 0 lists" in steadypost("subscriber", "erase", ADA, "--yes").stdout
    with session_scope(sessions) as session:
        assert session.scalars(select(Subscriber)).all() == []
    # What could not be written was not taken out.
    assert actions(sessions) == ["subscriber export", "subscriber erase"]


def test_a_cap_that_is_set_at_the_command_line_is_in_the_record(steadypost: Run, sessions: Sessions) -> None:
    steadypost("schedule", "cap", "--per-day", "2")
    steadypost("schedule", "cap", "--none")
    assert actions(sessions) == ["cap set", "cap lift"]
