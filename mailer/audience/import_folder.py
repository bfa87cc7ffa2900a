"""The folder of files that were brought to be imported; their names are random, and none stays for long."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
from collections.abc import Iterable
from pathlib import Path, PurePath
from typing import BinaryIO

from mailer.errors import NotFound, Refused

FOLDER = "imports"
MOST_BYTES = 200 * 1024 * 1024
"""Of a file that is brought through a browser; the command line takes larger ones."""
KEPT_SECONDS = 7 * 86_400
NAME = re.compile(r"[0-9a-f]{32}")


class ImportFolder:
    """The files below one data folder. They hold addresses, so nobody else on the machine may read them."""

    def __init__(self, data_dir: Path) -> None:
        self.home = data_dir / FOLDER

    def take(self, file: BinaryIO) -> tuple[str, int]:
        """Keep a copy of what was uploaded; its random name and size. Raises Refused."""
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = secrets.token_hex(16)
        path = self.home / name
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as kept:
                shutil.copyfileobj(file, kept, 1024 * 1024)
                size = kept.tell()
            if not size:
                raise Refused("The file is empty; take another one.")
            if size > MOST_BYTES:
                most = MOST_BYTES // 1024**2
                raise Refused(
                    f"The file is larger than {most} MB; split it, or import it at the command line."
                )
        except OSError as error:
            path.unlink(missing_ok=True)
            raise Refused(f"The file could not be kept ({error.strerror}); tell who runs this.") from None
        except Refused:
            path.unlink(missing_ok=True)
            raise
        return name, size

    def path(self, name: str) -> Path:
        """Where the file of this name is; raises NotFound when it is not there, or not any more."""
        path = self.home / name
        if not NAME.fullmatch(name) or not path.is_file():
            raise NotFound("The file is not here any more; bring it again.")
        return path

    def not_taken(self, name: str) -> Path:
        """Where the rows that were not taken are kept, if there are any."""
        return self.home / f"{name}.csv"

    def forget(self, name: str) -> None:
        """Away with the file; its rows that were not taken stay for their week."""
        (self.home / name).unlink(missing_ok=True)

    def forget_all(self, name: str) -> None:
        """Away with both."""
        self.forget(name)
        self.not_taken(name).unlink(missing_ok=True)

    def clear(self, in_use: Iterable[str] = ()) -> int:
        """Forget what is older than a week and not `in_use`, whether or not a row tells of it; how many."""
        spared, gone = set(in_use), 0
        for path in self.home.iterdir() if self.home.is_dir() else ():
            if path.name not in spared and time.time() - path.stat().st_mtime > KEPT_SECONDS:
                path.unlink(missing_ok=True)
                gone += 1
        return gone


def shown_name(file: str) -> str:
    """The name that somebody's file had there, as it can be shown: no folders and nothing odd."""
    plain = re.sub(r"[^\w .()+-]", "", PurePath(file.replace("\\", "/")).name)
    return plain.strip(" .")[:80] or "file.csv"
