"""Signatures as the Standard Webhooks specification has them, so that receivers find a library for theirs."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime

PREFIX = "whsec_"


def new_secret() -> str:
    """A secret in the specification's writing: `whsec_` and 32 random bytes in base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode("ascii")


def headers_of(call_id: str, body: bytes, keys: Sequence[str], now: datetime) -> dict[str, str]:
    """`webhook-id`, `webhook-timestamp` and `webhook-signature`, with a signature by each of `keys`.

    Source: Standard Webhooks, "Webhook headers" and "Signature scheme" (symmetric, v1).
    """
    moment = str(int(now.timestamp()))
    signed = b".".join([call_id.encode(), moment.encode(), body])
    return {
        "webhook-id": call_id,
        "webhook-timestamp": moment,
        "webhook-signature": " ".join(f"v1,{_mac(key, signed)}" for key in keys),
    }


def _mac(key: str, signed: bytes) -> str:
    raw = base64.b64decode(key.removeprefix(PREFIX))
    return base64.b64encode(hmac.digest(raw, signed, hashlib.sha256)).decode("ascii")
