"""An author's desk with a published course."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from mailer.db import Sessions
from mailer.links import Signer
from tests.support.desk import Desk, author_at_work


@pytest.fixture
def desk(sessions: Sessions, signer: Signer, now: datetime, tmp_path: Path) -> Iterator[Desk]:
    with author_at_work(sessions, signer, now, tmp_path / "calm") as desk:
        yield desk
