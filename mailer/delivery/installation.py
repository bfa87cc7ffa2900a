"""What an installation keeps outside its database: its token, and how far it has seen the database go.

A backup or a copy of the database takes neither along. That is how `guard` tells the database from
another installation's, and from an older state of itself.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from mailer.errors import BadSetting

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Mark:
    """How far a database has come: `fence` only ever grows, so a smaller one is an older state.

    `is_at_home` is false when the folder it was noted in was copied since, the database perhaps with it.
    """

    database_id: UUID
    fence: int
    is_at_home: bool = True


class Installation:
    """The token of STEADYPOST_INSTANCE_TOKEN, else of a file in the data folder; beside it the last mark.

    Every process of an installation has the same token: they share the data folder, or the setting.
    """

    def __init__(self, data_dir: Path, token: str | None = None) -> None:
        self._folder = data_dir / "instance"
        self._given = token

    def token_hash(self) -> bytes | None:
        """The hash of this installation's token; None before there is one. Raises BadSetting."""
        token = self._given or self._kept_token()
        return hashlib.sha256(token.encode()).digest() if token else None

    def make_token(self) -> bytes:
        """The hash of the token, which is made and kept when there is none yet. Raises BadSetting."""
        if self.token_hash() is None:
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._write("token", secrets.token_urlsafe(32), is_new=True)
            except FileExistsError:
                pass  # somebody who starts at the same moment was quicker, and theirs is the token
            except OSError as error:
                raise BadSetting(
                    f"{self._folder} cannot be written ({error.strerror}), so STEADYPOST_INSTANCE_TOKEN is "
                    "needed"
                ) from None
        made = self.token_hash()
        if made is None:
            kept = self._folder / "token"
            raise BadSetting(f"{kept} is empty; remove it, or set STEADYPOST_INSTANCE_TOKEN")
        return made

    def known(self) -> Mark | None:
        """The last mark that was noted; None when there is none, or none that can be read.

        To be read before the database's row is: what is noted was committed there earlier.
        """
        try:
            values = json.loads((self._folder / "fence").read_text(encoding="ascii"))
            # A copy is another file: by cp, tar or rsync it has another number.
            is_at_home = values["folder"] == self._folder.stat().st_ino
            return Mark(UUID(values["database"]), int(values["fence"]), is_at_home)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def note(self, mark: Mark | None) -> None:
        """Keep `mark`, after the transaction that made it. A folder that cannot be written is only logged:
        the next look then knows less, and is the more careful."""
        if mark is None:
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            values = {"database": str(mark.database_id), "fence": mark.fence}
            self._write("fence", json.dumps(values | {"folder": self._folder.stat().st_ino}))
        except OSError as error:
            log.warning("%s cannot be written (%s)", self._folder / "fence", error.strerror)

    def _kept_token(self) -> str:
        path = self._folder / "token"
        try:
            return path.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return ""
        except (OSError, ValueError):
            raise BadSetting(f"{path} cannot be read, it belongs to whoever runs Steadypost here") from None

    def _write(self, name: str, words: str, *, is_new: bool = False) -> None:
        """Write a file so that whoever reads it finds all of it or what was there before."""
        unfinished = self._folder / f".{name}.{os.getpid()}.{secrets.token_hex(4)}"
        try:
            with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(words)
            if is_new:
                os.link(unfinished, self._folder / name)
            else:
                unfinished.replace(self._folder / name)
        finally:
            unfinished.unlink(missing_ok=True)
