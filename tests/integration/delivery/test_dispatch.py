"""Whose mails are offered to the workers: sources take turns, and what is on hold stays where it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select

from mailer.db import session_scope
from mailer.delivery import batch, dispatch
from mailer.delivery.batch import deliver_batch
from mailer.delivery.holds import pause, resume
from mailer.delivery.transports.base import Feed, Result, Trouble
from mailer.delivery.transports.server import SmtpServer
from mailer.delivery.transports.smtp_pool import SmtpPool
from mailer.models import Batch, Delivery, HoldScope, Lane, Sender
from mailer.schedule.courses import get_course
from mailer.schedule.enroll import enroll
from tests.support.cast import ADA, join, publish_folder, write_course
from tests.support.house import House
from tests.support.scripted_smtp import ScriptedSmtp


@pytest.fixture
def second(house: House, tmp_path: Path) -> str:
    """Another course, "bright", of a list and a sender of its own."""
    folder = write_course(tmp_path / "bright")
    toml = folder / "course.toml"
    words = toml.read_text(encoding="utf-8")
    for old, new in (('slug = "calm"', 'slug = "bright"'), ('list = "calm"', 'list = "bright"')):
        words = words.replace(old, new)
    toml.write_text(words.replace("course@steadypost", "bright@steadypost"), encoding="utf-8")
    with session_scope(house.sessions) as session:
        publish_folder(session, folder, house.at)
    return "bright"


def enroll_in(house: House, slug: str, *emails: str) -> None:
    for email in emails:
        with session_scope(house.sessions) as session:
            subscriber = join(session, email, house.at, list_=slug)
            enroll(session, get_course(session, slug), subscriber, house.at)


def sources(house: House) -> list[str]:
    """The sources of the batches that wait, in the order in which they were made."""
    with session_scope(house.sessions) as session:
        return list(session.execute(select(Batch.source).order_by(Batch.id)).scalars())


def test_a_small_course_does_not_wait_for_a_large_one(
    house: House, second: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(dispatch.CHUNK, Lane.COURSE, 5)
    for number in range(40):
        house.enroll(f"reader{number}@reader.example")
    enroll_in(house, second, ADA)
    assert len(house.offers()) == dispatch.AHEAD
    assert "course:2" in sources(house)[:2]


def test_only_a_few_batches_wait_for_a_worker(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(dispatch.CHUNK, Lane.COURSE, 2)
    for number in range(40):
        house.enroll(f"reader{number}@reader.example")
    assert len(house.offers()) == dispatch.AHEAD
    assert house.offers() == []
    assert house.states() == {"sending": 2 * dispatch.AHEAD, "planned": 40 - 2 * dispatch.AHEAD}


SCOPES = [
    (HoldScope.EVERYTHING, ""),
    (HoldScope.LANE, "course"),
    (HoldScope.COURSE, "calm"),
    (HoldScope.DOMAIN, "reader.example"),
]


@pytest.mark.parametrize(("scope", "target"), SCOPES, ids=[scope for scope, _ in SCOPES])
def test_what_is_paused_stays_planned_and_leaves_when_it_is_resumed(
    house: House, server: ScriptedSmtp, scope: HoldScope, target: str
) -> None:
    house.enroll(ADA)
    with session_scope(house.sessions) as session:
        pause(session, scope, target, house.at, who="ann")
    assert house.send() == {}
    assert house.states() == {"planned": 1}
    with session_scope(house.sessions) as session:
        resume(session, scope, target, house.at, who="ann")
    assert house.send() == {"accepted": 1}
    assert len(server.mails) == 1


@pytest.mark.parametrize(("scope", "target"), [(HoldScope.COURSE, "calm"), (HoldScope.SENDER, "")])
def test_a_pause_stops_one_course_or_sender_and_no_other(
    house: House, server: ScriptedSmtp, second: str, scope: HoldScope, target: str
) -> None:
    house.enroll(ADA)
    enroll_in(house, second, "dana@reader.example")
    with session_scope(house.sessions) as session:
        slug = target or sender_slug(house)
        pause(session, scope, slug, house.at, who="ann")
    assert house.send() == {"accepted": 1}
    assert server.recipients == ["dana@reader.example"]


def sender_slug(house: House) -> str:
    with session_scope(house.sessions) as session:
        return session.get_one(Sender, get_course(session, "calm").sender_id).slug


def test_a_batch_that_was_offered_before_the_pause_is_put_back(house: House, server: ScriptedSmtp) -> None:
    house.enroll(ADA)
    (batch_id,) = house.offers()
    with session_scope(house.sessions) as session:
        pause(session, HoldScope.LANE, "course", house.at, who="ann")
    assert deliver_batch(batch_id, house.post).counts() == {"planned": 1}
    assert server.mails == []


class Interrupted(SmtpPool):
    """Something happens when so many mails of a batch have been answered."""

    def __init__(self, server: SmtpServer, after: int, happens: Callable[[], None]) -> None:
        super().__init__(server, conversations=1)
        self._after, self._happens = after, happens

    def send_all(self, feed: Feed) -> Trouble | None:
        answered, done = 0, feed.done

        def count(key: int, result: Result) -> None:
            nonlocal answered
            answered += 1
            done(key, result)
            if answered == self._after:
                self._happens()
                feed.tend()

        feed.done = count  # type: ignore[method-assign]
        return super().send_all(feed)


def test_a_pause_stops_a_batch_in_its_middle_and_loses_no_row(
    house: House, server: ScriptedSmtp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "FLUSH_SECONDS", 0.0)
    for number in range(40):
        house.enroll(f"reader{number}@reader.example")
    (batch_id,) = house.offers()

    def pause_it() -> None:
        with session_scope(house.sessions) as session:
            pause(session, HoldScope.COURSE, "calm", house.at, who="ann")

    pool = Interrupted(SmtpServer.from_url(server.url), 10, pause_it)
    counts = deliver_batch(batch_id, house.use(pool)).counts()
    # What was announced already is finished: one or two mails.
    assert 10 <= counts["accepted"] <= 12
    assert counts["planned"] == 40 - counts["accepted"]
    assert len(server.mails) == counts["accepted"]
    pool.close()


def test_rows_of_a_batch_are_fenced_by_it(house: House) -> None:
    house.enroll(ADA)
    house.offers()
    with session_scope(house.sessions) as session:
        row = session.execute(select(Delivery)).scalar_one()
        waiting = session.execute(select(Batch)).scalar_one()
        assert (row.state, row.batch_id, waiting.token) == ("sending", waiting.id, None)
