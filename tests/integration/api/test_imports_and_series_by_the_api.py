"""Files of people and series by the API; and what courses and campaigns did."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from sqlalchemy import select

from mailer.db import Sessions, session_scope
from mailer.delivery import bulk
from mailer.launch.import_files import carry_on
from mailer.models import Delivery
from mailer.settings import Settings
from tests.integration.api.conftest import Program, joins, upload, zipped
from tests.integration.api.test_courses_and_campaigns_by_the_api import SPRING
from tests.integration.api.test_how_the_api_works import kind
from tests.support.cast import ADA, BEN, step_file
from tests.support.feeds import NEWS, WEEKLY, item, running_site
from tests.support.house import House

PEOPLE = f"Adresse;Name\n{ADA};Ada\n{BEN};Ben\nno address;Nora\n".encode()


def brought(shop: Program, content: bytes = PEOPLE, key: str = "file") -> Any:
    headers = {"Content-Type": "text/csv", "Idempotency-Key": key}
    return shop.client.post("/imports", content=content, headers=headers, params={"file": "fair.csv"})


def test_a_file_is_brought_looked_at_imported_and_taken_back(
    shop: Program, calm: Path, sessions: Sessions, settings: Settings
) -> None:
    answer = brought(shop)
    assert answer.status_code == 201, answer.text
    assert brought(shop).json() == answer.json()  # the same file with the same key is one
    assert kind(brought(shop, b"email\n")) == "key-of-another"
    one = f"/imports/{answer.json()['id']}"
    seen = shop.get(f"{one}/preview").json()
    assert [column["meaning"] for column in seen["columns"]] == ["email", "name"]
    assert [person["email"] for person in seen["people"]] == [ADA, BEN]
    assert [row["line"] for row in seen["refused"]] == [4]
    other = shop.send("PUT", f"{one}/reading", {"delimiter": ","}).json()
    assert len(other["columns"]) == 1
    shop.send("PUT", f"{one}/reading", {})
    begin = {"list": "calm", "consent": "Yes, send me letters."}
    assert kind(shop.post(f"{one}/begin", begin | {"list": "calmm"})) == "not-found"
    assert shop.post(f"{one}/begin", begin | {"is_confirmed": True}).status_code == 202
    assert shop.post(f"{one}/stop").json() == {"changed": True}
    assert shop.post(f"{one}/go-on").status_code == 202
    while carry_on(sessions, settings.data_dir, lambda: False):
        pass
    done = shop.get(one).json()
    assert (done["state"], done["list"], done["report"]["joined"]) == ("finished", "calm", 2)
    assert [row["email"] for row in done["not_taken"]] == ["no address"]
    assert "no address" in shop.get(f"{one}/not-taken").text
    assert [(row["file"], row["joined"]) for row in shop.get("/imports").json()["items"]] == [("fair.csv", 2)]
    assert kind(shop.send("DELETE", one)) == "refused"
    assert shop.post(f"{one}/undo").status_code == 202
    while carry_on(sessions, settings.data_dir, lambda: False):
        pass
    assert shop.get(one).json()["state"] == "undone"
    assert shop.get("/subscribers").json()["items"] == []


def test_a_file_that_says_nothing_of_its_size_is_cut_off_where_it_is_too_large(shop: Program) -> None:
    def parts() -> Any:
        for _ in range(3):
            yield b"a" * 700_000

    headers = {"Content-Type": "application/json", "Idempotency-Key": "x"}
    # A megabyte is too much anywhere but where files are brought.
    assert shop.client.post("/subscribers/find", content=parts(), headers=headers).status_code in {413, 422}
    headers = {"Content-Type": "text/csv", "Idempotency-Key": "y"}
    large = b"email\n" + b"ada@reader.example\n" * 2_000_000  # 38 MB, more than a course may have
    answer = shop.client.post("/imports", content=large, headers=headers, timeout=60)
    assert answer.status_code == 201, answer.text
    assert shop.send("DELETE", f"/imports/{answer.json()['id']}").json() == {"changed": True}


def test_a_series_is_added_shown_made_now_and_paused(shop: Program, calm: Path) -> None:
    joins(shop, ADA)
    asked = {"markdown": WEEKLY}
    added = shop.post("/series", asked | {"agreed": ["warnings"]}).json()
    assert (added["slug"], added["is_new"]) == ("letter", True)
    assert shop.post("/series", asked | {"agreed": ["warnings"]}).json()["is_changed"] is False
    wrong = {"markdown": WEEKLY.replace("every: week", "every: wek")}
    assert kind(shop.post("/series", wrong)) == "faulty-files"
    whole = shop.get("/series/letter", ahead=2).json()
    assert (whole["state"], len(whole["coming"]), whole["past"]) == ("active", 2, [])
    assert shop.get("/series/letter/audience").json()["people"] == 1
    assert "A letter, number 1" in shop.get("/series/letter/preview").json()["mails"][0]["subject"]
    ran = shop.post("/series/letter/run", key="run").json()
    assert ran["outcome"] == "made"
    assert shop.post("/series/letter/run", key="run").json() == ran
    assert shop.get(f"/campaigns/{ran['campaign']}").json()["state"] == "scheduled"
    assert shop.post("/series/letter/pause").json() == {"changed": True}
    assert shop.post("/series/letter/resume").json()["next_on"]
    assert kind(shop.post("/series/letter/skip")) == "refused"  # it has no feed
    assert [one["slug"] for one in shop.get("/series").json()["items"]] == ["letter"]
    assert shop.send("DELETE", "/series/letter").json() == {"changed": True}


def test_what_is_in_a_feed_when_its_series_is_added_is_not_mailed(shop: Program, calm: Path) -> None:
    joins(shop, ADA)
    with running_site() as site:
        site.publish(item(1), item(2))
        text = NEWS.replace("URL", site.url)
        added = shop.post("/series", {"markdown": text, "agreed": ["warnings"]})
        assert added.json()["old_items"] == 2, added.text
        site.publish(item(1), item(2), item(3))
        assert shop.get("/series/news/preview").json()["items"] == 1
        assert shop.post("/series/news/skip").json() == {"items": 1}
        assert shop.post("/series/news/run").json()["outcome"] == "nothing-new"
        site.status = 500
        assert "answers 500" in shop.get("/series/news/preview").json()["detail"]


def test_what_a_course_did_and_how_its_versions_differ(shop: Program, calm: Path) -> None:
    joins(shop, ADA)
    (calm / "02-rest.md").write_text(step_file("rest", 3), encoding="utf-8")
    upload(shop, "/courses", zipped(calm), agreed="warnings")
    versions = shop.get("/courses/calm/versions", limit=1).json()
    assert [one["number"] for one in versions["items"]] == [2]
    rest = shop.get("/courses/calm/versions", cursor=versions["next"]).json()
    packed = shop.get("/courses/calm/versions/1/course.zip").content
    assert "calm/course.toml" in ZipFile(io.BytesIO(packed)).namelist()
    assert shop.get("/courses/calm/versions/9/course.zip").status_code == 404
    assert [one["number"] for one in rest["items"]] == [1]
    found = shop.get("/courses/calm/difference", old=1, new=2).json()
    assert [(one["key"], one["what"]) for one in found["steps"]] == [("rest", "changed")]
    report = shop.get("/courses/calm/report").json()
    assert [one["key"] for one in report["steps"]] == ["hello", "rest", "walk"]
    assert report["steps"][0]["readers"]["people"] == 0
    statement = shop.get("/courses/calm/statement").json()
    assert statement["missing"] == statement["duplicates"] == 0


def test_what_a_campaign_did(shop: Program, house: House) -> None:
    joins(shop, ADA)
    joins(shop, BEN)
    shop.post("/suppressions", {"emails": [BEN]})
    shop.post("/campaigns", {"markdown": SPRING})
    assert kind(shop.get("/campaigns/spring/not-reached")) == "not-found"  # nothing has left
    assert shop.post("/campaigns/spring/schedule", {"agreed": ["warnings"]}).status_code == 200
    house.send()
    house.plan()
    progress = shop.get("/campaigns/spring/progress").json()
    assert (progress["audience"], progress["accepted"], progress["not_reached"]) == (2, 1, 1)
    missed = shop.get("/campaigns/spring/not-reached").json()
    assert [(one["email"], one["state"]) for one in missed["items"]] == [(BEN, "suppressed")]
    (noted,) = shop.get("/actions", what="campaign export missing").json()["items"]
    assert (noted["rows"], noted["detail"]) == (1, {"campaign": "spring"})
    assert shop.get("/campaigns/spring/links").json()["people"] == 0
    assert shop.get("/campaigns/spring/variants").json() == []
    assert shop.get("/campaigns/spring/afterwards").json()["bounced_later"] == 0
    again = shop.post("/campaigns/spring/again", {"to": "missed", "slug": "spring-again"})
    assert again.json() == {"slug": "spring-again"}, again.text


def test_an_act_on_many_mails_is_asked_for_and_followed(
    shop: Program, house: House, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    for email in (ADA, BEN):
        house.enroll(email)
    house.plan()
    monkeypatch.setattr(bulk, "AT_ONCE", 1)
    asked = {"act": "hold", "course": "calm", "at_most": 2}
    answer = shop.post("/deliveries/act", asked, key="many")
    assert answer.status_code == 202, answer.text
    assert (answer.json()["changed"], answer.json()["is_done"]) == (0, False)
    again = shop.post("/deliveries/act", asked, key="many")
    assert (again.status_code, again.json()) == (202, answer.json())
    address = f"/deliveries/acts/{answer.json()['act'].rpartition('/')[2]}"
    with session_scope(sessions) as session:
        assert bulk.do_part(session)
    told = shop.get(address).json()
    assert (told["act"], told["changed"], told["seen"], told["ended_at"]) == ("hold", 1, 2, None)
    stopped = shop.post(f"{address}/stop").json()
    assert stopped["error"] == "owen@example.org by token the shop stopped it."
    with session_scope(sessions) as session:
        assert not bulk.do_part(session)
        states = sorted(session.scalars(select(Delivery.state)))
        assert states == ["held", "planned"]
    few = shop.post("/deliveries/act", {"act": "release", "course": "calm", "at_most": 1})
    assert (few.status_code, few.json()) == (200, {"changed": 1, "is_done": True, "act": None})
