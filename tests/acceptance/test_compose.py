"""The Compose file: right by its schema, and each of our commands in it really starts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from mailer.embedded.ports import PortClaims
from mailer.embedded.process import spawn
from mailer.embedded.redis import EmbeddedRedis
from mailer.queue import Broker
from tests.conftest import SECRET

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
OURS = [name for name, service in COMPOSE["services"].items() if service.get("image") == "steadypost"]
WORKERS = [name for name in OURS if name.startswith("worker")]


def test_the_compose_file_follows_the_compose_specification() -> None:
    tool = Path(sys.executable).with_name("check-jsonschema")
    command = [str(tool), "--builtin-schema", "vendor.compose-spec", str(ROOT / "docker-compose.yml")]
    checked = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert checked.returncode == 0, checked.stdout


def test_every_part_has_a_service() -> None:
    assert {"postgres", "redis", "web", "beat", "mailpit", *WORKERS} <= set(COMPOSE["services"])
    served = {queue for name in WORKERS for queue in _queues(COMPOSE["services"][name]["command"])}
    assert served == {"control", "errands", "transactional", "course", "campaign"}


def _queues(command: list[str]) -> list[str]:
    return command[command.index("-Q") + 1].split(",")


@pytest.fixture
def environment(database_url: str, redis: EmbeddedRedis) -> dict[str, str]:
    """The service's own variables, with our servers for those of the containers."""
    values = dict.fromkeys(COMPOSE["services"]["web"]["environment"], "")
    values |= {
        "STEADYPOST_DATABASE_URL": database_url,
        "STEADYPOST_REDIS_URL": redis.redis_url,
        "STEADYPOST_SMTP_URL": "smtp://127.0.0.1:9",
        "STEADYPOST_BASE_URL": "http://127.0.0.1:8025",
        "STEADYPOST_SECRET_KEY": SECRET,
    }
    programs = Path(sys.executable).parent
    return {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "HOME": os.environ.get("HOME", "/"),
        **values,
    }


@contextmanager
def started(
    service: str, environment: dict[str, str], log: Path, **changed: str
) -> Iterator[subprocess.Popen[bytes]]:
    """The service's command, with some of its words changed, until the end of the block."""
    command = [changed.get(word, word) for word in COMPOSE["services"][service]["command"]]
    process = spawn(command, log=log, env=environment, cwd=ROOT)
    try:
        yield process
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """As Compose does: asked first, and killed with its children when it does not listen."""
    process.terminate()
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=30)


def until(found: Any, seconds: float = 40) -> None:
    """Wait for `found()` to be true."""
    deadline = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def test_migrate_brings_the_database_up_to_date(environment: dict[str, str], tmp_path: Path) -> None:
    with started("migrate", environment, tmp_path / "log") as process:
        assert process.wait(timeout=60) == 0, (tmp_path / "log").read_text()


def test_web_answers(environment: dict[str, str], tmp_path: Path) -> None:
    ports = PortClaims()
    port = str(ports.take(8125))
    with started("web", environment, tmp_path / "log", **{"8025": port}):
        until(lambda: _health(port) == 200)
    ports.release()


def _health(port: str) -> int:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health", timeout=2).status_code
    except httpx.HTTPError:
        return 0


@pytest.mark.parametrize("worker", WORKERS)
def test_each_worker_takes_tasks_from_its_queues(
    worker: str, environment: dict[str, str], redis: EmbeddedRedis, tmp_path: Path
) -> None:
    broker = Broker(redis.redis_url)
    broker.empty()
    queues = _queues(COMPOSE["services"][worker]["command"])
    for queue in queues:
        assert broker._celery.send_task("steadypost.dispatch", args=["course"], queue=queue)
    with started(worker, environment, tmp_path / "log"):
        until(lambda: all(broker.depths()[queue] == 0 for queue in queues))
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_beat_ticks(environment: dict[str, str], redis: EmbeddedRedis, tmp_path: Path) -> None:
    broker = Broker(redis.redis_url)
    broker.empty()
    with started("beat", environment, tmp_path / "log"):
        until(lambda: broker.depths()["control"] > 0)
    broker.empty()
