"""The statement: it balances only when every mail has come to an end and nobody was forgotten."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Delete, delete, insert, select, update

from mailer.db import session_scope
from mailer.feedback.record import unsubscribe
from mailer.models import Attempt, Course, Delivery, DeliveryKind, DeliveryState, Enrollment, Step
from mailer.reports.statement import course_statement
from mailer.schedule.courses import get_course
from mailer.schedule.enroll import enroll, stop
from tests.support.cast import ADA, BEN, CLEO, join, join_course
from tests.support.desk import CALM, Desk

DANA = "dana@reader.example"


def _delete_mail(key: str) -> Delete:
    """As if the tick had forgotten this mail for everybody."""
    step = select(Step.id).where(Step.key == key).scalar_subquery()
    return delete(Delivery).where(Delivery.step_id == step)


def test_a_course_in_which_all_went_well_balances(desk: Desk) -> None:
    desk.house.enroll(ADA)
    desk.house.enroll(DANA, zone="Asia/Kathmandu")
    desk.live_to(5)
    statement = desk.statement()
    # For each of the two a welcome and three lessons.
    assert (statement.audience, statement.states[DeliveryState.ACCEPTED]) == (8, 8)
    assert (statement.open, statement.missing, statement.duplicates) == (0, 0, 0)
    assert statement.is_balanced


def test_the_audience_is_the_sum_of_the_states(desk: Desk) -> None:
    desk.house.enroll(CLEO)
    desk.server.replies["RCPT"] = ["550 5.1.1 no such user"]
    desk.house.send()
    desk.house.enroll(ADA)
    desk.house.enroll(BEN)
    desk.live_to(1, hour=7)
    desk.house.go_to(desk.start.replace(hour=8) + timedelta(days=1))
    desk.house.plan()
    with session_scope(desk.sessions) as session:
        planned = select(Delivery.id).where(Delivery.state == "planned").order_by(Delivery.id.desc())
        unsubscribe(
            session,
            session.execute(planned.limit(1)).scalar_one(),
            everything=False,
            source="test",
            now=desk.house.at,
        )
    desk.live_to(5)
    statement = desk.statement()
    counts = {str(state): number for state, number in statement.states.items() if number}
    # Cleo's welcome; Ada's welcome and three lessons; Ben's welcome, and the lesson he left before.
    assert counts == {"bounced": 1, "accepted": 5, "suppressed": 1}
    assert statement.audience == 7
    assert statement.reasons["suppressed: unsubscribed"] == 1
    assert statement.is_balanced


def test_a_mail_on_its_way_leaves_the_statement_open(desk: Desk) -> None:
    desk.house.enroll(ADA)
    desk.house.plan()
    statement = desk.statement()
    assert (statement.audience, statement.open, statement.missing) == (1, 1, 0)
    assert not statement.is_balanced


@pytest.mark.parametrize("until", [4, 6])  # as the last mail leaves, or after the end
def test_a_mail_that_was_never_planned_is_missing(desk: Desk, until: int) -> None:
    desk.house.enroll(ADA)
    desk.live_to(until)
    assert desk.statement().is_balanced
    for key in CALM:
        with desk.sessions() as session:  # and rolled back at its end
            session.execute(_delete_mail(key))
            statement = course_statement(session, get_course(session, "calm"), desk.house.at)
        assert (key, statement.missing, statement.open) == (key, 1, 0)
        assert not statement.is_balanced


def test_a_reader_whom_the_tick_forgets_is_missed(desk: Desk) -> None:
    desk.house.enroll(ADA)
    desk.live_to(1)
    with session_scope(desk.sessions) as session:
        session.execute(update(Enrollment).values(next_due_at=None))
    desk.live_to(2, hour=7)
    assert desk.statement().missing == 0
    desk.live_to(2, hour=8)
    assert desk.statement().missing == 1


def test_a_mail_that_a_server_took_twice_is_a_duplicate(desk: Desk) -> None:
    desk.house.enroll(ADA)
    desk.live_to(5)
    with session_scope(desk.sessions) as session:
        lesson = select(Delivery.id).where(Delivery.kind == DeliveryKind.STEP).limit(1)
        again = {
            "delivery_id": session.execute(lesson).scalar_one(),
            "at": desk.house.at,
            "outcome": DeliveryState.ACCEPTED,
        }
        session.execute(insert(Attempt), [again])
    assert desk.statement().duplicates == 1


def test_a_step_added_when_it_was_too_late_for_somebody_is_not_missing(desk: Desk) -> None:
    desk.house.enroll(ADA)
    desk.live_to(4)
    assert desk.enrollment_of(ADA).state == "finished"
    desk.house.enroll(DANA)
    desk.live_to(5)  # Dana has had hello
    desk.write({"pause": 1, "hello": 2, "rest": 3, "walk": 4, "end": 6})
    desk.publish()
    assert desk.statement().is_balanced
    desk.live_to(12)
    assert desk.mails_of(DANA) == ["hello", "rest", "walk", "end"]
    assert desk.statement().is_balanced


def test_a_step_that_came_back_is_missing_only_to_those_who_should_have_had_it(desk: Desk) -> None:
    desk.write({"hello": 1, "walk": 4})
    desk.publish()
    desk.house.enroll(ADA)
    desk.live_to(3)
    desk.write(CALM)
    desk.publish()  # rest is back on day 2, which is over for Ada
    desk.house.enroll(DANA)
    desk.live_to(9)
    assert (desk.mails_of(ADA), desk.mails_of(DANA)) == (["hello", "walk"], ["hello", "rest", "walk"])
    assert desk.statement().is_balanced
    with session_scope(desk.sessions) as session:
        session.execute(_delete_mail("rest"))
    assert desk.statement().missing == 1


def test_somebody_who_begins_again_must_get_everything_again(desk: Desk) -> None:
    ada = desk.house.enroll(ADA)
    desk.live_to(2)
    with session_scope(desk.sessions) as session:
        course = get_course(session, "calm")
        stop(session, ada, "the address bounced", desk.house.at)
        enroll(session, course, join(session, ADA, desk.house.at), desk.house.at)
    desk.live_to(7)
    assert desk.mails_of(ADA) == ["hello", "rest", "hello", "rest", "walk"]
    assert desk.statement().is_balanced
    with session_scope(desk.sessions) as session:
        session.execute(delete(Delivery).where(Delivery.dedup_key.like("%:rest:%:2")))
    assert desk.statement().missing == 1  # the mail of the first round does not count for the second


def test_another_course_of_the_same_list_has_a_statement_of_its_own(desk: Desk) -> None:
    desk.edit("course.toml", 'slug = "calm"\n', 'slug = "calmer"\n')
    desk.publish()
    desk.house.enroll(ADA)
    desk.live_to(5)
    with session_scope(desk.sessions) as session:
        join_course(session, get_course(session, "calmer"), ADA, desk.house.at)
        courses = {course.slug: course for course in session.query(Course)}
        audiences = {
            slug: course_statement(session, course, desk.house.at).audience
            for slug, course in courses.items()
        }
    assert audiences == {"calm": 4, "calmer": 1}
