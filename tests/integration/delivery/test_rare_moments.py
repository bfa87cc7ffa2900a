"""Rare moments in which a mail could be lost, doubled or credited to another, found by reading the code."""

from __future__ import annotations

import os
import socket
import threading
import time
import uuid
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from mailer import tally
from mailer.db import DatabaseDown, session_scope
from mailer.delivery import batch, settle
from mailer.delivery.batch import deliver_batch
from mailer.delivery.claim import claim_batch
from mailer.delivery.holds import pause
from mailer.delivery.journal import Journal, read_journals
from mailer.delivery.outcome import after_reply
from mailer.delivery.policy import DEFAULTS
from mailer.delivery.retry import SmtpReply
from mailer.delivery.transports.base import Answered
from mailer.delivery.transports.server import SmtpServer
from mailer.delivery.transports.smtp_pool import SmtpPool
from mailer.models import Batch, Delivery, HoldScope, Subscriber
from tests.support.cast import ADA
from tests.support.house import House
from tests.support.scripted_smtp import ScriptedSmtp
from tests.support.smtp_feed import Feed


class MutteringServer:
    """Answers the mail to `slow` late, and begins to say 421 after the mail to `quick`, without an end."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"smtp://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(ConnectionError):
            self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        lines, name = connection.makefile("rb"), ""
        connection.sendall(b"220 mutter\r\n")
        for line in lines:
            verb = line[:4].upper()
            if verb == b"EHLO":
                connection.sendall(b"250-mutter\r\n250 PIPELINING\r\n")
            elif verb == b"DATA":
                connection.sendall(b"354 go on\r\n")
                while (text := lines.readline()) not in (b".\r\n", b""):
                    pass
                if not text:
                    return
                self._answer(connection, name)
            else:
                name = line.decode().partition("<")[2].partition("@")[0] if verb == b"RCPT" else name
                connection.sendall(b"250 ok\r\n")

    def _answer(self, connection: socket.socket, name: str) -> None:
        self.taken.append(name)
        time.sleep(0.8 if name == "slow" else 0)
        connection.sendall(f"250 2.0.0 taken {name}\r\n".encode())
        if name == "quick":
            time.sleep(0.2)
            connection.sendall(b"421-4.3.2 going")

    def close(self) -> None:
        self._listening.close()


def test_half_a_line_on_an_idle_connection_ends_nothing_and_credits_nobody() -> None:
    server = MutteringServer()
    pool = SmtpPool(SmtpServer.from_url(server.url), conversations=2, helo_name="steadypost.test")
    first = Feed("slow@reader.example", "quick@reader.example")
    assert pool.send_all(first) is None
    assert first.kinds() == {"slow": "taken", "quick": "taken"}
    second = Feed("third@reader.example")
    assert pool.send_all(second) is None
    result = second.results["third@reader.example"]
    assert isinstance(result, Answered)
    assert "third" in result.reply.text
    assert sorted(server.taken) == ["quick", "slow", "third"]
    pool.close()
    server.close()


class AwayFor:
    """Sessions of a database that is away as soon as a mail's final dot leaves, for so many attempts."""

    def __init__(self, house: House, attempts: int) -> None:
        self._house = house
        self._left = attempts
        self.is_away = False

    def __call__(self) -> Session:
        if self.is_away and self._left:
            self._left -= 1
            raise DatabaseDown("restarting")
        return self._house.sessions()


def test_a_database_that_restarts_while_a_dot_is_answered_costs_no_second_mail(
    house: House, server: ScriptedSmtp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "FLUSH_SECONDS", 0.1)
    server.delays["DOT"] = 0.8
    house.enroll(ADA)
    (batch_id,) = house.offers()
    sessions = AwayFor(house, attempts=1)

    class Telling(Journal):
        def dot(self, delivery_id: int, token: uuid.UUID) -> None:
            super().dot(delivery_id, token)
            sessions.is_away = True

    journal = Telling(house.journals)
    post = replace(house.post, sessions=sessions, journal=journal)  # type: ignore[arg-type]
    assert deliver_batch(batch_id, post).counts() == {"accepted": 1}
    journal.close()
    assert len(server.mails) == 1


