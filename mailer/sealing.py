"""Secrets sealed at rest: passwords and private keys, so that a copy of the database gives away none."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from mailer.errors import MailerError

PURPOSE = b"steadypost: secrets at rest"
"""Keeps what is derived here apart from the keys of links, which come from the same setting."""


class SealedWithAnotherKey(MailerError):
    """It was sealed with another STEADYPOST_SECRET_KEY; add that one after a comma, or enter it anew."""


class Seal:
    """Seals with the first key and opens with every key, so that keys can be changed."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._fernet = MultiFernet([Fernet(_derived(key)) for key in keys])

    def close(self, secret: str) -> str:
        """`secret`, sealed: letters that tell nothing but its rough length and the hour."""
        return self._fernet.encrypt(secret.encode()).decode("ascii")

    def open(self, sealed: str, what: str = "") -> str:
        """The secret again; raises SealedWithAnotherKey about `what`."""
        try:
            return self._fernet.decrypt(sealed).decode()
        except (InvalidToken, ValueError):  # the latter for letters that no seal has
            raise SealedWithAnotherKey(what) from None

    def __repr__(self) -> str:
        return "Seal()"


def _derived(key: str) -> bytes:
    """A Fernet key of its own for each secret key (RFC 5869)."""
    return urlsafe_b64encode(HKDF(SHA256(), length=32, salt=None, info=PURPOSE).derive(key.encode()))
