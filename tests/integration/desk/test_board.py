"""The board as people get it."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from sqlalchemy import select, text

from mailer.alarms.sample import take_sample
from mailer.db import Sessions, business_now, session_scope
from mailer.delivery.holds import pause, put_on_hold
from mailer.models import BreakerState, Heartbeat, HoldCause, HoldScope, Transport
from mailer.queue import QUEUES
from mailer.reports.board import board
from mailer.reports.findings import FindingKind
from mailer.reports.queues import queue_status
from mailer.web.operator.board import SECTIONS
from tests.support.staff import Person


def workers_beat(sessions: Sessions) -> None:
    """A worker was heard of in every queue just now."""
    with session_scope(sessions) as session:
        now = session.execute(text("SELECT clock_timestamp()")).scalar_one()
        for queue in QUEUES:
            session.merge(Heartbeat(queue=queue, worker=f"{queue}@reading-room", sent_at=now, seen_at=now))


def test_it_says_in_one_sentence_that_all_is_well(sessions: Sessions, rea: Person) -> None:
    workers_beat(sessions)
    page = rea.get("/desk/board")
    assert "Mail flows; nothing is late." in page.text


def test_a_transport_that_is_out_is_said_with_what_to_do(sessions: Sessions, rea: Person) -> None:
    workers_beat(sessions)
    with session_scope(sessions) as session:
        session.execute(
            text("INSERT INTO senders (slug, name, email, postal_address) VALUES ('r', 'R', 'r@r.test', '')")
        )
        default = session.scalars(select(Transport)).one()
        default.state, default.reason = BreakerState.OPEN, "login: 535 5.7.8 wrong password"
        default.since = datetime.now(UTC)
    page = rea.get("/desk/board").text
    assert "Transport default is out: login: 535 5.7.8 wrong password." in page.replace(
        "transport", "Transport"
    )
    assert "/desk/operating#transport-out" in page


def test_a_queue_without_a_worker_is_said(rea: Person) -> None:
    assert "no worker takes from the queue control: none was ever heard." in rea.get("/desk/board").text


def test_the_board_counts_no_mail_one_by_one(sessions: Sessions) -> None:
    """With ten million mails it must cost what it costs with none: no statement reads all of deliveries."""
    with session_scope(sessions) as session:
        found = board(session, datetime.now(UTC), dict.fromkeys(QUEUES, 0))
    assert found.status.is_empty


def pause_campaigns(sessions: Sessions) -> None:
    with session_scope(sessions) as session:
        pause(session, HoldScope.LANE, "campaign", datetime.now(UTC), who="opal@example.org")


def test_a_transport_is_held_against_its_own_limit(sessions: Sessions) -> None:
    with session_scope(sessions) as session:
        session.execute(
            text(
                "INSERT INTO moves (lane, source, kind, transport_id, old_state, new_state, mails) "
                "SELECT 'course', 'course:1', 'step', id, 'planned', 'accepted', 120 FROM transports"
            )
        )
        session.execute(
            text(
                "INSERT INTO send_limits (transport_id, period, most, filled_at, since) "
                "SELECT id, p, m, now(), now() FROM transports, "
                "(VALUES ('hour', 18000), ('day', 864000)) AS v (p, m)"
            )
        )
        (gauge,) = board(session, datetime.now(UTC), dict.fromkeys(QUEUES, 0)).transports
    # 120 in the last minute are 2 a second; 18,000 an hour are 5, 864,000 a day would be 10.
    assert (gauge.per_second, gauge.allowed) == (2.0, 5.0)


def test_the_board_tells_what_changed_and_only_that(desk: str, sessions: Sessions, rea: Person) -> None:
    workers_beat(sessions)
    with rea.client.stream("GET", "/desk/board/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        told: list[str] = []
        for line in stream.iter_lines():
            if line.startswith("event: "):
                told.append(line.removeprefix("event: "))
                if len(told) == len(SECTIONS):
                    # All parts were told once; from here on only what changes is.
                    pause_campaigns(sessions)
            if "paused: lane campaign" in line:
                break
    assert told[: len(SECTIONS)] == list(SECTIONS)
    assert told[len(SECTIONS)] == "headline"


@pytest.mark.parametrize("of", ["day", "weeks"])
def test_history_is_taken_out_as_a_file(sessions: Sessions, rea: Person, of: str) -> None:
    with session_scope(sessions) as session:
        take_sample(session, queue_status(session, datetime.now(UTC), dict.fromkeys(QUEUES, 0)))
    lines = rea.get("/desk/history.csv", of=of).text.splitlines()
    assert lines[0].startswith("\ufeffat,transactional sent a minute,transactional waiting,")
    assert {line.count(",") for line in lines} == {lines[0].count(",")}


def test_every_alarm_leads_to_a_section_that_there_is(rea: Person) -> None:
    page = rea.get("/desk/operating").text
    for kind in FindingKind:
        assert f'id="{kind}"' in page


def test_who_is_told_of_alarms_is_added_and_removed_by_an_operator(opal: Person, rea: Person) -> None:
    opal.get("/desk/alarms")
    wrong = opal.post("/desk/alarms", kind="webhook", address="http://example.org/")
    assert wrong.status_code == 422
    added = opal.post("/desk/alarms", kind="webhook", address="https://hooks.example.org/secret-part")
    assert "whsec_" in added.text
    shown = rea.get("/desk/alarms").text
    assert "https://hooks.example.org/…" in shown
    assert "secret-part" not in shown
    assert "whsec_" not in shown
    number = re.search(r"/desk/alarms/(\d+)/remove", opal.get("/desk/alarms").text)
    assert number is not None
    assert "Tell https://hooks.example.org/… nothing" in opal.get(f"/desk/alarms/{number[1]}/remove").text
    assert "is told of no alarms any more" in opal.post(f"/desk/alarms/{number[1]}/remove").text


@pytest.mark.parametrize("cause", list(HoldCause))
def test_whatever_stopped_something_is_on_the_board_and_leads_on(
    sessions: Sessions, rea: Person, cause: HoldCause
) -> None:
    scope, target = (HoldScope.EVERYTHING, "") if cause is HoldCause.FENCE else (HoldScope.CAMPAIGN, "spring")
    with session_scope(sessions) as session:
        put_on_hold(session, cause, scope, target, business_now(session), "3 of 50 bounced")
    board = rea.get("/desk/board").text
    assert "3 of 50 bounced" in board
    leads = "/desk/campaigns/spring" if cause is HoldCause.CANARY else "/desk/holds"
    assert f'href="{leads}' in board
    assert "3 of 50 bounced" in rea.get("/desk").text
    page = rea.get("/desk/holds").text
    assert ("was stopped by its canary" in page) == (cause is HoldCause.CANARY)
    assert ("and go on</a>" in page) == (cause in (HoldCause.OUTAGE, HoldCause.FENCE))
