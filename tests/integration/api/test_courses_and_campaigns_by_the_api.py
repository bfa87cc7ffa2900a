"""Courses, campaigns, segments and suppression by the API: what a program publishes, and what it is asked."""

from __future__ import annotations

import base64
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import select

from mailer.accounts.rights import Right
from mailer.db import Sessions, session_scope
from mailer.models import Campaign, Course
from tests.integration.api.conftest import Program, joins, upload, zipped
from tests.integration.api.test_how_the_api_works import kind
from tests.support.cast import ADA, BEN, CLEO, step_file, write_course

GUIDE = Path(__file__).parents[2] / "support" / "guides" / "sleeping-better.md"

SPRING = """---
slug: spring
subject: "Spring walks"
lists: [calm]
---
# Spring walks

{{ greeting }}

The garden is open again, from nine to five.
"""


def test_a_course_is_planned_published_changed_and_taken_back(shop: Program, tmp_path: Path) -> None:
    folder = write_course(tmp_path / "calm")
    packed = zipped(folder, top="calm/")
    planned = upload(shop, "/courses/plan", packed).json()
    assert [one["key"] for one in planned["changes"] if one["kind"] == "add"] == ["hello", "rest", "walk"]
    assert shop.get("/courses").json()["items"] == []
    assert upload(shop, "/courses", packed, agreed="warnings").json()["version"] == 1
    whole = shop.get("/courses/calm").json()
    assert (whole["list"], whole["version"], len(whole["steps"])) == ("calm", 1, 3)
    (folder / "02-rest.md").write_text(step_file("rest", 3), encoding="utf-8")
    changed = upload(shop, "/courses", zipped(folder), agreed="warnings").json()
    assert [(one["kind"], one["key"]) for one in changed["changes"]] == [("move", "rest")]
    undone = shop.post("/courses/calm/undo").json()
    assert (undone["taken_back"], undone["like"], undone["version"]) == (2, 1, 3)


def test_a_guide_becomes_a_folder_that_can_be_published(
    shop: Program, calm: Path, sessions: Sessions
) -> None:
    asked = {"file": "sleep.md", "days": "30", "slug": "sleep", "sender": "calm"}
    headers = {"Idempotency-Key": "guide-1", "Content-Type": "application/octet-stream"}
    answer = shop.client.post("/courses/guide", content=GUIDE.read_bytes(), headers=headers, params=asked)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["slug"], found["steps"] > 3) == ("sleep", True)
    folder = base64.b64decode(found["folder"])
    planned = upload(shop, "/courses/plan", folder).json()
    assert planned["slug"] == "sleep"
    assert len(planned["changes"]) >= found["steps"]
    for wrong, words in (({"file": "sleep.pdf"}, ".docx"), ({"slug": "No Slug"}, "not a slug")):
        headers["Idempotency-Key"] = f"{wrong}"
        refused = shop.client.post(
            "/courses/guide", content=GUIDE.read_bytes(), headers=headers, params=asked | wrong
        )
        assert (refused.status_code, words in refused.json()["detail"]) == (422, True)
    with session_scope(sessions) as session:
        assert session.scalars(select(Course.slug)).all() == ["calm"]  # nothing is kept of it


def test_a_token_that_may_only_send_publishes(program: Callable[..., Program], tmp_path: Path) -> None:
    job = program(Right.SEE, Right.SEND)
    packed = zipped(write_course(tmp_path / "calm"))
    assert upload(job, "/courses", packed, agreed="warnings").json()["version"] == 1


def test_every_error_of_a_course_is_told_with_its_line_and_fix(shop: Program, tmp_path: Path) -> None:
    folder = write_course(
        tmp_path / "calm", {"01-a.md": step_file("a", 1, body="{{ nmae }}"), "02-b.md": "x"}
    )
    answer = upload(shop, "/courses", zipped(folder))
    assert kind(answer) == "faulty-files"
    found = answer.json()["problems"]
    assert {one["path"] for one in found} == {"01-a.md", "02-b.md"}
    assert all(one["line"] and one["fix"] for one in found)


def test_what_is_no_course_folder_is_refused_and_writes_nothing_outside(
    shop: Program, tmp_path: Path
) -> None:
    outside = io.BytesIO()
    with zipfile.ZipFile(outside, "w") as archive:
        archive.writestr("course.toml", "slug = 'calm'")
        archive.writestr("../../evil.md", "x")
        archive.writestr("/tmp/evil.md", "x")
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("course.toml", "slug = 'calm'")
        archive.writestr("01.md", b"a" * (65 * 1024 * 1024))
    for content, words in (
        (b"no zip", "not a zip"),
        (zipped(tmp_path), "no course.toml"),
        (bomb.getvalue(), "MB"),
    ):
        answer = upload(shop, "/courses/plan", content)
        assert kind(answer) == "refused"
        assert words in answer.json()["detail"]
    assert kind(upload(shop, "/courses/plan", outside.getvalue())) == "refused"
    assert not list(Path("/tmp").glob("evil*"))


