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
from mailer.launch.publish import Past, publish
from mailer.launch.undo import undo_publication
from mailer.models import Delivery, DeliveryState, Enrollment, Step, Subscriber
from mailer.schedule.pace import pause_until, repeat_week, start_over, undo
from mailer.schedule.pace_case import Asker
from tests.support.cast import ADA
from tests.support.desk import Desk

BASE = {"hello": 1, "rest": 2, "walk": 6}
ENROLLED_AGO = {"before": 0, "waiting": 1, "past": 4, "paused": 1, "finished": 8, "unsubscribed": 1}
"""Days before the change. Who waits has had "hello", with "rest" to come; who is past has had both."""

HELLO, ALL, WITHOUT = "hello", "hello rest walk", "hello walk"
EXPECTED: dict[str, dict[str, str]] = {
    # Nobody is stuck, nobody who finished or left is mailed again, and nobody gets a mail twice.
    "nothing": dict.fromkeys(ENROLLED_AGO, ALL) | {"unsubscribed": HELLO},
    "add, skip": {
        "before": "hello rest new walk",
        "waiting": "hello rest new walk",
        "past": ALL,
        "paused": "hello rest new walk",
        "finished": ALL,
        "unsubscribed": HELLO,
    },
    "add, next": {
        "before": "hello rest new walk",
        "waiting": "hello rest new walk",
        "past": "hello rest new walk",
        "paused": "hello rest new walk",
        "finished": ALL,
        "unsubscribed": HELLO,
    },
    "add, end": {
        "before": "hello rest new walk",
        "waiting": "hello rest new walk",
        "past": "hello rest walk new",
        "paused": "hello rest new walk",
        "finished": ALL,
        "unsubscribed": HELLO,
    },
    "remove": {
        "before": WITHOUT,
        "waiting": WITHOUT,
        "past": ALL,
        "paused": WITHOUT,
        "finished": ALL,
        "unsubscribed": HELLO,
    },
    "move": {
        "before": "hello walk rest",
        "waiting": "hello walk rest",
        "past": ALL,
        "paused": "hello walk rest",
        "finished": ALL,
        "unsubscribed": HELLO,
    },
    "reword": dict.fromkeys(ENROLLED_AGO, ALL) | {"unsubscribed": HELLO},
    "retime": dict.fromkeys(ENROLLED_AGO, ALL) | {"unsubscribed": HELLO},
    "split": {
        "before": "hello rest rest-two walk",
        "waiting": "hello rest rest-two walk",
        "past": ALL,
        "paused": "hello rest rest-two walk",
        "finished": ALL,
        "unsubscribed": HELLO,
    },
    "condition": {
        "before": WITHOUT,
        "waiting": WITHOUT,
        "past": ALL,
        "paused": WITHOUT,
        "finished": ALL,
        "unsubscribed": HELLO,
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
    got = {name: " ".join(_accepted(desk, f"{name}@reader.example")) for name in ENROLLED_AGO}
    assert got == EXPECTED[change]
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
        publish(session, compiled, desk.house.at, past=Past(past or "skip"))


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
