"""What a real server answers, or where it falls silent, and what becomes of each mail then."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from mailer.audience.suppression import find_suppression
from mailer.db import session_scope
from mailer.delivery.transports.server import SmtpServer
from mailer.delivery.transports.smtp_pool import SmtpPool
from mailer.models import (
    Attempt,
    Delivery,
    Enrollment,
)
from tests.support.cast import ADA, CLEO
from tests.support.house import House
from tests.support.scripted_smtp import CUT, ScriptedSmtp, scripted_smtp

DAY = timedelta(days=1)


def at(now: datetime, day: int, hour: int = 8) -> datetime:
    """A moment on the course's day, London, winter time; `now` is 07:00 on day 0."""
    return now.replace(hour=hour) + day * DAY


def test_cleos_hard_bounce_suppresses_her_address_and_stops_her_course(
    house: House, server: ScriptedSmtp, now: datetime
) -> None:
    house.enroll(CLEO)
    server.replies["RCPT"] = ["550 5.1.1 no such user"]
    assert house.send() == {"bounced": 1}
    with session_scope(house.sessions) as session:
        suppression = find_suppression(session, CLEO, house.at)
        assert suppression is not None
        assert suppression.reason == "hard-bounce"
        assert session.execute(select(Enrollment.state)).scalar_one() == "stopped"
    house.go_to(at(now, 1))
    assert house.send() == {}


def test_a_policy_refusal_fails_the_mail_and_keeps_the_address(house: House, server: ScriptedSmtp) -> None:
    house.enroll(ADA)
    server.replies["DOT"] = ["550 5.7.1 looks like spam"]
    assert house.send() == {"failed": 1}
    with session_scope(house.sessions) as session:
        assert find_suppression(session, ADA, house.at) is None


def test_a_greylisted_mail_comes_again_a_quarter_of_an_hour_later(
    house: House, server: ScriptedSmtp, now: datetime
) -> None:
    house.enroll(ADA)
    server.replies["RCPT"] = ["451 4.7.1 greylisted"]
    assert house.send() == {"planned": 1}
    house.go_to(now + timedelta(minutes=14))
    assert house.send() == {}
    house.go_to(now + timedelta(minutes=15))
    assert house.send() == {"accepted": 1}
    with session_scope(house.sessions) as session:
        row = session.execute(select(Delivery)).scalar_one()
        assert (row.due_at, row.deferrals, row.attempts) == (now, 1, 2)
        outcomes = session.execute(select(Attempt.outcome, Attempt.code).order_by(Attempt.id)).all()
        assert outcomes == [("planned", 451)]
        assert (row.code, row.reply) == (250, "2.0.0 taken")


def test_a_server_that_is_down_costs_no_attempts_and_everything_leaves_when_it_is_back(
    house: House, now: datetime
) -> None:
    for number in range(60):
        house.enroll(f"reader{number}@reader.example")
    with scripted_smtp() as gone:
        url, port = gone.url, gone.server_address[1]
    house.post = house.use(SmtpPool(SmtpServer.from_url(url), conversations=1))
    assert house.send() == {"planned": 60}
    with session_scope(house.sessions) as session:
        assert set(session.execute(select(Delivery.deferrals)).scalars()) == {0}
    house.go_to(now + timedelta(minutes=1))
    with scripted_smtp(port) as back:
        assert house.send() == {"accepted": 60}
        assert max(Counter(back.recipients).values()) == 1


@pytest.mark.parametrize("verb", ["EHLO", "MAIL", "RCPT", "DATA"])
def test_a_connection_cut_before_the_final_dot_is_tried_again(
    house: House, server: ScriptedSmtp, now: datetime, verb: str
) -> None:
    house.enroll(ADA)
    server.replies[verb] = [CUT]
    house.send()
    house.go_to(now + timedelta(minutes=16))
    house.send()
    assert house.states() == {"accepted": 1}
    assert len(server.mails) == 1


def test_a_connection_cut_after_the_final_dot_is_sent_again_with_the_same_message_id(
    house: House, server: ScriptedSmtp, now: datetime
) -> None:
    # RFC 1047: nobody can tell whether it was taken. A lesson is sent again, and can be told by its id.
    house.enroll(ADA)
    server.replies["DOT"] = [CUT]
    assert house.send() == {"planned": 1}
    house.go_to(now + timedelta(minutes=1))
    assert house.send() == {"accepted": 1}
    first, second = (mail["Message-ID"] for mail in server.mails)
    assert first == second


def test_a_kept_connection_that_the_server_closed_loses_no_mail(house: House, server: ScriptedSmtp) -> None:
    for number in range(3):
        house.enroll(f"reader{number}@reader.example")
    server.replies["MAIL"] = ["250 ok", CUT]
    assert house.send() == {"accepted": 3}
    assert server.connections == 2


