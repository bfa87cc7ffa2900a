"""Tables: numbers to the right, and nothing that a person must copy is ever cut."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys

from tests.support.commands import ROOT

KEY = "a-step-with-a-key-that-is-longer-than-narrow-terminals-are-wide"
SUBJECT = "What [bold] and :heart: mean, and a subject that takes up quite some room on a line"
PRINT = f"""
from mailer.cli.show import as_table
as_table(("key", "day", "subject"), [({KEY!r}, 1, {SUBJECT!r}), ("walk", 12, "Short")], "None.")
"""


def on_terminal(columns: int) -> str:
    """What a terminal of this width is sent."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(columns), "TERM": "xterm"}
    shown = subprocess.Popen([sys.executable, "-c", PRINT], cwd=ROOT, stdout=theirs, env=environment)
    os.close(theirs)
    pieces = []
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # Linux says so when the other end is closed
            break
        if not piece:
            break
        pieces.append(piece)
    os.close(ours)
    assert shown.wait() == 0
    return b"".join(pieces).decode()


def test_a_file_or_a_pipe_gets_full_lines() -> None:
    printed = subprocess.run(
        [sys.executable, "-c", PRINT], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert printed.stdout.splitlines() == [
        f"{'key':{len(KEY)}}  day  subject",
        f"{KEY}    1  {SUBJECT}",
        f"{'walk':{len(KEY)}}   12  Short",
    ]


def test_a_narrow_terminal_gets_folded_cells() -> None:
    lines = re.sub(r"\x1b\[[\d;]*m", "", on_terminal(50)).splitlines()  # without the bold headings
    assert max(len(line.rstrip()) for line in lines) <= 50
    assert "…" not in "".join(lines)
    width = lines[0].index("day")
    key = "".join(line[:width].strip() for line in lines[1:])
    assert key == f"{KEY}walk"