def test_a_domain_that_is_paused_after_the_offer_gets_nothing(house: House, server: ScriptedSmtp) -> None:
    house.enroll(ADA)
    house.enroll("dana@other.example")
    (batch_id,) = house.offers()
    with session_scope(house.sessions) as session:
        pause(session, HoldScope.DOMAIN, "reader.example", house.at, who="ann")
    assert deliver_batch(batch_id, house.post).counts() == {"planned": 1, "accepted": 1}
    assert server.recipients == ["dana@other.example"]


def test_a_worker_that_is_told_to_stop_ends_its_batch_with_what_is_under_way(
    house: House, server: ScriptedSmtp
) -> None:
    server.delays["DOT"] = 0.25
    for number in range(30):
        house.enroll(f"reader{number}@reader.example")
    (batch_id,) = house.offers()
    post = replace(house.post, is_stopping=lambda: len(server.mails) >= 2)
    counts = deliver_batch(batch_id, post).counts()
    assert 2 <= counts["accepted"] <= 5
    assert counts["planned"] == 30 - counts["accepted"]
    server.delays.clear()
    assert house.send() == {"accepted": counts["planned"]}
    assert len(server.mails) == 30


def test_a_journal_that_could_not_be_left_behind_is_not_written_over(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(house.journals)
    first, second = uuid.uuid4(), uuid.uuid4()
    journal.begin(first)
    journal.dot(1, first)

    def full(*_: Any) -> int:
        raise OSError("no room for another file")

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", full)
        with pytest.raises(OSError, match="no room"):
            journal.abandon()
    journal.begin(second)
    tokens = {token for found in read_journals(house.journals) for token in found.tokens}
    assert {first, second} <= tokens
    journal.close()


def test_a_zone_that_is_no_more_sets_one_mail_aside_and_not_its_batch(house: House, now: datetime) -> None:
    ada = house.enroll(ADA)
    house.enroll("dana@reader.example")
    house.send()
    house.go_to(now.replace(hour=8) + timedelta(days=1))
    house.plan()
    with session_scope(house.sessions) as session:
        session.execute(update(Subscriber).where(Subscriber.id == ada).values(zone="Europe/Atlantis"))
    assert house.send() == {"quarantined": 1, "accepted": 1}


def test_a_lost_journal_leaves_a_mail_in_doubt_and_is_no_proof_that_nothing_was_sent(
    house: House, server: ScriptedSmtp
) -> None:
    """The machine lost its power, or its data folder: a lesson is sent again, and that is counted."""
    house.enroll(ADA)
    (batch_id,) = house.offers()
    with session_scope(house.sessions) as session:
        claim_batch(session, batch_id, house.at)
    house.forget_offers_and_leases()
    house.plan()
    with session_scope(house.sessions) as session:
        row = session.query(Delivery).one()
        assert (row.state, row.cuts, row.reason) == ("planned", 1, "the journal of its worker is lost")
    house.go_to(house.at + timedelta(minutes=1))
    assert house.send() == {"accepted": 1}


def test_a_late_answer_settles_what_was_called_uncertain_meanwhile(house: House) -> None:
    house.enroll(ADA)
    (batch_id,) = house.offers()
    with session_scope(house.sessions) as session:
        claim = claim_batch(session, batch_id, house.at)
        assert claim is not None
    with session_scope(house.sessions) as session:
        session.execute(update(Delivery).values(state="uncertain", batch_id=None))
        session.query(Batch).delete()
        tally.mend(session)
    with session_scope(house.sessions) as session:
        taken = after_reply(claim.rows[0], SmtpReply(250, "2.0.0 taken", is_final=True), house.at)
        settle.record(session, claim.batch_id, claim.token, [taken], house.at, DEFAULTS)
    assert house.states() == {"accepted": 1}
