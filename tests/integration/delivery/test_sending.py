"""Sending on a real database over a real SMTP conversation: each mail once, to those who may have it."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from threading import Thread

import pytest
from sqlalchemy import select, update

from mailer.db import session_scope
from mailer.delivery import batch
from mailer.delivery.batch import Post, deliver_batch
from mailer.delivery.outcome import Outcome
from mailer.delivery.policy import DEFAULTS
from mailer.delivery.settle import record
from mailer.delivery.transports.base import Feed, Result, Trouble
from mailer.delivery.transports.server import SmtpServer
from mailer.delivery.transports.smtp_pool import SmtpPool
from mailer.feedback.record import confirm_subscription, leave, unsubscribe
from mailer.models import (
    Delivery,
    DeliveryState,
    MailingList,
    Message,
    Move,
    Subscriber,
    Subscription,
)
from mailer.schedule.courses import get_course
from mailer.schedule.enroll import enroll
from mailer.schedule.signup import put_on_list
from tests.support.cast import ADA, BEN, CONSENT
from tests.support.house import House
from tests.support.scripted_smtp import ScriptedSmtp

DAY = timedelta(days=1)


def at(now: datetime, day: int, hour: int = 8) -> datetime:
    """A moment on the course's day, London, winter time; `now` is 07:00 on day 0."""
    return now.replace(hour=hour) + day * DAY


def test_the_welcome_leaves_at_once_and_each_lesson_at_its_hour(
    house: House, server: ScriptedSmtp, now: datetime
) -> None:
    house.enroll(ADA)
    assert house.send() == {"accepted": 1}
    house.go_to(at(now, 1, hour=7))
    assert house.send() == {}
    for day in (1, 2, 4):
        house.go_to(at(now, day))
        assert house.send() == {"accepted": 1}
    assert [mail["Subject"] for mail in server.mails[1:]] == ["About hello", "About rest", "About walk"]
    house.go_to(at(now, 9))
    assert house.send() == {}


def test_every_mail_bears_the_readers_own_hour(house: House, server: ScriptedSmtp, now: datetime) -> None:
    house.enroll(ADA, zone="Asia/Kathmandu")
    house.send()
    house.go_to(datetime.fromisoformat("2026-03-03T08:00:00+05:45"))
    house.send()
    assert server.mails[-1]["Date"] == "Tue, 03 Mar 2026 08:00:00 +0545"


def test_running_the_tick_twice_plans_one_delivery(house: House, now: datetime) -> None:
    house.enroll(ADA)
    house.send()
    house.go_to(at(now, 1))
    house.plan()
    house.plan()
    assert house.states() == {"accepted": 1, "planned": 1}


def test_two_ticks_at_the_same_time_plan_one_delivery_each(house: House, now: datetime) -> None:
    for number in range(30):
        house.enroll(f"reader{number}@reader.example")
    house.send()
    house.go_to(at(now, 1))
    ticks = [Thread(target=house.plan) for _ in range(4)]
    for tick in ticks:
        tick.start()
    for tick in ticks:
        tick.join()
    assert house.states() == {"accepted": 30, "planned": 30}


def test_a_task_delivered_twice_sends_once(house: House, server: ScriptedSmtp) -> None:
    house.enroll(ADA)
    (batch_id,) = house.offers()
    assert deliver_batch(batch_id, house.post).counts() == {"accepted": 1}
    assert deliver_batch(batch_id, house.post).counts() == {}
    assert len(server.mails) == 1


def test_two_workers_with_the_same_chunk_send_each_mail_once(house: House, server: ScriptedSmtp) -> None:
    for number in range(20):
        house.enroll(f"reader{number}@reader.example")
    (batch_id,) = house.offers()
    posts = (house.post, _own_connection(house, server))
    workers = [Thread(target=deliver_batch, args=(batch_id, post)) for post in posts]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert max(Counter(server.recipients).values()) == 1
    assert len(server.mails) == 20


def _own_connection(house: House, server: ScriptedSmtp) -> Post:
    return house.use(SmtpPool(SmtpServer.from_url(server.url), conversations=1))


def test_a_dispatched_row_is_not_offered_again_until_its_offer_lapses(house: House) -> None:
    house.enroll(ADA)
    assert len(house.offers()) == 1
    assert house.offers() == []
    house.forget_offers_and_leases()
    assert len(house.offers()) == 1


def test_redis_emptied_between_dispatch_and_delivery_loses_nothing(
    house: House, server: ScriptedSmtp
) -> None:
    house.enroll(ADA)
    house.offers()  # the task is lost with the broker
    house.forget_offers_and_leases()
    assert house.send() == {"accepted": 1}
    assert len(server.mails) == 1


