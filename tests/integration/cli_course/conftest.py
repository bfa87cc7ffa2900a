"""The command itself, run as people run it, on a database of the test's own."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.cast import write_course
from tests.support.commands import run_command

SECRET = "a-secret-for-commands-long-enough-to-be-one"


@dataclass(frozen=True)
class Said:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def sentence(self) -> str:
        """The one line on stderr; a traceback or a second line is no sentence."""
        assert self.err.count("\n") == 1, self.err
        return self.err.strip()


Steadypost = Callable[..., Said]


def environment(tmp_path: Path, **settings: str) -> dict[str, str]:
    """Nothing of the machine's own settings, and these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STEADYPOST_")}
    ours = {"STEADYPOST_SECRET_KEY": SECRET, "STEADYPOST_DATA_DIR": str(tmp_path / "data")}
    return {**kept, **ours, **{f"STEADYPOST_{name.upper()}": value for name, value in settings.items()}}


@pytest.fixture
def steadypost(tmp_path: Path) -> Steadypost:
    """Runs `steadypost …`; settings are given by name."""

    def run(*words: str | Path, **settings: str) -> Said:
        done = run_command([*map(str, words)], environment(tmp_path, **settings), timeout=60)
        return Said(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of the course "calm"."""
    return write_course(tmp_path / "calm")
