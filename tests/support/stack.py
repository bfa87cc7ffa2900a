"""The real stack as a person starts it: the `steadypost` command, in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import psutil

from mailer.db import make_engine, make_sessions, session_scope, step_clock
from mailer.embedded.postgres import EmbeddedPostgres
from mailer.embedded.process import spawn
from tests.support.commands import ROOT as ROOT
from tests.support.commands import run_command

COMMAND = [sys.executable, "-m", "mailer.cli"]
PATIENCE_SECONDS = 240


def environment(data_dir: Path, **more: str) -> dict[str, str]:
    """A person's environment with this data folder and nothing else of ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STEADYPOST_")}
    return {**kept, "STEADYPOST_DATA_DIR": str(data_dir), "PYTHONUNBUFFERED": "1", **more}


def steadypost(data_dir: Path, *arguments: str, **more: str) -> str:
    """Run one command to its end; what it printed. Fails the test when the command refuses."""
    done = run(data_dir, *arguments, **more)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run(data_dir: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run one command to its end, however it ends."""
    return run_command(arguments, environment(data_dir, **more), timeout=PATIENCE_SECONDS)


def start(data_dir: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run one command to its end as a person does: by a start of its own."""
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=ROOT,
        env=environment(data_dir, **more),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


@contextmanager
def running(data_dir: Path, *arguments: str, **more: str) -> Iterator[Running]:
    """A command that stays, such as `up`, ended by Ctrl-C at the end of the block."""
    log = data_dir / "logs" / "printed.log"
    log.unlink(missing_ok=True)  # it is waited for words that an earlier one printed too
    # A run that is interrupted may have no time for the end of the block; then this follows its parent.
    process = spawn([*COMMAND, *arguments], log=log, env=environment(data_dir, **more), cwd=ROOT)
    stack = Running(process, log)
    try:
        yield stack
    finally:
        stack.stop()


class Running:
    """A command that stays, and what it has printed so far."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log

    @property
    def printed(self) -> str:
        return self._log.read_text(encoding="utf-8")

    def wait_for(self, words: str, seconds: float = 60) -> str:
        """Wait until `words` are printed; everything printed until then."""
        self.until(lambda: words in self.printed, seconds)
        return self.printed

    def until(self, is_so: Callable[[], bool], seconds: float = 60) -> None:
        """Wait for something, as long as the command runs."""
        deadline = time.monotonic() + seconds
        while not is_so():
            assert self.process.poll() is None, self.printed
            assert time.monotonic() < deadline, f"it did not happen in time; printed: {self.printed}"
            time.sleep(0.1)

    def family(self) -> list[psutil.Process]:
        """The command's process and all below it."""
        leader = psutil.Process(self.process.pid)
        return [leader, *leader.children(recursive=True)]

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it as a person does, and wait."""
        if self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(timeout=60)


def set_clock(data_dir: Path, moment: datetime | None) -> None:
    """Let the stack's business time stand at `moment`, or run again."""
    engine = make_engine(EmbeddedPostgres(data_dir).url())
    with session_scope(make_sessions(engine)) as session:
        step_clock(session, moment)
    engine.dispose()
