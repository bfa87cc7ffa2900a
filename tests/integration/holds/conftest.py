"""A house with the course "calm", and the installation that its database belongs to."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.house import House
from tests.support.place import Place


@pytest.fixture
def place(house: House, tmp_path: Path) -> Place:
    """The house's own place, with its first tick done."""
    found = Place(house, tmp_path / "here")
    found.look()
    return found


@pytest.fixture
def elsewhere(house: House, tmp_path: Path) -> Place:
    """Another machine, on which the same database is found."""
    return Place(house, tmp_path / "elsewhere")
