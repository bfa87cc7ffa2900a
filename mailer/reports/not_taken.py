"""The rows that an import did not take, as a CSV file; and its first ones, read back."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from mailer.audience.staging import NotTaken
from mailer.errors import Refused
from mailer.reports.csv_file import csv_lines

HEADS = ("line", "email", "reason")


class NotTakenFile:
    """A CSV file of the rows that were refused and people who stay away, in the order of the file.

    It is there only when it is complete. Raises Refused at once when it cannot be made.
    """

    def __init__(self, path: Path | None, imported: Path) -> None:
        self._path = path
        if path is None:
            return
        if path.resolve() == imported.resolve():
            raise Refused("--refused-to names the file that is imported; name another one.")
        if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
            raise Refused(f"{path} cannot be written; nothing was imported.")

    def keep(self, rows: Iterator[NotTaken]) -> None:
        """Write the rows; raises Refused."""
        if self._path is None:
            return
        # What is no ordinary file (a pipe, a terminal) cannot be put in the place of one.
        is_plain = self._path.is_file() or not self._path.exists()
        target = self._path.with_name(f".{self._path.name}.{os.getpid()}") if is_plain else self._path
        try:
            try:
                with target.open("w", newline="", encoding="utf-8-sig") as file:
                    file.write(csv_lines([HEADS]))
                    file.writelines(csv_lines([(row.line, row.value, row.reason)]) for row in rows)
                if is_plain:
                    target.replace(self._path)
            finally:
                if is_plain:
                    target.unlink(missing_ok=True)
        except OSError as error:
            raise Refused(
                f"Everybody is added, but {self._path} cannot be written ({error.strerror}); "
                "run the same command again with another name."
            ) from None


def first_not_taken(path: Path, most: int) -> list[NotTaken]:
    """The first rows of such a file; none when it is not there."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = islice(csv.DictReader(file), most)
            return [NotTaken(int(row["line"]), row["email"], row["reason"]) for row in rows]
    except OSError:
        return []
