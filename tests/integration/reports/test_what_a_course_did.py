"""A course in numbers: each step as a funnel, and its readers by the week in which they began."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import select, text

from mailer.audience.lists import get_list
from mailer.audience.subscribers import get_subscriber
from mailer.db import TooLong, at_most, session_scope
from mailer.feedback.record import leave
from mailer.models import Click, Delivery, Step, Verdict
from mailer.reports import patience
from mailer.reports.course_report import course_figures
from mailer.reports.sent import overview
from mailer.schedule.courses import get_course
from tests.support.cast import ADA, BEN
from tests.support.desk import Desk

PERSON, MACHINE = Verdict.PERSON, Verdict.MACHINE


def follows(desk: Desk, email: str, key: str, *verdicts: Verdict) -> None:
    """Somebody's requests for the link of one lesson."""
    with session_scope(desk.sessions) as session:
        mail = session.execute(
            select(Delivery)
            .join(Step, Step.id == Delivery.step_id)
            .where(Delivery.subscriber_id == get_subscriber(session, email).id, Step.key == key)
        ).scalar_one()
        for verdict in verdicts:
            of_mail = {"delivery_id": mail.id, "subscriber_id": mail.subscriber_id, "source": mail.source}
            asked = {"link": 0, "url": "https://reading.example/", "method": "GET", "verdict": verdict}
            session.add(Click(at=desk.house.at, message_id=mail.message_id, **of_mail, **asked))


@pytest.fixture
def lived(desk: Desk) -> Desk:
    """Ada has all three lessons; Ben left after the first. Both began on Monday, 2 March 2026."""
    desk.house.enroll(ADA)
    desk.house.enroll(BEN)
    desk.live_to(1)
    follows(desk, ADA, "hello", PERSON, PERSON, MACHINE)
    follows(desk, BEN, "hello", MACHINE)
    with session_scope(desk.sessions) as session:
        ben, calm = get_subscriber(session, BEN).id, get_list(session, "calm").id
        leave(session, ben, calm, source="test", now=desk.house.at)
    desk.live_to(5)
    return desk


def test_each_step_says_what_was_due_who_clicked_and_left_and_a_cohort_how_far_it_came(lived: Desk) -> None:
    with session_scope(lived.sessions) as session:
        found = course_figures(session, get_course(session, "calm"))
        (course,) = overview(session, lived.house.at).courses
    # Two welcomes, two and one and one lessons.
    assert (course.accepted, course.not_reached, course.open) == (6, 0, 0)
    assert [(one.key, one.due, one.accepted, one.open) for one in found.steps] == [
        ("hello", 2, 2, 0),
        ("rest", 1, 1, 0),
        ("walk", 1, 1, 0),
    ]
    assert found.readers is not None
    hello = found.readers["hello"]
    # Ada twice and her scanner, Ben's scanner: one person, two machine requests, four requests in all.
    assert (hello.people, hello.machines, hello.requests) == (1, 2, 4)
    assert (hello.left, hello.stopped) == (1, 0)
    assert found.cohorts is not None
    (cohort,) = found.cohorts.rows
    assert (cohort.week, cohort.began, cohort.reached) == (date(2026, 3, 2), 2, (2,))
    assert (cohort.active, cohort.finished, cohort.left, cohort.waiting) == (0, 1, 1, 0)


def test_where_there_is_much_only_the_steps_are_counted_until_somebody_asks(
    lived: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "MANY", 5)  # there are six
    with session_scope(lived.sessions) as session:
        course = get_course(session, "calm")
        seen, asked = course_figures(session, course), course_figures(session, course, is_asked=True)
    assert (seen.readers, seen.answers, seen.cohorts) == (None, None, None)
    assert seen.steps == asked.steps
    assert asked.is_counted


def test_a_count_that_takes_too_long_ends_and_the_transaction_goes_on(desk: Desk) -> None:
    with session_scope(desk.sessions) as session:
        with pytest.raises(TooLong), at_most(session, 0.05):
            session.execute(text("SELECT pg_sleep(5)"))
        session.execute(text("SELECT pg_sleep(0.1)"))
