"""Files that are taken out of here: their headers, and tables that are sent while they are read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from fastapi.responses import StreamingResponse

from mailer.reports.csv_file import BOM, csv_lines
from mailer.web.pages import PRIVATE_HEADERS

P = TypeVar("P")

Cells = Iterable[object]


def attached(name: str) -> dict[str, str]:
    """The headers of a file that is kept under this name, and by nobody on its way."""
    return {**PRIVATE_HEADERS, "Content-Disposition": f'attachment; filename="{name}"'}


def csv_answer(name: str, columns: Cells, pieces: Iterable[Iterable[Cells]]) -> StreamingResponse:
    """A CSV file of this name: its columns, and then the rows of each piece as it is ready."""
    lines = (csv_lines(rows) for rows in pieces)
    return StreamingResponse(
        _file(columns, lines), media_type="text/csv; charset=utf-8", headers=attached(name)
    )


def _file(columns: Cells, lines: Iterable[str]) -> Iterator[str]:
    yield BOM + csv_lines([columns])
    yield from lines


def in_pieces(read: Callable[[P | None], tuple[Sequence[Cells], P | None]]) -> Iterator[Sequence[Cells]]:
    """The rows of a long table: `read` gives those from a place on, and the next place, None at the end.

    Each piece is read in a transaction of its own: a slow reader of the file holds none open.
    """
    rows, place = read(None)
    yield rows
    while place is not None:
        rows, place = read(place)
        yield rows
