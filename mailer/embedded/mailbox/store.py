"""The mails of the local mailbox: numbered .eml files, written by one process and readable by any other."""

from __future__ import annotations

import json
import re
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

from mailer.clock import real_now
from mailer.embedded.mailbox.reading import clean, date_of, header, parse
from mailer.errors import NotFound

KEEP = 20_000
# Written before the mail, as a mail server writes its trace headers, so that the mail and its envelope
# arrive on the disk in one step. `raw` takes it off again.
ENVELOPE = b"X-Mailbox-Envelope: "
HEADERS_BYTES = 64 * 1024


@dataclass(frozen=True)
class StoredMail:
    """One mail as it arrived. `sender` and `recipients` are the envelope's, not the headers'.

    `date` is what the Date header says, with its own offset; None when it says nothing readable.
    """

    number: int
    message_id: str
    subject: str
    sender: str
    recipients: tuple[str, ...]
    date: datetime | None
    received_at: datetime
    size: int


class MailStore:
    """The mails in one folder, in the order of arrival; the newest KEEP of them are kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._index: dict[int, StoredMail] = {}
        self._index_lock = threading.Lock()
        self._write_lock = threading.Lock()
        # The numbers on the disk, oldest first; looked up before the first mail is added.
        self._written: deque[int] | None = None

    def add(self, raw: bytes, *, sender: str, recipients: Sequence[str]) -> int:
        """Keep a mail and return its number; raises OSError when the disk does not take it."""
        envelope = {
            "sender": clean(sender),
            "recipients": [clean(address) for address in recipients],
            "received_at": real_now().isoformat(),
        }
        content = b"".join([ENVELOPE, json.dumps(envelope).encode("ascii"), b"\r\n", raw])
        with self._write_lock:
            if self._written is None:
                self.folder.mkdir(parents=True, exist_ok=True)
                self._written = deque(sorted(self._numbers()))
            number = self._written[-1] + 1 if self._written else 1
            partial = self.folder / f"{number:06d}.partial"
            partial.write_bytes(content)
            partial.replace(self._path(number))
            self._written.append(number)
            while len(self._written) > KEEP:
                self._path(self._written.popleft()).unlink(missing_ok=True)
        return number

    def messages(self) -> list[StoredMail]:
        """All mails, oldest first, with those that another process has added or removed meanwhile."""
        with self._index_lock:
            there = self._numbers()
            for gone in self._index.keys() - there:
                del self._index[gone]
            for number in sorted(there - self._index.keys()):
                if mail := self._read(number):
                    self._index[number] = mail
            return [self._index[number] for number in sorted(self._index)]

    def get(self, number: int) -> StoredMail:
        """The mail with this number; raises NotFound."""
        if mail := self._read(number):
            return mail
        raise NotFound(f"mail {number}")

    def raw(self, number: int) -> bytes:
        """The mail exactly as it arrived; raises NotFound."""
        try:
            content = self._path(number).read_bytes()
        except OSError:
            raise NotFound(f"mail {number}") from None
        return _split(content)[1]

    def parsed(self, number: int) -> EmailMessage:
        """The mail taken apart; raises NotFound."""
        return parse(self.raw(number))

    def clear(self) -> None:
        """Remove every mail. Numbers go on from where they were while this store lives."""
        for number in self._numbers():
            self._path(number).unlink(missing_ok=True)

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:06d}.eml"

    def _numbers(self) -> set[int]:
        try:
            names = [path.name for path in self.folder.iterdir()]
        except FileNotFoundError:  # nothing has arrived yet
            return set()
        return {int(found[1]) for name in names if (found := re.fullmatch(r"(\d{6,12})\.eml", name))}

    def _read(self, number: int) -> StoredMail | None:
        path = self._path(number)
        try:
            with path.open("rb") as file:
                envelope, head = _split(file.readline() + file.read(HEADERS_BYTES))
            stat = path.stat()
        except OSError:  # removed meanwhile
            return None
        mail = parse(head, headers_only=True)
        return StoredMail(
            number=number,
            message_id=header(mail, "Message-ID").strip(),
            subject=header(mail, "Subject"),
            sender=envelope.sender,
            recipients=envelope.recipients,
            date=date_of(mail),
            received_at=envelope.received_at or datetime.fromtimestamp(stat.st_mtime, UTC),
            size=stat.st_size - envelope.length,
        )


@dataclass(frozen=True)
class _Envelope:
    """What stood before a mail; `length` is how many bytes it took. Empty for a file put here by hand."""

    sender: str = ""
    recipients: tuple[str, ...] = ()
    received_at: datetime | None = None
    length: int = 0


def _split(content: bytes) -> tuple[_Envelope, bytes]:
    first, _, rest = content.partition(b"\r\n")
    if not first.startswith(ENVELOPE):
        return _Envelope(), content
    try:
        said = json.loads(first.removeprefix(ENVELOPE))
        received_at = datetime.fromisoformat(said["received_at"])
        return _Envelope(said["sender"], tuple(said["recipients"]), received_at, len(first) + 2), rest
    except (ValueError, KeyError, TypeError):  # not written by us
        return _Envelope(), content
