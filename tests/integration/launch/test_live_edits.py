"""Every kind of change to a running course, for every kind of reader, with what comes of it written out."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import select

from mailer.audience.lists import get_list
from mailer.audience.segments import remove_segment, save_segment
from mailer.db import session_scope
from mailer.errors import Refused
from mailer.feedback.record import leave
from mailer.launch.publish import Bring, Past, publish
from mailer.launch.undo import undo_publication
from mailer.models import CourseVersion, Delivery, DeliveryState, Enrollment, Step, Subscriber
from mailer.schedule.pace import pause_until, repeat_week, start_over, undo
from mailer.schedule.pace_case import Asker
from tests.support.cast import ADA
from tests.support.desk import Desk

BASE = {"hello": 1, "rest": 2, "walk": 6}
ENROLLED_AGO = {"before": 0, "waiting": 1, "past": 4, "paused": 1, "finished": 8, "unsubscribed": 1}
"""Days before the change. Who waits has had "hello", with "rest" to come; who is past has had both."""

DONE, LEFT = "hello 1, rest 2, walk 6", "hello 1"
EXPECTED: dict[str, dict[str, str]] = {
    # Nobody is stuck, nobody who finished or left is mailed again, and nobody gets a mail twice. Where a step
    # is added or taken out the others get a star too: they say how many lessons there are.
    "nothing": {
        "before": DONE,
        "waiting": DONE,
        "past": DONE,
        "paused": "hello 1, rest 7, walk 11",
    },
    "add, skip": {
        "before": "hello 1*, rest 2*, new 3, walk 6*",
        "waiting": "hello 1, rest 2*, new 3, walk 6*",
        "past": "hello 1, rest 2, walk 6*",
        "paused": "hello 1, rest 7*, new 8, walk 11*",
    },
    # At once, and what follows keeps its distance from it.
    "add, next": {
        "before": "hello 1*, rest 2*, new 3, walk 6*",
        "waiting": "hello 1, rest 2*, new 3, walk 6*",
        "past": "hello 1, rest 2, new 4@09:00, walk 7*",
        "paused": "hello 1, rest 7*, new 8, walk 11*",
    },
    "add, end": {
        "before": "hello 1*, rest 2*, new 3, walk 6*",
        "waiting": "hello 1, rest 2*, new 3, walk 6*",
        "past": "hello 1, rest 2, walk 6*, new 7",
        "paused": "hello 1, rest 7*, new 8, walk 11*",
    },
    "add, finished": {
        "before": "hello 1*, rest 2*, new 3, walk 6*",
        "waiting": "hello 1, rest 2*, new 3, walk 6*",
        "past": "hello 1, rest 2, walk 6*",
        "paused": "hello 1, rest 7*, new 8, walk 11*",
        "finished": "hello 1, rest 2, walk 6, new 8@09:00",
    },
    "remove": {
        "before": "hello 1*, walk 6*",
        "waiting": "hello 1, walk 6*",
        "past": "hello 1, rest 2, walk 6*",
        "paused": "hello 1, walk 11*",
    },
    "move": {
        "before": "hello 1, walk 6*, rest 7*",
        "waiting": "hello 1, walk 6*, rest 7*",
        "past": "hello 1, rest 2, walk 6*",
        "paused": "hello 1, walk 11*, rest 12*",
    },
    "reword": {
        "before": "hello 1, rest 2*, walk 6",
        "waiting": "hello 1, rest 2*, walk 6",
        "past": DONE,
        "paused": "hello 1, rest 7*, walk 11",
    },
    "retime": {
        "before": "hello 1, rest 2@17:30, walk 6",
        "waiting": "hello 1, rest 2@17:30, walk 6",
        "past": DONE,
        "paused": "hello 1, rest 7@17:30, walk 11",
    },
    "split": {
        "before": "hello 1*, rest 2*, rest-two 3, walk 6*",
        "waiting": "hello 1, rest 2*, rest-two 3, walk 6*",
        "past": "hello 1, rest 2, walk 6*",
        "paused": "hello 1, rest 7*, rest-two 8, walk 11*",
    },
    "condition": {
        "before": "hello 1, walk 6",
        "waiting": "hello 1, walk 6",
        "past": DONE,
        "paused": "hello 1, walk 11",
    },
}


@pytest.mark.parametrize("change", EXPECTED)
def test_what_a_change_means_for_each_reader(desk: Desk, change: str) -> None:
    desk.write(BASE)
    desk.publish()
    at_change = max(ENROLLED_AGO.values())
    for day in range(at_change + 1):
        desk.live_to(day, hour=9)
        for name, ago in ENROLLED_AGO.items():
            if ago == at_change - day:
                desk.house.enroll(f"{name}@reader.example", "Etc/UTC")
                desk.house.send()
    _what_readers_do(desk)
    _edit(desk, change)
    desk.live_to(at_change + 30)
    got = {name: _lived(desk, name) for name in ENROLLED_AGO}
    assert got == {"finished": DONE, "unsubscribed": LEFT} | EXPECTED[change]
    assert desk.house.miscounts() == []
    assert desk.statement().is_balanced


def _what_readers_do(desk: Desk) -> None:
    with session_scope(desk.sessions) as session:
        ids = dict(session.execute(select(Subscriber.email, Enrollment.id).join(Enrollment)).all())
        paused = ids["paused@reader.example"]
        until = desk.house.at.date() + timedelta(days=5)
        pause_until(session, paused, until, Asker("test"), desk.house.at)
        gone = session.execute(
            select(Subscriber.id).where(Subscriber.email == "unsubscribed@reader.example")
        ).scalar_one()
        leave(session, gone, get_list(session, "calm").id, source="test", now=desk.house.at)


def _edit(desk: Desk, change: str) -> None:
    kind, _, past = change.partition(", ")
    match kind:
        case "add":
            desk.write({"hello": 1, "rest": 2, "new": 3, "walk": 6})
        case "remove":
            desk.write({"hello": 1, "walk": 6})
        case "move":
            desk.write({"hello": 1, "walk": 6, "rest": 7})
        case "reword":
            desk.write(BASE, rest="Quite another idea.")
        case "retime":
            desk.edit("02-rest.md", "day: 2", 'day: 2\nsend_time: "17:30"')
        case "split":
            desk.write({"hello": 1, "rest": 2, "rest-two": 3, "walk": 6}, rest="Half of it.")
        case "condition":
            desk.edit("02-rest.md", "day: 2", 'day: 2\nwhen: tag "tired"')
    compiled = desk.compiled()
    with session_scope(desk.sessions) as session:
        finished = frozenset({"new"} if past == "finished" else ())
        past = "skip" if past in ("", "finished") else past
        publish(session, compiled, desk.house.at, bring=Bring(Past(past), finished=finished))


def _lived(desk: Desk, name: str) -> str:
    """What somebody got: each step with how many days after they enrolled, its hour when it is not the
    course's, and a star when it has another text than it was first published with."""
    with session_scope(desk.sessions) as session:
        first = select(CourseVersion.manifest).order_by(CourseVersion.id).offset(1).limit(1)
        texts = {step["key"]: step["message_id"] for step in session.execute(first).scalar_one()["steps"]}
        rows = session.execute(
            select(Step.key, Delivery.settled_at, Delivery.message_id)
            .join(Delivery, Delivery.step_id == Step.id)
            .join(Subscriber, Subscriber.id == Delivery.subscriber_id)
            .where(Subscriber.email == f"{name}@reader.example", Delivery.state == DeliveryState.ACCEPTED)
            .order_by(Delivery.settled_at)
        ).all()
    enrolled_on = desk.start.date() + timedelta(days=max(ENROLLED_AGO.values()) - ENROLLED_AGO[name])
    mails = []
    for key, at, message_id in rows:
        assert at is not None
        hour = "" if (at.hour, at.minute) == (8, 0) else f"@{at:%H:%M}"
        is_new = message_id != texts.get(key, message_id)
        mails.append(f"{key} {(at.date() - enrolled_on).days}{hour}{'*' if is_new else ''}")
    return ", ".join(mails)


