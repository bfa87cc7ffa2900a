"""Parts of a running stack are killed; what was due goes out once, and the stack mends itself."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.cast import write_course
from tests.support.scripted_smtp import ScriptedSmtp, scripted_smtp
from tests.support.servers import short_folder
from tests.support.stack import Running, run, running, steadypost


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    with short_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedSmtp]:
    with scripted_smtp() as listening:
        yield listening


@pytest.fixture(scope="module")
def stack(data_dir: Path, server: ScriptedSmtp) -> Iterator[Running]:
    with running(data_dir, "up", STEADYPOST_SMTP_URL=server.url) as up:
        up.wait_for("Ctrl-C stops everything")
        steadypost(data_dir, "course", "publish", str(write_course(data_dir / "calm", opt_in="double")))
        yield up


def sign_up(data_dir: Path, name: str) -> None:
    """Somebody signs up by the command line; a confirmation mail is due at once."""
    steadypost(
        data_dir, "subscriber", "add", f"{name}@reader.example", "--list", "calm", "--consent", "Yes, please."
    )


def part(stack: Running, words: str) -> psutil.Process:
    """The process of the stack whose command has these words, the eldest if there are several."""
    found = [member for member in stack.family() if words in " ".join(member.cmdline())]
    return min(found, key=lambda member: member.create_time())


def has_mail(server: ScriptedSmtp, name: str) -> bool:
    return f"{name}@reader.example" in server.recipients


@pytest.mark.parametrize(
    "words",
    ["redis-server", "bin/postgres", "control@", "transactional@", "beat", "uvicorn"],
    ids=["redis", "postgres", "control worker", "transactional worker", "beat", "web"],
)
def test_a_part_that_is_killed_comes_back_and_nothing_is_lost(
    stack: Running, server: ScriptedSmtp, data_dir: Path, words: str
) -> None:
    name = "after-" + words.strip("@").replace("/", "-")
    part(stack, words).send_signal(signal.SIGKILL)
    # While it is away, or just after: either the command works, or it says in one sentence why not.
    asked = run(data_dir, "list", "list")
    assert asked.returncode in (0, 1)
    assert "Traceback" not in asked.stderr
    stack.until(lambda: run(data_dir, "list", "list").returncode == 0)
    sign_up(data_dir, name)
    stack.until(lambda: has_mail(server, name), seconds=90)


def test_after_all_of_it_nobody_got_a_mail_twice(stack: Running, server: ScriptedSmtp) -> None:
    assert max(Counter(server.recipients).values()) == 1


def test_the_whole_stack_killed_starts_again_on_the_same_data(
    stack: Running, server: ScriptedSmtp, data_dir: Path
) -> None:
    family = stack.family()
    stack.process.send_signal(signal.SIGKILL)
    stack.process.wait(timeout=30)
    psutil.wait_procs(family, timeout=30)
    with running(data_dir, "up", STEADYPOST_SMTP_URL=server.url) as again:
        again.wait_for("Ctrl-C stops everything")
        assert "calm" in steadypost(data_dir, "course", "list")
        sign_up(data_dir, "after-all")
        again.until(lambda: has_mail(server, "after-all"))
        refused = run(data_dir, "up")
        assert refused.returncode == 1
        assert "already running" in refused.stderr
    assert [member for member in family if member.is_running()] == []
