"""A heartbeat goes through a queue and comes out at the worker that takes from it."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select

from mailer.db import Sessions, session_scope
from mailer.models import Heartbeat
from mailer.queue import CONTROL, MOST_TASKS, QUEUES, Broker, TaskName, note_heartbeat
from tests.integration.queues.conftest import Worker

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def heartbeats(sessions: Sessions) -> list[Heartbeat]:
    with session_scope(sessions) as session:
        return list(session.execute(select(Heartbeat).order_by(Heartbeat.queue)).scalars())


def wait_for(sessions: Sessions, queues: set[str]) -> list[Heartbeat]:
    deadline = time.monotonic() + 40
    while {found.queue for found in heartbeats(sessions)} != queues:
        assert time.monotonic() < deadline, heartbeats(sessions)
        time.sleep(0.1)
    return heartbeats(sessions)


def test_only_the_queues_that_a_worker_takes_from_are_alive(
    sessions: Sessions, broker: Broker, worker: Worker
) -> None:
    with worker("control,course"):
        assert broker.send(TaskName.ASK_HEARTBEATS)
        found = wait_for(sessions, {"control", "course"})
    # Those of the other lanes still wait, one each.
    depths = broker.depths()
    assert (depths["transactional"], depths["campaign"]) == (1, 1)
    with session_scope(sessions) as session:
        now = session.execute(select(func.clock_timestamp())).scalar_one()
    for heartbeat in found:
        assert heartbeat.worker.startswith("reading-room@")
        assert now - timedelta(minutes=2) < heartbeat.sent_at <= heartbeat.seen_at <= now


def test_the_newest_heartbeat_stays_when_an_older_one_comes_out_later(sessions: Sessions) -> None:
    for sent_at in (NOON, NOON + timedelta(seconds=10), NOON + timedelta(seconds=5)):
        with session_scope(sessions) as session:
            note_heartbeat(session, "course", "course@one", sent_at)
    (only,) = heartbeats(sessions)
    assert only.sent_at == NOON + timedelta(seconds=10)


def test_every_queue_gets_one(broker: Broker) -> None:
    assert broker.ask_heartbeats(NOON) == len(QUEUES)
    assert broker.depths() == dict.fromkeys(QUEUES, 1)


def test_a_queue_that_nobody_empties_does_not_fill_up_with_heartbeats(broker: Broker) -> None:
    for _ in range(MOST_TASKS):
        broker.send(TaskName.TICK, queue=CONTROL)
    broker.ask_heartbeats(NOON)
    assert broker.depths() == {**dict.fromkeys(QUEUES, 1), CONTROL: MOST_TASKS}


def test_without_a_broker_none_is_sent_and_nothing_breaks() -> None:
    assert Broker("redis://127.0.0.1:1").ask_heartbeats(NOON) == 0