def test_ada_is_put_into_a_course_and_what_she_will_get_is_foretold(shop: Program, calm: Path) -> None:
    ada = joins(shop, ADA)
    assert shop.post("/courses/calm/enrollments", {"subscriber_id": ada}).json()["state"] == "active"
    joins(shop, BEN)
    assert shop.post("/courses/calm/enrollments", {}).json() == {"newly": 1, "state": None, "is_done": True}
    (hers,) = shop.get(f"/subscribers/{ada}").json()["courses"]
    assert hers["course"] == "calm"
    pace = f"/subscribers/{ada}/enrollments/{hers['enrollment_id']}/pace"
    assert shop.post(pace, {"action": "gap", "gap": 2}).json() == {"changed": True}
    assert shop.post(pace, {"action": "gap", "gap": 2}).json() == {"changed": False}
    assert kind(shop.post(pace, {"action": "pause"})) == "refused"  # until when?
    assert kind(shop.post(pace.replace(f"/{ada}/", "/999/"), {"action": "next"})) == "not-found"
    asked = {"people": [{"zone": "Asia/Tokyo"}], "start": "2027-03-01", "weeks": 1}
    sends = shop.post("/courses/calm/simulate", asked).json()["sends"]
    # Enrolled on Monday at noon; lessons on days 1, 2 and 4 at 08:00 of her own clock.
    assert [(one["person"], one["step"], one["local_time"]) for one in sends] == [
        (0, "hello", "Tue 2027-03-02 08:00 JST"),
        (0, "rest", "Wed 2027-03-03 08:00 JST"),
        (0, "walk", "Fri 2027-03-05 08:00 JST"),
    ]
    far = shop.post("/courses/calm/simulate", {**asked, "start": "9999-12-31"})
    assert "too far off" in far.json()["detail"]
    hers = {"name": "Ada", "zone": "Asia/Tokyo"}
    mail = shop.post(
        "/courses/calm/simulate/mail", {"person": hers, "step": "hello", "at": sends[0]["due_at"]}
    ).json()
    assert mail["subject"] == "About hello"
    assert "Hello Ada," in mail["text"]
    assert "Hello Ada," in mail["html"]
    gone = {"person": hers, "step": "gone", "at": sends[0]["due_at"]}
    assert kind(shop.post("/courses/calm/simulate/mail", gone)) == "refused"
    assert shop.get("/forecast", days=10).json().keys() >= {"hours", "most_per_hour", "collisions"}


def test_somebody_who_did_not_agree_to_the_list_is_not_enrolled(shop: Program, calm: Path) -> None:
    number = shop.post("/subscribers", {"email": CLEO}).json()["id"]
    assert kind(shop.post("/courses/calm/enrollments", {"subscriber_id": number})) == "refused"


def test_a_campaign_is_drafted_scheduled_paused_resumed_and_cancelled(shop: Program, calm: Path) -> None:
    joins(shop, ADA)
    drafted = shop.post("/campaigns", {"markdown": SPRING}).json()
    assert (drafted["slug"], drafted["is_new"]) == ("spring", True)
    assert shop.post("/campaigns", {"markdown": SPRING}).json()["is_changed"] is False
    seen = shop.get("/campaigns/spring/audience").json()
    assert seen["people"] == 1
    at = {"at": "2027-03-01T09:00:00+00:00", "agreed": ["warnings"], "digest": seen["digest"]}
    for moment in ({"at": "9999-12-31T23:00:00-08:00"}, {"local": {"at": "9999-12-31T23:00:00"}}):
        far = shop.post("/campaigns/spring/schedule", {**moment, "agreed": ["warnings"]})
        assert far.json()["detail"].startswith("9999-12-31: This day is too far off")
    shop.post("/campaigns", {"markdown": SPRING + "\nAnd the windows.\n"})
    assert "changed a moment ago" in shop.post("/campaigns/spring/schedule", at).json()["detail"]
    shop.post("/campaigns", {"markdown": SPRING})
    at["digest"] = shop.get("/campaigns/spring/audience").json()["digest"]
    answer = shop.post("/campaigns/spring/schedule", at).json()
    assert answer["people"] == 1
    assert answer["digest"] == shop.get("/campaigns/spring/audience").json()["digest"] != at["digest"]
    assert shop.get("/campaigns/spring").json()["state"] == "scheduled"
    assert shop.post("/campaigns/spring/pause", {"reason": "wait"}).json() == {"changed": True}
    assert shop.get("/campaigns/spring").json()["is_paused"] is True
    assert shop.post("/campaigns/spring/resume", {}).json() == {"changed": True}
    assert shop.post("/campaigns/spring/cancel", {}).json() == {"changed": True}
    statement = shop.get("/campaigns/spring/statement").json()
    assert (statement["audience"], statement["is_balanced"]) == (0, True)
    assert kind(shop.post("/campaigns/spring/schedule", {})) == "refused"
    assert [one["slug"] for one in shop.get("/campaigns").json()["items"]] == ["spring"]


