"""Limits that hold across workers, and rows of a limited domain that stand in nobody's way."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from datetime import timedelta
from itertools import pairwise
from threading import Thread

from sqlalchemy import ColumnElement, text

from mailer.db import make_engine, make_sessions, session_scope
from mailer.delivery import dispatch, roster
from mailer.delivery.batch import deliver_batch
from mailer.delivery.limits import give_back, limits_of, reserve
from mailer.delivery.warmup import WarmupPlan
from mailer.models import Delivery, Lane, Period
from mailer.queue import QUEUES
from mailer.reports.metrics import as_prometheus
from mailer.reports.queues import queue_status
from mailer.reports.why import why
from tests.support.fleet import Fleet, clock

OUTLOOK = ("outlook.com", "hotmail.com", "live.com")


def reserve_until_empty(
    url: str, transport_id: int, wanted: int, results: multiprocessing.Queue[int]
) -> None:
    """What one process of several does: reserve chunk after chunk, give a part back, and count."""
    engine = make_engine(url)
    sessions = make_sessions(engine)
    used = 0
    for _ in range(40):
        with session_scope(sessions) as session:
            made_at = clock(session)
            granted = reserve(session, transport_id, "outlook", wanted)
        unused = granted // 3
        with session_scope(sessions) as session:
            give_back(session, transport_id, "outlook", unused, made_at)
        used += granted - unused
    engine.dispose()
    results.put(used)


def test_processes_that_reserve_at_the_same_time_never_exceed_a_limit(
    fleet: Fleet, database_url: str
) -> None:
    fleet.add("relay")
    fleet.limit("relay", Period.DAY, 500, to="hotmail.com")
    transport_id = fleet.transport("relay").id
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    workers = [
        context.Process(target=reserve_until_empty, args=(database_url, transport_id, wanted, results))
        for wanted in (7, 20, 50)
    ]
    for worker in workers:
        worker.start()
    used = sum(results.get(timeout=60) for _ in workers)
    for worker in workers:
        worker.join(timeout=30)
    # Everything is used in the end, so nothing was lost by giving back; and not one more.
    assert used == 500
    with session_scope(fleet.sessions) as session:
        (limit,) = limits_of(session, transport_id)
    assert limit.used == 500


def test_an_hourly_limit_of_a_domain_holds_for_three_workers_while_others_go_on(fleet: Fleet) -> None:
    server = fleet.add("relay")
    fleet.limit("relay", Period.HOUR, 60, to="outlook.com")
    for number in range(60):
        fleet.house.enroll(f"reader{number}@{OUTLOOK[number % 3]}")
        fleet.house.enroll(f"reader{number}@gmail.com")
    fleet.house.plan()
    posts = [fleet.another_post(str(number)) for number in range(3)]

    def work(post: object) -> None:
        for _ in range(6):
            with session_scope(fleet.sessions) as session:
                batches = [one for lane in Lane for one in dispatch.offer(session, lane, fleet.house.at)]
            for batch in batches:
                deliver_batch(batch, post)  # type: ignore[arg-type]

    workers = [Thread(target=work, args=(post,)) for post in posts]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    taken = Counter(recipient.partition("@")[2] for recipient in server.recipients)
    assert taken["gmail.com"] == 60
    # A bucket holds a twelfth of an hour's mails, and gets less than one more in the seconds of this test.
    sent = sum(taken[domain] for domain in OUTLOOK)
    assert 5 <= sent <= 6
    waiting = Counter(row.reason for row in fleet.rows(Delivery.reason) if row.reason)
    assert waiting == {"waits: 60 an hour to outlook": 60 - sent}


def test_each_row_that_waits_has_a_moment_of_its_own_and_is_moved_once(fleet: Fleet) -> None:
    fleet.add("relay")
    fleet.limit("relay", Period.HOUR, 12, to="outlook.com")  # one at once, then one every five minutes
    fleet.enroll(10, "outlook.com")
    fleet.send()
    before = fleet.rows(Delivery.id, Delivery.next_attempt_at)
    moments = sorted(row.next_attempt_at for row in before)[1:]
    gaps = {round((later - sooner).total_seconds()) for sooner, later in pairwise(moments)}
    assert gaps == {300}
    assert fleet.send() == {}
    assert fleet.rows(Delivery.id, Delivery.next_attempt_at) == before
    # Those who come later wait behind them.
    fleet.house.enroll("late@hotmail.com")
    fleet.send()
    latest = max(fleet.rows(Delivery.next_attempt_at))[0]
    assert timedelta(minutes=4) < latest - moments[-1] < timedelta(minutes=6)
    # An hour later, by every clock: twelve tokens, of which the bucket held one at a time.
    sent = 1
    for _ in range(10):
        fleet.wait(minutes=5, seconds=1)
        fleet.let_limits_refill(minutes=5, seconds=1)
        sent += fleet.send().get("accepted", 0)
    assert sent == 11


def test_two_transports_work_off_a_domain_that_both_limit(fleet: Fleet) -> None:
    for slug in ("one", "two"):
        fleet.add(slug)
        fleet.limit(slug, Period.HOUR, 12, to="outlook.com")  # one at once, then one every five minutes
    fleet.enroll(10, "outlook.com")
    fleet.send()
    last = max(fleet.rows(Delivery.next_attempt_at))[0]
    # Two go at once, and the other eight in pairs: after 5, 10, 15 and 20 minutes.
    assert last - fleet.house.at < timedelta(minutes=21)
    with session_scope(fleet.sessions) as session:
        told = [one.what for one in why(session, "reader9@outlook.com").decisions]
    assert "waits: 12 an hour to outlook" in told


def test_a_limit_that_is_raised_lets_what_waits_go_at_once(fleet: Fleet) -> None:
    fleet.add("relay")
    fleet.limit("relay", Period.HOUR, 12, to="outlook.com")
    fleet.enroll(10, "outlook.com")
    assert fleet.send() == {"accepted": 1}
    fleet.limit("relay", Period.HOUR, None, to="outlook.com")
    assert fleet.send() == {"accepted": 9}
    assert {row.reason for row in fleet.rows(Delivery.reason)} == {""}


def test_what_one_transport_has_no_room_for_goes_by_the_other(fleet: Fleet) -> None:
    small, large = fleet.add("small"), fleet.add("large")
    fleet.limit("small", Period.DAY, 4)
    fleet.enroll(20)
    assert fleet.send() == {"accepted": 20}
    assert (len(small.mails), len(large.mails)) == (4, 16)


def test_a_full_transport_lets_its_rows_wait_where_they_are(fleet: Fleet) -> None:
    fleet.add("small")
    fleet.limit("small", Period.DAY, 4)
    fleet.enroll(10)
    assert fleet.send() == {"accepted": 4}
    assert fleet.send() == {}
    moments = {
        row.next_attempt_at
        for row in fleet.rows(Delivery.next_attempt_at, Delivery.state)
        if row.state == "planned"
    }
    assert moments == {fleet.house.at}
    with session_scope(fleet.sessions) as session:
        session.execute(text("UPDATE send_limits SET day = day - 1"))
    assert fleet.send() == {"accepted": 4}


def test_what_was_reserved_and_not_sent_is_given_back(fleet: Fleet) -> None:
    server = fleet.add("relay")
    fleet.limit("relay", Period.DAY, 10)
    server.replies["GREETING"] = ["421 4.3.2 shutting down"] * 4
    fleet.enroll(10)
    fleet.send()
    assert used(fleet) == len(server.mails)
    fleet.wait(seconds=21)
    server.replies.clear()
    fleet.let_limits_refill(minutes=1)
    fleet.send()
    assert used(fleet) == len(server.mails) == 10


def test_what_is_taken_back_from_an_offer_is_given_back(fleet: Fleet) -> None:
    fleet.add("relay")
    fleet.limit("relay", Period.DAY, 10)
    fleet.enroll(10)
    fleet.house.plan()
    fleet.house.offers()
    assert used(fleet) == 10
    everything: list[ColumnElement[bool]] = []
    with session_scope(fleet.sessions) as session:
        dispatch.take_back(session, everything)
    assert used(fleet) == 0
    assert fleet.send() == {"accepted": 10}


def test_a_reservation_that_waited_long_for_a_worker_is_made_anew(fleet: Fleet) -> None:
    server = fleet.add("relay")
    fleet.limit("relay", Period.DAY, 10)
    fleet.enroll(5)
    fleet.house.plan()
    batches = fleet.house.offers()
    with session_scope(fleet.sessions) as session:
        session.execute(text("UPDATE batches SET made_at = made_at - interval '10 minutes'"))
        session.execute(text("UPDATE send_limits SET since = since - interval '1 hour'"))
    for batch in batches:
        deliver_batch(batch, fleet.house.post)
    assert (len(server.mails), used(fleet)) == (0, 0)
    fleet.wait(seconds=21)
    assert fleet.send() == {"accepted": 5}
    assert used(fleet) == 5


def test_a_daily_limit_counts_what_went_out_before_it_was_set(fleet: Fleet) -> None:
    fleet.add("relay")
    fleet.enroll(3)
    fleet.send()
    fleet.limit("relay", Period.DAY, 5)
    fleet.enroll(10)
    assert fleet.send() == {"accepted": 2}


def test_limits_without_domains_look_at_no_recipient(fleet: Fleet) -> None:
    fleet.add("relay")
    fleet.limit("relay", Period.HOUR, 6000)
    fleet.enroll(5, "outlook.com")
    fleet.house.plan()
    fleet.house.offers()
    with session_scope(fleet.sessions) as session:
        groups = session.execute(text("SELECT domain_group FROM batches")).scalars().all()
    assert groups == [None]


def test_a_warm_up_keeps_to_its_ceiling_and_grows_day_by_day(fleet: Fleet) -> None:
    server = fleet.add("fresh")
    with session_scope(fleet.sessions) as session:
        fresh = roster.get_transport(session, "fresh")
        roster.set_warmup(session, fresh, WarmupPlan(first=10, target=30, growth=50), "test")
    sent = []
    for day in range(5):
        for number in range(35):
            fleet.house.enroll(f"reader{day}x{number}@reader.example")
        before = len(server.mails)
        fleet.send()
        fleet.send()
        sent.append(len(server.mails) - before)
        with session_scope(fleet.sessions) as session:  # the night
            session.execute(text("UPDATE transports SET warmup_day = warmup_day - 1"))
            session.execute(text("UPDATE send_limits SET day = day - 1"))
            session.execute(
                text("DELETE FROM moves WHERE at < clock_timestamp() - interval '20 hours' AND is_folded")
            )
            session.execute(text("UPDATE moves SET at = at - interval '1 day'"))
    # 10, half more, half more, the target; a good day at the target ends it, and the rest goes out at once.
    assert sent == [10, 15, 22, 30, 98]


def used(fleet: Fleet) -> int:
    with session_scope(fleet.sessions) as session:
        limits = limits_of(session, fleet.transport("relay").id)
    return next(limit.used for limit in limits if limit.period is Period.DAY)


def test_the_queues_status_says_what_is_allowed_beside_what_is_sent(fleet: Fleet) -> None:
    fleet.limit("default", Period.HOUR, 1000, to="gmail.com")
    fleet.limit("default", Period.DAY, 5000)
    with session_scope(fleet.sessions) as session:
        status = queue_status(session, fleet.house.at, dict.fromkeys(QUEUES, 0))
    assert [one.words for one in status.allowed] == [
        "default: 5,000 a day",
        "default: 1,000 an hour to gmail",
    ]
    assert b'period="hour",transport="default"} 1000.0' in as_prometheus(status)
