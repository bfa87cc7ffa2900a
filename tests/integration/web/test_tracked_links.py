"""A tracked link leads where its author meant, whoever asks, and leaves a row that says who did."""

from __future__ import annotations

from datetime import datetime, timedelta
from unittest.mock import patch

import httpx
import pytest
from sqlalchemy import delete, select, text, update
from sqlalchemy.exc import OperationalError

from mailer.db import Sessions, session_scope, step_clock
from mailer.errors import NotFound
from mailer.feedback.clicks import MOST_ROWS, recompute
from mailer.models import Attempt, Click, Delivery, Message, Subscriber
from mailer.reports.clicks import LinkClicks, click_report
from mailer.reports.why import why
from tests.support.reader_pages import Links, Reader, standing

FIREFOX = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}
TARGETS = ["https://a.example/x?b=1&c=2", "https://b.example/"]


@pytest.fixture
def lesson(ada: Reader, sessions: Sessions, now: datetime) -> Reader:
    """Ada's mail has two links, and was accepted a minute ago."""
    with session_scope(sessions) as session:
        mail = session.get_one(Delivery, ada.delivery_id)
        mail.state, mail.settled_at, mail.source = "accepted", now - timedelta(minutes=1), "course:1"
        mail.source = f"course:{mail.course_id}" if mail.course_id else "course:1"
        session.execute(update(Message).where(Message.id == mail.message_id).values(links=TARGETS))
    return ada


def link(links: Links, reader: Reader, number: object) -> str:
    return f"/l/{links.signer.delivery_token(reader.delivery_id)}/{number}"


def clicks(sessions: Sessions) -> list[Click]:
    with sessions() as session:
        return list(session.scalars(select(Click).order_by(Click.id)))


def verdicts(sessions: Sessions) -> list[tuple[str, list[str]]]:
    return [(click.verdict, click.rules) for click in clicks(sessions)]


def test_ada_gets_where_the_author_meant_and_is_a_person(
    site: httpx.Client, links: Links, lesson: Reader, sessions: Sessions, now: datetime
) -> None:
    answer = site.get(link(links, lesson, 0), headers=FIREFOX)
    assert (answer.status_code, answer.headers["location"]) == (302, TARGETS[0])
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    (click,) = clicks(sessions)
    assert (click.url, click.link, click.method, click.at) == (TARGETS[0], 0, "GET", now)
    assert (click.subscriber_id, click.delivery_id) == (lesson.id, lesson.delivery_id)
    assert (click.verdict, click.rules, click.network) == ("person", [], "127.0.0.0/24")


def test_a_scanner_gets_there_too_and_its_first_request_is_judged_again(
    site: httpx.Client, links: Links, lesson: Reader, sessions: Sessions
) -> None:
    assert site.head(link(links, lesson, 0), headers=FIREFOX).status_code == 302
    site.get(link(links, lesson, 0), headers=FIREFOX)
    assert verdicts(sessions) == [("machine", ["head"]), ("person", [])]
    site.get(link(links, lesson, 1), headers=FIREFOX)
    assert verdicts(sessions) == [
        ("machine", ["head", "all-links"]),
        ("machine", ["all-links"]),
        ("machine", ["all-links"]),
    ]


@pytest.mark.parametrize(
    ("row", "was_uncertain", "rules"),
    [
        ({"state": "sending"}, False, ["too-soon"]),  # its gateway scans it, and has not answered yet
        ({"state": "planned"}, False, ["too-soon"]),  # it was put off meanwhile
        ({"state": "planned", "cuts": 1}, False, []),  # its end may have arrived
        ({"state": "sending"}, True, []),  # a second try of what was uncertain
        ({"state": "uncertain"}, False, []),  # it has arrived, as is seen here
    ],
)
def test_who_asks_before_the_mail_was_accepted_is_a_machine_unless_it_may_have_arrived(
    site: httpx.Client,
    links: Links,
    lesson: Reader,
    sessions: Sessions,
    now: datetime,
    row: dict[str, object],
    was_uncertain: bool,
    rules: list[str],
) -> None:
    with session_scope(sessions) as session:
        session.execute(
            update(Delivery).where(Delivery.id == lesson.delivery_id).values(settled_at=None, **row)
        )
        if was_uncertain:
            session.add(Attempt(delivery_id=lesson.delivery_id, at=now, outcome="uncertain"))
    site.get(link(links, lesson, 0), headers=FIREFOX)
    assert verdicts(sessions) == [("machine" if rules else "person", rules)]


def test_following_every_link_changes_nothing_for_the_reader(
    site: httpx.Client, links: Links, lesson: Reader, sessions: Sessions
) -> None:
    with sessions() as session:
        before = standing(session, lesson)
    for number in (0, 1, 2, "open.gif"):
        site.get(link(links, lesson, number))
    with sessions() as session:
        assert standing(session, lesson) == before


@pytest.mark.parametrize("number", ["3", "-1", "x", "00000", "0?to=https://evil.example", "١"])
def test_it_never_leads_anywhere_else(site: httpx.Client, links: Links, lesson: Reader, number: str) -> None:
    answer = site.get(link(links, lesson, number))
    assert answer.headers.get("location", TARGETS[0]) == TARGETS[0]
    assert answer.status_code == (302 if number.startswith("0?") else 404)


