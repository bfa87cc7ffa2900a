"""Processes left behind by a killed parent: written down while they run, ended at the next start."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from mailer.embedded.process import send, wait_until

# Set for every supervised process and inherited by its children, so that those are known as ours even
# when their parent is gone. No STEADYPOST_ name: those are settings, and unknown settings are refused.
MARK = "SUPERVISED_BY"
FILE = "processes.json"
# Start times are counted from the machine's start, whose moment shifts a little when its clock is set.
SAME_START_SECONDS = 2.0
POLITE_SECONDS = 5.0


@dataclass(frozen=True)
class Recorded:
    """A process as it was when it was written down; `created` is seconds since 1970."""

    pid: int
    created: float
    name: str


def mark_of(data_dir: Path, child: str) -> str:
    """The value of MARK for the child called `child` (without "@") of the installation in `data_dir`."""
    return f"{child}@{data_dir.resolve()}"


def record(data_dir: Path, pids: Iterable[int]) -> None:
    """Write down the processes that run now, replacing what was written before."""
    found = []
    for pid in pids:
        try:
            process = psutil.Process(pid)
            found.append(asdict(Recorded(pid, process.create_time(), process.name())))
        except psutil.Error:  # ended already
            continue
    path = data_dir / FILE
    partial = path.with_name(FILE + ".partial")
    partial.write_text(json.dumps(found), encoding="utf-8")
    partial.replace(path)


def end_leftovers(data_dir: Path) -> int:
    """End what an earlier, killed start of `data_dir` left running; returns how many processes it was.

    Only a process with the number, name and start time that were written down, or with our mark, is
    touched. Called as soon as `data_dir` is locked, so that no rightful process can be meant.
    """
    leaders = [process for entry in _recorded(data_dir) if (process := _living(entry))]
    family = unique([*leaders, *(child for leader in leaders for child in descendants(leader))])
    family = unique([*family, *marked(data_dir)])
    for process in family:
        send(process, signal.SIGTERM)
    wait_until(lambda: not any(map(is_running, family)), POLITE_SECONDS)
    kill([*family, *marked(data_dir)])
    (data_dir / FILE).unlink(missing_ok=True)
    return len(family)


def _recorded(data_dir: Path) -> list[Recorded]:
    try:
        entries = json.loads((data_dir / FILE).read_text(encoding="utf-8"))
        return [Recorded(int(e["pid"]), float(e["created"]), str(e["name"])) for e in entries]
    except (OSError, ValueError, TypeError, KeyError):  # none, or cut short: the mark still finds them
        return []


def _living(entry: Recorded) -> psutil.Process | None:
    try:
        process = psutil.Process(entry.pid)
        same_start = abs(process.create_time() - entry.created) < SAME_START_SECONDS
        return process if same_start and process.name() == entry.name else None
    except psutil.Error:
        return None


def descendants(process: psutil.Process) -> list[psutil.Process]:
    """The children of `process`, and theirs, as far as they can be seen from it."""
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def marked(data_dir: Path, children: Collection[str] | None = None) -> list[psutil.Process]:
    """The living processes, never this one, with the mark of `data_dir` (of these `children` of it)."""
    found = []
    for process in psutil.process_iter():
        try:
            name, _, folder = process.environ().get(MARK, "").partition("@")
            is_wanted = children is None or name in children
            if folder == str(data_dir.resolve()) and is_wanted and process.pid != os.getpid():
                found.append(process)
        except (psutil.Error, OSError):  # ended meanwhile, or another user's
            continue
    return found


def kill(processes: Iterable[psutil.Process]) -> None:
    """Kill `processes` and wait until they are gone."""
    family = unique(processes)
    for process in family:
        send(process, signal.SIGKILL)
    wait_until(lambda: not any(map(is_running, family)), POLITE_SECONDS)


def is_running(process: psutil.Process) -> bool:
    """Whether `process` still does anything; one that ended and waits for its parent does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def unique(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """`processes` in the same order, each once."""
    return list(dict.fromkeys(processes))