def test_many_mails_share_one_connection(house: House, server: ScriptedSmtp) -> None:
    for number in range(30):
        house.enroll(f"reader{number}@reader.example")
    assert house.send() == {"accepted": 30}
    assert server.connections == 1


def test_a_mail_whose_answer_never_comes_is_sent_twice_at_most(
    house: House, server: ScriptedSmtp, now: datetime
) -> None:
    house.enroll(ADA)
    server.replies["DOT"] = [CUT] * 10
    for minute in range(10):
        house.go_to(now + timedelta(minutes=minute))
        house.send()
    assert len(server.mails) == 2
    assert house.states() == {"uncertain": 1}


def test_one_mail_is_in_doubt_for_each_connection_that_is_cut_and_the_second_cut_ends_the_batch(
    house: House, server: ScriptedSmtp
) -> None:
    for number in range(10):
        house.enroll(f"reader{number}@reader.example")
    server.replies["DOT"] = [CUT] * 10
    house.send()
    assert (len(server.mails), server.connections) == (2, 2)


@pytest.mark.parametrize(
    ("verb", "reply"),
    [
        ("MAIL", "530 5.7.0 Authentication required"),
        ("MAIL", "550 5.7.1 sender not allowed"),
        ("RCPT", "421 4.3.2 shutting down"),
        ("DOT", "421 4.3.2 shutting down"),
    ],
)
def test_a_refusal_of_us_costs_no_mail_and_no_attempt(
    house: House, server: ScriptedSmtp, now: datetime, verb: str, reply: str
) -> None:
    for number in range(3):
        house.enroll(f"reader{number}@reader.example")
    server.replies[verb] = [reply]
    assert house.send() == {"planned": 3}
    with session_scope(house.sessions) as session:
        assert set(session.execute(select(Delivery.deferrals)).scalars()) == {0}
        assert session.execute(select(Attempt)).all() == []
    house.go_to(now + timedelta(minutes=1))
    assert house.send() == {"accepted": 3}


def test_a_server_that_hangs_up_after_a_refusal_has_refused(house: House, server: ScriptedSmtp) -> None:
    for number in range(3):
        house.enroll(f"reader{number}@reader.example")
    server.replies = {"RCPT": ["550 5.1.1 no such user"], "RSET": [CUT]}
    assert house.send() == {"bounced": 1, "accepted": 2}


def test_one_mail_that_breaks_every_connection_does_not_stand_before_the_others(
    house: House, server: ScriptedSmtp
) -> None:
    for number in range(4):
        house.enroll(f"reader{number}@reader.example")
    server.replies["DATA"] = [CUT, CUT]  # it gets a second connection, in case the first had another reason
    assert house.send() == {"planned": 1, "accepted": 3}
    with session_scope(house.sessions) as session:
        broken = session.execute(select(Attempt).where(Attempt.outcome == "planned")).scalar_one()
        assert broken.code is None  # the ledger holds no answer that no server gave


def test_a_server_that_says_250_to_data_has_not_taken_the_mail(
    house: House, server: ScriptedSmtp, now: datetime
) -> None:
    house.enroll(ADA)
    server.replies["DATA"] = ["250 2.0.0 fine"] * 2
    house.send()
    assert house.states() != {"accepted": 1}
    house.go_to(now + timedelta(minutes=20))
    house.send()
    assert len(server.mails) == 1


def test_any_2yz_after_the_final_dot_means_taken(house: House, server: ScriptedSmtp) -> None:
    house.enroll(ADA)
    server.replies["DOT"] = ["259 odd but kind"]
    assert house.send() == {"accepted": 1}


def test_a_reply_with_unprintable_signs_can_be_recorded(house: House, server: ScriptedSmtp) -> None:
    house.enroll(ADA)
    server.replies["DOT"] = ["550 5.7.1 no\x00\x1b[31m"]
    assert house.send() == {"failed": 1}


def test_a_lesson_left_over_from_an_outage_leaves_at_its_hour_not_in_the_night(
    house: House, server: ScriptedSmtp, now: datetime
) -> None:
    house.enroll(ADA)
    house.send()
    house.go_to(at(now, 1))
    server.replies["RCPT"] = ["421 4.3.2 shutting down"] * 2
    assert house.send() == {"planned": 1}
    house.go_to(at(now, 2, hour=2))  # the relay is back at two in the morning
    assert house.send() == {"planned": 1}
    house.go_to(at(now, 2))
    assert house.send() == {"accepted": 1}
    assert server.mails[-1]["Date"] == "Wed, 04 Mar 2026 08:00:00 +0000"


def test_on_its_own_day_a_lesson_leaves_as_soon_as_the_relay_is_back(
    house: House, server: ScriptedSmtp, now: datetime
) -> None:
    house.enroll(ADA)
    house.send()
    house.go_to(at(now, 1))
    server.replies["RCPT"] = ["421 4.3.2 shutting down"] * 2
    house.send()
    house.go_to(at(now, 1, hour=22))
    assert house.send() == {"accepted": 1}
