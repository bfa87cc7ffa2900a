"""A link that leads nowhere is found before a course is published or a campaign scheduled, and stops it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from mailer.content.draft_store import Drafts
from mailer.db import Sessions, session_scope
from mailer.models import LinkCheck, Role
from mailer.settings import Settings
from tests.integration.desk.test_campaign_pages import HOME, SEEN, begins, found, typed
from tests.support.cast import step_file, write_course
from tests.support.course_desk import SEAL
from tests.support.feeds import Site, running_site
from tests.support.newsroom import set_up_news
from tests.support.reader_pages import running_app
from tests.support.staff import Person, hire, signs_in


@pytest.fixture
def site() -> Iterator[Site]:
    with running_site() as running:
        running.status = 404
        yield running


@pytest.fixture
def marc(settings: Settings, sessions: Sessions) -> Iterator[Person]:
    set_up_news(sessions)
    hire(sessions, Role.MARKETER)
    with running_app(settings.replace(fetch_allow=("127.0.0.1/32",))) as address:
        yield signs_in(address, Role.MARKETER)


def mended(site: Site, sessions: Sessions) -> None:
    """The page is there again, and a minute has passed."""
    site.status = 200
    with session_scope(sessions) as session:
        session.execute(update(LinkCheck).values(at=LinkCheck.at - timedelta(minutes=1)))


def test_a_course_with_a_broken_link_is_published_once_it_is_mended(
    marc: Person, settings: Settings, sessions: Sessions, site: Site
) -> None:
    folder = Path(Drafts(settings.data_dir).home / "calm")
    write_course(folder, {"01.md": step_file("a", 1, body=f"See [this]({site.url}).")})
    path = "/desk/courses/calm/publish"
    page = marc.get(path).text
    assert "Its links are asked whether they answer: 1 link to go." in page
    assert (SEAL.search(page), site.asked) == (None, [])
    page = marc.get(path, look="on").text
    assert "leads nowhere (404)" in page
    assert SEAL.search(page) is None
    mended(site, sessions)
    page = marc.get(path, look="on").text
    seal = SEAL.search(page)
    assert seal, page
    assert "Published calm as version 1." in marc.post(path, seal=seal[1]).text
    assert len(site.asked) == 2


def test_a_campaign_with_a_broken_link_is_sent_once_it_is_mended(
    marc: Person, sessions: Sessions, site: Site
) -> None:
    page = begins(marc)
    marc.post(f"{HOME}/spring/edit", **typed(page, body=f"# Walks\n\nSee [this]({site.url}).\n"))
    path = f"{HOME}/spring/confirm"
    assert "its links are asked whether they answer" in marc.get(path, when="now").text
    assert site.asked == []
    page = marc.get(path, when="now", count="yes").text
    assert "leads nowhere (404)" in page
    assert 'name="people"' not in page
    said = {"when": "now", "people": "10"}
    assert "Look at whom it reaches first" in marc.post(path, **said).text
    mended(site, sessions)
    page = marc.get(path, when="now", count="yes").text
    assert 'name="people" value="10"' in page
    assert "spring is on its way." in marc.post(path, **said, digest=found(SEEN, page)).text
