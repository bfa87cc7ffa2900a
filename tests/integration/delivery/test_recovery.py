"""A worker is lost at every point of its way: what its journal says decides, and nothing is sent twice."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text

from mailer.db import session_scope
from mailer.delivery import batch
from mailer.delivery.batch import deliver_batch
from mailer.delivery.claim import claim_batch
from mailer.delivery.journal import Journal, read_journals
from mailer.delivery.retry import SmtpReply
from mailer.delivery.transports.base import Feed, Trouble
from mailer.delivery.transports.server import SmtpServer
from mailer.delivery.transports.smtp_pool import SmtpPool
from mailer.models import Batch
from tests.conftest import SECRET
from tests.support.cast import ADA
from tests.support.house import House
from tests.support.scripted_smtp import ScriptedSmtp

WORKER = """
import os, signal, sys
from mailer.db import make_engine, make_sessions
from mailer.delivery.batch import Post, deliver_batch
from mailer.delivery.journal import Journal
from mailer.delivery.transports.server import SmtpServer
from mailer.delivery.transports.smtp_pool import SmtpPool
from mailer.links import Signer
from pathlib import Path

database, url, journals, secret, how, batch_id = sys.argv[1:]
answered = 0

def die():
    os.kill(os.getpid(), signal.SIGKILL)

class Telling(Journal):
    '''Kills its process at the third mail: before the dot, after the dot, or after the reply.'''
    def dot(self, delivery_id, token):
        if answered == 2 and how == "before the dot":
            die()
        super().dot(delivery_id, token)
    def reply(self, delivery_id, token, reply):
        global answered
        answered += 1
        if answered == 3 and how == "after the dot":
            die()
        super().reply(delivery_id, token, reply)
        if answered == 3 and how == "after the reply":
            die()

