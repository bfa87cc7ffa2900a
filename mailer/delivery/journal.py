"""What a worker process had just done when it was lost: a line before each final dot, a line at each reply.

The database learns of a result in groups; a process killed in between would leave mails of which nobody
knows whether they left. A line costs half a microsecond, so the journal knows it mail by mail. It
outlives the process, not the machine's power: the kernel has the line as soon as it is written.
RFC 1047 describes the gap between the final dot and its reply, which no journal can close.
"""

from __future__ import annotations

import fcntl
import os
import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from mailer.delivery.retry import SmtpReply

ENDING = ".journal"
CLAIM, TRY, DOT, REPLY = "claim", "try", "dot", "reply"


@dataclass(frozen=True)
class Entry:
    """What is known of one mail: that it was begun, whether its final dot left, how the server answered."""

    delivery_id: int
    token: uuid.UUID
    has_dot: bool
    reply: SmtpReply | None


class Journal:
    """The journal of this process. It is locked for as long as the process lives, however that ends."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path, self._file = self._open()
        self._is_begun = False

    def begin(self, token: uuid.UUID) -> None:
        """From here on rows of `token` are sent; what was written before is in the database by now."""
        if self._is_begun:
            self.abandon()  # what stands in it is not in the database: an earlier `abandon` failed
        self._write(f"{CLAIM} {token.hex}")
        self._is_begun = True

    def attempt(self, delivery_id: int, token: uuid.UUID) -> None:
        """To be called before a mail is made: should that take the process down, this one is suspect."""
        self._write(f"{TRY} {token.hex} {delivery_id}")

    def dot(self, delivery_id: int, token: uuid.UUID) -> None:
        """To be called right before the final dot of a mail leaves."""
        self._write(f"{DOT} {token.hex} {delivery_id}")

    def reply(self, delivery_id: int, token: uuid.UUID, reply: SmtpReply) -> None:
        """To be called as the server's answer is read."""
        text = " ".join(reply.text.split())[:300]
        self._write(f"{REPLY} {token.hex} {delivery_id} {reply.code} {_stage(reply)} {text}")

    def end(self) -> None:
        """Nothing is on its way, and the database knows all results."""
        os.ftruncate(self._file, 0)
        self._is_begun = False

    def abandon(self) -> None:
        """The database could not be told: leave the file for `recover`, and go on with a new one."""
        before = self._file
        self._path, self._file = self._open()
        self._is_begun = False
        os.close(before)

    def close(self) -> None:
        """End the journal; there is nothing to recover from it."""
        self._path.unlink(missing_ok=True)
        os.close(self._file)

    def _open(self) -> tuple[Path, int]:
        path = self._folder / f"{uuid.uuid4().hex}{ENDING}"
        unlocked = path.with_suffix(".new")
        file = os.open(unlocked, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX)
        # Only now under its name: whoever looks for journals must never find a living one unlocked.
        unlocked.rename(path)
        return path, file

    def _write(self, line: str) -> None:
        os.write(self._file, f"{line}\n".encode())


@dataclass(frozen=True)
class Found:
    """A journal on disk. `is_abandoned`: its process is gone, so nothing will be added to it."""

    path: Path
    tokens: frozenset[uuid.UUID]
    entries: tuple[Entry, ...]
    is_abandoned: bool

    @classmethod
    def read(cls, path: Path) -> Self:
        with path.open("rb") as file:
            is_abandoned = True
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                is_abandoned = False
            lines = file.read().decode("utf-8", "replace").split("\n")[:-1]  # the last may be cut off
        words = [line for line in map(_words, lines) if line is not None]
        tokens = frozenset(token for _, token, _ in words)
        return cls(path, tokens, tuple(_entries(words)), is_abandoned)


def read_journals(folder: Path) -> list[Found]:
    """Every journal in `folder`, those of living processes too."""
    found = []
    for path in sorted(folder.glob(f"*{ENDING}")):
        with suppress(FileNotFoundError):  # its process has just ended well
            found.append(Found.read(path))
    return found


Line = tuple[str, uuid.UUID, list[str]]


def _words(line: str) -> Line | None:
    """A line's kind, token and the rest; None for what a full disk or a power cut has left behind."""
    kind, _, rest = line.partition(" ")
    words = rest.split(" ", 4)
    if kind not in (CLAIM, TRY, DOT, REPLY) or len(words) < {CLAIM: 1, REPLY: 5}.get(kind, 2):
        return None
    try:
        for number in words[1:3]:
            int(number)
        return kind, uuid.UUID(words[0]), words[1:]
    except ValueError:
        return None


def _entries(lines: Iterable[Line]) -> Iterable[Entry]:
    """The last word about each mail, in the order in which they were begun."""
    known: dict[tuple[int, uuid.UUID], Entry] = {}
    for kind, token, rest in lines:
        if kind == CLAIM:
            continue
        key = int(rest[0]), token
        reply = None
        if kind == REPLY:
            reply = SmtpReply(int(rest[1]), rest[3], rest[2] == "recipient", rest[2] == "final")
        known[key] = Entry(*key, has_dot=kind == DOT, reply=reply)
    return known.values()


def _stage(reply: SmtpReply) -> str:
    """What was answered: the final dot, the recipient, or something else."""
    return "final" if reply.is_final else "recipient" if reply.at_recipient else "other"
