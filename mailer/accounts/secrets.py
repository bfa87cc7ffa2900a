"""Secrets that are shown once and kept as a hash: of sessions, invitations and API tokens."""

from __future__ import annotations

import hashlib
import hmac
import secrets


def new_secret(prefix: str = "") -> str:
    """32 random bytes, as letters for a cookie, an address or a header."""
    return prefix + secrets.token_urlsafe(32)


def hashed(secret: str) -> bytes:
    """What is kept of it. Random enough that no salt and no slow hash is needed."""
    return hashlib.sha256(secret.encode()).digest()


def form_key(session_secret: str) -> str:
    """What every form of a session repeats, so that no other site can post in somebody's name.

    Made from the cookie, which scripts and other sites cannot read; nothing has to be kept for it. Another
    one on each page, all of them good: what is the same in every compressed answer can be guessed letter by
    letter from the answers' lengths (BREACH).
    """
    salt = secrets.token_hex(8)
    return salt + _form_mac(salt, session_secret)


def is_form_key(given: str, session_secret: str) -> bool:
    """Whether a form of this session brought `given`."""
    mac = _form_mac(given[:16], session_secret)
    return hmac.compare_digest(given[16:].encode(), mac.encode())


def _form_mac(salt: str, session_secret: str) -> str:
    return hmac.new(session_secret.encode(), f"form {salt}".encode(), "sha256").hexdigest()
