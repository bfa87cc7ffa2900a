"""The preflight over a real audience: each mail is made for its people, and for awkward ones."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import update

from mailer.audience.lists import add_list
from mailer.audience.segments import save_segment
from mailer.db import Sessions, session_scope
from mailer.fetch import Fetcher
from mailer.launch.campaign import put_draft
from mailer.launch.campaign_check import check_campaign
from mailer.launch.check import check_course
from mailer.launch.mailing import Mailing, of_campaign, of_course, of_files, of_folder
from mailer.launch.preflight import audience, check_links, links_of, preflight
from mailer.links import Signer
from mailer.models import OptIn, Subscriber
from mailer.render.personalize import Templates
from tests.support.campaigns import put_people
from tests.support.cast import publish_folder, step_file, write_course

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


def test_a_link_to_a_private_address_is_told_once_with_file_and_line(
    signer: Signer, now: datetime, tmp_path: Path
) -> None:
    body = "See [it](http://10.0.0.1/a), and [again](http://10.0.0.1/a)."
    compiled, problems = check_course(
        write_course(tmp_path / "calm", {"01.md": step_file("a", 1, body=body)})
    )
    assert compiled is not None, problems
    asked: list[tuple[int, int]] = []
    links = links_of(of_folder(compiled), signer, BASE, now)
    (problem,) = check_links(links, Fetcher(), lambda done, of: asked.append((done, of)))
    text = (tmp_path / "calm" / "01.md").read_text(encoding="utf-8").splitlines()
    assert (problem.path, problem.is_warning) == ("01.md", False)
    assert "10.0.0.1" in text[problem.line - 1]
    assert asked == [(1, 1)]
