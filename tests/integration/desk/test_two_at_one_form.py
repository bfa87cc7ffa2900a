"""Two people change the same thing: the second one sees it, and replaces the first's only by saying so."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from mailer.audience.segments import save_segment
from mailer.content.draft_store import Drafts
from mailer.db import Sessions, session_scope
from mailer.models import MailingList, Segment, SignUpForm
from tests.support.cast import publish_folder, write_course
from tests.support.newsroom import set_up_news
from tests.support.staff import Person

VIP = {"what-0-0": "tag", "was-0-0": "tag", "operator-0-0": "has", "value-0-0": "vip"}
FORM = {
    **{"slug": "neck-page", "list": "calm", "title": "A calmer neck", "words": "Three letters."},
    **{"consent": "Yes, write to me.", "language": "en"},
}
REFUSED = "Somebody else has changed it since you opened it"


@pytest.fixture(autouse=True)
def course(sessions: Sessions, tmp_path: Path, now: datetime) -> None:
    with session_scope(sessions) as session:
        publish_folder(session, write_course(tmp_path / "calm"), now)


def hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([0-9a-f]*)"', page)
    assert found, page
    return found[1]


def over(page: str, name: str = "seen") -> str:
    """What the button "Save mine over theirs" sends."""
    found = re.search(rf'name="{name}" value="([0-9a-f]+)">Save mine over theirs', page)
    assert found, page
    return found[1]


def test_a_list(marc: Person, sessions: Sessions) -> None:
    path = "/desk/lists/calm"
    seen = hidden(marc.get(path).text, "seen")
    assert "Changed." in marc.post(path, title="First", opt_in="double", seen=seen).text
    page = marc.post(path, title="Second", opt_in="double", seen=seen)
    assert (page.status_code, REFUSED in page.text) == (422, True)
    assert 'value="Second"' in page.text
    # Pressing the same button again changes nothing: what was seen is what it was.
    assert REFUSED in marc.post(path, title="Second", opt_in="double", seen=hidden(page.text, "seen")).text
    with sessions() as session:
        assert session.scalars(select(MailingList.title)).all() == ["First"]
    assert "Changed." in marc.post(path, title="Second", opt_in="double", seen=over(page.text)).text


def test_a_form(marc: Person, sessions: Sessions) -> None:
    marc.get("/desk/forms")
    marc.post("/desk/forms", **FORM)
    path = "/desk/forms/neck-page"
    seen = hidden(marc.get(path).text, "seen")
    assert "Changed." in marc.post(path, **{**FORM, "title": "First"}, seen=seen).text
    page = marc.post(path, **{**FORM, "title": "Second"}, seen=seen).text
    assert REFUSED in page
    with sessions() as session:
        assert session.scalars(select(SignUpForm.title)).all() == ["First"]
    assert "Changed." in marc.post(path, **{**FORM, "title": "Second"}, seen=over(page)).text


def test_a_segment(marc: Person, sessions: Sessions, now: datetime) -> None:
    with session_scope(sessions) as session:
        save_segment(session, "keen", 'tag "keen"', "Keen", now)
    path = "/desk/segments/keen/edit"
    seen = hidden(marc.get(path).text, "seen")
    with session_scope(sessions) as session:
        save_segment(session, "keen", 'tag "walker"', "Keen", now)
    # Another row, and the count, say nothing of it yet; what was seen is kept.
    grown = marc.post(path, do="add:0", title="Keen", seen=seen, **VIP).text
    assert hidden(grown, "seen") == seen
    page = marc.post(path, do="save", title="Keen", seen=seen, **VIP)
    assert page.status_code == 422
    assert REFUSED in page.text
    with sessions() as session:
        assert session.scalars(select(Segment.rule)).all() == ['tag "walker"']
    both = {"seen": seen, "over": hidden(page.text, "over")}
    assert "Changed keen" in marc.post(path, do="over", title="Keen", **both, **VIP).text


def test_a_course(marc: Person, drafts: Drafts, calm: str) -> None:
    path = f"{calm}/settings"
    seen = hidden(marc.get(path).text, "digest")
    assert "Changed the course" in marc.post(path, digest=seen, title="First").text
    page = marc.post(path, digest=seen, title="Second").text
    assert "Somebody else has changed" in page
    assert hidden(page, "digest") == seen
    assert 'title = "First"' in (drafts.folder("calm") / "course.toml").read_text()
    assert "Changed the course" in marc.post(path, digest=over(page, "digest"), title="Second").text


def test_a_campaigns_audience_and_its_variants(marc: Person, sessions: Sessions) -> None:
    set_up_news(sessions)
    marc.get("/desk/new-campaign")
    marc.post("/desk/new-campaign", subject="Spring walks", slug="spring", list="news", kind="md")
    audience, variants = "/desk/campaigns/spring/audience", "/desk/campaigns/spring/ab-test"
    seen = hidden(marc.get(audience).text, "digest")
    assert "Saved whom" in marc.post(audience, digest=seen, lists="news", no_room="drop").text
    for path, typed, done in (
        (audience, {"lists": "news", "no_room": "move"}, "Saved whom"),
        (variants, {"b_subject": "Walks of spring", "share": "50 %", "wait": "2 hours"}, "Saved the test"),
    ):
        page = marc.post(path, digest=seen, **typed).text
        assert "Somebody else has" in page, path
        assert hidden(page, "digest") == seen
        saved = marc.client.post(
            path,
            data={"form_key": marc.key, "digest": [seen, over(page, "digest")], **typed},
            follow_redirects=True,
        )
        assert done in saved.text, path
