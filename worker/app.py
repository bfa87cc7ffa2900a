"""The Celery application: `celery -A worker.app worker` and `celery -A worker.app beat`.

Everything waits in the database. Beat ticks; a tick plans what is due and dispatches chunks; a lost
task, an emptied broker or a second beat changes nothing but the moment of the next look.
"""

from __future__ import annotations

import logging
import os

from celery import Celery
from celery.signals import celeryd_init, setup_logging

from mailer.errors import BadSetting
from mailer.logs import set_up_logs
from mailer.queue import CONTROL, ERRANDS, TaskName, make_celery
from mailer.settings import Settings, load_settings

TICK_SECONDS = 2.0
HEARTBEAT_SECONDS = 10.0
TRIGGER_SECONDS = 30.0
WEBHOOK_SECONDS = 5.0
SERIES_SECONDS = 15.0
WATCH_SECONDS = 15.0
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
            "tick": {
                "task": TaskName.TICK,
                "schedule": TICK_SECONDS,
                # A tick that waited this long has been followed by others; less would ask the clocks of
                # two machines to agree more closely than they may.
                "options": {"queue": CONTROL, "expires": 60},
            },
            "keep house": {
                "task": TaskName.KEEP_HOUSE,
                "schedule": HOUSE_SECONDS,
                "options": {"queue": CONTROL, "expires": HOUSE_SECONDS},
            },
            "triggers": {
                "task": TaskName.PULL_TRIGGERS,
                "schedule": TRIGGER_SECONDS,
                # Their rules are asked of everybody, so not with each tick.
                "options": {"queue": CONTROL, "expires": TRIGGER_SECONDS},
            },
            "webhooks": {
                "task": TaskName.CALL_WEBHOOKS,
                "schedule": WEBHOOK_SECONDS,
                "options": {"queue": ERRANDS, "expires": WEBHOOK_SECONDS},
            },
            "series": {
                "task": TaskName.MAKE_SERIES,
                "schedule": SERIES_SECONDS,
                "options": {"queue": ERRANDS, "expires": SERIES_SECONDS},
            },
            "watch": {
                "task": TaskName.WATCH,
                "schedule": WATCH_SECONDS,
                "options": {"queue": CONTROL, "expires": WATCH_SECONDS},
            },
            "alarms": {
                "task": TaskName.TELL_ALARMS,
                "schedule": WATCH_SECONDS,
                "options": {"queue": ERRANDS, "expires": WATCH_SECONDS},
            },
            "heartbeats": {
                "task": TaskName.ASK_HEARTBEATS,
                "schedule": HEARTBEAT_SECONDS,
                "options": {"queue": CONTROL, "expires": 60},
            },
        },
    )
    celery.set_default()
    return celery


settings = load_settings(os.environ)
app = make_app(settings)


def _write_lines(loglevel: int = logging.WARNING, **_: object) -> None:
    """In place of Celery's own handlers: it sets none up when somebody hears `setup_logging`."""
    set_up_logs(settings, loglevel)


setup_logging.connect(_write_lines)
celeryd_init.connect(_write_lines)  # what it warns of before that
