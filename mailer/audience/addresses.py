"""Email addresses: what is one, and when two are the same."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache

from email_validator import EmailNotValidError, validate_email

from mailer.errors import Refused

PLAIN_LOCAL_PART = re.compile(r"(?=.{1,64}$)[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*", re.ASCII)
"""What stands before the @ in nearly all addresses: a dot-atom of RFC 5322, at most 64 signs long."""

# What copying from a web page or a chat leaves behind: soft hyphens, zero-width spaces, marks of direction.
INVISIBLE = re.compile("[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
MAX_LENGTH = 254
SHOWN_LENGTH = 80


class BadAddress(Refused):
    """This is not an email address; `what` repeats it."""


def normalise(address: str) -> tuple[str, str]:
    """The address as it is mailed, and the key under which it is one person.

    The key is in small letters as a whole: RFC 5321 section 2.4 lets a server tell `Ada` from `ada`,
    no provider does, and people type both. Raises BadAddress.
    """
    cleaned = INVISIBLE.sub("", address).strip()
    local_part, _, domain = cleaned.rpartition("@")
    try:
        if cleaned.isascii() and len(cleaned) <= MAX_LENGTH and PLAIN_LOCAL_PART.fullmatch(local_part):
            normalised = f"{local_part}@{_domain(domain)}"
        else:
            normalised = _validated(cleaned)
    except EmailNotValidError:
        raise BadAddress(_why_not(cleaned)) from None
    return normalised, normalised.lower()


def address_hash(email_key: str) -> bytes:
    """What a suppression is found by: SHA-256 of the normalised address."""
    return hashlib.sha256(email_key.encode()).digest()


@lru_cache(maxsize=65_536)
def _domain(domain: str) -> str:
    """The domain as the validator writes it; a list has few of them, and each costs it 20 µs."""
    return _validated(f"a@{domain}").removeprefix("a@")


def _validated(address: str) -> str:
    checked = validate_email(address, check_deliverability=False, test_environment=True, strict=True)
    return checked.normalized


def _why_not(address: str) -> str:
    if not address:
        return "There is no email address here; write one as name@domain."
    # A whole page of text that got into a cell would be no help.
    shown = address if len(address) <= SHOWN_LENGTH else address[:SHOWN_LENGTH] + "…"
    return f"{shown!r} is not an email address; write it as name@domain."
