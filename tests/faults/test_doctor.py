"""The fault run that anybody can start, in short."""

from __future__ import annotations

import re
from pathlib import Path

from mailer.cli.faults import Score
from tests.support.stack import start


def test_workers_killed_at_random_lose_nothing_and_send_nothing_twice(tmp_path: Path) -> None:
    done = start(tmp_path, "doctor", "faults", "--kills", "6", "--mails", "420")
    figures = dict(re.findall(r"^(\w+): (\d+)$", done.stdout, re.MULTILINE))
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(figures["kills"]) >= 6
    assert int(figures["sent"]) >= 420
    assert (figures["lost"], figures["duplicates"]) == ("0", "0")
    assert list(tmp_path.iterdir()) == []  # what is configured is left alone


def test_a_run_that_lost_or_doubled_something_is_not_clean() -> None:
    assert Score(kills=1, sent=21, lost=0, duplicates=0, uncertain=1).is_clean
    assert not Score(kills=1, sent=20, lost=1, duplicates=0, uncertain=0).is_clean
    assert not Score(kills=1, sent=22, lost=0, duplicates=1, uncertain=0).is_clean
