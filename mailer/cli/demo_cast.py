"""The demo's audience, and what they do with their mails: they act as readers do, through the links."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

import httpx

from mailer.embedded.mailbox.store import MailStore, StoredMail
from mailer.errors import Refused

HALFWAY = 11
"""Ben leaves after this many mails."""


class Wish(StrEnum):
    """What a reader does with a mail, by its links."""

    LEAVE = "leaves"
    PAUSE = "pauses for a week"
    NEXT = "asks for the next lesson"
    NOT_YET = "answers: not yet"
    DONE = "answers: done"


@dataclass(frozen=True)
class Reader:
    """One reader. `confirms_after` counts from the start; None: never, since the mail does not arrive.

    `wishes` say what they do once they have had so many mails, the confirmation and the welcome among them.
    """

    name: str
    email: str
    zone: str
    language: str
    confirms_after: timedelta | None
    wishes: tuple[tuple[int, Wish], ...] = ()


LEAVES, PAUSES, HURRIES = ((HALFWAY, Wish.LEAVE),), ((7, Wish.PAUSE),), ((5, Wish.NEXT),)
WEEK_AGAIN = ((4, Wish.NOT_YET), (9, Wish.DONE))
"""The fourth mail is week 1, which then comes once more as the ninth."""

CAST = (
    Reader("Ada Marsh", "ada@reader.example", "Europe/London", "en", timedelta(minutes=4)),
    Reader(
        "Ben Vogt",
        "ben@reader.example",
        "Europe/Berlin",
        "de",
        timedelta(minutes=9),
        ((HALFWAY, Wish.LEAVE),),
    ),
    Reader("Cleo Hart", "cleo+bounce@reader.example", "America/New_York", "en", None),
    Reader(
        "Dana Ruiz",
        "dana@reader.example",
        "America/New_York",
        "en",
        timedelta(minutes=31),
        ((7, Wish.PAUSE),),
    ),
    Reader("Emi Sato", "emi@reader.example", "Asia/Tokyo", "en", timedelta(hours=1), HURRIES),
    Reader("Gita Rai", "gita@reader.example", "Asia/Kathmandu", "en", timedelta(hours=2), WEEK_AGAIN),
    Reader("Hugo Lind", "hugo@reader.example", "America/Los_Angeles", "en", timedelta(days=3, hours=9)),
    Reader("Inês Prado", "ines@reader.example", "America/Sao_Paulo", "en", timedelta(hours=5)),
    Reader("Jonas Weiß", "jonas@reader.example", "Pacific/Auckland", "de", timedelta(hours=6)),
)


def confirm(reader: Reader, store: MailStore) -> None:
    """Open the link of the confirmation mail, look at the page, and press its button."""
    text = _text_of(store, _latest(store, reader))
    link = re.search(r"https?://\S+/confirm/[\w-]+", text)
    if link is None:
        raise Refused(f"The confirmation mail to {reader.email} has no link.")
    httpx.get(link[0], timeout=20).raise_for_status()
    httpx.post(link[0], timeout=20).raise_for_status()


def act(wish: Wish, reader: Reader, store: MailStore) -> None:
    """Do what a reader does with the mail that came last."""
    match wish:
        case Wish.LEAVE:
            unsubscribe(reader, store)
        case Wish.PAUSE:
            _press(reader, store, "pace", {"action": "pause", "weeks": "1"})
        case Wish.NEXT:
            _press(reader, store, "pace", {"action": "next"})
        case Wish.NOT_YET:
            _press(reader, store, "check-in", {"answer": "not-yet"})
        case Wish.DONE:
            _press(reader, store, "check-in", {"answer": "done"})


def _press(reader: Reader, store: MailStore, page: str, form: dict[str, str]) -> None:
    """Open a page of the mail that came last, and press one of its buttons."""
    link = re.search(rf"https?://\S+/m/[\w-]+/{page}\b", _text_of(store, _latest(store, reader)))
    if link is None:
        raise Refused(f"The last mail to {reader.email} has no link to its page {page}.")
    httpx.get(link[0], timeout=20).raise_for_status()
    httpx.post(link[0], data=form, timeout=20, follow_redirects=True).raise_for_status()


def unsubscribe(reader: Reader, store: MailStore) -> None:
    """Press the mail client's own button: one POST to the List-Unsubscribe address (RFC 8058)."""
    header = str(store.parsed(_latest(store, reader).number)["List-Unsubscribe"])
    form = {"List-Unsubscribe": "One-Click"}
    httpx.post(header.strip("<>"), data=form, timeout=20).raise_for_status()


def mails_to(store: MailStore, reader: Reader) -> Sequence[StoredMail]:
    """What this reader has received, oldest first."""
    mails = [mail for mail in store.messages() if reader.email in mail.recipients]
    return sorted(mails, key=lambda mail: mail.number)


def _latest(store: MailStore, reader: Reader) -> StoredMail:
    mails = mails_to(store, reader)
    if not mails:
        raise Refused(f"No mail for {reader.email} has arrived.")
    return mails[-1]


def _text_of(store: MailStore, mail: StoredMail) -> str:
    body = store.parsed(mail.number).get_body(("plain",))
    return str(body.get_content()) if body is not None else ""
