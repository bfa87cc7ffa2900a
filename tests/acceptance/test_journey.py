"""The whole way: guide, course, enrollment, confirmation, lessons at their hour, one-click unsubscribe.

With `steadypost up` in a process of its own: real PostgreSQL, Redis, Celery workers, beat, web app, and
a real SMTP server beside it.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import httpx

from tests.support.scripted_smtp import ScriptedSmtp, scripted_smtp
from tests.support.stack import Running, run, set_clock, steadypost

GUIDES = Path(__file__).resolve().parents[1] / "support" / "guides"
CONSENT = "Please send me the course by email."


def import_and_publish(data_dir: Path, guide: Path) -> str:
    """The guide becomes a published course; its slug."""
    folder = data_dir / "course"
    steadypost(data_dir, "course", "import", str(guide), "--out", str(folder))
    toml = folder / "course.toml"
    text = toml.read_text(encoding="utf-8")
    text = text.replace('name = ""', 'name = "The Reading Room"')
    text = text.replace('email = ""', 'email = "course@steadypost.example"')
    text = text.replace('postal_address = ""', 'postal_address = "12 Quiet Lane, Bristol"')
    toml.write_text(text, encoding="utf-8")
    steadypost(data_dir, "course", "check", str(folder))
    steadypost(data_dir, "course", "publish", str(folder))
    (course,) = json.loads(steadypost(data_dir, "course", "list", "--json"))
    return str(course["slug"])


def text_of(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def test_a_guide_arrives_in_an_inbox_until_its_reader_leaves_with_one_click(
    data_dir: Path, server: ScriptedSmtp, stack: Running
) -> None:
    guide = sorted(GUIDES.glob("*.txt"))[0]
    slug = import_and_publish(data_dir, guide)
    steps = json.loads(steadypost(data_dir, "course", "show", slug, "--json"))["steps"]
    monday = datetime(2026, 3, 2, 7, tzinfo=UTC)
    set_clock(data_dir, monday)

    steadypost(data_dir, "subscriber", "add", "ada@reader.example", "--list", slug, "--consent", CONSENT,
               "--name", "Ada", "--zone", "Asia/Tokyo")  # fmt: skip
    steadypost(data_dir, "course", "enroll", slug, "--email", "ada@reader.example")
    stack.until(lambda: len(server.mails) == 1)
    link = re.search(r"https?://\S+/confirm/[\w-]+", text_of(server.mails[0]))
    assert link is not None
    assert httpx.get(link[0]).status_code == 200  # a link scanner looks, and nothing happens
    assert len(server.mails) == 1
    assert httpx.post(link[0]).status_code == 200
    stack.until(lambda: len(server.mails) == 2)  # the welcome, at once

    # Monday 16:00 in Tokyo; the first lesson comes on Tuesday at 08:00 there, which is Monday 23:00 UTC.
    set_clock(data_dir, datetime(2026, 3, 2, 23, tzinfo=UTC))
    stack.until(lambda: len(server.mails) == 3)
    lesson = server.mails[2]
    assert lesson["Subject"] == steps[0]["subject"]
    assert lesson["Date"] == "Tue, 03 Mar 2026 08:00:00 +0900"

    for step in steps[1:4]:
        set_clock(data_dir, datetime(2026, 3, 2, 23, tzinfo=UTC) + timedelta(days=step["day"] - 1))
        stack.until(lambda subject=step["subject"]: server.mails[-1]["Subject"] == subject)  # type: ignore[misc]

    url = str(server.mails[-1]["List-Unsubscribe"]).strip("<>")
    before = len(server.mails)
    assert httpx.get(url).status_code == 200  # asks, and changes nothing
    assert httpx.post(url, data={"List-Unsubscribe": "One-Click"}).status_code == 200
    set_clock(data_dir, monday + timedelta(days=60))
    statement = run(data_dir, "delivery", "statement", "--course", slug, "--json")
    figures = json.loads(statement.stdout)
    assert figures["balanced"], figures
    assert figures["states"]["accepted"] == before == len(server.mails)
    ids = [mail["Message-ID"] for mail in server.mails]
    assert len(set(ids)) == len(ids)


def test_what_was_due_while_the_mail_server_was_down_goes_out_when_it_is_back(
    data_dir: Path, server: ScriptedSmtp, stack: Running
) -> None:
    slug = import_and_publish(data_dir, sorted(GUIDES.glob("*.txt"))[0])
    port = server.server_address[1]
    server.shutdown()
    server.server_close()
    steadypost(data_dir, "subscriber", "add", "ada@reader.example", "--list", slug, "--consent", CONSENT)
    stack.until(lambda: "planned" in steadypost(data_dir, "subscriber", "show", "ada@reader.example"))
    with scripted_smtp(port) as back:
        stack.until(lambda: len(back.mails) == 1, seconds=90)
