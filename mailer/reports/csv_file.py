"""CSV as everything here writes it: what is opened in a spreadsheet shows its cells and runs none of them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

BOM = "\ufeff"
"""At the start of a file: without it Excel takes UTF-8 for its own code page."""

STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def inert(cell: str) -> str:
    """A cell that a spreadsheet shows and does not run (OWASP: CSV injection)."""
    return f"'{cell}" if cell.startswith(STARTS_A_FORMULA) else cell


def csv_lines(rows: Iterable[Iterable[object]]) -> str:
    """These rows as lines of a file. Texts are made inert; a number stays one, also below zero."""
    written = io.StringIO()
    writer = csv.writer(written)
    for row in rows:
        writer.writerow([inert(cell) if isinstance(cell, str) else cell for cell in row])
    return written.getvalue()
