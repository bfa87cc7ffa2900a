"""Commands in processes of their own that need not import everything again.

Starting `steadypost` takes more than a second of a processor, nearly all of it for imports, and whole-stack
tests start it two hundred times while the stack wants the same processor. So one process imports it once,
and each command is a fork of that, with arguments, environment, output and exit code of its own. That it
starts from nothing is seen where `up`, `demo` and the like are started, which are real starts.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

from mailer.starting import importing

ROOT = Path(__file__).resolve().parents[2]
SERVE = "from tests.support.commands import serve; serve()"


def run_command(
    arguments: Sequence[str], env: Mapping[str, str], timeout: float
) -> subprocess.CompletedProcess[str]:
    """Run `steadypost` with these arguments in the project's folder, with nothing to read, to its end.

    `env` is its whole environment. Raises subprocess.TimeoutExpired when it had to be killed because it
    had not ended after `timeout` seconds.
    """
    return _server().run(arguments, env, timeout)


@cache
def _server() -> _Server:
    return _Server()


class _Server:
    """The process that has imported everything. It ends when this one does, since its input ends then."""

    def __init__(self) -> None:
        process = subprocess.Popen(
            [sys.executable, "-c", SERVE], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert process.stdin
        assert process.stdout
        self._requests: IO[bytes] = process.stdin
        self._answers: IO[bytes] = process.stdout
        self._lock = threading.Lock()
        self._process = process
        atexit.register(self._stop)

    def _stop(self) -> None:
        self._requests.close()
        self._process.wait(timeout=10)

    def run(
        self, arguments: Sequence[str], env: Mapping[str, str], timeout: float
    ) -> subprocess.CompletedProcess[str]:
        with self._lock, TemporaryDirectory() as folder:
            out, err = Path(folder, "out"), Path(folder, "err")
            request: dict[str, Any] = {
                "arguments": list(arguments),
                "env": dict(env),
                "out": str(out),
                "err": str(err),
                "seconds": timeout,
            }
            self._requests.write(json.dumps(request).encode() + b"\n")
            self._requests.flush()
            code = int(self._answers.readline())
            printed, told = out.read_text(encoding="utf-8"), err.read_text(encoding="utf-8")
        if code == -signal.SIGALRM:
            raise subprocess.TimeoutExpired(list(arguments), timeout, printed.encode(), told.encode())
        return subprocess.CompletedProcess(list(arguments), code, printed, told)


def serve() -> None:
    """Run each command that comes in; what runs in the process of `_Server`, and in its forks."""
    from mailer.cli.main import NOUNS, main

    with importing():
        for name in {name for names in NOUNS.values() for name in names}:
            import_module(f"mailer.cli.{name}")
    for line in sys.stdin.buffer:
        request = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _become(request)
            main()
            return
        _, status = os.waitpid(pid, 0)
        os.write(1, f"{os.waitstatus_to_exitcode(status)}\n".encode())


def _become(request: Mapping[str, Any]) -> None:
    """What a start of the command would have been given: arguments, environment, input and output."""
    # The kernel ends it when it is late, also when nobody is left who would.
    signal.setitimer(signal.ITIMER_REAL, request["seconds"])
    sys.argv = ["-c", *request["arguments"]]
    os.environ.clear()
    os.environ.update(request["env"])
    for name, number in ((os.devnull, 0), (request["out"], 1), (request["err"], 2)):
        mode = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT
        file = os.open(str(name), mode, 0o600)
        os.dup2(file, number)
        os.close(file)
