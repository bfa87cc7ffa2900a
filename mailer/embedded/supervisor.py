"""The children of `up` and `demo`: kept running while we run, and gone when we go."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from mailer.embedded.leftovers import MARK, descendants, kill, mark_of, marked, record
from mailer.embedded.process import spawn, wait_until
from mailer.embedded.runtime import make_data_dir
from mailer.errors import Refused
from mailer.settings import PREFIX, PROJECT

WATCH_SECONDS = 0.1
FIRST_DELAY = 0.5
LONGEST_DELAY = 30.0
# A child that ran this long was well; its next death starts with the short delay again.
WELL_AFTER_SECONDS = 60.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Child:
    """A command to keep running; `env` is added to our own environment."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    restart: bool = True


@dataclass
class _Running:
    child: Child
    process: subprocess.Popen[bytes]
    started: float  # on the monotonic clock, as all moments here
    delay: float = FIRST_DELAY
    restart_at: float | None = None
    ended: bool = False


class Supervisor:
    """Keeps children running: what dies is started again, and what is stopped is gone with all it started."""

    def __init__(self, data_dir: Path, on_event: Callable[[str, str], None] | None = None) -> None:
        """`on_event(name, what)` hears what happens to a child, for instance ("worker", "started").

        It is called from the thread that starts, watches or stops the child.
        """
        self.data_dir = data_dir.absolute()
        self._on_event = on_event
        self._children: dict[str, _Running] = {}
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._watcher: threading.Thread | None = None

    def start(self, child: Child) -> None:
        """Start `child` and keep watching it; raises Refused when its command cannot be started at all."""
        make_data_dir(self.data_dir)
        with self._lock:
            if child.name in self._children:
                raise Refused(f"a child called {child.name} is running already")
            self._stopping.clear()
            self._children[child.name] = _Running(child, self._spawn(child), time.monotonic())
            self._write_down()
            if self._watcher is None:
                self._watcher = threading.Thread(target=self._watch, name="supervisor", daemon=True)
                self._watcher.start()
        self._tell(child.name, "started")

    def alive(self) -> dict[str, bool]:
        """For each child, in the order of starting, whether it runs at this moment."""
        with self._lock:
            return {name: running.process.poll() is None for name, running in self._children.items()}

    def pid_of(self, name: str) -> int:
        """The process number that the child `name` has, or had last."""
        with self._lock:
            return self._children[name].process.pid

    def log_of(self, name: str) -> Path:
        """The file that holds what the child `name` prints."""
        return self.data_dir / "logs" / f"{name}.log"

    def stop_all(self, grace: float = 10.0, last: Collection[str] = ()) -> None:
        """End every child: all are asked at once, last started first, and killed after `grace` seconds.

        Those named in `last` are asked when the others have ended, because these may need them. Their
        own children are ended too. When this returns, nothing that was started here runs any more.
        """
        self._stopping.set()
        if self._watcher is not None and self._watcher is not threading.current_thread():
            self._watcher.join()
        with self._lock:
            self._watcher = None
            running = list(reversed(self._children.values()))
            for wave in (
                [each for each in running if each.child.name not in last],
                [each for each in running if each.child.name in last],
            ):
                self._end(wave, grace)
            if running:
                self._make_sure(running)
            self._children.clear()
        for each in running:
            self._tell(each.child.name, "stopped")

    def _end(self, running: list[_Running], grace: float) -> None:
        family = [member for each in running for member in _family(each.process)]
        for each in running:
            if each.process.poll() is None:
                each.process.send_signal(signal.SIGTERM)
        wait_until(lambda: all(each.process.poll() is not None for each in running), grace)
        kill(family)

    def _make_sure(self, running: list[_Running]) -> None:
        # What was started after the family was looked up is found by its mark; once more, because a
        # process may have forked between being found and being killed.
        for _ in range(3):
            kill(marked(self.data_dir, self._children))
        for each in running:
            each.process.wait()
        record(self.data_dir, [])

    def _spawn(self, child: Child) -> subprocess.Popen[bytes]:
        mark = {MARK: mark_of(self.data_dir, child.name)}
        try:
            return spawn(
                child.command,
                log=self.log_of(child.name),
                env={**_outer_environment(), **child.env, **mark},
                # Not the folder somebody happens to stand in: Python would import from there.
                cwd=PROJECT,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise Refused(f"{child.name} could not be started ({error})") from None

    def _watch(self) -> None:
        while not self._stopping.wait(WATCH_SECONDS):
            with self._lock:
                events = [(name, self._look_after(running)) for name, running in self._children.items()]
            # Told without the lock: a listener may hold a lock of its own while it asks alive().
            for name, what in events:
                if what:
                    self._tell(name, what)

    def _look_after(self, running: _Running) -> str | None:
        """Notice a death once, and start again when the delay is over; says what happened, if anything."""
        now = time.monotonic()
        if running.restart_at is not None:
            return self._restart(running) if now >= running.restart_at else None
        if running.ended or running.process.poll() is None:
            return None
        return self._bury(running, now)

    def _bury(self, running: _Running, now: float) -> str:
        # Workers of a dead Celery parent would go on holding what the new ones need.
        kill(marked(self.data_dir, [running.child.name]))
        how = _how_it_ended(running.process.returncode)
        if not running.child.restart:
            running.ended = True
            return how
        if now - running.started > WELL_AFTER_SECONDS:
            running.delay = FIRST_DELAY
        return f"{how}, {self._put_off(running)}"

    def _put_off(self, running: _Running) -> str:
        delay = running.delay
        running.restart_at = time.monotonic() + delay
        running.delay = min(delay * 2, LONGEST_DELAY)
        return f"starts again in {delay:g} s"

    def _restart(self, running: _Running) -> str:
        try:
            running.process = self._spawn(running.child)
        except Refused as refusal:
            return f"{refusal}, {self._put_off(running)}"
        running.started, running.restart_at = time.monotonic(), None
        self._write_down()
        return "started again"

    def _write_down(self) -> None:
        record(self.data_dir, [running.process.pid for running in self._children.values()])

    def _tell(self, name: str, what: str) -> None:
        if self._on_event is None:
            return
        try:
            self._on_event(name, what)
        except Exception:  # a listener's fault must not end the watching
            logger.exception("on_event failed for %s", name)


def _family(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    try:
        leader = psutil.Process(process.pid) if process.poll() is None else None
    except psutil.Error:
        return []
    return [leader, *descendants(leader)] if leader else []


def _outer_environment() -> dict[str, str]:
    """Our own environment without settings: those that a child needs are passed to it."""
    return {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}


def _how_it_ended(code: int) -> str:
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return "ended" if code == 0 else f"ended with exit code {code}"
