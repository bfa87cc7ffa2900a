"""A guide and the folder it was imported into."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.guides.again import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)
