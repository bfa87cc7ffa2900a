"""Alarms leave the machine: once, by a way that works, and once more when it is over."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, update

from mailer.alarms.channels import add_channel, try_channel
from mailer.alarms.tell import WAITS, tell_due
from mailer.alarms.watch import note_findings, watch
from mailer.db import Sessions, session_scope
from mailer.delivery.roster import add_transport, get_transport
from mailer.errors import MailerError
from mailer.fetch import Fetcher
from mailer.models import Alarm, AlarmChannel, AlarmNote
from mailer.queue import QUEUES
from mailer.reports.findings import Finding, FindingKind
from mailer.sealing import Seal
from mailer.webhooks.signature import headers_of
from tests.support.house import House
from tests.support.listener import Listener, listening
from tests.support.scripted_smtp import ScriptedSmtp, scripted_smtp

SEAL = Seal(["a secret for sealing what rests, long enough"])
LATE = Finding(
    FindingKind.LANE_LATE, "course", "Course mail is 12 min late: a limit is used up.", "/desk/board"
)


@dataclass
class Watch:
    """Somebody who looks at a house again and again; between two looks as much time passes as is said."""

    sessions: Sessions
    smtp_url: str

    def look(self, *found: Finding, after: timedelta = timedelta(0)) -> None:
        with session_scope(self.sessions) as session:
            for column in (Alarm.seen_at, Alarm.opened_at, Alarm.missing_since):
                session.execute(update(Alarm).values({column: column - after}))
            session.flush()
        with session_scope(self.sessions) as session:
            note_findings(session, found)

    def tell(self) -> int:
        fetcher = Fetcher(allow=["127.0.0.1"])
        return tell_due(self.sessions, SEAL, fetcher, self.smtp_url, "https://mail.test")

    def hurry(self) -> None:
        """As if the wait before the next try were over."""
        with session_scope(self.sessions) as session:
            session.execute(
                update(AlarmNote)
                .where(AlarmNote.next_try_at.is_not(None))
                .values(next_try_at=func.clock_timestamp())
            )

    def told(self, kind: str, address: str) -> str:
        """Have this channel told; its secret."""
        with session_scope(self.sessions) as session:
            return add_channel(session, SEAL, kind, address, "opal@example.org")[1]


@pytest.fixture
def listener() -> Iterator[Listener]:
    with listening() as server:
        yield server


@pytest.fixture
def keeper(house: House, server: ScriptedSmtp) -> Watch:
    return Watch(house.sessions, server.url)


def test_what_lasts_is_told_once_and_once_that_it_is_over(keeper: Watch, listener: Listener) -> None:
    secret = keeper.told("webhook", listener.url)
    keeper.look(LATE)
    assert keeper.tell() == 0  # seen for the first time: it may be over in a moment
    keeper.look(LATE, after=timedelta(minutes=1))
    assert (keeper.tell(), keeper.tell()) == (1, 0)
    keeper.look(LATE, after=timedelta(hours=3))
    assert keeper.tell() == 0
    keeper.look()
    keeper.look(after=timedelta(minutes=4))
    assert keeper.tell() == 0  # it may come back
    keeper.look(after=timedelta(minutes=1))
    assert keeper.tell() == 1
    assert [told["type"] for told in listener.told] == ["alarm.opened", "alarm.resolved"]
    data = listener.told[0]["data"]
    assert (data["kind"], data["target"], data["words"]) == ("lane-late", "course", LATE.words)
    assert data["link"] == "https://mail.test/desk/operating#lane-late"
    headers, body = listener.heard[0]
    moment = int(headers["webhook-timestamp"])
    expected = headers_of(headers["webhook-id"], body, [secret], datetime.fromtimestamp(moment, UTC))
    assert headers["webhook-signature"] == expected["webhook-signature"]


def test_two_who_tell_at_once_tell_each_note_once(keeper: Watch, listener: Listener) -> None:
    keeper.told("webhook", listener.url)
    with session_scope(keeper.sessions) as session:
        channel = session.scalars(select(AlarmChannel)).one()
        for _ in range(6):
            try_channel(session, channel)
    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(lambda _: keeper.tell(), range(2))) == 6
    assert len({headers["webhook-id"] for headers, _ in listener.heard}) == len(listener.heard) == 6


def test_what_comes_and_goes_is_one_alarm_and_a_blip_is_none(keeper: Watch, listener: Listener) -> None:
    keeper.told("webhook", listener.url)
    keeper.look(LATE)
    keeper.look(after=timedelta(seconds=30))  # a blip
    keeper.look(LATE, after=timedelta(seconds=50))
    assert keeper.tell() == 0
    keeper.look(LATE, after=timedelta(minutes=1))
    for _ in range(3):
        keeper.look(after=timedelta(minutes=2))
        keeper.look(LATE, after=timedelta(minutes=2))
    keeper.tell()
    assert [told["type"] for told in listener.told] == ["alarm.opened"]


def test_a_mail_goes_by_the_transport_that_is_not_in_trouble(keeper: Watch, server: ScriptedSmtp) -> None:
    keeper.told("mail", "opal@example.org")
    with scripted_smtp() as other:
        with session_scope(keeper.sessions) as session:
            add_transport(session, SEAL, "relay2", other.url, 1, "tests")
            number = get_transport(session, "default").id
        out = Finding(FindingKind.TRANSPORT_OUT, "default", "Transport default is out: login.", "/", number)
        keeper.look(out)
        keeper.look(out, after=timedelta(minutes=3))
        assert keeper.tell() == 1
        assert server.mails == []
        (mail,) = other.mails
    assert mail["To"] == "opal@example.org"
    assert mail["Subject"] == "Alarm: Transport default is out: login."
    assert "https://mail.test/desk/operating#transport-out" in mail.get_content()


def test_when_one_transport_refuses_the_next_one_carries_it(keeper: Watch, server: ScriptedSmtp) -> None:
    keeper.told("mail", "opal@example.org")
    server.replies["MAIL"] = ["451 not now"]
    with scripted_smtp() as other:
        with session_scope(keeper.sessions) as session:
            add_transport(session, SEAL, "relay2", other.url, 1, "tests")
        keeper.look(LATE)
        keeper.look(LATE, after=timedelta(minutes=1))
        keeper.tell()
        assert len(other.mails) == 1


def test_who_does_not_answer_is_told_again_and_in_the_end_given_up(keeper: Watch, listener: Listener) -> None:
    keeper.told("webhook", listener.url)
    listener.status = 500
    keeper.look(LATE)
    keeper.look(LATE, after=timedelta(minutes=1))
    for _ in range(len(WAITS) + 3):
        keeper.tell()
        keeper.hurry()
    # One more than there are waits between them.
    assert len(listener.heard) == len(WAITS) + 1
    assert len({headers["webhook-id"] for headers, _ in listener.heard}) == 1
    with session_scope(keeper.sessions) as session:
        note = session.scalars(select(AlarmNote)).one()
        assert (note.error, note.next_try_at) == ("it answered 500", None)


def test_who_never_heard_of_it_is_not_told_that_it_is_over(keeper: Watch, listener: Listener) -> None:
    keeper.told("webhook", listener.url)
    keeper.look(LATE)
    keeper.look(LATE, after=timedelta(minutes=1))
    keeper.look()
    keeper.look(after=timedelta(minutes=5))
    assert keeper.tell() == 0
    assert listener.told == []


def test_a_test_is_told_without_an_alarm(keeper: Watch, listener: Listener) -> None:
    keeper.told("webhook", listener.url)
    with session_scope(keeper.sessions) as session:
        try_channel(session, session.scalars(select(AlarmChannel)).one())
    assert keeper.tell() == 1
    assert listener.told == [
        {
            "type": "alarm.test",
            "data": {"words": "This is a test. Nothing is wrong.", "link": "https://mail.test/desk/alarms"},
        }
    ]


def test_an_address_is_kept_sealed_and_only_its_host_is_shown(keeper: Watch) -> None:
    keeper.told("webhook", "https://hooks.example.org/T0/secret-part")
    with session_scope(keeper.sessions) as session:
        channel = session.scalars(select(AlarmChannel)).one()
        assert channel.shown == "https://hooks.example.org/…"
        assert "secret-part" not in channel.sealed


@pytest.mark.parametrize(
    ("kind", "address"),
    [("mail", "nobody"), ("webhook", "http://example.org/"), ("webhook", "ftp://x"), ("pigeon", "coop")],
)
def test_what_cannot_be_told_is_refused(keeper: Watch, kind: str, address: str) -> None:
    with pytest.raises(MailerError):
        keeper.told(kind, address)


def test_a_look_finds_that_nobody_works_and_leaves_a_sample(keeper: Watch) -> None:
    with session_scope(keeper.sessions) as session:
        watch(session, dict.fromkeys(QUEUES, 0))
    with session_scope(keeper.sessions) as session:
        kinds = {alarm.kind for alarm in session.scalars(select(Alarm))}
        assert kinds == {"no-worker"}


def test_the_secret_part_of_an_address_is_in_nothing_that_readers_see(keeper: Watch) -> None:
    keeper.told("webhook", "http://127.0.0.1:9/services/T1SECRET/xyzzy")
    keeper.look(LATE)
    keeper.look(LATE, after=timedelta(minutes=1))
    keeper.tell()
    with session_scope(keeper.sessions) as session:
        error = session.scalars(select(AlarmNote.error)).one()
    assert error.startswith("http://127.0.0.1:9/…")
    assert "SECRET" not in error