def test_a_worker_that_died_with_a_claimed_row_gives_it_back(house: House, server: ScriptedSmtp) -> None:
    house.enroll(ADA)
    (batch_id,) = house.offers()
    house.lose_worker(batch_id)
    assert house.send() == {"accepted": 1}


def test_a_worker_that_wakes_after_its_lease_cannot_write_over_the_new_owner(
    house: House, server: ScriptedSmtp
) -> None:
    house.enroll(ADA)
    (batch_id,) = house.offers()
    stale = house.lose_worker(batch_id)
    assert house.send() == {"accepted": 1}
    with session_scope(house.sessions) as session:
        late = [Outcome(stale.rows[0], DeliveryState.FAILED, "too late")]
        assert record(session, stale.batch_id, stale.token, late, house.at, DEFAULTS) is None
    assert house.states() == {"accepted": 1}


def test_ben_gets_nothing_even_if_he_unsubscribed_after_planning(
    house: House, server: ScriptedSmtp, now: datetime
) -> None:
    ben = house.enroll(BEN)
    house.send()
    house.go_to(at(now, 1))
    house.plan()
    with session_scope(house.sessions) as session:
        welcome = session.execute(select(Delivery.id).where(Delivery.subscriber_id == ben)).scalars().first()
        assert welcome is not None
        assert unsubscribe(session, welcome, everything=False, source="test", now=house.at)
    assert house.send() == {"suppressed": 1}
    house.go_to(at(now, 4))
    assert house.send() == {}
    assert len(server.mails) == 1


def test_a_mail_that_cannot_be_made_is_set_aside_and_the_others_leave(
    house: House, server: ScriptedSmtp, now: datetime
) -> None:
    house.enroll(ADA)
    house.enroll("dana@reader.example")
    house.send()
    house.go_to(at(now, 1))
    house.plan()
    with session_scope(house.sessions) as session:
        broken = Message(source="t", language="en", digest="", subject="x", html="{{ nobody }}", text="x")
        session.add(broken)
        session.flush()
        first = session.execute(select(Delivery.id).where(Delivery.state == "planned").limit(1)).scalar_one()
        session.execute(update(Delivery).where(Delivery.id == first).values(message_id=broken.id))
    assert house.send() == {"quarantined": 1, "accepted": 1}


def test_a_mail_of_an_earlier_consent_does_not_leave_after_its_reader_came_back(
    house: House, server: ScriptedSmtp, now: datetime
) -> None:
    ada = house.enroll(ADA)
    house.send()
    house.go_to(at(now, 1))
    server.replies["RCPT"] = ["451 4.7.1 greylisted"]
    assert house.send() == {"planned": 1}
    with session_scope(house.sessions) as session:
        leave(session, ada, None, source="test", now=house.at)
        subscription = session.execute(select(Subscription)).scalar_one()
        list_ = session.execute(select(MailingList)).scalar_one()
        put_on_list(session, session.get_one(Subscriber, ada), list_, CONSENT, house.at)
        enroll(session, get_course(session, "calm"), session.get_one(Subscriber, ada), house.at)
        confirm_subscription(session, subscription.id, "test", house.at)
    house.go_to(house.at + timedelta(minutes=20))
    house.send()
    assert [mail["Subject"] for mail in server.mails].count("About hello") == 0


def test_a_row_whose_list_has_no_sender_is_set_aside(house: House) -> None:
    house.enroll(ADA)
    with session_scope(house.sessions) as session:
        session.execute(update(Delivery).values(course_id=None, source="list:1"))
        session.execute(update(Move).values(source="list:1"))
        session.execute(update(MailingList).values(sender_id=None))
    assert house.send() == {"quarantined": 1}


def test_rows_that_were_given_away_are_not_sent(
    house: House, server: ScriptedSmtp, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(40):
        house.enroll(f"reader{number}@reader.example")
    (batch_id,) = house.offers()
    monkeypatch.setattr(batch, "FLUSH_SECONDS", 0.0)

    class Losing(SmtpPool):
        """The batch is given away while its twentieth mail is on its way."""

        def send_all(self, feed: Feed) -> Trouble | None:
            answered = 0
            before, done = feed.before_dot, feed.done

            def give_away(key: int) -> bool:
                if answered == 20:
                    house.forget_offers_and_leases()
                    house.plan()
                    feed.tend()
                return before(key)

            def count(key: int, result: Result) -> None:
                nonlocal answered
                answered += 1
                done(key, result)

            feed.before_dot, feed.done = give_away, count  # type: ignore[method-assign]
            return super().send_all(feed)

    deliver_batch(batch_id, house.use(Losing(SmtpServer.from_url(server.url), conversations=1)))
    house.forget_offers_and_leases()
    house.go_to(house.at + timedelta(minutes=1))
    house.send()
    assert house.states() == {"accepted": 40}
    assert max(Counter(server.recipients).values()) == 1
