"""Subscribers, lists, deliveries and queues by the API: Ada joins, changes, leaves, and is forgotten."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sqlalchemy import func, select

from mailer.accounts.rights import Right
from mailer.db import Sessions, business_now, session_scope
from mailer.models import Action, CustomField, FieldType, MailingList, Sender, Subscriber, Suppression
from tests.integration.api.conftest import Program
from tests.integration.api.test_how_the_api_works import kind
from tests.support.campaigns import put_people
from tests.support.cast import ADA, BEN, publish_folder, write_course

JOINING = {
    "email": ADA,
    "name": "Ada",
    "language": "en",
    "zone": "Europe/Lisbon",
    "tags": ["Walker"],
    "fields": {"city": "Porto", "member": True},
    "list": "calm",
    "consent": "Send me the course.",
    "source": "the shop's form",
}


def a_house(shop: Program, sessions: Sessions, opt_in: str = "double") -> None:
    """The list "calm" with a sender, and two custom fields."""
    assert shop.send("PUT", "/lists/calm", {"title": "A calm week", "opt_in": opt_in}).status_code == 200
    with session_scope(sessions) as session:
        sender = Sender(
            slug="calm", name="The Reading Room", email="c@steadypost.example", postal_address="12 Quiet Lane"
        )
        session.add_all([sender, CustomField(key="city", type=FieldType.TEXT)])
        session.add(CustomField(key="member", type=FieldType.YES_NO))
        session.flush()
        session.execute(select(MailingList)).scalar_one().sender_id = sender.id


def test_ada_joins_a_list_and_gets_a_mail_to_confirm(shop: Program, sessions: Sessions) -> None:
    a_house(shop, sessions)
    added = shop.post("/subscribers", JOINING).json()
    assert added["state"] == "pending"
    whole = shop.get(f"/subscribers/{added['id']}").json()
    assert (whole["email"], whole["name"], whole["zone"]) == (ADA, "Ada", "Europe/Lisbon")
    assert (whole["tags"], whole["fields"]) == (["walker"], {"city": "Porto", "member": True})
    assert [(one["list"], one["state"]) for one in whole["lists"]] == [("calm", "pending")]
    (mail,) = shop.get("/deliveries", subscriber=added["id"]).json()["items"]
    assert (mail["mail"], mail["state"], mail["email"]) == ("confirm", "planned", ADA)
    assert shop.get(f"/deliveries/{mail['id']}").json()["conversations"] == []
    assert shop.get("/lists/calm").json()["pending"] == 1
    assert shop.post("/subscribers/find", {"email": ADA}).json() == {"id": added["id"]}
    story = shop.get(f"/subscribers/{added['id']}/why").json()["items"]
    assert any("was due" in one["what"] for one in story)


def test_nobody_joins_a_list_without_the_words_they_agreed_to(shop: Program, sessions: Sessions) -> None:
    a_house(shop, sessions)
    answer = shop.post("/subscribers", JOINING | {"consent": " "})
    assert answer.status_code == 422
    assert "words" in answer.json()["detail"]
    with session_scope(sessions) as session:
        assert session.execute(select(func.count()).select_from(Subscriber)).scalar_one() == 0


def test_what_is_known_of_ada_is_changed(shop: Program, sessions: Sessions) -> None:
    a_house(shop, sessions)
    path = f"/subscribers/{shop.post('/subscribers', JOINING).json()['id']}"
    change = {
        "name": "Ada L.",
        "zone": "",
        "fields": {"city": None},
        "add_tags": ["a"],
        "remove_tags": ["Walker"],
    }
    whole = shop.send("PATCH", path, change).json()
    assert (whole["name"], whole["zone"], whole["language"]) == ("Ada L.", None, "en")
    assert (whole["tags"], whole["fields"]) == (["a"], {"member": True})
    for wrong in ({"zone": "Mars/Olympus"}, {"fields": {"height": "2"}}, {"language": "tlh-x-1"}):
        assert shop.send("PATCH", path, wrong).status_code == 422, wrong
    assert shop.get(path).json() == whole


def test_people_are_listed_by_tag_and_by_list(shop: Program, sessions: Sessions) -> None:
    a_house(shop, sessions, "single")
    shop.post("/subscribers", JOINING)
    shop.post("/subscribers", {"email": BEN})
    for query in ({"tag": "walker"}, {"list": "calm"}, {"list": "calm", "state": "active"}):
        assert [one["email"] for one in shop.get("/subscribers", **query).json()["items"]] == [ADA], query
    assert shop.get("/subscribers", list="calm", state="ended").json() == {"items": [], "next": None}
    assert shop.get("/subscribers", list="nothing").status_code == 404
    assert shop.get("/subscribers", state="ended").status_code == 400


def test_ada_leaves_a_list_and_then_everything(shop: Program, sessions: Sessions) -> None:
    a_house(shop, sessions, "single")
    path = f"/subscribers/{shop.post('/subscribers', JOINING).json()['id']}"
    assert shop.post(f"{path}/leave", {"list": "calm"}).json() == {"changed": True}
    assert shop.post(f"{path}/leave", {"list": "calm"}).json() == {"changed": False}
    assert shop.get(path).json()["suppressed"] == ""
    assert shop.post(f"{path}/leave", {}).json() == {"changed": True}
    assert shop.get(path).json()["suppressed"] == "unsubscribed-from-everything"


def test_ada_takes_all_that_is_kept_of_her_and_is_forgotten(shop: Program, sessions: Sessions) -> None:
    a_house(shop, sessions)
    path = f"/subscribers/{shop.post('/subscribers', JOINING).json()['id']}"
    taken = shop.get(f"{path}/export").json()
    assert taken["person"]["fields"] == {"city": "Porto", "member": True}
    assert [(one["kind"], one["wording"], one["source"]) for one in taken["consents"]] == [
        ("asked", "Send me the course.", "the shop's form")
    ]
    assert [one["mail"] for one in taken["mails"]] == ["confirm"]
    assert shop.send("DELETE", path).json() == {"mails": 1, "lists": 1}
    assert shop.send("DELETE", path).status_code == 404
    with session_scope(sessions) as session:
        stays = session.execute(select(Suppression)).scalar_one()
        assert (stays.email, stays.reason) == (None, "unsubscribed-from-everything")
        details = session.execute(select(Action.who, Action.what, Action.detail)).all()
        assert ADA not in str(details)
        assert [what for _, what, _ in details][-2:] == ["subscriber export", "subscriber erase"]
    # She may come back herself, by confirming; nobody can bring her back without.
    shop.send("PUT", "/lists/calm", {"title": "A calm week", "opt_in": "single"})
    assert shop.post("/subscribers", JOINING).json()["state"] == "pending"


def test_a_whole_list_joins_its_course_and_another_is_deleted(
    shop: Program, sessions: Sessions, tmp_path: Path
) -> None:
    with session_scope(sessions) as session:
        publish_folder(session, write_course(tmp_path / "calm"), business_now(session))
        put_people(session, [1, 2], "calm", business_now(session))
    asked = {"course": "calm", "at_most": 5}
    begun = shop.post("/lists/calm/enroll", asked)
    assert begun.status_code == 202
    act = begun.json()
    assert (act["kind"], act["changed"], act["seen"], act["error"]) == ("enroll", 2, 5, "")
    assert shop.get(f"/lists/acts/{act['id']}").json()["ended_at"]
    assert shop.post(f"/lists/acts/{act['id']}/stop", {}).json()["error"] == ""  # it had ended
    assert kind(shop.send("DELETE", "/lists/calm")) == "refused"  # its course needs it
    shop.send("PUT", "/lists/walks", {"title": "Walks"})
    gone = shop.send("DELETE", "/lists/walks")
    assert (gone.status_code, gone.json()["kind"]) == (202, "remove")
    assert shop.get("/lists/walks").status_code == 404


def test_a_lane_is_stopped_and_let_go_on(shop: Program) -> None:
    asked = {"scope": "lane", "target": "course", "reason": "a look first"}
    assert shop.post("/holds", asked).json() == {"changed": True}
    assert shop.post("/holds", asked).json() == {"changed": False}
    (hold,) = shop.get("/holds").json()["items"]
    assert (hold["scope"], hold["target"], hold["reason"]) == ("lane", "course", "a look first")
    assert shop.post("/holds/release", asked).json() == {"changed": True}
    assert shop.get("/holds").json()["items"] == []
    assert [one["lane"] for one in shop.get("/queues").json()["lanes"]] == [
        "transactional",
        "course",
        "campaign",
    ]


def test_who_takes_everybody_out_needs_the_right_to_and_is_noted_once(
    shop: Program, program: Callable[..., Program], sessions: Sessions
) -> None:
    shop.send("PUT", "/lists/calm", {"title": "A calm week"})
    for email in (ADA, BEN):
        shop.post("/subscribers", {"email": email, "tags": ["walker"]})
    shop.post("/suppressions", {"emails": [ADA, BEN]})
    reader = program(Right.SEE)
    for path in ("/subscribers", "/suppressions", "/campaigns/spring/not-reached"):
        assert kind(reader.get(path)) == "not-allowed", path
    for path, more in (("/subscribers", {"tag": "walker"}), ("/suppressions", {"reason": "manual"})):
        first = shop.get(path, limit=1, **more).json()
        assert len(shop.get(path, limit=1, cursor=first["next"], **more).json()["items"]) == 1
    with session_scope(sessions) as session:
        taken = select(Action.what, Action.detail).where(Action.what.contains("export")).order_by(Action.id)
        assert [tuple(row) for row in session.execute(taken)] == [
            ("subscriber export many", {"tag": "walker"}),
            ("suppression export", {"reason": "manual"}),
        ]
