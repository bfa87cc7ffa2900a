"""A campaign's whole way, on `steadypost up`: two lists, three hundred people, each mailed once."""

from __future__ import annotations

import json
import re
from collections import Counter
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx

from tests.support.campaigns import write_campaign
from tests.support.scripted_smtp import ScriptedSmtp
from tests.support.stack import Running, run, steadypost

SENDER = """sender:
  name: The Reading Room
  email: letters@steadypost.example
  postal_address: 12 Quiet Lane, Bristol"""


def add_people(data_dir: Path, list_: str, first: int, last: int) -> None:
    """readers of a spreadsheet, on a list that asks for no confirmation."""
    steadypost(data_dir, "list", "add", list_, "--title", list_.title(), "--opt-in", "single")
    file = data_dir / f"{list_}.csv"
    rows = "".join(f"reader{number}@reader.example\n" for number in range(first, last + 1))
    file.write_text(f"email\n{rows}", encoding="utf-8")
    words = ("--list", list_, "--consent", "They ticked the box.")
    steadypost(data_dir, "subscriber", "import", str(file), *words)


def put_draft(data_dir: Path, slug: str, subject: str) -> None:
    path = write_campaign(data_dir, f"{slug}.md", subject=subject)
    text = path.read_text(encoding="utf-8").replace("slug: spring", f"slug: {slug}")
    path.write_text(text.replace("disclaimer", f"{SENDER}\ndisclaimer"), encoding="utf-8")
    steadypost(data_dir, "campaign", "check", str(path))
    steadypost(data_dir, "campaign", "create", str(path))


def figures(data_dir: Path, slug: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(steadypost(data_dir, "campaign", "show", slug, "--json"))
    return found


def mail_to(server: ScriptedSmtp, address: str) -> EmailMessage:
    return server.mails[server.recipients.index(address)]


def link(mail: EmailMessage, page: str) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    found = re.search(rf"https?://\S+/m/[\w-]+{page}(?=\s|$)", str(body.get_content()))
    assert found is not None
    return found[0]


def test_a_letter_to_two_lists_reaches_everybody_once_and_who_leaves_gets_no_second(
    data_dir: Path, server: ScriptedSmtp, stack: Running
) -> None:
    add_people(data_dir, "calm", 1, 200)
    add_people(data_dir, "letters", 101, 300)
    put_draft(data_dir, "hello", "Hello from the Reading Room")
    steadypost(data_dir, "campaign", "send", "hello", "--yes")
    stack.until(lambda: figures(data_dir, "hello")["state"] == "finished")
    assert Counter(server.recipients) == {f"reader{number}@reader.example": 1 for number in range(1, 301)}
    assert figures(data_dir, "hello")["audience"] == 300
    assert "The statement balances." in steadypost(data_dir, "delivery", "statement", "--campaign", "hello")

    put_draft(data_dir, "second", "A second letter")
    steadypost(data_dir, "campaign", "schedule", "second", "--at", "2999-01-01T00:00Z", "--yes")
    # Reader 7 is on calm alone, reader 150 on both and was reached by calm.
    ben, mail = "reader7@reader.example", mail_to(server, "reader150@reader.example")
    assert "Hello from the Reading Room" in httpx.get(link(mail, "")).text
    assert "The windows are open again." in httpx.get(link(mail, "")).text
    assert "Calm" in httpx.get(link(mail, "/manage")).text
    page = httpx.get(link(mail_to(server, ben), "/unsubscribe"))
    assert page.status_code == 200
    assert "Stop “Calm”" in page.text
    assert httpx.post(str(mail_to(server, ben)["List-Unsubscribe"]).strip("<>")).status_code == 200

    steadypost(data_dir, "campaign", "send", "second", "--yes")
    stack.until(lambda: figures(data_dir, "second")["state"] == "finished")
    again = Counter(server.recipients[300:])
    assert len(again) == again.total() == 299
    assert ben not in again
    told = json.loads(run(data_dir, "delivery", "statement", "--campaign", "second", "--json").stdout)
    assert (told["audience"], told["balanced"], told["missing"], told["duplicates"]) == (299, True, 0, 0)
    assert "active on none of its lists" in steadypost(data_dir, "why", ben, "second")
