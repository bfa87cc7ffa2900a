"""A program and a colleague write one campaign; and what a program brings, looks at and takes away again."""

from __future__ import annotations

import uuid
from pathlib import Path

import httpx
from sqlalchemy import select

from mailer.accounts.operators import find_operator
from mailer.accounts.sessions import actor_of
from mailer.db import Sessions, session_scope
from mailer.desk import campaign_drafts as writing
from mailer.models import Campaign, Role
from tests.integration.api.conftest import Program, joins, upload, zipped
from tests.integration.api.test_courses_and_campaigns_by_the_api import SPRING
from tests.integration.api.test_how_the_api_works import kind
from tests.support.cast import ADA, write_course
from tests.support.staff import STAFF

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 8 + (40).to_bytes(4, "big") + (40).to_bytes(4, "big") + b"\0" * 8
NEWER = SPRING.replace("from nine to five", "from ten to six")


def saved_at_the_desk(sessions: Sessions, text: str) -> None:
    """As Olive saves the first file of `spring` at the desk."""
    with session_scope(sessions) as session:
        owner = find_operator(session, STAFF[Role.OWNER][0])
        assert owner is not None
        actor = actor_of(owner)
        sheet = writing.open_file(session, actor, "spring")
        fields = {"file": text, "digest": sheet.digest}
        writing.save_file(session, actor, "spring", sheet.file.name, fields)


def test_what_a_colleague_saved_is_not_replaced_unseen(shop: Program, calm: Path, sessions: Sessions) -> None:
    joins(shop, ADA)
    shop.post("/campaigns", {"markdown": SPRING})
    first = shop.get("/campaigns/spring/source").json()
    assert [one["text"] for one in first["files"]] == [SPRING]
    assert first["is_ready"]
    # What it saved itself, a program replaces without a word.
    assert shop.post("/campaigns", {"markdown": NEWER}).json()["is_changed"]
    saved_at_the_desk(sessions, NEWER.replace("six", "seven"))
    at = {"at": "2027-03-01T09:00:00+00:00", "agreed": ["warnings"]}
    assert shop.post("/campaigns/spring/schedule", at).status_code == 200
    for seen in ({}, {"seen": first["digest"]}):
        answer = shop.post("/campaigns", {"markdown": SPRING} | seen)
        assert (answer.status_code, kind(answer)) == (409, "changed-meanwhile")
    theirs = shop.get("/campaigns/spring/source").json()
    assert "from ten to seven" in theirs["files"][0]["text"]
    assert shop.get("/campaigns/spring").json()["state"] == "scheduled"
    mine = shop.post("/campaigns", {"markdown": SPRING, "seen": theirs["digest"]})
    assert (mine.status_code, mine.json()["was_scheduled"]) == (200, True)
    assert kind(shop.get("/campaigns/autumn/source")) == "not-found"
    autumn = SPRING.replace("slug: spring", "slug: autumn")
    assert kind(shop.post("/campaigns", {"markdown": autumn, "seen": "0" * 64})) == "changed-meanwhile"


def bring(shop: Program, content: bytes, **query: str) -> httpx.Response:
    headers = {"Content-Type": "application/zip", "Idempotency-Key": str(uuid.uuid4())}
    return shop.client.post("/campaigns/file", content=content, headers=headers, params=query)


def test_a_campaign_is_brought_with_pictures_and_variants_checked_looked_at_and_removed(
    shop: Program, calm: Path, tmp_path: Path
) -> None:
    joins(shop, ADA)
    folder = tmp_path / "spring"
    (folder / "media").mkdir(parents=True)
    (folder / "media" / "garden.png").write_bytes(PNG)
    variants = "variants: {b: {file: b.md}}\ntest: {measure: ask, share: 50 %}\n"
    text = SPRING.replace("---\n#", f"{variants}---\n#").replace("open", "![A gate](media/garden.png) open")
    (folder / "spring.md").write_text(text, encoding="utf-8")
    (folder / "b.md").write_text("# Spring in the garden\n\n{{ greeting }}\n", encoding="utf-8")
    brought = bring(shop, zipped(folder)).json()
    assert (brought["slug"], brought["errors"]) == ("spring", 0), brought
    source = shop.get("/campaigns/spring/source").json()
    assert [(one["name"], one["is_part"]) for one in source["files"]] == [
        ("spring.md", False),
        ("b.md", True),
    ]
    assert source["pictures"] == ["media/garden.png"]
    checked = shop.get("/campaigns/spring/check").json()
    assert checked["errors"] == 0
    mail = shop.get("/campaigns/spring/mails/1").json()
    assert len(mail["mails"]) == 2
    assert "Spring in the garden" in mail["html"]
    assert kind(shop.get("/campaigns/spring/mails/2")) == "not-found"
    # Again, and over it only by who has seen it; with an error it is saved all the same, and not sent.
    assert kind(bring(shop, zipped(folder))) == "refused"
    (folder / "spring.md").write_text(text.replace("greeting", "greeeting"), encoding="utf-8")
    assert kind(bring(shop, zipped(folder), onto="spring", seen="0" * 64)) == "changed-meanwhile"
    again = bring(shop, zipped(folder), onto="spring", seen=source["digest"]).json()
    assert again["errors"] == 1
    assert shop.get("/campaigns/spring/source").json()["is_ready"] is False
    assert shop.get("/campaigns/spring/check").json()["errors"] == 1
    assert shop.send("DELETE", "/campaigns/spring").json() == {"changed": True}
    assert kind(shop.send("DELETE", "/campaigns/spring")) == "not-found"


def test_a_few_go_first_when_a_program_says_so(shop: Program, calm: Path, sessions: Sessions) -> None:
    for number in range(3):
        joins(shop, f"reader{number}@reader.example")
    shop.post("/campaigns", {"markdown": SPRING})
    at = {"at": "2027-03-01T09:00:00+00:00", "agreed": ["warnings"]}
    wrong = shop.post("/campaigns/spring/schedule", at | {"canary": {"size": "many"}})
    assert (kind(wrong), "500, or a share" in wrong.text) == ("refused", True)
    first = {"size": "1", "wait": "30 minutes", "limits": {"bounces": "3 %"}}
    assert shop.post("/campaigns/spring/schedule", at | {"canary": first}).status_code == 200
    with session_scope(sessions) as session:
        asked = session.scalars(select(Campaign.canary)).one()["asked"]
    assert (asked["people"], asked["wait_minutes"], asked["most"]["bounces"]) == (1, 30, 0.03)


def test_a_course_is_checked_without_publishing_it(shop: Program, tmp_path: Path) -> None:
    folder = write_course(tmp_path / "calm")
    found = upload(shop, "/courses/check", zipped(folder)).json()
    assert found["errors"] == 0
    assert all(one["fix"] for one in found["problems"])
    assert shop.get("/courses").json()["items"] == []


def test_a_list_says_whom_its_mails_come_from(shop: Program, calm: Path) -> None:
    assert shop.send("PUT", "/lists/news", {"title": "News"}).json()["sender"] == ""
    sender = shop.get("/lists/calm").json()["sender"]
    assert sender
    assert shop.send("PUT", "/lists/news", {"title": "News", "sender": sender}).json()["sender"] == sender
    assert [one["sender"] for one in shop.get("/lists").json()["items"]] == [sender, sender]