def test_a_token_that_is_not_ours_gets_the_usual_page(site: httpx.Client, lesson: Reader) -> None:
    answer = site.get("/l/AAAAAAAAAAAAAAAAAAAA/0")
    assert answer.status_code == 404
    assert "This link does not work" in answer.text


def test_the_link_works_also_when_nothing_can_be_recorded(
    site: httpx.Client, links: Links, lesson: Reader, sessions: Sessions
) -> None:
    broken = OperationalError("INSERT", {}, Exception("disk full"))
    with patch("mailer.web.subscriber.link.record_click", side_effect=broken):
        assert site.get(link(links, lesson, 1)).headers["location"] == TARGETS[1]
    assert clicks(sessions) == []


def test_the_decoy_leads_nowhere_and_gives_its_follower_away(
    site: httpx.Client, links: Links, lesson: Reader, sessions: Sessions
) -> None:
    site.get(link(links, lesson, 0), headers=FIREFOX)
    assert site.get(link(links, lesson, 2), headers=FIREFOX).status_code == 204
    assert verdicts(sessions) == [("machine", ["decoy"]), ("machine", ["decoy"])]


def test_the_open_pixel_is_a_picture_and_never_a_person(
    site: httpx.Client, links: Links, lesson: Reader, sessions: Sessions
) -> None:
    answer = site.get(link(links, lesson, "open.gif"), headers=FIREFOX)
    assert answer.headers["content-type"] == "image/gif"
    assert answer.content.startswith(b"GIF89a")
    (click,) = clicks(sessions)
    assert (click.link, click.verdict, click.rules) == (-1, "machine", ["open"])


def test_what_is_kept_is_bounded(
    site: httpx.Client, links: Links, lesson: Reader, sessions: Sessions, now: datetime
) -> None:
    site.get(link(links, lesson, 0), headers={"User-Agent": "x" * 300})
    (click,) = clicks(sessions)
    assert len(click.user_agent) == 200
    with session_scope(sessions) as session:
        columns = "at, delivery_id, subscriber_id, message_id, source, link, url, method, verdict"
        session.execute(
            text(f"INSERT INTO clicks ({columns}) SELECT {columns} FROM clicks, generate_series(2, :most)"),
            {"most": MOST_ROWS},
        )
    assert site.get(link(links, lesson, 0)).status_code == 302
    assert len(clicks(sessions)) == MOST_ROWS


def test_a_link_outlives_the_month_of_its_mail_where_the_message_is_known(
    site: httpx.Client, links: Links, lesson: Reader, sessions: Sessions
) -> None:
    site.get(link(links, lesson, 0), headers=FIREFOX)
    with session_scope(sessions) as session:
        session.execute(delete(Delivery).where(Delivery.id == lesson.delivery_id))
    assert site.get(link(links, lesson, 1)).headers["location"] == TARGETS[1]
    assert len(clicks(sessions)) == 1


def test_erasing_ada_takes_her_clicks(
    site: httpx.Client, links: Links, lesson: Reader, sessions: Sessions
) -> None:
    site.get(link(links, lesson, 0), headers=FIREFOX)
    with session_scope(sessions) as session:
        session.delete(session.get_one(Subscriber, lesson.id))
    assert clicks(sessions) == []
    answer = site.get(link(links, lesson, 0))
    assert answer.status_code == 404
    assert "no longer be in our records" in answer.text


def test_recomputing_mends_verdicts_and_then_finds_nothing(
    site: httpx.Client, links: Links, lesson: Reader, sessions: Sessions, now: datetime
) -> None:
    site.head(link(links, lesson, 0), headers=FIREFOX)
    with session_scope(sessions) as session:
        session.execute(update(Click).values(verdict="person", rules=[]))
    with session_scope(sessions) as session:
        assert recompute(session, since=now + timedelta(days=1)) is None
        done = recompute(session)
        assert done is not None
        assert (done.last, done.rows, done.changed) == (lesson.delivery_id, 1, 1)
        assert recompute(session, after=done.last) is None
        again = recompute(session)
        assert again is not None
        assert again.changed == 0
    assert verdicts(sessions) == [("machine", ["head"])]


def test_reports_count_people_and_why_tells_the_rules(
    site: httpx.Client, links: Links, lesson: Reader, sessions: Sessions, now: datetime
) -> None:
    site.head(link(links, lesson, 0), headers=FIREFOX)
    for minutes in (5, 6):
        with session_scope(sessions) as session:
            step_clock(session, now + timedelta(minutes=minutes))
        site.get(link(links, lesson, 0), headers=FIREFOX)
    site.get(link(links, lesson, "open.gif"), headers=FIREFOX)
    with sessions() as session:
        found = click_report(session, "neck")
        told = [decision.what for decision in why(session, "ada@example.org").decisions]
        with pytest.raises(NotFound):
            click_report(session, "nothing")
    # Ada followed it twice: one person. The HEAD is the machine.
    assert (found.people, found.machines, found.opened) == (1, 1, 1)
    assert found.links == (LinkClicks(TARGETS[0], 1, 1),)
    assert f"followed {TARGETS[0]}: machine (head)" in told
    assert told.count(f"followed {TARGETS[0]}: person") == 2
    assert "opened: machine (open)" in told
