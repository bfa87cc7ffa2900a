"""Exits, conditions, follow-ups and triggers, on a house with two courses."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from mailer.audience.fields import declare_field
from mailer.audience.subscribers import Person, add_subscriber
from mailer.models import Course, Delivery, Enrollment, FieldType, Firing, Step, Subscriber
from mailer.reports.why import why
from mailer.schedule.courses import get_course
from mailer.schedule.enroll import enroll
from mailer.schedule.follow import begin_triggers, pull_triggers
from mailer.schedule.plan import plan_due
from tests.support.cast import ADA, BEN, join, join_course, publish_folder, write_course


@pytest.fixture
def course(session: Session, tmp_path: Path, now: datetime) -> Course:
    publish_folder(session, write_course(tmp_path / "calm"), now)
    folder = write_course(tmp_path / "more")
    text = (folder / "course.toml").read_text(encoding="utf-8")
    (folder / "course.toml").write_text(text.replace('"calm"', '"more"'), encoding="utf-8")
    publish_folder(session, folder, now)
    return get_course(session, "calm")


def live(session: Session, start: datetime, days: int) -> None:
    """Plan day by day, each mail leaving at once."""
    for hours in range(0, days * 24, 6):
        at = start + timedelta(hours=hours)
        while plan_due(session, at):
            pass
        session.execute(
            update(Delivery).where(Delivery.state == "planned").values(state="accepted", settled_at=at)
        )


def rows(session: Session, email: str) -> list[tuple[str, str, str]]:
    """(step, state, reason) of somebody's lessons."""
    found = session.execute(
        select(Step.key, Delivery.state, Delivery.reason)
        .join(Step, Step.id == Delivery.step_id)
        .join(Subscriber, Subscriber.id == Delivery.subscriber_id)
        .where(Subscriber.email == email)
        .order_by(Delivery.id)
    )
    return [(row.key, row.state, row.reason) for row in found]


def state(session: Session, email: str, slug: str) -> str | None:
    return session.execute(
        select(Enrollment.state)
        .join(Subscriber, Subscriber.id == Enrollment.subscriber_id)
        .join(Course, Course.id == Enrollment.course_id)
        .where(Subscriber.email == email, Course.slug == slug)
    ).scalar_one_or_none()


def test_a_step_for_some_is_passed_over_by_the_others_with_its_reason(
    session: Session, course: Course, now: datetime
) -> None:
    session.execute(update(Step).where(Step.key == "rest").values(condition='tag "tired"'))
    join_course(session, course, ADA, now)
    join_course(session, course, BEN, now)
    add_subscriber(session, Person(BEN, tags=("tired",)))
    live(session, now, 7)
    assert rows(session, BEN) == [(key, "accepted", "") for key in ("hello", "rest", "walk")]
    assert rows(session, ADA)[1] == ("rest", "skipped", 'only for those with: tag "tired"')
    assert [key for key, sent, _ in rows(session, ADA) if sent == "accepted"] == ["hello", "walk"]


def test_a_course_stops_for_whom_its_exit_holds(session: Session, course: Course, now: datetime) -> None:
    course.flow = {"stop_when": ['tag "bought"']}
    join_course(session, course, ADA, now)
    live(session, now, 2)
    add_subscriber(session, Person(ADA, tags=("bought",)))
    live(session, now + timedelta(days=2), 5)
    assert [key for key, _, _ in rows(session, ADA)] == ["hello"]
    assert state(session, ADA, "calm") == "stopped"
    reason = session.execute(select(Enrollment.reason)).scalar_one()
    assert reason == 'its rule: tag "bought"'


def test_who_finishes_goes_on_with_the_next_course_if_they_agreed_to_its_list(
    session: Session, course: Course, now: datetime
) -> None:
    course.flow = {"then": [{"course": "more", "when": ""}]}
    join_course(session, course, ADA, now)
    join(session, ADA, now, list_="more")
    join_course(session, course, BEN, now)
    live(session, now, 7)
    assert (state(session, ADA, "calm"), state(session, ADA, "more")) == ("finished", "active")
    assert state(session, BEN, "more") is None
    results = session.execute(select(Firing.result).order_by(Firing.subscriber_id)).scalars().all()
    assert results == ["enrolled", "not on its list"]


