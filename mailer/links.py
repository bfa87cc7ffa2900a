"""Signed public addresses: a link proves by itself whom it was sent to, without a login.

A delivery has one short token; what is done with it is part of the path. Those links never expire,
because people unsubscribe from old mails. A confirmation link does.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import UTC, datetime

from mailer.errors import MailerError

MAC_BYTES = 12
"""96 bits: out of reach for guessing, and 16 characters in a link."""


class BadLink(MailerError):
    """This link is not one of ours; copy it whole from the mail."""


class ExpiredLink(MailerError):
    """This link has run out; sign up again to get a new one."""


class Signer:
    """Makes tokens with the first key and accepts those of every key, so that keys can be changed."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = [hashlib.sha256(key.encode()).digest() for key in keys]

    def delivery_token(self, delivery_id: int) -> str:
        """The token of one delivery; 0 is the delivery of a test mail, whose links do nothing."""
        return self._sign(b"delivery", _int_bytes(delivery_id))

    def delivery_id(self, token: str) -> int:
        """The delivery that `token` was made for; raises BadLink."""
        return int.from_bytes(self._verify(b"delivery", token), "big")

    def confirm_token(self, subscription_id: int, expires_at: datetime) -> str:
        """A token that confirms one subscription until `expires_at` (aware, whole seconds)."""
        payload = int(expires_at.timestamp()).to_bytes(5, "big") + _int_bytes(subscription_id)
        return self._sign(b"confirm", payload)

    def confirm_subscription(self, token: str, now: datetime) -> int:
        """The subscription that `token` confirms; raises BadLink or ExpiredLink."""
        payload = self._verify(b"confirm", token)
        if len(payload) < 6:
            raise BadLink
        if now > datetime.fromtimestamp(int.from_bytes(payload[:5], "big"), UTC):
            raise ExpiredLink
        return int.from_bytes(payload[5:], "big")

    def setup_token(self) -> str:
        """What opens the setup page of an installation that nobody has a login to yet."""
        return self._sign(b"setup", b"\1")

    def setup_url(self, base_url: str) -> str:
        """Where that page is, below the web app's address."""
        return f"{base_url.rstrip('/')}/desk/setup?key={self.setup_token()}"

    def opens_setup(self, token: str) -> bool:
        """Whether `token` is the one."""
        try:
            return self._verify(b"setup", token) == b"\1"
        except BadLink:
            return False

    def form_key(self, about: bytes, made_at: datetime, nonce: bytes) -> str:
        """A key for what somebody asks by a form, good for that alone; `nonce` makes it the only one."""
        when = int(made_at.timestamp()).to_bytes(5, "big")
        return self._sign(b"form", when + nonce + hashlib.sha256(about).digest()[:16])

    def form_key_made_at(self, key: str, about: bytes) -> datetime:
        """When this key was made; raises BadLink when it is none of ours, or about something else."""
        payload = self._verify(b"form", key)
        if len(payload) < 22 or payload[-16:] != hashlib.sha256(about).digest()[:16]:
            raise BadLink
        return datetime.fromtimestamp(int.from_bytes(payload[:5], "big"), UTC)

    def _sign(self, purpose: bytes, payload: bytes) -> str:
        mac = _mac(self._keys[0], purpose, payload)
        return base64.urlsafe_b64encode(payload + mac).rstrip(b"=").decode("ascii")

    def _verify(self, purpose: bytes, token: str) -> bytes:
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except ValueError:
            raise BadLink from None
        payload, mac = raw[:-MAC_BYTES], raw[-MAC_BYTES:]
        if not payload or not any(
            hmac.compare_digest(mac, _mac(key, purpose, payload)) for key in self._keys
        ):
            raise BadLink
        return payload


def _mac(key: bytes, purpose: bytes, payload: bytes) -> bytes:
    # hmac.digest is the one-call form in C, several times faster than hmac.new for short input.
    return hmac.digest(key, purpose + b"\0" + payload, "sha256")[:MAC_BYTES]


def _int_bytes(value: int) -> bytes:
    return value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big")