def test_what_is_surprising_is_listed_and_takes_a_yes_by_name(
    shop: Program, calm: Path, sessions: Sessions
) -> None:
    for number in range(10):
        joins(shop, f"reader{number}@reader.example")
    shop.post("/campaigns", {"markdown": SPRING})
    shop.post("/campaigns", {"markdown": SPRING.replace("slug: spring", "slug: again")})
    shop.post("/campaigns/spring/schedule", {"at": "2027-03-01T09:00:00Z", "agreed": ["warnings"]})
    with session_scope(sessions) as session:
        # As if it had been sent to one person: the next one goes to ten times as many.
        sent = session.query(Campaign).filter_by(slug="spring").one()
        sent.state, sent.audience, sent.materialised_at = "finished", 1, sent.created_at
    answer = shop.post("/campaigns/again/schedule", {"agreed": ["warnings"]})
    assert (answer.status_code, kind(answer)) == (409, "not-agreed")
    assert [one["what"] for one in answer.json()["agree"]] == ["much-larger", "same-message"]
    assert '"much-larger", "same-message"' in answer.json()["detail"]
    assert shop.get("/campaigns/again").json()["state"] == "draft"
    few = {"agreed": ["warnings", "much-larger", "same-message"], "people_at_most": 9}
    assert "more than 9" in shop.post("/campaigns/again/schedule", few).json()["detail"]
    yes = {"agreed": ["warnings", "much-larger", "same-message"]}
    assert shop.post("/campaigns/again/schedule", yes).status_code == 200


def test_a_campaign_leaves_by_its_readers_own_clocks(shop: Program, calm: Path) -> None:
    joins(shop, ADA)
    shop.post("/campaigns", {"markdown": SPRING})
    local = {"local": {"at": "2027-03-01T09:00:00"}, "agreed": ["warnings"]}
    both = local | {"at": "2027-03-01T09:00:00Z"}
    assert kind(shop.post("/campaigns/spring/schedule", both)) == "bad-request"
    assert shop.post("/campaigns/spring/schedule", local).status_code == 200
    assert shop.get("/campaigns/spring").json()["local"]["at"].startswith("2027-03-01T09:00")


def test_every_error_of_a_campaign_is_told_with_its_line_and_fix(shop: Program, calm: Path) -> None:
    answer = shop.post("/campaigns", {"markdown": SPRING.replace("[calm]", "[calmm]")})
    assert kind(answer) == "faulty-files"
    (found,) = answer.json()["problems"]
    assert (found["path"], found["line"]) == ("campaign.md", 4)
    assert "calm" in found["fix"]


def test_a_segment_is_saved_said_and_counted(shop: Program) -> None:
    shop.post("/subscribers", {"email": ADA, "tags": ["walker"]})
    shop.post("/subscribers", {"email": BEN})
    saved = shop.send("PUT", "/segments/walkers", {"rule": 'tag "walker"', "title": "Walkers"}).json()
    assert saved["means"].startswith("who ")
    assert shop.get("/segments/walkers").json() == saved
    assert shop.get("/segments/walkers/count").json() == {"people": 1}
    assert shop.get("/segments/walkers/sample").json() == {"people": 1, "sample": [ADA]}
    assert shop.post("/segments/try", {"rule": 'not tag "walker"'}).json()["people"] == 1
    assert kind(shop.post("/segments/try", {"rule": "tag ("})) == "refused"
    assert shop.send("DELETE", "/segments/walkers").json() == {"changed": True}
    assert shop.get("/segments/walkers").status_code == 404


def test_an_address_is_stopped_and_mailed_again(shop: Program) -> None:
    stopped = shop.post("/suppressions", {"emails": [CLEO, BEN], "detail": "by letter"}).json()
    assert stopped == {"new": 2, "graver": 0, "known": 0}
    first = shop.get("/suppressions", limit=1).json()
    rest = shop.get("/suppressions", limit=1, cursor=first["next"]).json()
    assert {one["email"] for one in first["items"] + rest["items"]} == {CLEO, BEN}
    assert kind(shop.post("/suppressions", {"emails": [ADA], "reason": "hard-bounce"})) == "refused"
    assert shop.post("/suppressions/lift", {"email": CLEO}).json() == {"changed": True}
    assert kind(shop.post("/suppressions/lift", {"email": CLEO})) == "not-found"


def test_a_draft_is_tested_by_a_program_and_shown_in_the_archive(
    shop: Program, calm: Path, sessions: Sessions
) -> None:
    joins(shop, ADA)
    shop.post("/campaigns", {"markdown": SPRING})
    assert kind(shop.post("/campaigns/spring/test", {"to": ["nobody"]})) == "refused"
    assert shop.post("/campaigns/spring/public", {"is_public": True}).json() == {"changed": True}
    with session_scope(sessions) as session:
        assert session.query(Campaign.is_public).scalar()
