"""`steadypost up` in a process and a folder of its own, with a real mail server beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.scripted_smtp import ScriptedSmtp, scripted_smtp
from tests.support.servers import short_folder
from tests.support.stack import Running, running


@pytest.fixture
def server() -> Iterator[ScriptedSmtp]:
    with scripted_smtp() as listening:
        yield listening


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with short_folder() as folder:
        yield folder


@pytest.fixture
def stack(data_dir: Path, server: ScriptedSmtp) -> Iterator[Running]:
    with running(data_dir, "up", STEADYPOST_SMTP_URL=server.url) as up:
        up.wait_for("Ctrl-C stops everything")
        yield up
