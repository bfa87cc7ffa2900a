"""The embedded Redis: on a private socket, empty at every start, and never two on one folder."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from celery import Celery
from redis import Redis

from mailer.embedded.process import servers_in, wait_until
from mailer.embedded.redis import NAMES, EmbeddedRedis, _program
from mailer.embedded.runtime import runtime_path
from mailer.errors import Refused


@pytest.fixture
def server(data_dir: Path) -> Iterator[EmbeddedRedis]:
    server = EmbeddedRedis(data_dir)
    yield server
    server.stop()


def test_it_answers_on_a_socket_and_not_on_tcp(server: EmbeddedRedis) -> None:
    server.start()
    assert Redis.from_url(server.redis_url).ping()
    assert server.pid
    assert psutil.Process(server.pid).net_connections("inet") == []


def test_its_socket_is_for_us_alone(server: EmbeddedRedis) -> None:
    server.start()
    folder = runtime_path(server.data_dir) / "redis"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "redis.sock").stat().st_mode & 0o777 == 0o700


def test_celery_takes_the_address(server: EmbeddedRedis) -> None:
    with Celery(broker=server.start()).connection_for_write() as connection:
        connection.ensure_connection(max_retries=1)
        with connection.SimpleQueue("course") as queue:
            queue.put({"delivery": 1})
            assert queue.get(timeout=5).payload == {"delivery": 1}


def test_nothing_is_kept_on_disk(server: EmbeddedRedis) -> None:
    server.start()
    Redis.from_url(server.redis_url).set("lesson", "one")
    server.stop()
    assert list(server.folder.iterdir()) == []
    server.start()
    assert Redis.from_url(server.redis_url).get("lesson") is None


def test_it_starts_again_after_a_kill(server: EmbeddedRedis) -> None:
    server.start()
    assert server.pid
    os.kill(server.pid, signal.SIGKILL)
    assert wait_until(lambda: not server.is_alive(), 5)
    server.stop()
    server.start()
    assert Redis.from_url(server.redis_url).ping()


def test_a_server_left_behind_is_ended_first(server: EmbeddedRedis) -> None:
    server.folder.mkdir()
    orphan = f"'{_program()}' --port 0 --unixsocket o.sock --dir '{server.folder}' >/dev/null 2>&1 &"
    subprocess.run(["/bin/sh", "-c", orphan], check=True, start_new_session=True)
    assert wait_until(lambda: len(servers_in(server.folder, NAMES)) == 1, 5)
    server.start()
    assert [process.pid for process in servers_in(server.folder, NAMES)] == [server.pid]


def test_a_second_start_on_the_same_folder_is_refused(server: EmbeddedRedis) -> None:
    server.start()
    with pytest.raises(Refused, match=r"is in use \(process \d+\)"):
        EmbeddedRedis(server.data_dir).start()
    assert server.is_alive()


def test_a_data_folder_with_a_very_long_path_still_has_a_short_socket(data_dir: Path) -> None:
    server = EmbeddedRedis(data_dir / ("long" * 40))
    try:
        server.start()
        # sun_path holds 108 bytes with the closing zero, and a longer path is cut silently.
        assert len(server.redis_url.removeprefix("unix://")) < 60
        assert Redis.from_url(server.redis_url).ping()
    finally:
        server.stop()
