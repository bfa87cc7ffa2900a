"""Marc builds segments from rows, sees who they are, and changes and removes them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from mailer.audience.segment_glance import glance
from mailer.audience.segments import save_segment
from mailer.audience.subscribers import Person as Subscriber
from mailer.audience.subscribers import add_subscriber
from mailer.db import Sessions, session_scope
from mailer.models import Action, Segment
from mailer.rules import parse
from tests.support.cast import publish_folder, write_course
from tests.support.staff import Person

VIP = {"what-0-0": "tag", "was-0-0": "tag", "operator-0-0": "has", "value-0-0": "vip"}
NEWS = {"what-1-0": "list", "was-1-0": "list", "operator-1-0": "not:on", "value-1-0": "calm"}
GERMAN = {"what-1-1": "language", "was-1-1": "language", "operator-1-1": "is", "value-1-1": "de"}


@pytest.fixture(autouse=True)
def people(sessions: Sessions, tmp_path: Path, now: datetime) -> None:
    """Three with the tag vip, one of them German; and one without."""
    with session_scope(sessions) as session:
        publish_folder(session, write_course(tmp_path / "calm"), now)
        for name, language, tags in (("ada", "de", ["vip"]), ("ben", "en", ["vip"]), ("eva", "en", ["vip"])):
            add_subscriber(session, Subscriber(f"{name}@example.org", language=language, tags=tags))
        add_subscriber(session, Subscriber("fay@example.org"))


def rule_of(sessions: Sessions, slug: str) -> str:
    with sessions() as session:
        return session.scalars(select(Segment.rule).where(Segment.slug == slug)).one()


def test_marc_builds_a_segment_of_rows_without_a_script(marc: Person, sessions: Sessions) -> None:
    assert "There is no segment yet" in marc.get("/desk/segments").text
    assert 'name="what-0-0"' in marc.get("/desk/new-segment").text
    grown = marc.post("/desk/new-segment", do="group", **VIP).text
    assert 'name="what-1-0"' in grown
    whole = {**VIP, **NEWS, **GERMAN, "join-1": "any", "title": "Keen & kind"}
    counted = marc.post("/desk/new-segment", do="look", **whole).text
    assert "3 people" in counted
    assert "ada@example.org" in counted
    page = marc.post("/desk/new-segment", do="save", **whole).text
    assert "Saved keen-kind" in page
    assert rule_of(sessions, "keen-kind") == 'tag "vip" and (not on list "calm" or language is "de")'
    assert "Who has the tag" in page
    assert "3 people" in marc.get("/desk/segments/keen-kind", count="yes").text
    with sessions() as session:
        assert "segment put" in session.scalars(select(Action.what)).all()


def test_errors_stand_beside_their_row_and_nothing_is_saved(marc: Person, sessions: Sessions) -> None:
    marc.get("/desk/new-segment")
    wrong = {"what-0-1": "list", "was-0-1": "list", "operator-0-1": "on", "value-0-1": "nowhere"}
    page = marc.post("/desk/new-segment", do="save", title="Keen", **VIP, **wrong)
    assert page.status_code == 422
    assert 'id="wrong-0-1"' in page.text
    assert "There is no list" in page.text
    assert 'value="vip"' in page.text
    page = marc.post("/desk/new-segment", do="save", title="Keen", **{**VIP, "value-0-0": 'x" or tag "y'})
    assert page.status_code == 422
    assert "quotation mark" in page.text
    with sessions() as session:
        assert session.scalars(select(Segment)).all() == []
    marc.post("/desk/new-segment", do="save", title="Keen", **VIP)
    assert (
        "There is a segment keen already"
        in marc.post("/desk/new-segment", do="save", title="Keen", **VIP).text
    )


def test_another_kind_of_row_forgets_what_was_said_of_the_one_before(marc: Person) -> None:
    marc.get("/desk/new-segment")
    page = marc.post("/desk/new-segment", do="redraw", **{**VIP, "what-0-0": "course"}).text
    assert "has finished" in page
    assert 'value="vip"' not in page


def test_a_change_says_who_comes_in_and_who_goes_out(marc: Person, sessions: Sessions, now: datetime) -> None:
    with session_scope(sessions) as session:
        save_segment(session, "keen", 'tag "vip"', "", now)
    assert 'value="vip"' in marc.get("/desk/segments/keen/edit").text
    # All four but Ada now, where it was Ada, Ben and Eva: Fay comes in and Ada goes out.
    other = {"what-0-0": "language", "was-0-0": "language", "operator-0-0": "not:is", "value-0-0": "de"}
    told = marc.post("/desk/new-segment/look", instead_of="keen", **other).text
    assert "1 person comes in, 1 person goes out" in told
    assert "Changed keen" in marc.post("/desk/segments/keen/edit", do="save", **other).text
    assert rule_of(sessions, "keen") == 'not language is "de"'


def test_rows_become_text_and_a_rule_too_deep_for_rows_stays_text(
    marc: Person, sessions: Sessions, now: datetime
) -> None:
    marc.get("/desk/new-segment")
    page = marc.post("/desk/new-segment", do="text", **VIP).text
    assert "tag &#34;vip&#34;</textarea>" in page
    back = marc.post("/desk/new-segment", do="rows", mode="text", rule='language is "de"').text
    assert 'value="de"' in back
    deep = 'tag "a" or (tag "b" and (tag "c" or tag "d"))'
    with session_scope(sessions) as session:
        save_segment(session, "deep", deep, "", now)
    page = marc.get("/desk/segments/deep/edit").text
    assert "more deeply than rows can show" in page
    assert "<textarea" in page
    wrong = marc.post("/desk/segments/deep/edit", do="save", mode="text", rule='tag "a" and and')
    assert wrong.status_code == 422
    assert "cannot be read" in wrong.text


def test_what_is_in_use_says_where_and_stays(marc: Person, sessions: Sessions, now: datetime) -> None:
    with session_scope(sessions) as session:
        save_segment(session, "keen", 'tag "vip"', "", now)
        save_segment(session, "kinder", 'in segment "keen" and language is "de"', "", now)
    assert "/desk/segments/kinder" in marc.get("/desk/segments/keen/remove").text
    assert marc.post("/desk/segments/keen/remove").status_code == 422
    assert "Removed kinder" in marc.post("/desk/segments/kinder/remove").text
    assert "Removed keen" in marc.post("/desk/segments/keen/remove").text


def test_a_count_that_takes_too_long_becomes_an_estimate(sessions: Sessions, now: datetime) -> None:
    with session_scope(sessions) as session:
        connection = session.connection()
        connection.exec_driver_sql(
            "INSERT INTO subscribers (email, email_key, tags) SELECT 'r' || n || '@r.example', "
            "'r' || n || '@r.example', CASE WHEN mod(n, 4) = 0 THEN '{vip}'::text[] ELSE '{}' END "
            "FROM generate_series(1, 40000) n"
        )
        connection.exec_driver_sql("ANALYZE subscribers")
        exact, quick = (
            glance(session, parse('tag "vip"'), now),
            glance(session, parse('tag "vip"'), now, seconds=0.001),
        )
        assert (exact.people, exact.is_about) == (10_003, False)
        assert quick.people is not None
        assert quick.is_about
        # 5,000 of 40,004 were asked: a quarter of them, to within a few per cent.
        assert 8_000 < quick.people < 12_000
        assert connection.exec_driver_sql("SHOW statement_timeout").scalar_one() == "0"
