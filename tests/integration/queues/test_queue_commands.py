"""`steadypost queue` as somebody types it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mailer.embedded.process import spawn
from mailer.queue import Broker
from tests.support.commands import run_command
from tests.support.house import House
from tests.support.stack import ROOT, environment, run

# Whoever runs the tests in the background of a shell has Ctrl-C ignored, and children inherit that.
HEARS_CTRL_C = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from mailer.cli.main import main
main()
"""

Queue = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def queue(variables: dict[str, str], tmp_path: Path) -> Queue:
    """Runs `steadypost queue …`; a refusal is a sentence, never a traceback."""

    def command(*arguments: str, ends: int = 0) -> subprocess.CompletedProcess[str]:
        done = run(tmp_path, "queue", *arguments, **variables)
        assert done.returncode == ends, done.stderr + done.stdout
        assert "Traceback" not in done.stderr
        return done

    return command


def test_an_empty_house_says_what_to_do_next(queue: Queue, broker: Broker) -> None:
    shown = queue("status").stdout
    assert "Nothing is due." in shown
    assert "steadypost course enroll" in shown
    assert "! No worker takes from the lane course (last heartbeat: never)." in shown
    assert "Tasks in Redis: control 0, errands 0, transactional 0, course 0, campaign 0" in shown


def test_pausing_and_resuming_are_shown_and_wake_the_lane(queue: Queue, house: House, broker: Broker) -> None:
    assert "Paused: lane course." in queue("pause", "lane", "course", "--reason", "the relay asked").stdout
    assert "Paused already: lane course." in queue("pause", "lane", "course").stdout
    assert "Paused: everything." in queue("pause", "everything").stdout
    found = json.loads(queue("status", "--json").stdout)
    assert [(hold["scope"], hold["target"], hold["reason"]) for hold in found["holds"]] == [
        ("lane", "course", "the relay asked"),
        ("everything", "", ""),
    ]
    done = queue("resume", "lane", "course")
    assert (done.stdout, done.stderr) == ("Resumed: lane course.\n", "Still paused: everything.\n")
    assert broker.depths()["control"] == 1
    assert "Resumed: everything." in queue("resume", "everything").stdout
    assert "Not paused: everything." in queue("resume", "everything").stdout


def test_an_unknown_name_is_refused_with_a_suggestion(queue: Queue, house: House) -> None:
    assert "did you mean calm?" in queue("pause", "course", "clam", ends=1).stderr


def test_watching_draws_until_ctrl_c(variables: dict[str, str], tmp_path: Path, broker: Broker) -> None:
    log = tmp_path / "logs" / "watch.log"
    command = [sys.executable, "-c", HEARS_CTRL_C, "queue", "status", "--watch"]
    process = spawn(command, log=log, env=environment(tmp_path, FORCE_COLOR="1", **variables), cwd=ROOT)
    try:
        deadline = time.monotonic() + 30
        while log.read_text(encoding="utf-8").count("Tasks in Redis") < 2 and process.poll() is None:
            assert time.monotonic() < deadline, log.read_text(encoding="utf-8")
            time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=10)
    assert "Traceback" not in log.read_text(encoding="utf-8")


def test_a_command_that_goes_on_for_ever_is_ended_and_fails_its_test(
    variables: dict[str, str], tmp_path: Path, broker: Broker
) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        run_command(["queue", "status", "--watch"], environment(tmp_path, **variables), timeout=3)
    assert run(tmp_path, "queue", "status", **variables).returncode == 0
