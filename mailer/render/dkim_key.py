"""A sender's DKIM keys, and the DNS records by which others check what they signed."""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import NamedTuple

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from mailer.errors import MailerError

RSA_BITS = 2048
"""What every large mailbox provider checks, and what still fits into a DNS answer (RFC 8301 section 3.2)."""
FEWEST_RSA_BITS = 1024
"""Signatures of shorter keys count for nothing (RFC 8301 section 3.2)."""
LONGEST_STRING = 255
"""Bytes in one string of a TXT record (RFC 1035 section 3.3)."""
_LABELS = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(?:\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*").fullmatch
_PADDING = PKCS1v15()
_SHA256 = SHA256()


class BadDkimKey(MailerError):
    """Give the PEM file of an RSA key (1024 bits or more) or an Ed25519 key, without a passphrase."""


class BadDkimName(MailerError):
    """A selector and a domain are letters, digits and hyphens between dots, as in `s1` and `example.org`."""


class DkimAlgorithm(StrEnum):
    """As a signature names it (a=)."""

    RSA_SHA256 = "rsa-sha256"
    ED25519_SHA256 = "ed25519-sha256"


class DnsRecord(NamedTuple):
    """A TXT record: its whole name, and its value."""

    name: str
    value: str

    @property
    def strings(self) -> tuple[str, ...]:
        """The value in pieces that a zone file can hold; whoever reads it joins them without a blank."""
        starts = range(0, len(self.value), LONGEST_STRING)
        return tuple(self.value[start : start + LONGEST_STRING] for start in starts)


@dataclass(frozen=True)
class DkimKey:
    """A private key that signs for `domain` (A-labels); the public one is in the DNS under `selector`."""

    domain: str
    selector: str
    private_key: RSAPrivateKey | Ed25519PrivateKey = field(repr=False)

    def __post_init__(self) -> None:
        for name in (self.domain, self.selector):
            if not _LABELS(name):
                raise BadDkimName(name)
        if isinstance(self.private_key, RSAPrivateKey) and self.private_key.key_size < FEWEST_RSA_BITS:
            raise BadDkimKey(f"This RSA key has {self.private_key.key_size} bits")

    @classmethod
    def generate(cls, domain: str, selector: str, algorithm: DkimAlgorithm) -> DkimKey:
        """A new key; an RSA key takes a tenth of a second or more. Raises BadDkimName."""
        if algorithm is DkimAlgorithm.ED25519_SHA256:
            return cls(domain, selector, Ed25519PrivateKey.generate())
        return cls(domain, selector, generate_private_key(65537, RSA_BITS))

    @classmethod
    def from_pem(cls, domain: str, selector: str, pem: bytes) -> DkimKey:
        """A key of which `private_pem()` or OpenSSL wrote the PEM. Raises BadDkimKey, BadDkimName."""
        try:
            private_key = load_pem_private_key(pem, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            # The reason is left out: it may quote the key.
            raise BadDkimKey from None
        if not isinstance(private_key, RSAPrivateKey | Ed25519PrivateKey):
            raise BadDkimKey
        return cls(domain, selector, private_key)

    @property
    def algorithm(self) -> DkimAlgorithm:
        if isinstance(self.private_key, RSAPrivateKey):
            return DkimAlgorithm.RSA_SHA256
        return DkimAlgorithm.ED25519_SHA256

    def private_pem(self) -> bytes:
        """The private key as PKCS #8, unencrypted: a secret."""
        return self.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def dns_record(self) -> DnsRecord:
        """The TXT record to publish (RFC 6376 section 3.6.1, RFC 8463 section 4)."""
        public_key = self.private_key.public_key()
        if self.algorithm is DkimAlgorithm.RSA_SHA256:
            kind = "rsa"
            public = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        else:
            kind, public = "ed25519", public_key.public_bytes(Encoding.Raw, PublicFormat.Raw)
        name = f"{self.selector}._domainkey.{self.domain}"
        return DnsRecord(name, f"v=DKIM1; k={kind}; p={b64encode(public).decode()}")

    def signature_of(self, signed: bytes) -> bytes:
        """The bare signature of a mail's canonical headers."""
        if isinstance(self.private_key, RSAPrivateKey):
            return self.private_key.sign(signed, _PADDING, _SHA256)
        # RFC 8463 section 3: what Ed25519 signs is the hash.
        return self.private_key.sign(sha256(signed).digest())
