"""Series on the desk: what a feed has, what may not be done, and pictures that stay."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from mailer.db import Sessions, business_now, session_scope
from mailer.models import Media, Role, Series
from mailer.schedule.courses import get_course
from mailer.settings import Settings
from tests.support.cast import ADA, join_course, publish_folder, write_course
from tests.support.feeds import NEWS, WEEKLY, item, running_site
from tests.support.reader_pages import running_app
from tests.support.staff import Person, hire, signs_in

ADD = "/desk/new-series"


@pytest.fixture
def marc(settings: Settings, sessions: Sessions, tmp_path: Path) -> Iterator[Person]:
    """Marc at a desk that may ask this machine for feeds; Ada is on the list "calm"."""
    with session_scope(sessions) as session:
        now = business_now(session)
        publish_folder(session, write_course(tmp_path / "calm"), now)
        join_course(session, get_course(session, "calm"), ADA, now)
    hire(sessions)
    with running_app(settings.replace(fetch_allow=("127.0.0.1/32",))) as address:
        yield signs_in(address, Role.MARKETER)


def test_a_feed_is_looked_at_and_what_is_in_it_already_is_not_mailed(marc: Person) -> None:
    marc.get(ADD)
    with running_site() as site:
        site.publish(item(1), item(2))
        page = marc.post(ADD, text=NEWS.replace("URL", site.url), agreed="warnings").text
        assert "Added news. What is in its feed already (2) is not mailed." in page
        site.publish(item(1), item(2), item(3))
        assert "of 1 new item of its feed" in marc.get("/desk/series/news/preview").text
        asked = marc.get("/desk/series/news/skip").text
        assert "1 item has not been mailed yet" in asked
        assert "Story 3" in asked
        site.publish(item(1), item(2), item(3), item(4))
        assert "Something new has come" in marc.post("/desk/series/news/skip", items="1").text
        assert "2 of its feed count as known" in marc.post("/desk/series/news/skip", items="2").text
        assert "All that is in its feed is known" in marc.get("/desk/series/news/skip").text
        assert "an invented item is shown" in marc.get("/desk/series/news/preview").text
        assert "No campaign was made" in marc.post("/desk/series/news/run").text
        site.status = 500
        assert "answers 500" in marc.get("/desk/series/news/preview").text


def test_what_is_wrong_or_nothing_changes_nothing(marc: Person, sessions: Sessions) -> None:
    marc.get(ADD)
    assert "Write its file" in marc.post(ADD, text=" ").text
    wrong = marc.post(ADD, text=WEEKLY.replace("[calm]", "[calmer]"))
    assert wrong.status_code == 422
    assert "There is no list &#39;calmer&#39;" in wrong.text
    assert "lists: [calmer]" in wrong.text
    with session_scope(sessions) as session:
        assert session.execute(select(Series.slug)).first() is None
    assert marc.get("/desk/series/nothing").status_code == 404


def test_pictures_of_a_series_stay_when_its_text_is_changed(marc: Person, sessions: Sessions) -> None:
    marc.get(ADD)
    marc.post(ADD, text=WEEKLY, agreed="warnings")
    shown = WEEKLY.replace("The windows", "![Tea](media/tea.png)\n\nThe windows")
    assert "There is no picture" in marc.post(ADD, text=shown, slug="letter", agreed="warnings").text
    with session_scope(sessions) as session:
        session.add(Media(name="tea-1.png", content_type="image/png", content=PIXEL))
        series = session.execute(select(Series)).scalar_one()
        series.template = {**series.template, "media": {"media/tea.png": "tea-1.png"}}
    assert "Changed letter." in marc.post(ADD, text=shown, slug="letter", agreed="warnings").text


PIXEL = b"\x89PNG\r\n\x1a\n" + b"\0" * 8 + (40).to_bytes(4, "big") + (40).to_bytes(4, "big") + b"\0" * 8


def test_a_series_is_replaced_by_nobody_who_has_not_seen_it(marc: Person) -> None:
    marc.get(ADD)
    assert "Added letter." in marc.post(ADD, text=WEEKLY, agreed="warnings").text
    again = marc.post(ADD, text=f"{WEEKLY}\nAnother letter.\n", agreed="warnings")
    assert "There is a series &#39;letter&#39; already" in again.text
    assert "Another letter." in again.text
    page = marc.get("/desk/series/letter/edit").text
    (seen,) = re.findall(r'name="seen" value="([0-9a-f]+)"', page)
    other = marc.post(ADD, text=WEEKLY.replace("slug: letter", "slug: other"), slug="letter", seen=seen)
    assert "its file says &#39;other&#39;" in other.text
    asked = {"slug": "letter", "seen": seen, "agreed": "warnings"}
    assert "Changed letter." in marc.post(ADD, text=f"{WEEKLY}\nMore.\n", **asked).text
    late = marc.post(ADD, text=f"{WEEKLY}\nLess.\n", **asked)
    assert "Somebody else has changed it since you opened it" in late.text
    assert "Less." in late.text
