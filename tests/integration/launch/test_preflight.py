"""The preflight over a real audience: each mail is made for its people, and for awkward ones."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from math import inf
from pathlib import Path

import pytest
from sqlalchemy import update

from mailer.audience.lists import add_list
from mailer.audience.segments import save_segment
from mailer.db import Sessions, session_scope
from mailer.fetch import Fetcher
from mailer.launch.campaign import put_draft
from mailer.launch.campaign_check import check_campaign
from mailer.launch.check import check_course
from mailer.launch.link_checks import Scope, ask_links
from mailer.launch.mailing import Mailing, of_campaign, of_course, of_files, of_folder
from mailer.launch.preflight import audience, look, preflight
from mailer.links import Signer
from mailer.models import LinkCheck, OptIn, Subscriber
from mailer.render.personalize import Templates
from tests.support.campaigns import put_people
from tests.support.cast import publish_folder, step_file, write_course
from tests.support.feeds import FETCHER, running_site

BASE = "https://news.example.org"


def _with_subject(mailing: Mailing, subject: str) -> Mailing:
    first = mailing.drafts[0]
    templates = Templates(subject, first.templates.html, first.templates.text)
    return replace(mailing, drafts=(replace(first, templates=templates),))


def test_a_course_is_looked_at_for_the_people_of_its_list(
    sessions: Sessions, signer: Signer, now: datetime, tmp_path: Path
) -> None:
    with session_scope(sessions) as session:
        publish_folder(session, write_course(tmp_path / "calm"), now)
        put_people(session, [1, 2], "calm", now)
        reader = Subscriber.email_key == "reader2@reader.example"
        session.execute(update(Subscriber).where(reader).values(fields={"city": "x" * 80}))
    with session_scope(sessions) as session:
        mailing = of_course(session, "calm")
        assert preflight(session, mailing, signer, BASE, now) == []

        # Only reader2's city makes the subject too long, and no address is told.
        long = _with_subject(mailing, "{{ fields.city | default('Bath') }}")
        (warning,) = preflight(session, long, signer, BASE, now)
        assert warning.is_warning
        assert "subscriber" in warning.what
        assert "reader2" not in warning.what

        missing = _with_subject(mailing, "{{ fields.city }}")
        problems = preflight(session, missing, signer, BASE, now)
        assert any("cannot be made" in problem.what and not problem.is_warning for problem in problems)


def test_a_campaign_is_looked_at_for_those_it_is_for(
    sessions: Sessions, now: datetime, tmp_path: Path
) -> None:
    path = tmp_path / "spring.md"
    path.write_text(
        "---\nslug: spring\nsubject: Hello\nlists: calm\nsegment: keen\nexclude_lists: quiet\n---\n# Hello\n",
        encoding="utf-8",
    )
    with session_scope(sessions) as session:
        publish_folder(session, write_course(tmp_path / "calm"), now)
        add_list(session, "quiet", "Quiet", OptIn.SINGLE)
        put_people(session, [1, 2, 3], "calm", now)
        put_people(session, [3], "quiet", now)
        keen = Subscriber.email_key.in_(["reader2@reader.example", "reader3@reader.example"])
        session.execute(update(Subscriber).where(keen).values(tags=["keen"]))
        save_segment(session, "keen", 'tag "keen"', "", now)
        compiled, problems = check_campaign(session, [path])
        assert compiled is not None, problems
        put_draft(session, compiled, now, who="ann")
        # Reader 1 is not keen, and reader 3 is on the list that is left out.
        for mailing in (of_files(session, compiled), of_campaign(session, "spring")):
            people = audience(session, mailing, now)
            assert [one.email for one in people] == ["reader2@reader.example"]


def linked(folder: Path, *links: str) -> Mailing:
    """A course of one step with these links, each in a paragraph of its own."""
    body = "\n\n".join(f"See [it]({link})." for link in links)
    compiled, problems = check_course(write_course(folder, {"01.md": step_file("a", 1, body=body)}))
    assert compiled is not None, problems
    return of_folder(compiled)


@pytest.fixture
def scope(sessions: Sessions) -> Scope:
    return lambda: session_scope(sessions)


def test_a_link_to_a_private_address_is_told_once_with_file_and_line(
    scope: Scope, signer: Signer, now: datetime, tmp_path: Path
) -> None:
    mailing = linked(tmp_path / "calm", "http://10.0.0.1/a", "http://10.0.0.1/a")
    asked: list[tuple[int, int]] = []
    with scope() as session:
        looked = look(session, mailing, signer, BASE, now, inf)
        assert (looked.problems, len(looked.links)) == ([], 1)
    assert ask_links(scope, looked.links, Fetcher(), lambda done, of: asked.append((done, of))) == 0
    with scope() as session:
        (problem,) = preflight(session, mailing, signer, BASE, now)
    text = (tmp_path / "calm" / "01.md").read_text(encoding="utf-8").splitlines()
    assert (problem.path, problem.is_warning) == ("01.md", False)
    assert "10.0.0.1" in text[problem.line - 1]
    assert asked == [(1, 1)]


def test_a_link_that_is_well_is_not_asked_again_for_an_hour_and_a_broken_one_soon(
    scope: Scope, signer: Signer, now: datetime, tmp_path: Path
) -> None:
    def later(minutes: int) -> None:
        with scope() as session:
            session.execute(update(LinkCheck).values(at=LinkCheck.at - timedelta(minutes=minutes)))

    def found() -> list[str]:
        with scope() as session:
            return [one.what for one in preflight(session, mailing, signer, BASE, now)]

    with running_site() as site:
        mailing = linked(tmp_path / "calm", site.url)
        with scope() as session:
            links = look(session, mailing, signer, BASE, now, inf).links
        site.status = 404
        # Out of time: a page says how many are to go, and asks on.
        assert ask_links(scope, links, FETCHER, seconds=0) == 1
        assert ask_links(scope, links, FETCHER) == 0
        assert found() == [f"The link {site.url} leads nowhere (404)."]
        site.status = 200
        later(minutes=1)
        assert found() == [f"The link {site.url} leads nowhere (404)."]
        for minutes in (0, 59):
            later(minutes)
            assert ask_links(scope, links, FETCHER) == 0
        assert (found(), len(site.asked)) == ([], 2)
        later(minutes=2)
        ask_links(scope, links, FETCHER)
        assert len(site.asked) == 3
