"""Senders, transports, webhooks, alarms and the cap by the API: what somebody would set up at the desk."""

from __future__ import annotations

from sqlalchemy import select

from mailer.db import Sessions, clock_now, session_scope
from mailer.models import Action, Alarm, KeptAnswer
from tests.integration.api.conftest import Program
from tests.integration.api.test_how_the_api_works import kind
from tests.support.scripted_smtp import ScriptedSmtp

HOUSE = {
    "slug": "house",
    "name": "The Reading Room",
    "email": "news@steadypost.example",
    "postal_address": "12 Quiet Lane, Bristol",
}
LISTENER = {"name": "the shop", "url": "https://shop.example.org/told", "kinds": ["subscriber.confirmed"]}


def test_a_sender_gets_a_transport_a_limit_and_a_key(shop: Program, server: ScriptedSmtp) -> None:
    assert shop.post("/senders", HOUSE).status_code == 201
    assert kind(shop.post("/senders", HOUSE)) == "refused"  # there is one already
    asked = {"slug": "relay", "url": server.url}
    relay = shop.post("/transports", asked, key="relay")
    assert relay.status_code == 201, relay.text
    connected = server.connections
    assert shop.post("/transports", asked, key="relay").json() == relay.json()
    assert server.connections == connected  # asked again, the server is left alone
    gone = shop.post("/transports", {"slug": "gone", "url": "smtp://ann:pa55word@127.0.0.1:1"})
    assert kind(gone) == "refused"
    assert "pa55word" not in gone.text
    assert shop.send("PUT", "/senders/house/transports/relay", {"weight": 3}).json() == {"changed": True}
    limit = {"period": "hour", "most": 100, "domain": "gmail.com"}
    assert shop.send("PUT", "/transports/relay/limits", limit).json() == {"domain_group": "gmail"}
    assert shop.send("PUT", "/transports/relay/warmup", {"first": 10, "target": 1000}).status_code == 200
    found = shop.get("/transports/relay").json()
    assert found["senders"] == [{"sender": "house", "weight": 3}]
    assert {(one["origin"], one["most"]) for one in found["limits"]} == {("set", 100), ("warmup", 10)}
    assert shop.send("DELETE", "/transports/relay/warmup").status_code == 200
    assert shop.post("/transports/relay/pause", {"reason": "moving"}).json() == {"changed": True}
    assert shop.get("/transports/relay").json()["state"] == "paused"
    assert shop.post("/transports/relay/resume").json() == {"changed": True}
    assert kind(shop.send("DELETE", "/transports/relay")) == "refused"  # house uses it
    made = shop.post("/senders/house/keys", {"algorithm": "ed25519-sha256"}).json()
    assert made["dns_name"].endswith("._domainkey.steadypost.example")
    changed = shop.send("PATCH", "/senders/house", {"reply_to": "desk@steadypost.example", "decoy": False})
    assert changed.json() == {"changed": True}
    sender = shop.get("/senders/house").json()
    assert (sender["reply_to"], sender["name"]) == ("desk@steadypost.example", "The Reading Room")
    assert [one["state"] for one in sender["dkim"]] == ["not active yet"]
    assert shop.send("DELETE", "/senders/house/transports/relay").json() == {"changed": True}
    assert shop.send("DELETE", "/transports/relay").json() == {"changed": True}
    slugs = [one["slug"] for one in shop.get("/transports", limit=1).json()["items"]]
    assert slugs == ["default"]


def test_a_webhooks_secret_is_told_when_it_is_made_and_is_kept_nowhere_as_it_is(
    shop: Program, sessions: Sessions
) -> None:
    first = shop.post("/webhooks", LISTENER, key="one")
    assert first.status_code == 201
    secret = first.json()["secret"]
    assert secret.startswith("whsec_")
    again = shop.post("/webhooks", LISTENER, key="one")
    assert (again.json(), again.headers["idempotency-replayed"]) == (first.json(), "true")
    with session_scope(sessions) as session:
        assert secret not in session.execute(select(KeptAnswer.body)).scalar_one()
    number = first.json()["id"]
    (listed,) = shop.get("/webhooks").json()["items"]
    assert secret not in str(listed)
    assert (listed["id"], listed["paused_at"]) == (number, None)
    changed = shop.send("PUT", f"/webhooks/{number}", LISTENER | {"name": "the other shop"}).json()
    assert changed["name"] == "the other shop"
    assert shop.post(f"/webhooks/{number}/secret").json()["secret"] != secret
    assert shop.post(f"/webhooks/{number}/test").status_code == 202
    (call,) = shop.get(f"/webhooks/{number}/calls").json()["items"]
    assert (call["kind"], call["state"], call["attempts"]) == ("test", "waiting", 0)
    assert shop.post(f"/webhooks/{number}/calls/{call['id']}/again").status_code == 202
    shop.post(f"/webhooks/{number}/pause")
    assert shop.get(f"/webhooks/{number}").json()["paused_reason"].startswith("by owen@")
    shop.post(f"/webhooks/{number}/resume")
    assert shop.send("DELETE", f"/webhooks/{number}").json() == {"changed": True}
    assert kind(shop.get(f"/webhooks/{number}")) == "not-found"
    assert kind(shop.post("/webhooks", LISTENER | {"url": "http://shop.example.org"})) == "refused"
    assert kind(shop.post("/webhooks", LISTENER | {"kinds": []})) == "not-valid"


