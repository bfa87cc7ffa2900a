"""The Celery client: queues and tasks by name, waking the workers, heartbeats, and depths of the queues."""

from __future__ import annotations

import logging
from datetime import datetime
from enum import StrEnum
from typing import Any

import redis
from celery import Celery
from kombu import Exchange, Queue
from kombu.exceptions import OperationalError as BrokerDown
from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from mailer.models import Heartbeat, Lane

log = logging.getLogger(__name__)

CONTROL = "control"
ERRANDS = "errands"
"""What asks other people's servers or is long work takes seconds: the tick must not stand behind it."""

QUEUES = (CONTROL, ERRANDS, *Lane)


class TaskName(StrEnum):
    TICK = "steadypost.tick"
    DISPATCH = "steadypost.dispatch"
    DELIVER_BATCH = "steadypost.deliver_batch"
    ASK_HEARTBEATS = "steadypost.ask_heartbeats"
    HEARTBEAT = "steadypost.heartbeat"
    KEEP_HOUSE = "steadypost.keep_house"
    PULL_TRIGGERS = "steadypost.pull_triggers"
    CALL_WEBHOOKS = "steadypost.call_webhooks"
    MAKE_SERIES = "steadypost.make_series"
    WATCH = "steadypost.watch"
    TELL_ALARMS = "steadypost.tell_alarms"
    LOOK_AHEAD = "steadypost.look_ahead"
    ACT_ON_MANY = "steadypost.act_on_many"
    IMPORT_FILES = "steadypost.import_files"


HEARTBEAT_LIFE = 60.0
"""Seconds after which a heartbeat that nobody took says nothing any more and is dropped unread."""

MOST_TASKS = 1000
"""A queue this deep gets no heartbeats: what has expired stays in Redis until somebody takes it out."""


def make_celery(redis_url: str) -> Celery:
    """A Celery application on this broker, with the settings that every part shares.

    Nothing that matters lives in the broker: rows say what is to be done, so it may be emptied.
    """
    celery = Celery("steadypost", broker=celery_url(redis_url), set_as_current=False)
    celery.conf.update(
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        # Each queue with an exchange of its own: Celery's default key would lead every task to all of them.
        task_queues=[Queue(name, Exchange(name), routing_key=name) for name in QUEUES],
        task_default_queue=CONTROL,
        task_create_missing_queues=False,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        # The default of 4 would leave chunks waiting behind a slow one while another worker idles.
        worker_prefetch_multiplier=1,
        worker_soft_shutdown_timeout=10,
        # A task whose broker goes away finishes its mails; if it is delivered again, their rows are taken.
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        # Longer than any task; a task delivered twice finds its rows taken.
        broker_transport_options={
            "visibility_timeout": 600,
            # A worker that serves two lanes takes from the first as long as there is something in it.
            "queue_order_strategy": "priority",
            "socket_connect_timeout": 2,
            "socket_timeout": 10,
            "socket_keepalive": True,
        },
        enable_utc=True,
        timezone="UTC",
    )
    return celery


def celery_url(redis_url: str) -> str:
    """The broker's address as Celery writes it: a socket is redis+socket://, not unix://."""
    return redis_url.replace("unix://", "redis+socket://", 1)


def client_url(redis_url: str) -> str:
    """The same address as redis-py writes it."""
    return redis_url.replace("redis+socket://", "unix://", 1)


class Broker:
    """Sends tasks by name, and never lets a broker that is away become somebody else's error."""

    def __init__(self, redis_url: str) -> None:
        self._celery = make_celery(redis_url)
        # Whoever asks for a task goes on at once when the broker is away; a worker waits for it instead.
        self._celery.conf.broker_transport_options |= {"max_retries": 0, "interval_start": 0}
        self._redis = redis.Redis.from_url(client_url(redis_url), socket_connect_timeout=2, socket_timeout=5)

    def send(
        self, task: TaskName, *arguments: Any, queue: str = CONTROL, expires: float | None = None
    ) -> bool:
        """Ask for a task; False when the broker is away (what was due is offered again by a later tick)."""
        try:
            self._celery.send_task(task, args=arguments, queue=queue, expires=expires, retry=False)
        except (BrokerDown, redis.RedisError, OSError) as error:
            words = "Redis does not answer (%s); mail waits in the database until it does"
            log.warning(words, error, extra={"event": "broker.away", "queue": queue})
            return False
        return True

    def wake(self, lanes: frozenset[str]) -> None:
        """Have each lane's due rows dispatched now; for `session_scope(wake=…)`."""
        for lane in sorted(lanes):
            self.send(TaskName.DISPATCH, lane, expires=60)

    def ask_heartbeats(self, sent_at: datetime) -> int:
        """Send a heartbeat through every queue; how many were sent. `sent_at` is the database's clock."""
        depths = self.depths()
        return sum(
            self.send(TaskName.HEARTBEAT, queue, sent_at.isoformat(), queue=queue, expires=HEARTBEAT_LIFE)
            for queue, depth in depths.items()
            if depth < MOST_TASKS
        )

    def depths(self) -> dict[str, int]:
        """How many tasks wait in each queue; empty when the broker is away."""
        try:
            return {name: int(self._redis.llen(name)) for name in QUEUES}
        except (redis.RedisError, OSError):
            return {}

    def depths_or_none(self) -> dict[str, int | None]:
        """The same with every queue named, and None when the broker is away."""
        depths = self.depths()
        return {name: depths.get(name) for name in QUEUES}

    def ping(self) -> bool:
        """Whether the broker answers."""
        try:
            return bool(self._redis.ping())
        except (redis.RedisError, OSError):
            return False

    def empty(self) -> None:
        """Forget every task; nothing is lost by it, since rows say what is to be done."""
        self._redis.flushdb()


def note_heartbeat(session: Session, queue: str, worker: str, sent_at: datetime) -> None:
    """Write that `worker` has taken from `queue` the task sent at `sent_at`; an older one changes nothing."""
    new = insert(Heartbeat).values(
        queue=queue, worker=worker, sent_at=sent_at, seen_at=func.clock_timestamp()
    )
    session.execute(
        new.on_conflict_do_update(
            index_elements=[Heartbeat.queue, Heartbeat.worker],
            set_={"sent_at": new.excluded.sent_at, "seen_at": new.excluded.seen_at},
            where=Heartbeat.sent_at < new.excluded.sent_at,
        )
    )
