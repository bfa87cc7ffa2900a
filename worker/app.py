"""The Celery application: `celery -A worker.app worker` and `celery -A worker.app beat`.

Everything waits in the database. Beat ticks; a tick plans what is due and dispatches chunks; a lost
task, an emptied broker or a second beat changes nothing but the moment of the next look.
"""

from __future__ import annotations

import logging
import os
from importlib import import_module
from typing import Any

from celery import Celery
from celery.signals import celeryd_init, import_modules, setup_logging

from mailer.errors import BadSetting
from mailer.logs import set_up_logs
from mailer.queue import CONTROL, ERRANDS, TaskName, make_celery
from mailer.settings import Settings, load_settings
from mailer.starting import importing

TICK_SECONDS = 2.0
HEARTBEAT_SECONDS = 10.0
TRIGGER_SECONDS = 30.0
WEBHOOK_SECONDS = 5.0
SERIES_SECONDS = 15.0
WATCH_SECONDS = 15.0
OUTLOOK_SECONDS = 60.0
BULK_SECONDS = 10.0
IMPORT_SECONDS = 5.0
HOUSE_SECONDS = 3600.0


def make_app(settings: Settings) -> Celery:
    """The worker's Celery: the client's settings, the tasks, and the beat schedule."""
    if settings.redis_url is None:
        raise BadSetting("STEADYPOST_REDIS_URL is missing, a worker needs to know its broker")
    celery = make_celery(settings.redis_url)
    celery.conf.update(
        imports=["worker.tasks", "worker.stopping"],
        beat_scheduler="celery.beat:Scheduler",  # intervals only, so there is nothing to keep in a file
        beat_schedule={
            # A tick that waited this long has been followed by others; less would ask the clocks of
            # two machines to agree more closely than they may.
            "tick": _every(TICK_SECONDS, TaskName.TICK, expires=60),
            "keep house": _every(HOUSE_SECONDS, TaskName.KEEP_HOUSE),
            # Their rules are asked of everybody, so not with each tick.
            "triggers": _every(TRIGGER_SECONDS, TaskName.PULL_TRIGGERS),
            "webhooks": _every(WEBHOOK_SECONDS, TaskName.CALL_WEBHOOKS, ERRANDS),
            "series": _every(SERIES_SECONDS, TaskName.MAKE_SERIES, ERRANDS),
            "watch": _every(WATCH_SECONDS, TaskName.WATCH),
            "alarms": _every(WATCH_SECONDS, TaskName.TELL_ALARMS, ERRANDS),
            # Looked at this often, and worked out when it is old or somebody asked.
            "outlook": _every(OUTLOOK_SECONDS, TaskName.LOOK_AHEAD, ERRANDS),
            "acts on many": _every(BULK_SECONDS, TaskName.ACT_ON_MANY, ERRANDS),
            "imports": _every(IMPORT_SECONDS, TaskName.IMPORT_FILES, ERRANDS),
            "heartbeats": _every(HEARTBEAT_SECONDS, TaskName.ASK_HEARTBEATS, expires=60),
        },
    )
    celery.set_default()
    return celery


def _every(
    seconds: float, task: TaskName, queue: str = CONTROL, *, expires: float | None = None
) -> dict[str, Any]:
    """A line of the beat schedule; a task that waited until the next one is dropped unless said otherwise."""
    return {
        "task": task,
        "schedule": seconds,
        "options": {"queue": queue, "expires": seconds if expires is None else expires},
    }


settings = load_settings(os.environ)
app = make_app(settings)


def _write_lines(loglevel: int = logging.WARNING, **_: object) -> None:
    """In place of Celery's own handlers: it sets none up when somebody hears `setup_logging`."""
    set_up_logs(settings, loglevel)


def _import_tasks(**_: object) -> None:
    """Just before Celery does, and sooner done; the processes that are forked share what it takes."""
    with importing():
        for module in app.conf.imports:
            import_module(module)


import_modules.connect(_import_tasks)
setup_logging.connect(_write_lines)
celeryd_init.connect(_write_lines)  # what it warns of before that
