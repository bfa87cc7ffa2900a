"""Which mails of the mailbox are shown: by recipient, by subject, and on which page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from mailer.embedded.mailbox.store import StoredMail

PAGE_SIZE = 50


@dataclass(frozen=True)
class Selection:
    """What somebody asked for in the address line: parts of a recipient and of a subject, and a page."""

    to: str = ""
    subject: str = ""
    page: int = 1

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> Selection:
        """Read ?to=&subject=&page=; a page that is no number is the first."""
        page = query.get("page", "1")
        is_number = page.isascii() and page.isdigit() and len(page) < 9
        return cls(
            to=query.get("to", "").strip(),
            subject=query.get("subject", "").strip(),
            page=max(1, int(page)) if is_number else 1,
        )

    def of(self, mails: Sequence[StoredMail]) -> list[StoredMail]:
        """Those of `mails` that fit, newest first."""
        to, subject = self.to.lower(), self.subject.lower()
        return [
            mail
            for mail in reversed(mails)
            if subject in mail.subject.lower()
            and (not to or any(to in address.lower() for address in mail.recipients))
        ]

    def neighbours(
        self, mails: Sequence[StoredMail], number: int
    ) -> tuple[StoredMail | None, StoredMail | None]:
        """The next newer and the next older mail that fit beside mail `number`."""
        chosen = self.of(mails)
        newer = [mail for mail in chosen if mail.number > number]
        older = [mail for mail in chosen if mail.number < number]
        return newer[-1] if newer else None, older[0] if older else None

    def query(self, **changes: str | int) -> str:
        """This selection as the end of an address, with `changes`; empty when there is nothing to say."""
        values: dict[str, str | int] = {"to": self.to, "subject": self.subject, "page": self.page, **changes}
        said = {name: value for name, value in values.items() if value not in ("", 1)}
        return f"?{urlencode(said)}" if said else ""
