"""Test mails of campaigns and steps by the API: each leaves once for a key, whatever became of others."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import func, text, update

from mailer.accounts.once import BEGUN
from mailer.db import Sessions, session_scope
from mailer.models import KeptAnswer
from tests.integration.api.conftest import Program
from tests.integration.api.test_courses_and_campaigns_by_the_api import SPRING
from tests.integration.api.test_how_the_api_works import kind
from tests.support.scripted_smtp import ScriptedSmtp

THREE = ["one@house.example", "two@house.example", "three@house.example"]


@pytest.fixture
def sends(shop: Program, calm: Path, server: ScriptedSmtp) -> Program:
    """A program in a house whose mail goes by `server`, with the draft `spring`."""
    shop.post("/transports", {"slug": "relay", "url": server.url})
    sender = shop.get("/lists/calm").json()["sender"]
    assert shop.send("PUT", f"/senders/{sender}/transports/relay", {"weight": 1}).status_code == 200
    assert shop.post("/campaigns", {"markdown": SPRING}).status_code == 200
    return shop


def test_one_that_is_refused_keeps_no_other_back_and_none_is_sent_again(
    sends: Program, server: ScriptedSmtp, sessions: Sessions
) -> None:
    server.about["RCPT", THREE[1]] = [f"550 5.1.1 <{THREE[1]}> is nobody here"]
    first = sends.post("/campaigns/spring/test", {"to": THREE}, key="test")
    (refused,) = first.json()["refused"]
    assert (first.status_code, first.json()["sent"], refused["place"]) == (200, 2, 1)
    assert "is nobody here" in refused["why"]
    assert sends.post("/campaigns/spring/test", {"to": THREE}, key="test").json() == first.json()
    assert server.recipients == [THREE[0], THREE[2]]
    with session_scope(sessions) as session:
        # Nothing about a person is in what is kept.
        kept = session.query(KeptAnswer).filter_by(key="test").one()
        assert THREE[1] not in kept.body


def test_two_at_once_with_one_key_send_once(sends: Program, server: ScriptedSmtp) -> None:
    server.delays["DATA"] = 1
    with ThreadPoolExecutor(2) as pool:
        asked = ("/campaigns/spring/test", {"to": THREE[:1]})
        one = pool.submit(sends.post, *asked, key="test")
        time.sleep(0.5)
        other = sends.post(*asked, key="test")
    assert (other.status_code, kind(other)) == (409, "key-in-use")
    assert one.result().json() == {"sent": 1, "refused": []}
    assert server.recipients == THREE[:1]


def test_what_was_cut_off_is_not_begun_again(
    sends: Program, server: ScriptedSmtp, sessions: Sessions
) -> None:
    asked = {"to": THREE[:1]}
    sends.post("/campaigns/spring/test", asked, key="test")
    with session_scope(sessions) as session:
        # As if the process had died before it could keep an answer.
        session.execute(update(KeptAnswer).where(KeptAnswer.key == "test").values(status=BEGUN, body=""))
    assert kind(sends.post("/campaigns/spring/test", asked, key="test")) == "key-in-use"
    quarter_ago = func.clock_timestamp() - text("interval '15 minutes 1 second'")
    with session_scope(sessions) as session:
        session.execute(update(KeptAnswer).where(KeptAnswer.key == "test").values(at=quarter_ago))
    answer = sends.post("/campaigns/spring/test", asked, key="test")
    assert (kind(answer), "was cut off" in answer.text) == ("refused", True)
    assert len(server.recipients) == 1


def test_a_published_step_is_tested(sends: Program, server: ScriptedSmtp) -> None:
    test = "/courses/calm/steps/hello/test"
    assert sends.post(test, {"to": THREE[:1]}, key="test").json() == {"sent": 1, "refused": []}
    assert server.mails[0]["Subject"] == "About hello"
    # What is refused before anything left is not kept, as with all others.
    assert kind(sends.post("/courses/calm/steps/gone/test", {"to": THREE[:1]})) == "refused"
    assert kind(sends.post(test, {"to": ["nobody"]}, key="other")) == "refused"
    assert sends.post(test, {"to": THREE[:1]}, key="third").status_code == 200
