"""The supervisor: children are kept running, and nothing of them stays when we stop or are killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from redis import Redis

from mailer.embedded import leftovers
from mailer.embedded.leftovers import FILE, end_leftovers, is_running
from mailer.embedded.postgres import EmbeddedPostgres
from mailer.embedded.process import KEEP_LOG_BYTES, wait_until
from mailer.embedded.redis import EmbeddedRedis
from mailer.embedded.runtime import lock_data_dir
from mailer.embedded.supervisor import Child, Supervisor
from mailer.errors import Refused

PATIENT = [sys.executable, "-c", "import time; print('ready', flush=True); time.sleep(600)"]
# A worker with children of its own that answer no polite request, one of them in a session of its own.
STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
for own_session in (False, True):
    child = subprocess.Popen([sys.executable, "-c", deaf], start_new_session=own_session, stdout=-1)
    child.stdout.readline()
print("family complete", flush=True)
time.sleep(600)
"""
PARENT = f"""
import sys, time
from pathlib import Path
from mailer.embedded.postgres import EmbeddedPostgres
from mailer.embedded.redis import EmbeddedRedis
from mailer.embedded.runtime import lock_data_dir
from mailer.embedded.supervisor import Child, Supervisor
folder = Path(sys.argv[1])
lock = lock_data_dir(folder)
postgres, redis, supervisor = EmbeddedPostgres(folder), EmbeddedRedis(folder), Supervisor(folder)
postgres.start(), redis.start()
supervisor.start(Child("worker", [sys.executable, "-c", {STUBBORN!r}]))
print(postgres.pid, redis.pid, supervisor.pid_of("worker"), flush=True)
time.sleep(600)
"""


