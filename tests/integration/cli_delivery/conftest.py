"""The command as somebody runs it, on the database of a house with the course "calm"."""

from __future__ import annotations

import io
import os
import pty
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from mailer.cli.main import main


@dataclass(frozen=True)
class Said:
    """What a command printed."""

    stdout: str
    stderr: str


Run = Callable[..., Said]


@pytest.fixture
def steadypost(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command, in this process because starting one takes longer than most commands.

    It must end with the exit code `ends`. With `answer` somebody sits at a terminal and types it.
    """
    for name in [name for name in os.environ if name.startswith("STEADYPOST_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("STEADYPOST_DATABASE_URL", database_url)
    monkeypatch.setenv("STEADYPOST_SECRET_KEY", "a-secret-for-commands-long-enough-to-be-one")
    monkeypatch.setenv("STEADYPOST_DATA_DIR", str(tmp_path / "data"))

    def run(*arguments: str | int | Path, ends: int = 0, answer: str | None = None) -> Said:
        ours, theirs = pty.openpty()
        out, err = io.StringIO(), io.StringIO()
        if answer is not None:
            os.write(ours, f"{answer}\n".encode())
        try:
            with (
                open(
                    os.devnull if answer is None else theirs, encoding="utf-8", closefd=answer is None
                ) as typed,
                monkeypatch.context() as patch,
                redirect_stdout(out),
                redirect_stderr(err),
            ):
                patch.setattr(sys, "argv", ["steadypost", *map(str, arguments)])
                patch.setattr(sys, "stdin", typed)
                with pytest.raises(SystemExit) as ended:
                    main()
        finally:
            os.close(ours)
            os.close(theirs)
        assert (ended.value.code or 0) == ends, err.getvalue() + out.getvalue()
        return Said(out.getvalue(), err.getvalue())

    return run
