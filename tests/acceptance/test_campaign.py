"""A campaign's whole way, on `steadypost up`: two lists, three hundred people, each mailed once."""

from __future__ import annotations

import json
import re
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mailer.accounts.operators import add_operator
from mailer.accounts.rights import Right, at_the_machine
from mailer.accounts.sessions import actor_of, session_now
from mailer.accounts.tokens import new_token
from mailer.db import make_engine, make_sessions, session_scope
from mailer.embedded.addresses import read_address
from mailer.embedded.postgres import EmbeddedPostgres
from mailer.models import Action, Campaign, Delivery, Move, Role
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


@contextmanager
def database(data_dir: Path) -> Iterator[Session]:
    """The stack's own database."""
    engine = make_engine(EmbeddedPostgres(data_dir).url())
    with session_scope(make_sessions(engine)) as session:
        yield session
    engine.dispose()


@contextmanager
def program(data_dir: Path) -> Iterator[httpx.Client]:
    """A program with a token that may everything."""
    with database(data_dir) as session:
        now, tests = session_now(session), at_the_machine("tests")
        owner = add_operator(session, tests, "owen@example.org", Role.OWNER, now, password=uuid.uuid4().hex)
        token = new_token(session, actor_of(owner), "the shop", tuple(Right), None, now)
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=f"{read_address(data_dir, 'web')}/api/v1", headers=headers) as client:
        yield client


def asks(client: httpx.Client, path: str, body: Any = None, content: bytes | None = None) -> Any:
    """What the API answers to a POST with a key of its own."""
    answer = client.post(path, json=body, content=content, headers={"Idempotency-Key": str(uuid.uuid4())})
    assert answer.status_code < 300, answer.text
    return answer.json()


def has_many_imported_and_cancelled(data_dir: Path, stack: Running) -> None:
    """2,100 people come by a file, and the mails to them and the 299 are cancelled: the worker's, both."""
    with program(data_dir) as shop:
        rows = "".join(f"new{number}@reader.example\n" for number in range(2100)).encode()
        brought = asks(shop, "/imports", content=b"email\n" + rows)
        one = f"/imports/{brought['id']}"
        words = {"list": "letters", "consent": "They ticked the box.", "is_confirmed": True}
        asks(shop, f"{one}/begin", words)
        stack.until(lambda: shop.get(one).json()["state"] == "finished")
        assert shop.get(one).json()["report"]["joined"] == 2100
        asks(shop, "/holds", {"scope": "lane", "target": "campaign"})
        put_draft(data_dir, "third", "A third letter")
        steadypost(data_dir, "campaign", "send", "third", "--yes")
        stack.until(lambda: shop.get("/campaigns/third").json()["audience"] == 2399)
        asked = asks(shop, "/deliveries/act", {"act": "cancel", "campaign": "third", "at_most": 2399})
        assert (asked["changed"], asked["is_done"]) == (0, False)
        stack.until(lambda: shop.get(asked["act"]).json()["ended_at"] is not None)
        told = shop.get(asked["act"]).json()
        assert (told["changed"], told["error"], told["failures"]) == (2399, "", 0)
    with database(data_dir) as session:
        # Each mail moved once, to where it was to, and the record has one line of it.
        source = select(Campaign.id).where(Campaign.slug == "third")
        mine = f"campaign:{session.scalars(source).one()}"
        states = select(Delivery.state, func.count()).where(Delivery.source == mine).group_by(Delivery.state)
        assert dict(session.execute(states).all()) == {"cancelled": 2399}
        moved = select(func.sum(Move.mails)).where(Move.source == mine, Move.new_state == "cancelled")
        assert session.execute(moved).scalar_one() == 2399
        noted = select(Action.rows).where(Action.what == "delivery cancel")
        assert session.scalars(noted).all() == [2399]


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
    has_many_imported_and_cancelled(data_dir, stack)
    assert len(server.recipients) == 599
