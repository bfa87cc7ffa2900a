"""How long it takes to write a campaign's audience into delivery rows."""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks.stage import House, send_campaign
from mailer.db import business_now, session_scope
from mailer.launch.campaign_tick import materialise


def materialised(house: House, folder: Path) -> float:
    """Seconds until everybody on the list has their row, chunk by chunk as the tick does it."""
    send_campaign(house, folder)
    began = time.perf_counter()
    while True:
        with session_scope(house.sessions) as session:
            if not materialise(session, business_now(session)):
                return time.perf_counter() - began
