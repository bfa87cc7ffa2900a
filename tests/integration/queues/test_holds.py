"""Pausing: a row in `holds` and one in the action log, names that are known, and waking when it ends."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.delivery.holds import Holds, in_force, list_holds, pause, resume
from mailer.errors import NotFound, Refused
from mailer.models import Action, Course, Hold, HoldScope, Lane, Sender
from tests.support.house import House

SCOPES = [
    (HoldScope.EVERYTHING, ""),
    (HoldScope.LANE, "course"),
    (HoldScope.COURSE, "calm"),
    (HoldScope.DOMAIN, "Slow.Example"),
]


@pytest.fixture
def session(house: House) -> Iterator[Session]:
    with house.sessions() as session:
        yield session


def test_nothing_is_on_hold_to_begin_with(session: Session) -> None:
    assert in_force(session) == Holds()


def test_what_is_paused_is_in_force_by_the_ids_that_dispatch_compares(
    session: Session, now: datetime
) -> None:
    sender = session.execute(select(Sender)).scalars().one()
    for scope, target in [*SCOPES, (HoldScope.SENDER, sender.slug)]:
        assert pause(session, scope, target, now, who="ann", reason="for a test") is not None
    course = session.execute(select(Course)).scalars().one()
    assert in_force(session) == Holds(
        everything=True,
        lanes=frozenset({"course"}),
        course_ids=frozenset({course.id}),
        sender_ids=frozenset({sender.id}),
        domains=frozenset({"slow.example"}),
    )


@pytest.mark.parametrize(("scope", "target"), SCOPES)
def test_pausing_and_resuming_twice_does_it_once(
    session: Session, now: datetime, scope: HoldScope, target: str
) -> None:
    assert pause(session, scope, target, now, who="ann", reason="first") is not None
    assert pause(session, scope, target, now, who="ben", reason="second") is None
    assert [hold.reason for hold in list_holds(session)] == ["first"]
    later = now + timedelta(hours=1)
    ended = resume(session, scope, target, later, who="ann")
    assert ended is not None
    assert ended.released_at == later
    assert resume(session, scope, target, later, who="ann") is None
    assert in_force(session) == Holds()
    actions = session.execute(select(Action).order_by(Action.id)).scalars().all()
    assert [(action.who, action.what) for action in actions] == [
        ("ann", "queue pause"),
        ("ann", "queue resume"),
    ]
    assert actions[0].detail["reason"] == "first"


def test_what_was_resumed_can_be_paused_again_and_both_stay_on_record(
    session: Session, now: datetime
) -> None:
    for _ in range(2):
        pause(session, HoldScope.LANE, "campaign", now, who="ann")
        resume(session, HoldScope.LANE, "campaign", now, who="ann")
    assert len(session.execute(select(Hold)).scalars().all()) == 2


@pytest.mark.parametrize(
    ("scope", "target", "words"),
    [
        (HoldScope.LANE, "cuorse", "no lane 'cuorse'; did you mean course?"),
        (HoldScope.LANE, "x", "there is transactional, course, campaign"),
        (HoldScope.COURSE, "clam", "no course 'clam'; did you mean calm?"),
        (HoldScope.SENDER, "nobody-at-all", "no sender 'nobody-at-all'; there is"),
    ],
)
def test_a_name_that_is_not_known_is_refused_with_a_suggestion(
    session: Session, now: datetime, scope: HoldScope, target: str, words: str
) -> None:
    with pytest.raises(NotFound, match=words.replace("?", r"\?")):
        pause(session, scope, target, now, who="ann")
    with pytest.raises(NotFound):
        resume(session, scope, target, now, who="ann")
    assert list_holds(session) == []


@pytest.mark.parametrize(
    ("scope", "target"),
    [(HoldScope.DOMAIN, "not a domain"), (HoldScope.EVERYTHING, "course"), (HoldScope.COURSE, "")],
)
def test_what_cannot_be_meant_is_refused(
    session: Session, now: datetime, scope: HoldScope, target: str
) -> None:
    with pytest.raises(Refused):
        pause(session, scope, target, now, who="ann")


def test_resuming_wakes_the_lanes_concerned(session: Session, now: datetime) -> None:
    pause(session, HoldScope.LANE, "course", now, who="ann")
    resume(session, HoldScope.LANE, "course", now, who="ann")
    assert session.info["lanes_to_wake"] == {"course"}
    pause(session, HoldScope.COURSE, "calm", now, who="ann")
    resume(session, HoldScope.COURSE, "calm", now, who="ann")
    assert session.info["lanes_to_wake"] == set(Lane)