class Heard:
    """Everything the supervisor said, in order."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []

    def __call__(self, name: str, what: str) -> None:
        self.events.append((name, what))

    def of(self, name: str) -> list[str]:
        return [what for who, what in self.events if who == name]


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def supervisor(data_dir: Path, heard: Heard) -> Iterator[Supervisor]:
    supervisor = Supervisor(data_dir, on_event=heard)
    yield supervisor
    supervisor.stop_all(grace=1)


def log_says(supervisor: Supervisor, name: str, words: str) -> bool:
    path = supervisor.log_of(name)
    return path.exists() and words in path.read_text()


def family_of(pid: int) -> list[psutil.Process]:
    leader = psutil.Process(pid)
    return [leader, *leader.children(recursive=True)]


def test_a_child_that_died_is_started_again_and_told_about(supervisor: Supervisor, heard: Heard) -> None:
    supervisor.start(Child("worker", PATIENT))
    first = supervisor.pid_of("worker")
    os.kill(first, signal.SIGKILL)
    assert wait_until(lambda: len(heard.of("worker")) == 3, 5)
    assert heard.of("worker") == ["started", "was ended by SIGKILL, starts again in 0.5 s", "started again"]
    assert supervisor.pid_of("worker") != first
    assert supervisor.alive() == {"worker": True}


def test_a_child_that_keeps_dying_is_started_less_and_less_often(
    supervisor: Supervisor, heard: Heard
) -> None:
    supervisor.start(Child("worker", [sys.executable, "-c", "raise SystemExit(3)"]))
    assert wait_until(lambda: len(heard.of("worker")) == 4, 10)
    assert heard.of("worker") == [
        "started",
        "ended with exit code 3, starts again in 0.5 s",
        "started again",
        "ended with exit code 3, starts again in 1 s",
    ]


def test_a_child_that_need_not_run_on_is_not_started_again(supervisor: Supervisor, heard: Heard) -> None:
    supervisor.start(Child("migrate", [sys.executable, "-c", ""], restart=False))
    assert wait_until(lambda: len(heard.of("migrate")) == 2, 5)
    time.sleep(0.7)  # longer than the first delay
    assert heard.of("migrate") == ["started", "ended"]
    assert supervisor.alive() == {"migrate": False}


def test_stopping_ends_children_and_grandchildren_even_if_they_will_not(supervisor: Supervisor) -> None:
    supervisor.start(Child("stubborn", [sys.executable, "-c", STUBBORN]))
    supervisor.start(Child("patient", PATIENT))
    assert wait_until(lambda: log_says(supervisor, "stubborn", "family complete"), 10)
    family = family_of(supervisor.pid_of("stubborn")) + family_of(supervisor.pid_of("patient"))
    assert len(family) == 4
    supervisor.stop_all(grace=0.3)
    assert [process for process in family if is_running(process)] == []
    assert supervisor.alive() == {}


def test_grandchildren_of_a_child_that_was_killed_are_ended_before_it_starts_again(
    supervisor: Supervisor, heard: Heard
) -> None:
    supervisor.start(Child("stubborn", [sys.executable, "-c", STUBBORN]))
    assert wait_until(lambda: log_says(supervisor, "stubborn", "family complete"), 10)
    family = family_of(supervisor.pid_of("stubborn"))
    os.kill(family[0].pid, signal.SIGKILL)
    assert wait_until(lambda: "started again" in heard.of("stubborn"), 5)
    assert [process for process in family if is_running(process)] == []


def test_stopping_can_be_followed_by_starting(supervisor: Supervisor) -> None:
    for _ in range(2):
        supervisor.start(Child("worker", PATIENT))
        assert supervisor.alive() == {"worker": True}
        supervisor.stop_all()
        assert supervisor.alive() == {}


def test_a_child_lives_on_when_the_thread_that_started_it_ends(supervisor: Supervisor) -> None:
    thread = threading.Thread(target=lambda: supervisor.start(Child("worker", PATIENT)))
    thread.start()
    thread.join()
    time.sleep(0.3)
    assert supervisor.alive() == {"worker": True}


def test_a_child_is_out_of_reach_of_ctrl_c(supervisor: Supervisor) -> None:
    supervisor.start(Child("worker", PATIENT))
    assert os.getsid(supervisor.pid_of("worker")) != os.getsid(0)


def test_what_a_child_prints_is_in_its_log_and_a_large_log_is_set_aside(supervisor: Supervisor) -> None:
    log = supervisor.log_of("worker")
    log.parent.mkdir()
    log.write_bytes(b"old\n" * (KEEP_LOG_BYTES // 4 + 1))
    supervisor.start(Child("worker", PATIENT))
    assert wait_until(lambda: log.read_text() == "ready\n", 5)
    assert log.with_name("worker.log.1").stat().st_size > KEEP_LOG_BYTES


def test_a_command_that_is_not_there_is_refused(supervisor: Supervisor) -> None:
    with pytest.raises(Refused, match="worker could not be started"):
        supervisor.start(Child("worker", ["/nowhere/celery"]))
    assert supervisor.alive() == {}


def test_a_listener_that_fails_does_not_end_the_watching(data_dir: Path) -> None:
    def fail(name: str, what: str) -> None:
        raise RuntimeError(what)

    supervisor = Supervisor(data_dir, on_event=fail)
    try:
        supervisor.start(Child("worker", PATIENT))
        first = supervisor.pid_of("worker")
        os.kill(first, signal.SIGKILL)
        assert wait_until(lambda: supervisor.pid_of("worker") != first, 5)
    finally:
        supervisor.stop_all()


def test_after_a_kill_of_the_parent_the_next_start_works_and_nothing_is_left(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leftovers, "POLITE_SECONDS", 1.0)  # the worker does not listen anyway
    command = [sys.executable, "-c", PARENT, str(data_dir)]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert parent.stdout
    pids = [int(number) for number in parent.stdout.readline().split()]
    with psycopg.connect(EmbeddedPostgres(data_dir).url()) as connection:
        connection.execute("CREATE TABLE reader AS SELECT 'Ada' AS name")
    assert wait_until(lambda: "family complete" in (data_dir / "logs" / "worker.log").read_text(), 10)
    family = [process for pid in pids for process in family_of(pid)]
    parent.kill()
    parent.wait()

    with lock_data_dir(data_dir):
        postgres, redis = EmbeddedPostgres(data_dir), EmbeddedRedis(data_dir)
        try:
            with psycopg.connect(postgres.start()) as connection:
                assert connection.execute("SELECT name FROM reader").fetchone() == ("Ada",)
            redis.start()
            assert Redis.from_url(redis.redis_url).ping()
            assert [process for process in family if is_running(process)] == []
        finally:
            redis.stop()
            postgres.stop()


def test_a_stranger_who_has_the_number_of_a_leftover_is_left_alone(data_dir: Path) -> None:
    stranger = subprocess.Popen(["/bin/sleep", "60"])
    try:
        name, created = psutil.Process(stranger.pid).name(), psutil.Process(stranger.pid).create_time()
        other = [(created - 100, name), (created, "celery")]
        entries = [{"pid": stranger.pid, "created": when, "name": called} for when, called in other]
        (data_dir / FILE).write_text(json.dumps(entries))
        assert end_leftovers(data_dir) == 0
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_list_of_processes_that_cannot_be_read_is_passed_over(data_dir: Path) -> None:
    (data_dir / FILE).write_text('[{"pid": 1')
    assert end_leftovers(data_dir) == 0
    assert not (data_dir / FILE).exists()