pool = SmtpPool(SmtpServer.from_url(url), conversations=1)
sessions = make_sessions(make_engine(database))
post = Post(sessions, lambda _: pool, Telling(Path(journals)), Signer([secret]), "http://x")
deliver_batch(int(batch_id), post)
"""


@pytest.mark.parametrize(
    ("how", "twice"), [("before the dot", 0), ("after the dot", 1), ("after the reply", 0)]
)
def test_a_worker_killed_at_the_third_mail_loses_nothing(
    house: House, server: ScriptedSmtp, database_url: str, how: str, twice: int
) -> None:
    for number in range(5):
        house.enroll(f"reader{number}@reader.example")
    (batch_id,) = house.offers()
    killed = subprocess.run(
        [
            sys.executable,
            "-c",
            WORKER,
            database_url,
            server.url,
            str(house.journals),
            SECRET,
            how,
            str(batch_id),
        ],
        timeout=60,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    # The tick settles the lost rows at once, by the journal: no lease has to run out.
    house.send()
    house.go_to(house.at.replace(minute=1))
    house.send()
    assert house.states() == {"accepted": 5}
    per_id = Counter(mail["Message-ID"] for mail in server.mails)
    assert len(per_id) == 5
    # Only a dot without a reply can be sent again, under the same Message-ID (RFC 1047).
    assert sum(per_id.values()) - 5 == twice
    assert all(not found.is_abandoned for found in read_journals(house.journals))


def test_a_database_that_goes_away_while_results_are_recorded_costs_no_second_mail(
    house: House, server: ScriptedSmtp
) -> None:
    house.enroll(ADA)
    (batch_id,) = house.offers()

    class Cutting(SmtpPool):
        """The database has lost a table by the time that the mail was taken."""

        def send_all(self, feed: Feed) -> Trouble | None:
            trouble = super().send_all(feed)
            with session_scope(house.sessions) as session:
                session.execute(text("ALTER TABLE moves RENAME TO moves_away"))
            return trouble

    with pytest.raises(Exception, match="moves"):
        deliver_batch(batch_id, house.use(Cutting(SmtpServer.from_url(server.url))))
    with session_scope(house.sessions) as session:
        session.execute(text("ALTER TABLE moves_away RENAME TO moves"))
    house.plan()
    assert house.states() == {"accepted": 1}
    assert len(server.mails) == 1


def test_a_worker_that_was_stopped_and_woken_sends_nothing_that_is_not_its_own_any_more(
    house: House, server: ScriptedSmtp, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.enroll(ADA)
    house.enroll("dana@reader.example")
    (batch_id,) = house.offers()

    class Sleeping(Journal):
        """Sleeps for an hour as the first mail is begun."""

        def attempt(self, delivery_id: int, token: uuid.UUID) -> None:
            super().attempt(delivery_id, token)
            let_an_hour_pass(monkeypatch)

    sleeping = Sleeping(house.journals)
    post = replace(house.post, journal=sleeping)
    assert deliver_batch(batch_id, post).counts() == {"planned": 2}
    sleeping.close()
    assert server.mails == []


def let_an_hour_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    ahead = time.clock_gettime(batch.STEADY_CLOCK) + 3600
    monkeypatch.setattr(time, "clock_gettime", lambda _clock: ahead)


def test_a_journal_that_was_cut_off_in_the_middle_of_a_line_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    token = uuid.uuid4()
    journal.begin(token)
    journal.dot(1, token)
    journal.reply(1, token, SmtpReply(250, "2.0.0 taken", is_final=True))
    journal.dot(2, token)
    (found,) = read_journals(tmp_path)
    assert not found.is_abandoned
    with found.path.open("ab") as file:
        file.write(b"reply " + token.hex.encode()[:7])
    (found,) = read_journals(tmp_path)
    assert [(entry.delivery_id, entry.reply) for entry in found.entries] == [
        (1, SmtpReply(250, "2.0.0 taken", is_final=True)),
        (2, None),
    ]
    journal.abandon()
    assert sorted(found.is_abandoned for found in read_journals(tmp_path)) == [False, True]
    journal.close()


def test_a_journal_line_is_one_line_whatever_the_server_says(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    token = uuid.uuid4()
    journal.begin(token)
    journal.reply(1, token, SmtpReply(550, "5.1.1 no\r\ndot 0 2\n", at_recipient=True))
    (found,) = read_journals(tmp_path)
    (entry,) = found.entries
    assert entry.reply == SmtpReply(550, "5.1.1 no dot 0 2", at_recipient=True)
    journal.close()
    assert list(tmp_path.iterdir()) == []


def test_a_journal_with_rubbish_in_it_does_not_stop_the_house(house: House, server: ScriptedSmtp) -> None:
    house.journals.mkdir(exist_ok=True)
    (house.journals / "torn.journal").write_bytes(b"dot abcdot 5\n\x00\x00\x00\nreply\nnonsense 1 2\n")
    house.enroll(ADA)
    assert house.send() == {"accepted": 1}
    assert not (house.journals / "torn.journal").exists()


def test_a_journal_is_kept_while_its_batch_is_locked_by_somebody_else(
    house: House, server: ScriptedSmtp
) -> None:
    house.enroll(ADA)
    (batch_id,) = house.offers()
    with session_scope(house.sessions) as session:
        claim = claim_batch(session, batch_id, house.at)
    assert claim is not None
    (row,) = claim.rows
    lost = Journal(house.journals)
    lost.begin(claim.token)
    lost.reply(row.id, claim.token, SmtpReply(250, "2.0.0 taken", is_final=True))
    lost.abandon()
    with session_scope(house.sessions) as other:
        other.execute(select(Batch).with_for_update())
        house.plan()
        assert house.states() == {"sending": 1}
    house.plan()
    assert house.states() == {"accepted": 1}
    lost.close()


def test_a_mail_that_takes_three_workers_down_is_quarantined(house: House) -> None:
    house.enroll(ADA)
    house.enroll("dana@reader.example")
    for _ in range(3):
        (batch_id,) = house.offers()
        with session_scope(house.sessions) as session:
            claim = claim_batch(session, batch_id, house.at)
        assert claim is not None
        row = min(claim.rows, key=lambda row: row.id)
        lost = Journal(house.journals)
        lost.begin(claim.token)
        lost.attempt(row.id, claim.token)
        lost.abandon()
        house.plan()
        house.go_to(house.at + timedelta(minutes=1))
        lost.close()
    assert house.states() == {"planned": 1, "quarantined": 1}
    assert house.send() == {"accepted": 1}
