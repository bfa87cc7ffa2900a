"""The archive: what is public is there for everybody, and nobody's values are in it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from mailer.db import session_scope, step_clock
from mailer.embedded.redis import EmbeddedRedis
from mailer.errors import Refused
from mailer.launch.archive import set_public
from mailer.launch.campaign import cancel
from mailer.models import CampaignState
from mailer.reports import archive
from mailer.reports.archive import list_issues
from mailer.schedule.campaigns import get_campaign
from mailer.settings import Settings
from tests.integration.campaigns.test_campaign_files import edit
from tests.support.campaigns import SPRING, draft, put_people, set_going, write_campaign
from tests.support.house import House
from tests.support.reader_pages import SECRET, running_app


@pytest.fixture
def site(spring: House, database_url: str, redis: EmbeddedRedis) -> Iterator[httpx.Client]:
    settings = Settings(database_url=database_url, redis_url=redis.broker_url, secret_key=(SECRET,))
    with running_app(settings) as address, httpx.Client(base_url=address) as client:
        yield client


def make_public(house: House, slug: str = SPRING, *, is_public: bool = True) -> None:
    with session_scope(house.sessions) as session:
        set_public(session, slug, "http://mail.test", is_public=is_public)


def goes_out(house: House, slug: str = SPRING) -> None:
    with session_scope(house.sessions) as session:
        put_people(session, [1], "letters", house.at)
    set_going(house, slug=slug)
    assert house.send() == {"accepted": 1}


def test_a_campaign_is_in_the_archive_when_it_is_public_and_has_left(
    spring: House, site: httpx.Client
) -> None:
    assert "There is nothing to read here yet." in site.get("/archive").text
    goes_out(spring)
    assert SPRING not in site.get("/archive").text
    assert site.get(f"/archive/{SPRING}").status_code == 404
    make_public(spring)
    page = site.get("/archive")
    assert "Spring at the Reading Room" in page.text
    assert "x-robots-tag" not in page.headers
    assert "noindex" not in page.text
    assert page.headers["cache-control"] == "public, max-age=300"
    make_public(spring, is_public=False)
    assert site.get(f"/archive/{SPRING}").status_code == 404


def test_a_file_can_say_that_it_is_public(spring: House, tmp_path: Path) -> None:
    path = edit(tmp_path / "spring.md", ("language: en", "language: en\npublic: true"))
    with session_scope(spring.sessions) as session:
        draft(session, [path], spring.at)
        assert get_campaign(session, SPRING).is_public
        # Not before it has left.
        assert list_issues(session).issues == ()


def test_an_issue_has_nobodys_name_address_or_links(
    spring: House, site: httpx.Client, tmp_path: Path
) -> None:
    body = "Dear {{ name | default('reader', true) }}, {{ email }} {{ fields.city | default('x') }}."
    path = write_campaign(tmp_path, subject="For {{ first_name | default('you', true) }}", body=body)
    with session_scope(spring.sessions) as session:
        draft(session, [path], spring.at)
    goes_out(spring)
    make_public(spring)
    assert "For you" in site.get("/archive").text
    issue = site.get(f"/archive/{SPRING}")
    assert "Dear reader" in issue.text
    assert "@reader.example" not in issue.text
    assert "/m/" not in issue.text
    assert "/l/" not in issue.text
    assert "/archive/links-in-mails" in issue.text
    assert "script-src 'none'" in issue.headers["content-security-policy"]
    assert "This link belongs to a mail" in site.get("/archive/links-in-mails").text


def test_what_cannot_be_read_without_a_reader_is_not_made_public(spring: House, tmp_path: Path) -> None:
    path = write_campaign(tmp_path, body="You are {{ 1 / (email | length) }}.")
    with session_scope(spring.sessions) as session:
        draft(session, [path], spring.at)
    with pytest.raises(Refused, match="needs its reader's own values"):
        make_public(spring)


def test_each_language_is_there_and_another_is_the_campaigns_own(
    spring: House, site: httpx.Client, tmp_path: Path
) -> None:
    english = tmp_path / "spring.md"
    german = write_campaign(tmp_path, "spring.de.md", language="de", body="Die Fenster stehen offen.")
    with session_scope(spring.sessions) as session:
        draft(session, [english, german], spring.at)
    goes_out(spring)
    make_public(spring)
    assert 'hreflang="de"' in site.get("/archive").text
    assert "Die Fenster" in site.get(f"/archive/{SPRING}?language=de").text
    assert "The windows" in site.get(f"/archive/{SPRING}?language=fr").text


def test_a_cancelled_campaign_is_not_read_in_the_archive(spring: House, site: httpx.Client) -> None:
    goes_out(spring)
    make_public(spring)
    with session_scope(spring.sessions) as session:
        if get_campaign(session, SPRING).state != CampaignState.FINISHED:
            cancel(session, SPRING, spring.at, who="ann")
        else:
            get_campaign(session, SPRING).state = CampaignState.CANCELLED
    assert site.get(f"/archive/{SPRING}").status_code == 404
    assert SPRING not in site.get("/archive").text


def test_older_ones_come_on_pages_of_their_own(
    spring: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "PAGE", 2)
    for number in range(5):
        path = edit(
            write_campaign(tmp_path, f"n{number}.md", subject=f"Letter {number}"),
            ("slug: spring", f"slug: n{number}\npublic: true"),
        )
        with session_scope(spring.sessions) as session:
            draft(session, [path], spring.at)
            one = get_campaign(session, f"n{number}")
            # Two begin in the same second.
            one.state, one.begun_at = CampaignState.FINISHED, spring.at + timedelta(hours=number // 2)
    with session_scope(spring.sessions) as session:
        step_clock(session, spring.at)
        first = list_issues(session)
        second = list_issues(session, first.older)
        third = list_issues(session, second.older)
    pages = [[issue.slug for issue in page.issues] for page in (first, second, third)]
    assert pages == [["n4", "n3"], ["n2", "n1"], ["n0"]]
    assert third.older is None
