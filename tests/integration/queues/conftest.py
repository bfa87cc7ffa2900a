"""A real worker on a real broker, and a house with the course "calm"."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from mailer.embedded.process import spawn
from mailer.embedded.redis import EmbeddedRedis
from mailer.queue import Broker
from tests.support.stack import ROOT, environment

SECRET = "a secret for the queues that is long enough to be one"
Worker = Callable[[str], AbstractContextManager[None]]


@pytest.fixture
def broker(redis: EmbeddedRedis) -> Iterator[Broker]:
    """The broker, with nothing in it."""
    broker = Broker(redis.redis_url)
    broker.empty()
    yield broker
    broker.empty()


@pytest.fixture
def variables(database_url: str, redis: EmbeddedRedis) -> dict[str, str]:
    """The settings of a worker and of the command."""
    return {
        "STEADYPOST_DATABASE_URL": database_url,
        "STEADYPOST_REDIS_URL": redis.redis_url,
        "STEADYPOST_SMTP_URL": "smtp://127.0.0.1:1",
        "STEADYPOST_SECRET_KEY": SECRET,
    }


@pytest.fixture
def worker(variables: dict[str, str], broker: Broker, tmp_path: Path) -> Worker:
    """`with worker("course"):` a Celery worker that takes from that queue alone."""

    @contextmanager
    def run(queues: str) -> Iterator[None]:
        command = [sys.executable, "-m", "celery", "-A", "worker.app", "worker", "-c", "1"]
        command += ["-n", "reading-room@%h", "-Q", queues, "--without-gossip", "--without-mingle"]
        log = tmp_path / "logs" / "worker.log"
        process = spawn(command, log=log, env=environment(tmp_path, **variables), cwd=ROOT)
        try:
            yield
            assert process.poll() is None, log.read_text(encoding="utf-8")
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(timeout=10)

    return run
