"""Importing a CSV file of many people, as `steadypost subscriber import` does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from benchmarks.stage import House
from mailer.audience.importing import ImportOrder
from mailer.audience.lists import Evidence, get_list
from mailer.clock import real_now
from mailer.db import session_scope
from mailer.models import Subscription
from mailer.schedule.importing import import_to_list


def imported(house: House, folder: Path, rows: int) -> float:
    """Put `rows` new people onto the list of an empty house; rows per second."""
    file = folder / "people.csv"
    with file.open("w", encoding="utf-8") as out:
        out.write("email,name,zone,tags\n")
        out.writelines(
            f"person{number}@reader{number % 997}.example,Person {number},Europe/Lisbon,new\n"
            for number in range(rows)
        )

    @contextmanager
    def transaction() -> Iterator[Session]:
        with session_scope(house.sessions) as session:
            yield session

    with session_scope(house.sessions) as session:
        order = ImportOrder.to(get_list(session, "bench"), file, Evidence("Send me the course.", "bench"))
    began = time.perf_counter()
    import_to_list(transaction, order, real_now())
    rate = rows / (time.perf_counter() - began)
    with session_scope(house.sessions) as session:
        people = session.execute(select(func.count()).select_from(Subscription)).scalar_one()
    if people != rows:
        raise RuntimeError(f"{people} of {rows} people are on the list")
    file.unlink()
    return rate
