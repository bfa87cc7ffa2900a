"""How many rows there are, near enough: pages are looked at often, and a million rows take long to count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Executable, Select, func, select, text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.expression import ClauseElement

COUNTED = 2000
"""So many are counted one by one; what is more is estimated."""


@dataclass(frozen=True)
class About:
    """How many; near enough only when it is not `is_exact`."""

    count: int
    is_exact: bool = True

    def __str__(self) -> str:
        return f"{self.count:,}" if self.is_exact else f"about {rounded(self.count):,}"


def about(session: Session, rows: Select[Any]) -> About:
    """How many rows this query gives: counted up to COUNTED, beyond that by PostgreSQL's statistics."""
    some = rows.limit(COUNTED + 1).subquery()
    counted: int = session.execute(select(func.count()).select_from(some)).scalar_one()
    if counted <= COUNTED:
        return About(counted)
    return About(max(estimated(session, rows), counted), is_exact=False)


def estimated(session: Session, rows: Select[Any]) -> int:
    """How many rows PostgreSQL expects of this query, which is not run.

    As good as its newest ANALYZE, which it does by itself once a tenth of a table has changed.
    """
    plan = session.execute(_Explained(rows)).scalar_one()
    expected: int = plan[0]["Plan"]["Plan Rows"]
    return expected


class _Explained(Executable, ClauseElement):
    """The plan of a query, with its values bound as they are when it runs."""

    inherit_cache = False

    def __init__(self, rows: Select[Any]) -> None:
        self.rows = rows


@compiles(_Explained, "postgresql")
def _explained(element: _Explained, compiler: Any, **named: Any) -> str:
    return f"EXPLAIN (FORMAT JSON) {compiler.process(element.rows, **named)}"


def people_in_all(session: Session) -> About:
    """How many subscribers there are."""
    return about(session, select(text("1")).select_from(text("subscribers")))


def rounded(count: int) -> int:
    """The first two digits, for what is known no better: 1,234 is 1,200."""
    size: int = 10 ** max(0, len(str(count)) - 2)
    return round(count / size) * size