def test_who_is_told_of_alarms_the_cap_and_the_record_of_all_of_it(shop: Program, sessions: Sessions) -> None:
    made = shop.post("/alarms/channels", {"kind": "mail", "address": "olive@example.org"}).json()
    assert made == {"to": "olive@example.org", "secret": ""}
    (channel,) = shop.get("/alarms/channels").json()["items"]
    assert shop.post(f"/alarms/channels/{channel['id']}/test").status_code == 202
    assert shop.get("/alarms").json() == {"items": [], "next": None}
    with session_scope(sessions) as session:
        now = clock_now(session)
        session.add_all(
            Alarm(kind="lane-late", target=str(one), words="late", seen_at=now, opened_at=now)
            for one in range(3)
        )
    first = shop.get("/alarms", limit=2).json()
    rest = shop.get("/alarms", limit=2, cursor=first["next"]).json()
    told = [one["target"] for page in (first, rest) for one in page["items"]]
    assert (sorted(told), rest["next"]) == (["0", "1", "2"], None)
    assert shop.send("DELETE", f"/alarms/channels/{channel['id']}").json() == {"changed": True}
    cap = {"per_day": 2, "quiet_from": "22:00", "quiet_until": "07:00"}
    assert shop.send("PUT", "/cap", cap).json() == {"changed": True}
    assert shop.send("PUT", "/cap", cap).json() == {"changed": False}
    found = shop.get("/cap").json()
    assert (found["per_day"], found["per_week"], found["quiet_from"]) == (2, None, "22:00:00")
    assert kind(shop.send("PUT", "/cap", {"quiet_from": "22:00"})) == "refused"
    assert shop.send("DELETE", "/cap").json() == {"changed": True}
    first = shop.get("/actions", limit=2).json()
    rest = shop.get("/actions", limit=50, cursor=first["next"]).json()["items"]
    assert [one["what"] for one in first["items"]] == ["cap lift", "cap set"]
    assert "alarm channel add" in [one["what"] for one in rest]
    assert {one["who"] for one in first["items"]} == {"owen@example.org by token the shop"}
    assert shop.get("/actions", what="cap").json()["items"] == first["items"]
    with session_scope(sessions) as session:
        assert len(session.scalars(select(Action).where(Action.what == "cap set")).all()) == 1


def test_forms_tags_and_fields_by_a_program(shop: Program) -> None:
    for number in range(3):
        email = f"reader{number}@reader.example"
        shop.post("/subscribers", {"email": email, "tags": ["walker", f"tag {number}"]})
    tags = shop.get("/tags", limit=2).json()
    assert [one["tag"] for one in tags["items"]] == ["tag 0", "tag 1"]
    rest = shop.get("/tags", cursor=tags["next"]).json()
    assert rest["items"][-1] == {"tag": "walker", "people": 3, "is_exact": True}
    renamed = shop.post("/tags/rename", {"tag": "walker", "to": "hiker"}).json()
    assert renamed == {"people": 3, "is_done": True}
    assert kind(shop.post("/tags/rename", {"tag": "hiker", "to": "  "})) == "not-valid"
    assert kind(shop.post("/tags/remove", {"tag": "walker"})) == "not-found"
    assert shop.send("PUT", "/fields/city", {"type": "text"}).json() == {"changed": True}
    assert kind(shop.send("PUT", "/fields/city", {"type": "number"})) == "refused"
    assert shop.post("/fields/city/rename", {"to": "town"}).json() == {"people": 0, "is_done": True}
    assert shop.get("/fields").json() == {"items": [{"key": "town", "type": "text"}], "next": None}
    assert shop.post("/fields/town/remove").json() == {"people": 0, "is_done": True}
    shop.send("PUT", "/lists/calm", {"title": "A calm week"})
    form = {"slug": "calm", "list": "calm", "title": "A calm week", "consent": "Send me the course."}
    assert "no sender" in shop.post("/forms", form).json()["detail"]
