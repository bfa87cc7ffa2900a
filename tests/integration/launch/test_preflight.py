"""The preflight over a real audience: each mail is made for its people, and for awkward ones."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import update

from mailer.db import Sessions, session_scope
from mailer.fetch import Fetcher
from mailer.launch.check import check_course
from mailer.launch.mailing import Mailing, of_course, of_folder
from mailer.launch.preflight import check_links, links_of, preflight
from mailer.links import Signer
from mailer.models import Subscriber
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
