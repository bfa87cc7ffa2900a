"""Two things at the same moment about one person: both end well, and nothing falls between them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from time import monotonic, sleep

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from mailer.audience.lists import add_list, get_list
from mailer.audience.subscribers import Person
from mailer.audience.suppression import find_suppression
from mailer.db import Sessions, session_scope
from mailer.feedback.record import confirm_subscription, leave
from mailer.models import Consent, Delivery, Enrollment, Event, OptIn, Subscriber, Subscription
from mailer.schedule.courses import get_course
from mailer.schedule.enroll import enroll, enroll_list
from mailer.schedule.signup import sign_up
from tests.support.cast import (
    ADA,
    BEN,
    CONSENT,
    join,
    join_course,
    publish_folder,
    subscription_of,
    write_course,
)


@pytest.fixture(autouse=True)
def course(sessions: Sessions, tmp_path: Path, now: datetime) -> None:
    """The course "calm", whose readers confirm."""
    with session_scope(sessions) as session:
        publish_folder(session, write_course(tmp_path / "calm", opt_in="double"), now)


def at_once(*tasks: Callable[[], object]) -> None:
    with ThreadPoolExecutor(len(tasks)) as pool:
        for done in [pool.submit(task) for task in tasks]:
            done.result(timeout=20)


def count(session: Session, table: type) -> int:
    return session.scalar(select(func.count()).select_from(table)) or 0


def test_ada_presses_sign_up_eight_times_at_once(sessions: Sessions, now: datetime) -> None:
    def press() -> None:
        with session_scope(sessions) as session:
            subscription = sign_up(session, Person(ADA), get_list(session, "calm"), CONSENT, now)
            subscriber = session.get_one(Subscriber, subscription.subscriber_id)
            enroll(session, get_course(session, "calm"), subscriber, now)

    at_once(*[press] * 8)
    with session_scope(sessions) as session:
        assert {count(session, table) for table in (Subscriber, Subscription, Enrollment)} == {1}
        assert count(session, Consent) == count(session, Delivery)


def test_two_confirmations_begin_the_course_once(sessions: Sessions, now: datetime) -> None:
    with session_scope(sessions) as session:
        ada = join_course(session, get_course(session, "calm"), ADA, now)
        subscription_id = subscription_of(session, ada).id

    def confirm() -> None:
        with session_scope(sessions) as session:
            confirm_subscription(session, subscription_id, "page", now)

    at_once(*[confirm] * 6)
    with session_scope(sessions) as session:
        kinds = session.scalars(select(Delivery.kind).order_by(Delivery.created_at, Delivery.id)).all()
        assert kinds == ["confirm", "welcome"]
        assert (count(session, Consent), count(session, Event)) == (2, 1)


def test_confirming_two_lists_at_once_after_leaving_everything(sessions: Sessions, now: datetime) -> None:
    with session_scope(sessions) as session:
        sender_id = get_list(session, "calm").sender_id
        add_list(session, "letters", "Letters", OptIn.DOUBLE, sender_id)
        ben = join(session, BEN, now)
        leave(session, ben.id, None, source="page", now=now)
        join(session, BEN, now)
        join(session, BEN, now, list_="letters")
        ids = session.scalars(select(Subscription.id)).all()

    def confirm(subscription_id: int) -> Callable[[], None]:
        def act() -> None:
            with session_scope(sessions) as session:
                confirm_subscription(session, subscription_id, "page", now)

        return act

    at_once(*(confirm(one) for one in ids))
    with session_scope(sessions) as session:
        assert find_suppression(session, BEN, now) is None
        assert session.scalars(select(Subscription.state)).all() == ["active", "active"]


@pytest.mark.parametrize("is_whole_list", [False, True])
def test_who_confirms_while_being_enrolled_does_not_wait_for_ever(
    sessions: Sessions, now: datetime, is_whole_list: bool
) -> None:
    with session_scope(sessions) as session:
        subscription_id = subscription_of(session, join(session, ADA, now)).id

    def confirm() -> None:
        with session_scope(sessions) as session:
            confirm_subscription(session, subscription_id, "page", now)

    with ThreadPoolExecutor() as pool:
        with session_scope(sessions) as session:
            course = get_course(session, "calm")
            if is_whole_list:
                enroll_list(session, course, now)
            else:
                enroll(session, course, session.scalars(select(Subscriber)).one(), now)
            confirming = pool.submit(confirm)
            wait_until_it_waits(sessions, confirming)
        confirming.result(timeout=20)
    with session_scope(sessions) as session:
        assert session.scalars(select(Enrollment.state)).all() == ["active"]


def test_leaving_while_signing_up_again_is_no_deadlock(sessions: Sessions, now: datetime) -> None:
    with session_scope(sessions) as session:
        ben = join_course(session, get_course(session, "calm"), BEN, now)
        list_id = get_list(session, "calm").id

    def go() -> None:
        with session_scope(sessions) as session:
            leave(session, ben.id, list_id, source="page", now=now)

    def go_everywhere() -> None:
        with session_scope(sessions) as session:
            leave(session, ben.id, None, source="page", now=now)

    def come() -> None:
        with session_scope(sessions) as session:
            sign_up(session, Person(BEN, name="Ben"), get_list(session, "calm"), CONSENT, now)

    for _ in range(5):
        at_once(come, go, come, go_everywhere)
    with session_scope(sessions) as session:
        assert count(session, Subscription) == 1


def wait_until_it_waits(sessions: Sessions, other: Future[None]) -> None:
    """Until the other transaction stands before a lock of ours, or has ended without."""
    until = monotonic() + 10
    while monotonic() < until and not other.done():
        with session_scope(sessions) as session:
            waiting = session.scalar(
                text(
                    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                    " AND datname = current_database()"
                )
            )
        if waiting:
            return
        sleep(0.01)
