"""The setup page: once, all or nothing, only with its key; and the first mail that it ends in."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from sqlalchemy import func, select

from mailer.db import Sessions, session_scope
from mailer.links import Signer
from mailer.models import Operator, Role, Sender, SenderTransport, Transport
from mailer.settings import Settings
from tests.support.reader_pages import SECRET, running_app
from tests.support.scripted_smtp import ScriptedSmtp, scripted_smtp
from tests.support.staff import PASSWORD, Person, hire

KEY = Signer([SECRET]).setup_token()
FORM = {
    "key": KEY,
    "name": "Owen",
    "email": "owen@example.org",
    "password": PASSWORD,
    "sender_name": "The Reading Room",
    "sender_email": "post@example.org",
    "postal_address": "12 Quiet Lane, Bristol",
}


@pytest.fixture
def server() -> Iterator[ScriptedSmtp]:
    with scripted_smtp() as listening:
        yield listening


@pytest.fixture
def stranger(settings: Settings, server: ScriptedSmtp) -> Iterator[httpx.Client]:
    """A browser at an installation that nobody has a login to."""
    with (
        running_app(settings.replace(smtp_url=server.url)) as address,
        httpx.Client(base_url=address) as client,
    ):
        yield client


def made(sessions: Sessions) -> tuple[int, int, int]:
    """How many people, senders and relays there are."""
    with session_scope(sessions) as session:
        count = [session.scalar(select(func.count()).select_from(kind)) or 0 for kind in (Operator, Sender)]
        relays = session.scalar(select(func.count()).select_from(Transport)) or 0
    return count[0], count[1], relays


def test_the_form_makes_an_owner_who_is_signed_in_and_their_sender(
    stranger: httpx.Client, sessions: Sessions, server: ScriptedSmtp
) -> None:
    assert "Set up Steadypost" in stranger.get("/desk/setup", params={"key": KEY}).text
    answer = stranger.post("/desk/setup", data=FORM)
    assert (answer.status_code, answer.headers["location"]) == (303, "/desk/first-mail")
    with session_scope(sessions) as session:
        owner = session.execute(select(Operator)).scalar_one()
        sender = session.execute(select(Sender)).scalar_one()
    assert (owner.email, owner.role) == ("owen@example.org", Role.OWNER)
    assert (sender.slug, sender.email, sender.postal_address) == (
        *("news", "post@example.org", "12 Quiet Lane, Bristol"),
    )
    owen = Person(Role.OWNER, stranger)
    assert "From The Reading Room &lt;post@example.org&gt;" in owen.get("/desk/first-mail").text
    assert "It was accepted" in owen.post("/desk/first-mail").text
    (mail,) = server.mails
    assert mail["Subject"] == "Your first mail from Steadypost"
    assert mail["From"] == "The Reading Room <post@example.org>"
    assert server.recipients == ["owen@example.org"]


def test_a_mail_server_of_ones_own_is_tried_first_and_then_used(
    stranger: httpx.Client, sessions: Sessions
) -> None:
    with scripted_smtp() as own:
        stranger.post("/desk/setup", data={**FORM, "smtp_url": own.url})
        owen = Person(Role.OWNER, stranger)
        owen.get("/desk/first-mail")
        assert "It was accepted" in owen.post("/desk/first-mail").text
        assert own.recipients == ["owen@example.org"]
    with session_scope(sessions) as session:
        assert session.scalar(select(func.count()).select_from(SenderTransport)) == 1


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"password": "short"}, "characters"),
        ({"email": "nobody"}, "nobody"),
        ({"postal_address": ""}, "postal address"),
        ({"sender_name": "Two\nlines"}, "line break"),
        ({"smtp_url": "smtp://user:hidden@127.0.0.1:1"}, "cannot be reached"),
        ({"smtp_url": "http://127.0.0.1"}, "smtp://"),
    ],
)
def test_what_cannot_be_is_told_and_nothing_is_made(
    stranger: httpx.Client, sessions: Sessions, wrong: dict[str, str], words: str
) -> None:
    before = made(sessions)
    answer = stranger.post("/desk/setup", data={**FORM, **wrong})
    assert answer.status_code == 422
    assert words in answer.text
    assert "The Reading Room" in answer.text or "Two" in answer.text
    assert PASSWORD not in answer.text
    assert "hidden" not in answer.text.replace('type="hidden"', "")
    assert made(sessions) == before


def test_without_its_key_the_page_is_not_there(stranger: httpx.Client, sessions: Sessions) -> None:
    before = made(sessions)
    for key in ("", KEY[:-2], Signer(["another secret, also long enough"]).setup_token()):
        assert stranger.get("/desk/setup", params={"key": key}).status_code == 404
        assert stranger.post("/desk/setup", data={**FORM, "key": key}).status_code == 404
    assert made(sessions) == before


def test_another_site_cannot_send_the_form(stranger: httpx.Client, sessions: Sessions) -> None:
    before = made(sessions)
    elsewhere = {"Sec-Fetch-Site": "cross-site"}
    assert stranger.post("/desk/setup", data=FORM, headers=elsewhere).status_code == 403
    assert made(sessions) == before


def test_whoever_comes_second_is_sent_to_sign_in(stranger: httpx.Client, sessions: Sessions) -> None:
    hire(sessions, Role.OWNER)
    before = made(sessions)
    assert stranger.get("/desk/setup", params={"key": KEY}).headers["location"] == "/desk/sign-in"
    late = stranger.post("/desk/setup", data={**FORM, "email": "eve@example.org"})
    assert late.headers["location"] == "/desk/sign-in"
    assert made(sessions) == before


def test_a_server_that_refuses_the_first_mail_is_quoted(stranger: httpx.Client, server: ScriptedSmtp) -> None:
    stranger.post("/desk/setup", data=FORM)
    owen = Person(Role.OWNER, stranger)
    owen.get("/desk/first-mail")
    server.replies["RCPT"] = ["550 5.7.1 Relaying denied"]
    page = owen.post("/desk/first-mail").text
    assert "It was not sent" in page
    assert "550 5.7.1 Relaying denied" in page