def _accepted(desk: Desk, email: str) -> list[str]:
    """What somebody got, in the order of the moments; each on a day of its own."""
    with session_scope(desk.sessions) as session:
        rows = session.execute(
            select(Step.key, Delivery.settled_at)
            .join(Delivery, Delivery.step_id == Step.id)
            .join(Subscriber, Subscriber.id == Delivery.subscriber_id)
            .where(Subscriber.email == email, Delivery.state == DeliveryState.ACCEPTED)
            .order_by(Delivery.settled_at)
        ).all()
    days: list[date] = [row.settled_at.date() for row in rows if row.settled_at is not None]
    assert len(set(days)) == len(days), rows
    return [row.key for row in rows]


WEEK = {"hello": 1, "week-1": 2, "rest": 3, "walk": 6}
GONE_BACK = {
    # From the week on all comes again, wherever it is moved to; what came before the week does not, unless
    # they start over.
    "repeats, hello moves ahead": "hello week-1 rest week-1 rest walk",
    "repeats, rest moves ahead": "hello week-1 rest week-1 walk rest",
    "repeats, undone": "hello week-1 rest week-1 rest walk",
    "repeats, rest moves before them, undone": "hello week-1 rest week-1 rest walk",
    "repeats twice, rest moves before them, undone": "hello week-1 rest week-1 week-1 rest walk",
    "starts over, rest moves before them, undone": "hello week-1 rest hello week-1 rest walk",
    "repeats, thinks better of it": "hello week-1 rest walk",
    "starts over": "hello week-1 rest week-1 rest walk hello",
}


