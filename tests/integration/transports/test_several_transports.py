"""Several transports for one sender, over real SMTP: shares, failover, coming back, slowing down."""

from __future__ import annotations

import pytest
from sqlalchemy import select, text

from mailer.db import session_scope
from mailer.delivery import roster
from mailer.delivery.batch import deliver_batch
from mailer.delivery.limits import limits_of
from mailer.models import Attempt, BreakerState, Delivery, LimitOrigin
from mailer.reports.queues import queue_status
from mailer.sealing import Seal
from tests.support.fleet import Fleet
from tests.support.scripted_smtp import CUT


def test_a_sender_without_transports_uses_the_relay_of_the_settings(fleet: Fleet) -> None:
    fleet.enroll(3)
    assert fleet.send() == {"accepted": 3}
    assert len(fleet.default.mails) == 3
    with session_scope(fleet.sessions) as session:
        ways = session.execute(text("SELECT DISTINCT transport_id FROM moves WHERE new_state = 'accepted'"))
        assert ways.scalars().all() == [fleet.transport("default").id]


def test_two_transports_share_the_mail_by_their_weights(fleet: Fleet) -> None:
    large, small = fleet.add("large", 3), fleet.add("small", 1)
    fleet.enroll(40)
    assert fleet.send() == {"accepted": 40}
    assert (len(large.mails), len(small.mails)) == (30, 10)
    assert fleet.default.mails == []


def test_single_mails_are_shared_by_weight_in_the_long_run(fleet: Fleet) -> None:
    large, small = fleet.add("large", 1), fleet.add("small", 1)
    for number in range(24):
        fleet.house.enroll(f"reader{number}@reader.example")
        fleet.send()
    assert len(large.mails) + len(small.mails) == 24
    assert len(small.mails) > 2  # 1 in 50,000 that it is two or fewer


def test_a_standby_is_used_only_when_no_other_can(fleet: Fleet) -> None:
    main, standby = fleet.add("main", 1), fleet.add("standby", 0)
    fleet.enroll(10)
    fleet.send()
    assert (len(main.mails), len(standby.mails)) == (10, 0)
    fleet.pause("main")
    fleet.enroll(15)
    assert fleet.send() == {"accepted": 5}
    assert (len(main.mails), len(standby.mails)) == (10, 5)


def test_one_dies_the_other_takes_over_and_it_comes_back_by_probing(fleet: Fleet) -> None:
    first, second = fleet.add("first"), fleet.add("second")
    first.replies["GREETING"] = [CUT] * 1000
    fleet.enroll(40)
    for _ in range(6):
        fleet.send()
        fleet.let_pauses_last()
        fleet.wait(seconds=21)
    assert (len(first.mails), len(second.mails)) == (0, 40)
    assert fleet.transport("first").state == BreakerState.OPEN
    assert "unexpectedly closed" in fleet.transport("first").reason
    with session_scope(fleet.sessions) as session:
        (told,) = [line for line in queue_status(session, fleet.house.at, {}).warnings() if "first" in line]
    assert "Transport first is out" in told
    # While it is out nobody asks it anything.
    asked = first.connections
    fleet.enroll(50)
    assert fleet.send() == {"accepted": 10}
    assert first.connections == asked
    # Its time comes, it is still dead: only a few mails find that out, and the pause grows.
    fleet.let_pauses_pass()
    fleet.enroll(70)
    assert fleet.send() == {"accepted": 15, "planned": 5}
    assert fleet.transport("first").openings == 2
    # It is back, and nobody had to do anything.
    first.replies.clear()
    fleet.let_pauses_pass()
    fleet.wait(seconds=21)
    fleet.send()
    assert fleet.transport("first").state == BreakerState.CLOSED
    assert 0 < len(first.mails) <= 5
    fleet.enroll(90)
    assert fleet.send() == {"accepted": 20}
    assert 10 <= len(first.mails) <= 15
    with session_scope(fleet.sessions) as session:
        assert session.execute(select(Attempt)).all() == []


def test_a_wrong_password_takes_a_transport_out_at_once_and_the_lane_goes_on(fleet: Fleet) -> None:
    locked = fleet.add("locked", 1, url="smtp://me:wrong@127.0.0.1:{port}")
    locked.users = {"me": "right"}
    other = fleet.add("other", 1)
    fleet.enroll(20)
    assert fleet.send() == {"accepted": 10, "planned": 10}
    transport = fleet.transport("locked")
    assert (transport.state, transport.trouble) == (BreakerState.OPEN, "login")
    fleet.wait(seconds=21)
    fleet.let_pauses_last()
    assert fleet.send() == {"accepted": 10}
    assert len(other.mails) == 20
    assert len(locked.logins) == 1  # an account is not locked by our trying


