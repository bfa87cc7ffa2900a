"""A form that is refused comes back with what was typed into it, and says what was wrong."""

from __future__ import annotations

from datetime import datetime
from html import unescape
from pathlib import Path

from sqlalchemy import select

from mailer.audience.subscribers import Person as NewPerson
from mailer.audience.subscribers import add_subscriber
from mailer.db import Sessions, session_scope
from mailer.models import Subscriber
from tests.support.cast import publish_folder, write_course
from tests.support.newsroom import set_up_news
from tests.support.staff import Person

GUIDE = Path(__file__).parents[2] / "support" / "guides" / "sleeping-better.md"


def test_another_step(marc: Person, calm: str) -> None:
    marc.get(calm)
    page = marc.post(f"{calm}/steps", subject="A walk & a rest", kind="protocol", day="9999", digest="")
    assert (page.status_code, 'value="A walk &amp; a rest"' in page.text) == (422, True)
    assert "<option selected>protocol</option>" in page.text


def test_another_text_of_a_step(marc: Person, calm: str) -> None:
    marc.get(calm)
    step = f"{calm}/steps/02-rest.md"
    page = marc.post(f"{step}/texts", what="variant", when='tag vip and "')
    assert (page.status_code, 'tag vip and "' in unescape(page.text)) == (422, True)
    page = marc.post(f"{step}/texts", what="translation", language="xx-nowhere!")
    assert 'value="xx-nowhere!"' in page.text


def test_the_words_of_consent(marc: Person, sessions: Sessions, tmp_path: Path, now: datetime) -> None:
    with session_scope(sessions) as session:
        publish_folder(session, write_course(tmp_path / "calm"), now)
        who = add_subscriber(session, NewPerson("zoe@example.org")).id
    marc.get("/desk/subscribers")
    for list_, consent in (("", "At the counter."), ("nowhere", "At the counter.")):
        page = marc.post(f"/desk/subscribers/{who}/join", list=list_, consent=consent)
        assert (page.status_code, ">At the counter.</textarea>" in page.text) == (422, True)
    with sessions() as session:
        assert session.scalars(select(Subscriber.email)).all() == ["zoe@example.org"]


def test_the_language_of_a_campaigns_translation(marc: Person, sessions: Sessions) -> None:
    set_up_news(sessions)
    marc.get("/desk/new-campaign")
    marc.post("/desk/new-campaign", subject="Spring walks", slug="spring", list="news", kind="md")
    page = marc.post("/desk/campaigns/spring/edit/translation", language="no language")
    assert (page.status_code, 'value="no language"' in page.text) == (422, True)


def test_a_section_of_a_guide(marc: Person) -> None:
    marc.get("/desk/new-course")
    sent = marc.client.post(
        "/desk/new-course",
        data={"form_key": marc.key},
        files={"file": ("sleep.md", GUIDE.read_bytes())},
        follow_redirects=True,
    )
    path = sent.url.path
    key = sent.text.split('class="timeline-step', 2)[2].split('id="', 1)[1].split('"', 1)[0]
    page = marc.post(f"{path}/sections/{key}", title="Another title", place="own", day="9999")
    assert (page.status_code, 'value="Another title"' in page.text) == (422, True)
