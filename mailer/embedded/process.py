"""Starting and ending processes so that none is left behind and no stranger is hit."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import psutil

from mailer.embedded.account import Account, become

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
KEEP_LOG_BYTES = 5 * 1024 * 1024
POLL_SECONDS = 0.02


def spawn(
    command: Sequence[str],
    *,
    log: Path,
    env: Mapping[str, str],
    account: Account | None = None,
    when_parent_dies: signal.Signals = signal.SIGTERM,
    cwd: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start `command` in a session of its own, so that Ctrl-C in our terminal does not reach it.

    What it prints is appended to `log`. On Linux it receives `when_parent_dies` when this process
    ends without stopping it. `account` is the user to become (root only). Raises OSError or
    subprocess.SubprocessError when it cannot be started.
    """

    def start() -> subprocess.Popen[bytes]:
        with open_log(log) as output:
            return subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(env),
                cwd=cwd or "/",
                start_new_session=True,
                preexec_fn=_follow_parent(when_parent_dies),
                **become(account),
            )

    return _spawning_thread(os.getpid()).submit(start).result()


@lru_cache(maxsize=1)
def _spawning_thread(pid: int) -> ThreadPoolExecutor:
    """The one thread that starts every child of process `pid`.

    Linux sends the parent-death signal when the thread that forked ends, not the process, so a
    child started from a short-lived thread would be ended with it. This one lives as long as we do.
    """
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"spawn-{pid}")


def _follow_parent(number: signal.Signals) -> Callable[[], None] | None:
    """What a child does between fork and exec so that it is told when its parent dies (Linux only)."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def before_exec() -> None:
        # subprocess calls this after the change of user, which would clear the setting (prctl(2)).
        prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)
        if os.getppid() != parent:  # the parent died in between, so nobody would ever tell us
            os._exit(1)

    return before_exec


def open_log(path: Path) -> BinaryIO:
    """Open the log at `path` for appending; one that grew over 5 MB is set aside as `<name>.1` first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.parent.chmod(0o700)  # ours are masked, those of servers may quote anything
    if path.exists() and path.stat().st_size > KEEP_LOG_BYTES:
        path.replace(path.with_name(path.name + ".1"))
    return path.open("ab")


def last_lines(path: Path, count: int = 2) -> str:
    """The last `count` lines of the log at `path` that say something, on one line."""
    if not path.exists():
        return ""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 8192))
        lines = file.read().decode("utf-8", "replace").splitlines()
    return " / ".join([line.strip() for line in lines if line.strip()][-count:])


def servers_in(folder: Path, names: Collection[str]) -> list[psutil.Process]:
    """The living processes called one of `names` whose working folder is `folder`, with their children.

    PostgreSQL and Redis both make their data folder their working folder, so this finds a server
    left over from a killed parent without trusting a number in a file, which may be a stranger's now.
    """
    target = folder.resolve()
    found = []
    for process in psutil.process_iter():
        try:
            if process.name() in names and Path(process.cwd()) == target:
                found.append(process)
        except (psutil.Error, OSError):  # it ended meanwhile, or is none of our business
            continue
    return found


def leaders(servers: Collection[psutil.Process]) -> list[psutil.Process]:
    """Those of `servers` that are nobody's child among them."""
    numbers = {server.pid for server in servers}
    return [server for server in servers if _parent_number(server) not in numbers]


def _parent_number(process: psutil.Process) -> int:
    try:
        return process.ppid()
    except psutil.Error:
        return 0


def end_servers(folder: Path, names: Collection[str], steps: Iterable[tuple[signal.Signals, float]]) -> None:
    """End every server of `folder`: each step sends its signal to the parents and waits its seconds."""
    for number, seconds in steps:
        servers = servers_in(folder, names)
        if not servers:
            return
        for leader in leaders(servers):
            send(leader, number)
        wait_until(lambda: not servers_in(folder, names), seconds)


def send(process: psutil.Process, number: signal.Signals) -> None:
    """Signal `process`, unless it has ended: psutil looks at its start time, not only at its number."""
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return


def stop(process: subprocess.Popen[bytes], steps: Iterable[tuple[signal.Signals, float]]) -> None:
    """End a child of ours: each step sends its signal and waits its seconds for the end."""
    for number, seconds in steps:
        if process.poll() is not None:
            return
        process.send_signal(number)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            continue


def wait_until(is_so: Callable[[], bool], seconds: float) -> bool:
    """Wait up to `seconds` for `is_so`; says whether it came to be."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True
