"""Owen sets up a webhook; its secret is shown once and to nobody else."""

from __future__ import annotations

import re

from sqlalchemy import select, update

from mailer.db import Sessions, session_scope
from mailer.models import Action, Webhook, WebhookCall
from tests.support.staff import PASSWORD, Person

FORM = {"name": "shop", "url": "https://shop.example/hook", "kinds": "subscriber.confirmed"}
PROOF = {"current": PASSWORD}


def add(owen: Person) -> str:
    owen.get("/desk/webhooks")
    return owen.post("/desk/webhooks", **FORM, **PROOF).text


def test_a_webhook_is_added_and_its_secret_is_shown_this_once(owen: Person, sessions: Sessions) -> None:
    page = add(owen)
    found = re.search(r"whsec_[\w+/=]+", page)
    assert found
    with session_scope(sessions) as session:
        webhook = session.execute(select(Webhook)).scalar_one()
        assert webhook.kinds == ["subscriber.confirmed"]
        assert found[0] not in webhook.sealed_secret
        noted = session.execute(select(Action.detail).where(Action.what == "webhook add")).scalar_one()
    assert "whsec" not in str(noted)
    assert "whsec" not in owen.get(f"/desk/webhooks/{webhook.id}").text + owen.get("/desk/webhooks").text


def test_what_cannot_be_is_told_and_the_form_keeps_the_rest(owen: Person) -> None:
    owen.get("/desk/webhooks")
    page = owen.post("/desk/webhooks", **PROOF, **{**FORM, "url": "http://shop.example/hook"})
    assert page.status_code == 422
    assert "Write https://" in page.text
    assert 'value="shop"' in page.text
    assert (
        "Choose at least one thing" in owen.post("/desk/webhooks", name="shop", url=FORM["url"], **PROOF).text
    )


def test_where_it_tells_takes_the_password_and_is_in_the_record_without_what_is_secret(
    owen: Person, sessions: Sessions
) -> None:
    page = owen.get("/desk/webhooks").text
    assert "Your current password" in page
    for proof in ({}, {"current": "not hers"}):
        assert owen.post("/desk/webhooks", **FORM, **proof).status_code == 422
    add(owen)
    with session_scope(sessions) as session:
        path = f"/desk/webhooks/{session.execute(select(Webhook.id)).scalar_one()}"
    moved = {**FORM, "url": "https://elsewhere.example:8443/secret-of-theirs"}
    owen.get(path)
    assert owen.post(path, **moved).status_code == 422
    assert "Changed." in owen.post(path, **moved, **PROOF).text
    assert "Changed." in owen.post(path, **{**moved, "name": "other"}, **PROOF).text
    with session_scope(sessions) as session:
        noted = select(Action.detail).where(Action.what.startswith("webhook")).order_by(Action.id)
        added, changed, renamed = session.execute(noted).scalars()
    assert added["to"] == "https://shop.example/…"
    assert (changed["to_before"], changed["to"]) == (added["to"], "https://elsewhere.example:8443/…")
    assert (renamed["to"], "to_before" in renamed) == (changed["to"], False)
    assert "secret-of-theirs" not in str([added, changed, renamed])


def test_pause_test_send_again_and_remove(owen: Person, sessions: Sessions) -> None:
    add(owen)
    with session_scope(sessions) as session:
        path = f"/desk/webhooks/{session.execute(select(Webhook.id)).scalar_one()}"
    owen.get(path)
    assert "Nothing is sent to it" in owen.post(path + "/pause").text
    assert "Send a test" in owen.post(path + "/resume").text
    assert "on its way" in owen.post(path + "/test").text
    with session_scope(sessions) as session:
        call = session.execute(select(WebhookCall.id)).scalar_one()
        session.execute(update(WebhookCall).values(state="given up", attempts=10))
    assert "with the same id" in owen.post(f"{path}/calls/{call}/again").text
    assert owen.post(f"{path}/calls/999/again").status_code == 404
    assert "Removed." in owen.post(path + "/remove").text
    with session_scope(sessions) as session:
        assert session.execute(select(WebhookCall.id)).all() == []
