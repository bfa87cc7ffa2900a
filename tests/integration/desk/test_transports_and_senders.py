"""What operators do with transports and senders on the desk's pages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import select

from mailer.db import Sessions, session_scope
from mailer.delivery.roster import get_sender, get_transport, transports_of
from mailer.models import Action
from tests.support.scripted_smtp import ScriptedSmtp, scripted_smtp
from tests.support.staff import Person


@pytest.fixture
def server() -> Iterator[ScriptedSmtp]:
    with scripted_smtp() as listening:
        yield listening


def add(opal: Person, url: str) -> str:
    opal.get("/desk/transports")
    return opal.post("/desk/transports", slug="relay2", url=url, conversations="4").text


def add_sender(opal: Person, **more: str) -> str:
    opal.get("/desk/senders")
    form = {"slug": "news", "name": "The Reading Room", "email": "post@example.org", "reply_to": ""}
    return opal.post("/desk/senders", **{**form, "postal_address": "12 Quiet Lane", **more}).text


def test_a_relay_is_tried_and_added_and_its_password_shows_nowhere(
    opal: Person, server: ScriptedSmtp, sessions: Sessions
) -> None:
    server.users["me"] = "sesame-seed"
    page = add(opal, server.url.replace("//", "//me:sesame-seed@"))
    assert "Added relay2: it lets us in." in page
    assert "sesame-seed" not in page + opal.get("/desk/transports").text + opal.get("/desk/audit").text
    with session_scope(sessions) as session:
        assert get_transport(session, "relay2").sealed_url
    assert server.mails == []


def test_one_that_refuses_the_login_is_not_added(
    opal: Person, server: ScriptedSmtp, sessions: Sessions
) -> None:
    server.users["me"] = "sesame-seed"
    page = add(opal, server.url.replace("//", "//me:wrong-word@"))
    assert "the login fails" in page
    assert "wrong-word" not in page
    with session_scope(sessions) as session:
        assert session.execute(select(Action).where(Action.what == "transport add")).all() == []


def test_limits_warm_up_pause_and_resume(opal: Person, server: ScriptedSmtp) -> None:
    add(opal, server.url)
    page = opal.post("/desk/transports/relay2/limit", most="1000", period="hour", to="gmail.com").text
    assert "at most 1,000 mails an hour" in page
    plan = {"first": "50", "target": "100", "growth": "50"}
    assert "relay2 warms up" in opal.post("/desk/transports/relay2/warmup", **plan).text
    assert "The warm-up is over" in opal.post("/desk/transports/relay2/warmup", end="yes").text
    assert "paused" in opal.post("/desk/transports/relay2/pause", reason="the relay asked").text
    assert "Resumed relay2" in opal.post("/desk/transports/relay2/resume").text


def test_a_test_mail_goes_to_who_asks(opal: Person, server: ScriptedSmtp) -> None:
    add(opal, server.url)
    assert "was accepted by relay2" in opal.post("/desk/transports/relay2/test").text
    assert server.recipients == ["opal@example.org"]


def test_one_that_is_used_is_not_removed(opal: Person, server: ScriptedSmtp, sessions: Sessions) -> None:
    add(opal, server.url)
    add_sender(opal)
    opal.post("/desk/senders/news/transports", transport="relay2", weight="3")
    with session_scope(sessions) as session:
        assert [one.slug for one, _ in transports_of(session, get_sender(session, "news"))] == ["relay2"]
    assert "Have them send by another transport first" in opal.get("/desk/transports/relay2/remove").text
    assert opal.post("/desk/transports/relay2/remove").status_code == 422
    opal.post("/desk/senders/news/transports/remove", transport="relay2")
    assert "Removed relay2" in opal.post("/desk/transports/relay2/remove").text


def test_a_sender_is_added_changed_and_given_a_key(opal: Person, sessions: Sessions) -> None:
    assert "Added news" in add_sender(opal)
    form = {
        "name": "Reading Room",
        "email": "post@example.org",
        "reply_to": "",
        "postal_address": "12 Quiet Lane",
    }
    assert "Changed news" in opal.post("/desk/senders/news", **form, track_clicks="yes").text
    with session_scope(sessions) as session:
        sender = get_sender(session, "news")
        assert (sender.name, sender.track_clicks, sender.track_opens) == ("Reading Room", True, False)
    page = opal.post("/desk/senders/news/keys", kind="ed25519").text
    assert "_domainkey.example.org" in page
    assert "PRIVATE" not in page


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"slug": "My News"}, "is no name for a sender"),
        ({"email": "post"}, "post"),
        ({"postal_address": ""}, "postal address"),
    ],
)
def test_a_sender_that_cannot_be_is_told_and_the_form_keeps_the_rest(
    opal: Person, wrong: dict[str, str], words: str
) -> None:
    page = add_sender(opal, **wrong)
    assert words in page
    assert "The Reading Room" in page


def test_who_only_reads_sees_no_button(rea: Person) -> None:
    for path in ("/desk/transports", "/desk/transports/default", "/desk/senders"):
        page = rea.get(path)
        assert page.status_code == 200
        assert "btn-primary" not in page.text
        assert '<details class="desk-form"' not in page.text
