"""Real workers against a server that quotes addresses and everything else it hears: what ends in the logs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.cast import write_course
from tests.support.scripted_smtp import CUT, ScriptedSmtp, scripted_smtp
from tests.support.servers import short_folder
from tests.support.stack import Running, running, steadypost

PASSWORD = "open-sesame-4711"
KEY = "the-secret-key-of-this-very-installation-42"
READERS = {
    "ada": "250 2.1.5 <ada@reader.example> ok",
    "ben": "550 5.1.1 <ben@reader.example>: no such user here",
    "cleo": "451 4.2.2 <cleo@reader.example> is over quota",
    "dana": "554 5.7.1 https://relay:secretword@policy.example/?rcpt=dana@reader.example",
}


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    with short_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedSmtp]:
    with scripted_smtp() as listening:
        listening.users = {"relay": PASSWORD}
        for name, reply in READERS.items():
            listening.about["RCPT", f"{name}@reader.example"] = [reply] * 9
        yield listening


@pytest.fixture(scope="module")
def logs(data_dir: Path, server: ScriptedSmtp) -> dict[str, str]:
    """What each process has written once a day with every trouble is over, by the name of its file."""
    url = f"smtp://relay:{PASSWORD}@127.0.0.1:{server.port}?starttls=never"
    settings = {
        "STEADYPOST_SMTP_URL": url,
        "STEADYPOST_SECRET_KEY": KEY,
        "STEADYPOST_LOG_FORMAT": "json",
    }
    with running(data_dir, "up", **settings) as up:
        up.wait_for("Ctrl-C stops everything")
        write_course(data_dir / "calm", opt_in="double")
        steadypost(data_dir, "course", "publish", str(data_dir / "calm"), **settings)
        _live(up, data_dir, server, settings)
    return {path.name: path.read_text(encoding="utf-8") for path in (data_dir / "logs").glob("*")}


def _live(up: Running, data_dir: Path, server: ScriptedSmtp, settings: dict[str, str]) -> None:
    server.replies["DOT"] = [CUT]  # a mail in doubt
    for name in READERS:
        words = ("--list", "calm", "--consent", "Yes, please.")
        steadypost(data_dir, "subscriber", "add", f"{name}@reader.example", *words, **settings)
    up.until(lambda: "ada@reader.example" in server.recipients)
    up.until(lambda: len(server.mails) >= 2)
    page = re.search(r"https?://127.0.0.1:\d+/confirm/[\w-]+", str(server.mails[0].get_body()))
    assert page is not None
    httpx.get(page[0])
    # A server that refuses us, and says to whom.
    server.replies["MAIL"] = ["550 5.7.1 you may not write to eve@reader.example, says open-sesame-4711"]
    steadypost(
        data_dir, "subscriber", "add", "eve@reader.example", "--list", "calm", "--consent", "Yes.", **settings
    )
    up.until(lambda: "transport.trouble" in (data_dir / "logs" / "worker-transactional.log").read_text())
    # The database loses a table while a page and the tick ask for it.
    _break_and_ask(up, data_dir, page[0])


def _break_and_ask(up: Running, data_dir: Path, page: str) -> None:
    from sqlalchemy import text

    from mailer.db import make_engine
    from mailer.embedded.postgres import EmbeddedPostgres

    engine = make_engine(EmbeddedPostgres(data_dir).url())
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE subscribers RENAME TO subscribers_away"))
    httpx.post(page)
    up.until(lambda: "stage.failed" in (data_dir / "logs" / "worker-control.log").read_text())
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE subscribers_away RENAME TO subscribers"))
    engine.dispose()


def lines_of(logs: dict[str, str], name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in logs[name].splitlines() if line.startswith("{")]


def test_no_log_names_a_person_a_course_or_a_secret(logs: dict[str, str], server: ScriptedSmtp) -> None:
    body = str(server.mails[0].get_body())
    tokens = set(re.findall(r"/(?:m|confirm)/([\w-]{16,})", body))
    assert tokens
    unwanted = {*tokens, PASSWORD, KEY, "reader.example", "secretword", "calm", "A calm week"}
    unwanted |= {f"{name}@" for name in READERS}
    assert {"worker-control.log", "worker-transactional.log", "web.log", "beat.log"} <= set(logs)
    for name, written in logs.items():
        found = [word for word in unwanted if word.lower() in written.lower()]
        assert found == [], f"{name}: {written}"


@pytest.mark.parametrize("part", ["worker-control", "worker-transactional", "worker-course", "beat", "web"])
def test_every_line_of_ours_is_json(logs: dict[str, str], part: str) -> None:
    # Celery writes its last words past every handler, from inside of a signal.
    lines = filter(None, logs[f"{part}.log"].splitlines())
    others = [line for line in lines if not line.startswith(("{", "worker: "))]
    assert others == []
    for line in lines_of(logs, f"{part}.log"):
        assert {"at", "level", "logger", "message"} <= set(line)


def test_a_batch_is_one_line_with_its_counts_and_what_was_refused(logs: dict[str, str]) -> None:
    done = [line for line in lines_of(logs, "worker-transactional.log") if line.get("event") == "batch.done"]
    assert {line["lane"] for line in done} == {"transactional"}
    assert sum(line["mails"].get("bounced", 0) for line in done) == 1
    assert all(line["seconds"] >= 0 and line["batch_id"] > 0 for line in done)
    refusals = {code for line in done for code in line.get("refusals", {})}
    assert {"550 5.1.1", "451 4.2.2", "554 5.7.1"} <= refusals


def test_a_mail_in_doubt_is_a_warning_that_names_its_delivery(logs: dict[str, str]) -> None:
    (line,) = [
        line for line in lines_of(logs, "worker-transactional.log") if line.get("event") == "delivery.resent"
    ]
    assert line["level"] == "WARNING"
    assert line["delivery_id"] > 0
    assert line["lane"] == "transactional"


def test_a_failure_of_ours_is_told_with_where_it_was(logs: dict[str, str]) -> None:
    assert "UndefinedTable" in logs["web.log"]
    failed = [line for line in lines_of(logs, "worker-control.log") if line.get("event") == "stage.failed"]
    assert "Traceback" in failed[0]["exception"]