def test_the_lane_stops_only_when_no_transport_is_left(fleet: Fleet) -> None:
    one, two = fleet.add("one"), fleet.add("two")
    fleet.pause("one")
    fleet.pause("two")
    fleet.enroll(4)
    assert fleet.send() == {}
    assert fleet.house.states() == {"planned": 4}
    assert one.connections + two.connections == 0


def test_mail_that_was_on_its_way_to_a_paused_transport_goes_by_another(fleet: Fleet) -> None:
    one, two = fleet.add("one"), fleet.add("two")
    fleet.enroll(10)
    fleet.house.plan()
    batches = fleet.house.offers()
    fleet.pause("one")
    for batch in batches:
        deliver_batch(batch, fleet.house.post)
    assert len(one.mails) == 0
    fleet.wait(seconds=21)
    fleet.send()
    assert len(two.mails) == 10


@pytest.mark.parametrize("verb", ["GREETING", "MAIL"])
def test_421_slows_a_transport_and_burns_no_attempt(fleet: Fleet, verb: str) -> None:
    server = fleet.add("busy")
    server.replies[verb] = ["421 4.7.0 too many, come back later"] * 40
    fleet.enroll(10)
    fleet.send()
    transport = fleet.transport("busy")
    assert transport.state == BreakerState.CLOSED
    with session_scope(fleet.sessions) as session:
        (slowed,) = limits_of(session, transport.id)
    assert slowed.origin is LimitOrigin.SLOWED
    assert slowed.most >= 6
    server.replies.clear()
    for _ in range(3):
        fleet.wait(seconds=21)
        fleet.let_limits_refill(minutes=1)
        fleet.send()
    assert len(server.mails) == 10
    assert {tuple(row) for row in fleet.rows(Delivery.deferrals)} == {(0,)}
    with session_scope(fleet.sessions) as session:
        assert session.execute(select(Attempt)).all() == []


def test_a_throttling_reply_is_held_against_the_pace_and_not_against_the_mail(fleet: Fleet) -> None:
    server = fleet.add("ses")
    server.replies["DOT"] = ["454 Throttling failure: Maximum sending rate exceeded."]
    fleet.enroll(3)
    fleet.send()
    assert {tuple(row) for row in fleet.rows(Delivery.deferrals)} == {(0,)}
    fleet.wait(minutes=2)
    fleet.let_limits_refill(minutes=1)
    fleet.send()
    fleet.wait(minutes=2)
    fleet.send()
    assert fleet.house.states() == {"accepted": 3}


def test_a_mail_that_is_throttled_for_longer_than_its_lane_allows_counts_like_any_other(fleet: Fleet) -> None:
    server = fleet.add("ses")
    server.replies["DOT"] = ["454 Throttling failure: Maximum sending rate exceeded."] * 2
    fleet.enroll(1)
    fleet.send()
    fleet.wait(days=4)
    fleet.let_limits_refill(minutes=1)
    fleet.send()
    assert fleet.rows(Delivery.deferrals) == [(1,)]


def test_a_slowed_transport_creeps_up_again_until_it_is_free(fleet: Fleet) -> None:
    server = fleet.add("busy")
    server.replies["GREETING"] = ["421 4.7.0 later"] * 2
    fleet.enroll(1)
    fleet.send()
    paces = []
    for number in range(1, 20):
        fleet.wait(minutes=1)
        fleet.let_limits_refill(minutes=2)
        fleet.house.enroll(f"late{number}@reader.example")
        fleet.send()
        with session_scope(fleet.sessions) as session:
            paces += [limit.most for limit in limits_of(session, fleet.transport("busy").id)]
    assert paces == sorted(paces)
    assert paces[-1] > 8 * paces[0]
    with session_scope(fleet.sessions) as session:
        assert limits_of(session, fleet.transport("busy").id) == []


def test_a_transport_gets_its_new_url_without_a_restart(fleet: Fleet) -> None:
    old, new = fleet.add("relay"), fleet.add("spare", 0)
    fleet.enroll(1)
    fleet.send()
    with session_scope(fleet.sessions) as session:
        relay = roster.get_transport(session, "relay")
        roster.edit_transport(session, fleet.seal, relay, "test", url=new.url)
    fleet.enroll(2)
    fleet.send()
    assert (len(old.mails), len(new.mails)) == (1, 1)


def test_a_url_sealed_with_a_lost_key_takes_the_transport_out(fleet: Fleet) -> None:
    fleet.add("relay")
    with session_scope(fleet.sessions) as session:
        lost = Seal(["another secret key that nobody has any more"]).close("smtp://127.0.0.1:1")
        session.execute(text("UPDATE transports SET sealed_url = :url WHERE slug = 'relay'"), {"url": lost})
    fleet.enroll(2)
    assert fleet.send() == {"planned": 2}
    assert "another STEADYPOST_SECRET_KEY" in fleet.transport("relay").reason