def test_a_trigger_enrolls_each_person_once(session: Session, course: Course, now: datetime) -> None:
    course.flow = {"triggers": [{"when": 'tag "stiff"', "from": "now"}]}
    join(session, ADA, now)
    join(session, BEN, now)
    add_subscriber(session, Person(BEN, tags=("stiff",)))
    # Ben had the tag before; it is for those who get it from now on.
    begin_triggers(session, course, (), now)
    assert pull_triggers(session, now) == 0
    add_subscriber(session, Person(ADA, tags=("stiff",)))
    assert pull_triggers(session, now) == 1
    assert pull_triggers(session, now) == 0
    assert (state(session, ADA, "calm"), state(session, BEN, "calm")) == ("active", None)


def test_who_joins_the_list_later_is_enrolled_then_by_a_trigger_that_met_them_before(
    session: Session, course: Course, now: datetime
) -> None:
    course.flow = {"triggers": [{"when": 'tag "stiff"', "from": "now"}]}
    add_subscriber(session, Person(ADA, tags=("stiff",)))
    assert pull_triggers(session, now) == 1
    assert pull_triggers(session, now) == 0
    told = [one.what for one in why(session, ADA).decisions]
    assert 'calm, trigger tag "stiff": not on its list' in told
    join(session, ADA, now)
    later = now + timedelta(days=1)
    assert pull_triggers(session, later) == 1
    assert pull_triggers(session, later) == 0
    assert state(session, ADA, "calm") == "active"
    # Once is once: who leaves is not brought back.
    session.execute(update(Enrollment).values(state="stopped", ended_at=later, next_due_at=None))
    assert pull_triggers(session, later) == 0


