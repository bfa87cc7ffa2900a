"""A house with a fleet of transports."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mailer.links import Signer
from tests.conftest import SECRET
from tests.support.fleet import Fleet, fleet_of
from tests.support.house import House
from tests.support.scripted_smtp import ScriptedSmtp


@pytest.fixture
def fleet(house: House, server: ScriptedSmtp, signer: Signer, tmp_path: Path) -> Iterator[Fleet]:
    with fleet_of(house, server, signer, SECRET, tmp_path) as running:
        yield running
