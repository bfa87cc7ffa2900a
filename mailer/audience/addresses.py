"""Email addresses: what is one, and when two are the same."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, ValidatedEmail, validate_email
from email_validator.rfc_constants import CASE_INSENSITIVE_MAILBOX_NAMES

from mailer.errors import Refused

PLAIN_LOCAL_PART = re.compile(r"(?=.{1,64}$)[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*", re.ASCII)
"""What stands before the @ in nearly all addresses: a dot-atom of RFC 5322, at most 64 signs long."""
PLAIN_DOMAIN = re.compile(
    # Two dashes may be Punycode, which the validator reads; the reserved names it refuses.
    r"(?!.*--)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+"
    rf"(?!(?:{'|'.join(SPECIAL_USE_DOMAIN_NAMES)})$)(?:[a-z0-9][a-z0-9-]{{0,61}})?[a-z]",
    re.ASCII | re.IGNORECASE,
)
"""What stands after it: host names of RFC 1123, of which the last ends in a letter."""
ROLES = frozenset(CASE_INSENSITIVE_MAILBOX_NAMES)

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
    cleaned = (address if address.isascii() else INVISIBLE.sub("", address)).strip()
    local_part, _, domain = cleaned.rpartition("@")
    if PLAIN_LOCAL_PART.fullmatch(local_part) and local_part.lower() not in ROLES:
        known = _domain(domain)
        if known is not None and len(local_part) + 1 + known[1] <= MAX_LENGTH:
            normalised = f"{local_part}@{known[0]}"
            return normalised, normalised.lower()
    normalised = _validated(cleaned)
    return normalised, normalised.lower()


def address_hash(email_key: str) -> bytes:
    """What a suppression is found by: SHA-256 of the normalised address."""
    return hashlib.sha256(email_key.encode()).digest()


def _validated(address: str) -> str:
    try:
        return _by_validator(address).normalized
    except EmailNotValidError:
        raise BadAddress(_why_not(address)) from None


@lru_cache(maxsize=16_384)
def _domain(domain: str) -> tuple[str, int] | None:
    """A domain as the validator writes it, and the length of its longest form in bytes; None when it is none.

    A plain one costs the validator 20 µs and one with letters beyond ASCII 150, and a list has few of those.
    """
    if PLAIN_DOMAIN.fullmatch(domain):
        return domain.lower(), len(domain)
    try:
        checked = _by_validator(f"a@{domain}")
    except EmailNotValidError:
        return None
    return checked.domain, max(len(form.encode()) for form in (domain, checked.domain, checked.ascii_domain))


def _by_validator(address: str) -> ValidatedEmail:
    return validate_email(address, check_deliverability=False, test_environment=True, strict=True)


def _why_not(address: str) -> str:
    if not address:
        return "There is no email address here; write one as name@domain."
    # A whole page of text that got into a cell would be no help.
    shown = address if len(address) <= SHOWN_LENGTH else address[:SHOWN_LENGTH] + "…"
    return f"{shown!r} is not an email address; write it as name@domain."
