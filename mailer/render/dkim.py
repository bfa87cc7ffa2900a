"""DKIM signatures (RFC 6376), with RSA and with Ed25519 (RFC 8463).

Signed as relaxed/simple. Servers on the way may fold a header anew, which relaxed forgives. The body is
quoted-printable in short lines without blanks at their ends, so nobody has a reason to touch it, and
simple is one hash over the bytes as they are.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from hashlib import sha256

from mailer.render.dkim_key import BadDkimKey, BadDkimName, DkimAlgorithm, DkimKey, DnsRecord

__all__ = ["BadDkimKey", "BadDkimName", "DkimAlgorithm", "DkimKey", "DnsRecord", "sign"]

SIGNED: tuple[tuple[bytes, bool], ...] = (
    *((b"from", True), (b"reply-to", False), (b"to", True), (b"subject", True), (b"date", True)),
    *((b"message-id", False), (b"mime-version", False), (b"content-type", False)),
    *((b"content-language", False), (b"auto-submitted", False), (b"list-id", False)),
    *((b"list-unsubscribe", True), (b"list-unsubscribe-post", True), (b"feedback-id", False)),
)
"""The headers that are signed where there are any (RFC 6376 section 5.4.1, RFC 8058 section 4).

Those with True are named once more than there are, so that nobody can add one (section 8.15).
"""
LONGEST_LINE = 76
_LAST_EMPTY_LINES = re.compile(rb"(?:\r\n)*\Z")


def sign(content: bytes, keys: Sequence[DkimKey], now: datetime) -> bytes:
    """`content` with a DKIM-Signature of each key before it.

    `content` is a mail with CRLF line ends, `now` an aware datetime. There is no x=: a mail may wait in
    a queue for days, and has to verify then as on its first.
    """
    if not keys:
        return content
    head, _, body = content.partition(b"\r\n\r\n")
    names, signed = _signed_headers(head)
    tags = [f"t={int(now.timestamp())};", *_list_of(names), f"bh={_body_hash(body)};", "b="]
    return b"".join([*(_signature(key, tags, signed) for key in keys), content])


def _signature(key: DkimKey, tags: list[str], signed: bytes) -> bytes:
    """The header by `key`. It covers itself as well, as it is before its b= is known (section 3.7)."""
    lines = [f"v=1; a={key.algorithm}; c=relaxed/simple;", f"d={key.domain}; s={key.selector};", *tags]
    bare = f"dkim-signature:{' '.join(lines)}".encode()
    value = b64encode(key.signature_of(signed + bare)).decode()
    parts = [value[start : start + LONGEST_LINE] for start in range(0, len(value), LONGEST_LINE)]
    return "\r\n\t".join([f"DKIM-Signature: {lines[0]}", *lines[1:], *parts]).encode() + b"\r\n"


def _signed_headers(head: bytes) -> tuple[tuple[bytes, ...], bytes]:
    """The names for h=, and these headers in relaxed form (section 3.4.2), the last of a name first."""
    fields: dict[bytes, list[bytes]] = {}
    for line in _unfolded(head):
        name, _, value = line.partition(b":")
        fields.setdefault(name.rstrip().lower(), []).append(value)
    names, signed = [], []
    for name, is_sealed in SIGNED:
        values = fields.get(name, ())
        names += [name] * (len(values) + is_sealed)
        signed += [name + b":" + _relaxed(value) + b"\r\n" for value in reversed(values)]
    return tuple(names), b"".join(signed)


def _unfolded(head: bytes) -> list[bytes]:
    return head.replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ").split(b"\r\n")


def _relaxed(value: bytes) -> bytes:
    return b" ".join([word for word in value.replace(b"\t", b" ").split(b" ") if word])


@lru_cache(maxsize=64)
def _list_of(names: tuple[bytes, ...]) -> tuple[str, ...]:
    """The h= tag, in lines."""
    lines, line = [], "h="
    for name in names:
        word = f"{name.decode()}:"
        if len(line) + len(word) > LONGEST_LINE:
            lines.append(line)
            line = ""
        line += word
    return (*lines, f"{line[:-1]};")


def _body_hash(body: bytes) -> str:
    """bh= of a body in simple form: one line break at its end, however many there were (section 3.4.3)."""
    kept = body.rstrip(b"\r\n")
    kept += _LAST_EMPTY_LINES.sub(b"", body[len(kept) :], count=1) + b"\r\n"
    return b64encode(sha256(kept).digest()).decode()
