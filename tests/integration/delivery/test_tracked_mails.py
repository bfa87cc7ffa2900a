"""A mail with and without counted links, as it comes out of the wire; the switch stays where it was put."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from mailer.cli.main import app
from mailer.db import session_scope
from mailer.models import Message, Sender
from tests.support.cast import ADA, publish_folder, step_file, write_course
from tests.support.house import House
from tests.support.scripted_smtp import ScriptedSmtp

BODY = "Look at [this](https://a.example/x?b=1&c=2) or [that](https://b.example/)."
LESSONS = {"01-hello.md": step_file("hello", 1, body=BODY), "02-rest.md": step_file("rest", 2, body=BODY)}


@pytest.fixture
def steady(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    settings = {"DATABASE_URL": database_url, "REDIS_URL": "redis://127.0.0.1:1", "SECRET_KEY": "s" * 40}
    for name, value in {**settings, "DATA_DIR": str(tmp_path)}.items():
        monkeypatch.setenv(f"STEADYPOST_{name}", value)
    return CliRunner()


def parts(mail: EmailMessage) -> tuple[str, str]:
    bodies = [mail.get_body([kind]) for kind in ("html", "plain")]
    html, text = (body.get_content() for body in bodies if body is not None)
    return html, text


def test_links_are_counted_from_when_the_sender_says_so_and_publishing_leaves_it_so(
    house: House, server: ScriptedSmtp, now: datetime, tmp_path: Path, steady: CliRunner
) -> None:
    with session_scope(house.sessions) as session:
        publish_folder(session, write_course(tmp_path / "calm", LESSONS), now)
        stored = session.scalars(select(Message.links).where(Message.source == "course/calm/hello")).all()
    assert stored[-1] == ["https://a.example/x?b=1&c=2", "https://b.example/"]
    house.enroll(ADA)
    house.send()
    house.go_to(now.replace(hour=8) + timedelta(days=1))
    house.send()
    done = steady.invoke(app, ["sender", "edit", "calm", "--track-clicks"])
    assert (done.exit_code, done.stdout) == (0, "Changed calm: track_clicks.\n")
    with session_scope(house.sessions) as session:
        changed = {**LESSONS, "01-hello.md": step_file("hello", 1, body="New words.")}
        publish_folder(session, write_course(tmp_path / "calm", changed), now)
        assert session.scalars(select(Sender.track_clicks)).all() == [True]
    house.go_to(now.replace(hour=8) + timedelta(days=2))
    house.send()
    welcome, plain, counted = (parts(mail) for mail in server.mails)
    assert "/l/" not in "".join((*welcome, *plain))
    assert 'href="https://b.example/"' in plain[0]
    assert "that <https://b.example/>" in plain[1]
    for part in counted:
        assert "b.example" not in part
        assert part.count("http://mail.test/l/") == 2
        assert "open.gif" not in part
    assert "/unsubscribe" in counted[0]


def test_a_decoy_needs_counted_clicks(house: House, steady: CliRunner) -> None:
    refused = steady.invoke(app, ["sender", "edit", "calm", "--decoy"])
    assert "A decoy is of use only where clicks are counted" in str(refused.exception)
    both = steady.invoke(app, ["sender", "edit", "calm", "--decoy", "--track-clicks", "--track-opens"])
    assert both.exit_code == 0
    shown = json.loads(steady.invoke(app, ["sender", "show", "calm", "--json"]).stdout)
    assert (shown["track_clicks"], shown["track_opens"], shown["decoy"]) == (True, True, True)
    assert "Counts: clicks, opens, with a decoy link" in steady.invoke(app, ["sender", "show", "calm"]).stdout


def test_a_course_without_clicks_says_how_to_count_them(house: House, steady: CliRunner) -> None:
    assert "--track-clicks" in steady.invoke(app, ["clicks", "show", "calm"]).stdout
    found = json.loads(steady.invoke(app, ["clicks", "show", "calm", "--json"]).stdout)
    assert found == {"name": "calm", "people": 0, "machines": 0, "opened": 0, "links": []}
    done = steady.invoke(app, ["clicks", "recompute", "--since", "2026-03-01", "--json"])
    assert json.loads(done.stdout) == {"clicks": 0, "changed": 0}