def test_who_could_not_be_enrolled_is_tried_again_an_hour_later(
    session: Session, course: Course, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    course.flow = {"triggers": [{"when": 'tag "stiff"', "from": "now"}]}
    join(session, ADA, now)
    add_subscriber(session, Person(ADA, tags=("stiff",)))

    def fails(*_: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as patched:
        patched.setattr("mailer.schedule.follow.enroll", fails)
        assert pull_triggers(session, now) == 1
    assert pull_triggers(session, now + timedelta(minutes=59)) == 0
    assert pull_triggers(session, now + timedelta(hours=1)) == 1
    assert state(session, ADA, "calm") == "active"


def test_a_date_that_came_while_nobody_asked_is_not_missed(
    session: Session, course: Course, now: datetime
) -> None:
    declare_field(session, "appointment", FieldType.DATE)
    course.flow = {"triggers": [{"when": "field appointment is today", "from": "now"}]}
    today = now.date()
    for email, days in ((ADA, 2), (BEN, -1), ("cleo@reader.example", 40)):
        join(session, email, now)
        add_subscriber(session, Person(email, fields={"appointment": f"{today + timedelta(days=days)}"}))
    assert pull_triggers(session, now) == 0
    # Nothing runs for three days. Whose day was over before the trigger was first asked is not meant.
    assert pull_triggers(session, now + timedelta(days=3)) == 1
    assert (state(session, ADA, "calm"), state(session, BEN, "calm")) == ("active", None)
    assert pull_triggers(session, now + timedelta(days=3)) == 0


def test_why_says_what_is_out_of_a_courses_way(session: Session, course: Course, now: datetime) -> None:
    course.flow = {}
    session.execute(update(Step).where(Step.key == "rest").values(timing={"weekdays": 1 << 6}))
    join_course(session, course, ADA, now)
    live(session, now, 8)
    told = [(one.mail, one.what) for one in why(session, ADA).decisions if "was due" in one.what]
    assert ("hello", "was due") in told
    moved = "was due: day 2, moved from Wed 04 Mar to the next day that is free and allowed"
    assert ("rest", moved) in told


def test_why_says_that_what_comes_next_could_not_be_decided(
    session: Session, course: Course, now: datetime
) -> None:
    session.execute(update(Step).where(Step.course_id == course.id).values(condition='in segment "gone"'))
    join_course(session, course, ADA, now)
    live(session, now, 2)
    undecided = "what comes next could not be decided; the log says why"
    assert any(undecided in one.what for one in why(session, ADA).decisions)
    session.execute(update(Step).where(Step.course_id == course.id).values(condition=""))
    live(session, now + timedelta(days=2), 1)
    assert not any(undecided in one.what for one in why(session, ADA).decisions)


def test_a_published_trigger_is_for_those_who_meet_it_from_then_on(
    session: Session, course: Course, tmp_path: Path, now: datetime
) -> None:
    join(session, ADA, now)
    join(session, BEN, now)
    add_subscriber(session, Person(BEN, tags=("stiff",)))
    folder = write_course(tmp_path / "again")
    file = folder / "course.toml"
    trigger = "[[triggers]]\nwhen = 'tag \"stiff\"'\n\n[sender]"
    file.write_text(file.read_text(encoding="utf-8").replace("[sender]", trigger), encoding="utf-8")
    publish_folder(session, folder, now)
    assert pull_triggers(session, now) == 0
    add_subscriber(session, Person(ADA, tags=("stiff",)))
    assert pull_triggers(session, now) == 1
    assert (state(session, ADA, "calm"), state(session, BEN, "calm")) == ("active", None)


def test_a_rule_that_cannot_be_asked_keeps_no_other_course_waiting(
    session: Session, course: Course, now: datetime
) -> None:
    session.execute(
        update(Step)
        .where(Step.key == "hello", Step.course_id == course.id)
        .values(condition='in segment "gone"')
    )
    join_course(session, course, ADA, now)
    join(session, BEN, now, list_="more")
    enroll(session, get_course(session, "more"), add_subscriber(session, Person(BEN)), now)
    live(session, now, 2)
    assert rows(session, ADA) == []
    assert [key for key, sent, _ in rows(session, BEN) if sent == "accepted"] == ["hello"]
    # As soon as it can be asked again, the course goes on.
    session.execute(update(Step).where(Step.key == "hello").values(condition=""))
    live(session, now + timedelta(days=2), 1)
    assert [key for key, sent, _ in rows(session, ADA) if sent == "accepted"] == ["hello"]


def finish_soon(session: Session, course: Course, email: str, now: datetime) -> None:
    """Somebody in the course, before its last step, and on the other course's list too."""
    enrollment = enroll(session, course, join(session, email, now), now)
    join(session, email, now, list_="more")
    enrollment.last_day, enrollment.next_due_at = 2, now


def test_a_follow_up_that_cannot_be_asked_keeps_nobody_else_waiting_and_comes_once_it_can(
    session: Session, course: Course, now: datetime
) -> None:
    course.flow = {"then": [{"course": "more", "when": 'in segment "gone"'}]}
    finish_soon(session, course, ADA, now)
    later = now + timedelta(days=10, hours=2)
    more = get_course(session, "more")
    join(session, BEN, now, list_="more")
    enroll(session, more, add_subscriber(session, Person(BEN)), now)
    session.execute(update(Delivery).values(state="accepted", settled_at=now))  # the welcomes
    while plan_due(session, later):
        pass
    assert [key for key, _, _ in rows(session, ADA)] == ["walk"]
    assert [key for key, _, _ in rows(session, BEN)] == ["hello"]
    # Her last letter leaves, and then her course would end.
    left = update(Delivery).where(Delivery.state == "planned")
    session.execute(left.values(state="accepted", settled_at=later))
    while plan_due(session, later + timedelta(minutes=6)):
        pass
    assert (state(session, ADA, "calm"), state(session, ADA, "more")) == ("active", None)
    course.flow = {"then": [{"course": "more", "when": ""}]}
    while plan_due(session, later + timedelta(hours=1)):
        pass
    assert (state(session, ADA, "calm"), state(session, ADA, "more")) == ("finished", "active")
    assert [key for key, _, _ in rows(session, ADA)] == ["walk"]


def test_a_trigger_that_cannot_be_asked_keeps_no_other_course_waiting(
    session: Session, course: Course, now: datetime
) -> None:
    course.flow = {"triggers": [{"when": 'in segment "gone"', "from": "all"}]}
    get_course(session, "more").flow = {"triggers": [{"when": 'tag "stiff"', "from": "all"}]}
    join(session, ADA, now, list_="more")
    add_subscriber(session, Person(ADA, tags=("stiff",)))
    assert pull_triggers(session, now) == 1
    assert state(session, ADA, "more") == "active"


def test_somebody_who_cannot_be_enrolled_keeps_nobody_else_waiting(
    session: Session, course: Course, now: datetime
) -> None:
    course.flow = {"triggers": [{"when": 'tag "stiff"', "from": "all"}]}
    for email in (ADA, BEN):
        join(session, email, now)
        add_subscriber(session, Person(email, tags=("stiff",)))
    # A zone that newer rules do not know any more.
    session.execute(update(Subscriber).where(Subscriber.email == ADA).values(zone="Old/Zone"))
    assert pull_triggers(session, now) == 2
    assert pull_triggers(session, now) == 0
    assert (state(session, ADA, "calm"), state(session, BEN, "calm")) == (None, "active")
    results = session.execute(select(Firing.result).order_by(Firing.subscriber_id)).scalars().all()
    assert results == ["could not be enrolled; the log says why", "enrolled"]
