"""`steadypost sender` and `steadypost transport` as somebody types them."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from mailer.cli.main import app
from mailer.db import session_scope
from mailer.errors import MailerError
from mailer.models import Action
from tests.support.house import House
from tests.support.scripted_smtp import ScriptedSmtp, scripted_smtp
from tests.support.stack import run

SECRET = "a secret for transports that is long enough to be one"
PASSWORD = "opensesame"
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def steady(database_url: str, server: ScriptedSmtp, tmp_path: Path, house: House) -> Run:
    """Runs `steadypost …`; a refusal is a sentence, never a traceback, and a password is in no output."""

    def command(*arguments: str, ends: int = 0) -> subprocess.CompletedProcess[str]:
        settings = {"DATABASE_URL": database_url, "REDIS_URL": "redis://127.0.0.1:1", "SMTP_URL": server.url}
        more = {f"STEADYPOST_{name}": value for name, value in settings.items()}
        done = run(tmp_path, *arguments, STEADYPOST_SECRET_KEY=SECRET, **more)
        assert done.returncode == ends, done.stderr + done.stdout
        assert "Traceback" not in done.stderr
        assert PASSWORD not in done.stdout + done.stderr
        return done

    return command


def test_a_relay_is_added_given_to_a_sender_and_shown(
    steady: Run, server: ScriptedSmtp, house: House
) -> None:
    server.users = {"me": PASSWORD}
    url = f"smtp://me:{PASSWORD}@127.0.0.1:{server.port}"
    added = steady("transport", "add", "relay", "--url", url).stdout
    assert added.startswith(f"Added relay (127.0.0.1:{server.port}): it lets us in.")
    assert "steadypost sender transport add SENDER relay" in added
    steady("sender", "transport", "add", "calm", "relay", "--weight", "3")
    shares = steady("sender", "transport", "add", "calm", "default").stdout
    assert shares == "calm sends by relay 75 %, default 25 %.\n"
    steady("transport", "limit", "relay", "--per-hour", "120", "--to", "hotmail.com")
    steady("transport", "warmup", "relay", "--first", "50", "--target", "1000")
    shown = steady("transport", "show", "relay").stdout
    assert "120 an hour to outlook" in shown
    assert "Warm-up: 50 today, up to 50 % more a day, until 1,000 a day" in shown
    (default, relay) = json.loads(steady("transport", "list", "--json").stdout)
    assert default["transport"] == "default"
    assert relay["senders"] == [{"sender": "calm", "weight": 3}]
    assert {(limit["origin"], limit["most"]) for limit in relay["limits"]} == {("set", 120), ("warmup", 50)}
    listed = steady("sender", "list").stdout
    assert re.search(
        r"calm +The Reading Room +course@steadypost.example +relay \(3\), default \(1\) +not signed", listed
    )
    with session_scope(house.sessions) as session:
        noted = session.execute(select(Action.what).order_by(Action.id)).scalars().all()
    assert noted[:2] == ["transport add", "sender transport add"]


def test_a_relay_that_does_not_let_us_in_is_refused_with_the_phase(steady: Run, server: ScriptedSmtp) -> None:
    server.users = {"me": "another"}
    url = f"smtp://me:{PASSWORD}@127.0.0.1:{server.port}"
    refused = steady("transport", "add", "relay", "--url", url, ends=1).stderr
    assert "It was reached, but the login fails" in refused
    assert "--no-check" in refused
    nobody = steady("transport", "add", "relay", "--url", "smtp://127.0.0.1:1", ends=1).stderr
    assert "It cannot be reached" in nobody
    tls = f"smtp://127.0.0.1:{server.port}?starttls=required"
    assert "TLS fails" in steady("transport", "add", "relay", "--url", tls, ends=1).stderr
    assert "relay" not in steady("transport", "list").stdout
    steady("transport", "add", "relay", "--no-check", "--url", url)
    assert "already" in steady("transport", "add", "relay", "--no-check", "--url", url, ends=1).stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["transport", "add", "x", "--url", "imap://host"], "Write the URL as smtp://"),
        (["transport", "add", "Bad Name", "--url", "smtp://h", "--no-check"], "no name for a transport"),
        (["transport", "show", "defualt"], "did you mean default?"),
        (["transport", "edit", "default"], "Say what to change"),
        (["transport", "edit", "default", "--url", "smtp://h"], "is STEADYPOST_SMTP_URL"),
        (["transport", "remove", "default", "--yes"], "`default` stays"),
        (["transport", "limit", "default"], "Say how many"),
        (["transport", "limit", "default", "--per-day", "5", "--to", "a b"], "is not a domain"),
        (["transport", "warmup", "default", "--first", "9", "--target", "5"], "from --first up to --target"),
        (["sender", "show", "clam"], "did you mean calm?"),
        (["sender", "edit", "calm"], "Say what to change"),
        (["sender", "edit", "calm", "--email", "nobody"], "nobody"),
        (["sender", "transport", "add", "calm", "default", "--weight", "-1"], "A weight is a number"),
        (["sender", "dkim", "activate", "calm", "s1"], "steadypost sender dkim new calm"),
        (
            ["sender", "dkim", "new", "calm", "--domain", "example.org"],
            "must be signed for steadypost.example",
        ),
        (["sender", "dkim", "new", "calm", "--selector", "a b"], "letters, digits and hyphens"),
    ],
)
def test_a_refusal_says_what_to_do(
    house: House,
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    says: str,
) -> None:
    settings = {"DATABASE_URL": database_url, "REDIS_URL": "redis://127.0.0.1:1", "SECRET_KEY": SECRET}
    for name, value in {**settings, "DATA_DIR": str(tmp_path)}.items():
        monkeypatch.setenv(f"STEADYPOST_{name}", value)
    # In this process: the command itself takes seconds to start.
    done = CliRunner().invoke(app, arguments)
    assert isinstance(done.exception, MailerError)
    assert says in str(done.exception)


def test_a_real_test_mail(steady: Run, server: ScriptedSmtp) -> None:
    said = steady("transport", "test", "default", "--to", "me@example.org").stdout
    assert said == "Sent to me@example.org from me@example.org by default: 250 2.0.0 taken\n"
    assert server.mails[0]["Subject"] == "Steadypost: test of default"
    server.replies["RCPT"] = ["550 5.1.1 no such user"]
    assert "550 5.1.1" in steady("transport", "test", "default", "--to", "me@example.org", ends=1).stderr


def test_pausing_resuming_and_removing(steady: Run) -> None:
    steady("transport", "add", "relay", "--no-check", "--url", "smtp://127.0.0.1:1")
    steady("sender", "transport", "add", "calm", "relay")
    assert "Paused relay" in steady("transport", "pause", "relay", "--reason", "moving house").stdout
    assert "Paused already" in steady("transport", "pause", "relay").stdout
    assert re.search(r"paused since .* UTC: moving house", steady("transport", "list").stdout)
    assert steady("transport", "resume", "relay").stdout == "Resumed relay.\n"
    assert "in use already" in steady("transport", "resume", "relay").stdout
    refused = steady("transport", "remove", "relay", "--yes", ends=1).stderr
    assert "steadypost sender transport remove calm relay" in refused
    assert "It sends by default." in steady("sender", "transport", "remove", "calm", "relay").stdout
    assert "--yes" in steady("transport", "remove", "relay", ends=1).stderr
    assert steady("transport", "remove", "relay", "--yes").stdout == "Removed relay.\n"


def test_a_key_is_made_announced_activated_and_retired(steady: Run) -> None:
    made = steady("sender", "dkim", "new", "calm", "--selector", "s1").stdout
    line = next(line for line in made.splitlines() if "IN TXT" in line)
    assert line.startswith('s1._domainkey.steadypost.example. 3600 IN TXT ( "v=DKIM1; k=rsa; p=')
    assert all(len(part) <= 255 for part in re.findall(r'"([^"]*)"', line))
    assert "steadypost sender dkim activate calm s1" in made
    assert "not active yet" in steady("sender", "show", "calm").stdout
    steady("sender", "dkim", "activate", "calm", "s1", "--no-check")
    assert re.search(
        r"s1 +steadypost.example +rsa-sha256 +signs", steady("sender", "dkim", "list", "calm").stdout
    )
    new = json.loads(steady("sender", "dkim", "new", "calm", "--selector", "s2", "--json").stdout)
    assert (new["state"], new["dns_name"]) == ("not active yet", "s2._domainkey.steadypost.example")
    assert "PRIVATE" not in json.dumps(new)
    assert "s1 is retired" in steady("sender", "dkim", "activate", "calm", "s2", "--no-check").stdout
    assert "--yes" in steady("sender", "dkim", "retire", "calm", "s2", ends=1).stderr
    assert "is not signed now" in steady("sender", "dkim", "retire", "calm", "s2", "--yes").stdout


def test_a_sender_is_changed_and_warned_of_the_course_file(steady: Run) -> None:
    done = steady("sender", "edit", "calm", "--name", "The Quiet Room", "--reply-to", "")
    assert done.stdout == "Changed calm: name, reply_to.\n"
    assert "course.toml" in done.stderr
    shown = steady("sender", "show", "calm").stdout
    assert "calm: The Quiet Room <course@steadypost.example>" in shown
    assert "Its mail is not signed; `steadypost sender dkim new calm` makes a key." in shown


def test_a_test_mail_of_a_step_goes_the_senders_way_and_is_signed(steady: Run, server: ScriptedSmtp) -> None:
    with scripted_smtp() as relay:
        steady("transport", "add", "relay", "--url", relay.url)
        steady("sender", "transport", "add", "calm", "relay")
        steady("sender", "dkim", "new", "calm", "--selector", "s1")
        steady("sender", "dkim", "activate", "calm", "s1", "--no-check")
        steady("course", "send-test", "calm", "hello", "--to", "me@example.org")
        assert server.mails == []
        assert "s=s1" in relay.mails[0]["DKIM-Signature"]
