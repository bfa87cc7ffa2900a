"""Passwords: Argon2id by argon2-cffi, with its parameters (RFC 9106's low-memory choice)."""

from __future__ import annotations

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from mailer.errors import Refused

SHORTEST = 12
LONGEST = 1000
"""Hashing takes longer for longer ones, and a stranger may send them."""

_hasher = PasswordHasher()


def check_password(password: str, *, about: str = "") -> None:
    """Raise Refused for one that is too short, too long, or the person's own address (`about`).

    Length is what helps; rules about signs do not (NIST SP 800-63B section 3.1.1.2).
    """
    if len(password) < SHORTEST:
        raise Refused(f"A password needs at least {SHORTEST} characters; a few words make a good one.")
    if len(password) > LONGEST:
        raise Refused(f"A password may have at most {LONGEST} characters.")
    if about and password.casefold() in {about.casefold(), about.casefold().partition("@")[0]}:
        raise Refused("The address itself is no password; choose other words.")
    if len(set(password)) < 4:
        raise Refused("This password repeats the same few characters; choose other words.")


def hash_password(password: str) -> str:
    """The hash that is kept; it carries its own salt and parameters."""
    return _hasher.hash(password)


# Of a password that nobody has, with the parameters above. Made once, for it takes a tenth of a second.
_NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$ZXXO2Y3c/0hTOIyk7JCV4w$XH3qw5fIjVvzPeknHqo2b5R8OXGjpNjbptRWXmZBAO0"


def is_password(password: str, password_hash: str | None) -> bool:
    """Whether this is the password of `password_hash`.

    Takes as long for an address that nobody has (None), or its answer would say who works here.
    """
    try:
        matches = len(password) <= LONGEST and _hasher.verify(password_hash or _NOBODY, password)
    except (VerificationError, InvalidHashError):
        return False
    return matches and password_hash is not None