@pytest.mark.parametrize("what", GONE_BACK)
def test_who_went_back_gets_no_lesson_twice_that_its_author_moves_ahead(desk: Desk, what: str) -> None:
    def write(days: dict[str, int]) -> None:
        desk.write(days)
        for path in desk.folder.glob("*week-1.md"):
            desk.edit(path.name, "kind: lesson", "kind: protocol\nweek: 1")

    write(WEEK)
    desk.publish()
    desk.house.enroll(ADA, "Etc/UTC")
    desk.live_to(3)
    with session_scope(desk.sessions) as session:
        enrollment_id = session.execute(select(Enrollment.id)).scalar_one()
        go_back = start_over if "starts over" in what else repeat_week
        change = go_back(session, enrollment_id, Asker("test"), desk.house.at)
        if what == "repeats, thinks better of it":
            assert change is not None
            undo(session, change.id, Asker("test"), desk.house.at)
    if "twice" in what:
        desk.live_to(4)
        with session_scope(desk.sessions) as session:
            repeat_week(session, enrollment_id, Asker("test"), desk.house.at)
    moved = {"hello": 7} if "rest moves" not in what else {"rest": 7}
    if "before them" in what:
        moved = {"rest": 1, "hello": 2, "week-1": 4}
        desk.live_to(5 if "twice" in what else 4)
    write(dict(sorted((WEEK | moved).items(), key=lambda one: one[1])))
    desk.publish()
    if "undone" in what:
        with session_scope(desk.sessions) as session:
            undo_publication(session, "calm", desk.house.at)
    desk.live_to(30)
    assert " ".join(_accepted(desk, ADA)) == GONE_BACK[what]
    assert desk.house.miscounts() == []
    assert desk.statement().is_balanced


def test_a_publication_can_be_taken_back_for_what_has_not_been_sent(desk: Desk) -> None:
    desk.write(BASE)
    desk.publish()
    desk.house.enroll(ADA, "Etc/UTC")
    desk.live_to(1)
    desk.write({"hello": 1, "new": 3, "walk": 6}, walk="Another walk.")
    desk.publish()
    desk.live_to(3)
    with session_scope(desk.sessions) as session:
        undone = undo_publication(session, "calm", desk.house.at)
    # The desk's own first version is the first.
    assert (undone.taken_back, undone.like, undone.version, undone.readers) == (3, 2, 4, 1)
    desk.live_to(12)
    # "new" was sent; "rest" comes back on a day that is past for her, so she does without it.
    assert _accepted(desk, ADA) == ["hello", "new", "walk"]
    desk.write(BASE)
    assert desk.changes() == []
    assert desk.statement().is_balanced


def test_a_version_whose_rule_names_what_is_gone_is_not_brought_back(desk: Desk) -> None:
    with session_scope(desk.sessions) as session:
        save_segment(session, "keen", 'tag "keen"', "", desk.house.at)
    desk.edit("02-rest.md", "day: 2", "day: 2\nwhen: 'in segment \"keen\"'")
    desk.publish()
    desk.write(BASE)
    desk.publish()
    with session_scope(desk.sessions) as session:
        remove_segment(session, "keen")
    with session_scope(desk.sessions) as session, pytest.raises(Refused, match="Version 2 of calm"):
        undo_publication(session, "calm", desk.house.at)


def test_taking_back_twice_brings_it_back_and_the_first_version_stays(desk: Desk) -> None:
    with session_scope(desk.sessions) as session, pytest.raises(Refused, match="published once"):
        undo_publication(session, "calm", desk.house.at)
    desk.write(BASE, rest="Another idea.")
    desk.publish()
    for _ in range(2):
        with session_scope(desk.sessions) as session:
            undo_publication(session, "calm", desk.house.at)
    assert desk.changes() == []
