"""Workers that come upon a database which they may not send from: the tick looks before anybody sends."""

from __future__ import annotations

import time
from collections.abc import Callable

from sqlalchemy import func, select, update

from mailer.db import session_scope, step_clock
from mailer.delivery.guard import RESTORED
from mailer.delivery.holds import guarded
from mailer.models import Batch, Instance, Lane
from mailer.queue import Broker, TaskName
from tests.integration.queues.conftest import Worker
from tests.support.cast import ADA
from tests.support.house import House

PATIENCE_SECONDS = 30.0


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def holds(house: House) -> list[str]:
    with session_scope(house.sessions) as session:
        return [f"{hold.cause} {hold.scope}" for hold in guarded(session)]


def batches(house: House) -> int:
    with session_scope(house.sessions) as session:
        return session.execute(select(func.count()).select_from(Batch)).scalar_one()


def test_workers_alone_send_nothing_from_a_restored_database(
    house: House, broker: Broker, worker: Worker
) -> None:
    house.enroll(ADA)
    with session_scope(house.sessions) as session:
        session.execute(update(Instance).values(token_hash=RESTORED))
    (batch_id,) = house.offers()
    with worker("control,course"):
        # Before any tick: what somebody asked for, and a batch that was left in the broker.
        broker.send(TaskName.DISPATCH, Lane.COURSE)
        broker.send(TaskName.DELIVER_BATCH, batch_id, queue=Lane.COURSE)
        until(lambda: not any(broker.depths().values()))
        assert house.states() == {"sending": 1}  # offered, and nobody has begun
        broker.send(TaskName.TICK)
        until(lambda: holds(house) == ["fence everything"])
        broker.send(TaskName.TICK)
        until(lambda: not broker.depths()["control"])
    assert house.states() == {"sending": 1}
    with session_scope(house.sessions) as session:
        assert session.execute(select(Batch.token)).scalars().all() == [None]


def test_the_first_tick_adopts_a_new_database_and_offers_its_mail(
    house: House, broker: Broker, worker: Worker
) -> None:
    house.enroll(ADA)
    with session_scope(house.sessions) as session:
        step_clock(session, house.at)
    with worker("control"):
        broker.send(TaskName.TICK)
        until(lambda: batches(house) == 1)
    assert holds(house) == []
