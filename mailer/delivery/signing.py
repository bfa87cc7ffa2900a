"""DKIM keys of senders: made, announced, put to use and retired; and those that sign a batch's mails.

A new key signs nothing yet. A mail that is signed before its record is in the DNS arrives with a signature
that nobody can check, which counts as none and so fails DMARC where no other one is aligned; and the
resolvers that looked too early remember for a while that there is nothing. So: make, publish, activate.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import dns.exception
import dns.resolver
from sqlalchemy import Select, func, select, update
from sqlalchemy.orm import Session

from mailer.db import clock_now
from mailer.delivery.claim import SenderFacts
from mailer.errors import NotFound, Refused
from mailer.models import Sender, SigningKey
from mailer.render.dkim import DkimAlgorithm, DkimKey, DnsRecord
from mailer.sealing import Seal

DNS_SECONDS = 10.0


class Keyring:
    """The keys that sign, opened once in a process."""

    def __init__(self, seal: Seal) -> None:
        self._seal = seal
        self._opened: dict[int, DkimKey] = {}

    def keys_of(self, session: Session, senders: Iterable[SenderFacts]) -> dict[int, tuple[DkimKey, ...]]:
        """The keys by the sender's id; raises SealedWithAnotherKey.

        A key whose domain is not the one of the From address, nor a parent of it, would not count for DMARC
        (RFC 7489 section 3.1.1), and does not sign.
        """
        domains = {sender.id: _domain_of(sender.email) for sender in senders}
        rows = session.execute(_active().where(SigningKey.sender_id.in_(domains))).scalars()
        found: dict[int, tuple[DkimKey, ...]] = {}
        for row in rows:
            if is_aligned(row.domain, domains[row.sender_id]):
                found[row.sender_id] = (*found.get(row.sender_id, ()), self._opened_key(row))
        return found

    def _opened_key(self, row: SigningKey) -> DkimKey:
        if row.id not in self._opened:
            pem = self._seal.open(row.sealed_key, f"The DKIM key {row.selector} of {row.domain}")
            self._opened[row.id] = DkimKey.from_pem(row.domain, row.selector, pem.encode())
        return self._opened[row.id]


def new_key(
    session: Session,
    sender: Sender,
    seal: Seal,
    now: datetime,
    *,
    algorithm: DkimAlgorithm = DkimAlgorithm.RSA_SHA256,
    selector: str = "",
    domain: str = "",
) -> SigningKey:
    """Make a key for a sender. It signs nothing before it is activated. Raises Refused, BadDkimName.

    Without a `selector` it is named after the day, and after the algorithm where that is not RSA.
    """
    own = _domain_of(sender.email)
    domain = (domain or own).lower().rstrip(".")
    if not is_aligned(domain, own):
        raise Refused(
            f"Mails from {sender.email} must be signed for {own} or a domain above it, not for {domain}."
        )
    taken = set(session.execute(select(SigningKey.selector).where(SigningKey.domain == domain)).scalars())
    if selector in taken:
        raise Refused(f"There is a key {selector!r} for {domain} already; choose another selector.")
    key = DkimKey.generate(domain, selector or _free_selector(algorithm, now, taken), algorithm)
    row = SigningKey(
        sender_id=sender.id,
        domain=key.domain,
        selector=key.selector,
        algorithm=key.algorithm,
        sealed_key=seal.close(key.private_pem().decode()),
        record=key.dns_record().value,
    )
    session.add(row)
    session.flush()
    return row


def keys_to_show(session: Session, sender: Sender) -> Sequence[SigningKey]:
    """Every key a sender ever had, oldest first."""
    rows = select(SigningKey).where(SigningKey.sender_id == sender.id).order_by(SigningKey.id)
    return session.execute(rows).scalars().all()


def find_key(session: Session, sender: Sender, selector: str) -> SigningKey:
    """A sender's key by its selector; raises NotFound."""
    known = keys_to_show(session, sender)
    for key in known:
        if key.selector == selector:
            return key
    names = ", ".join(key.selector for key in known) or f"none; `steadypost sender dkim new {sender.slug}`"
    raise NotFound(f"{sender.slug} has no key {selector!r}; there is {names}.")


def activate(session: Session, key: SigningKey) -> list[SigningKey]:
    """Sign with this key from now on; those of the same algorithm that it takes the place of."""
    if key.activated_at is not None and key.retired_at is None:
        return []
    replaced = [
        other
        for other in session.execute(_active().where(SigningKey.sender_id == key.sender_id)).scalars()
        if other.algorithm == key.algorithm
    ]
    now = clock_now(session)
    for other in replaced:
        other.retired_at = now
    key.activated_at, key.retired_at = now, None
    session.flush()
    return replaced


def retire(session: Session, key: SigningKey) -> bool:
    """Sign with this key no longer; False when it was retired before."""
    done = session.execute(
        update(SigningKey)
        .where(SigningKey.id == key.id, SigningKey.retired_at.is_(None))
        .values(retired_at=func.clock_timestamp())
        .returning(SigningKey.id)
    )
    return done.one_or_none() is not None


def record_of(key: SigningKey) -> DnsRecord:
    """The DNS record to publish for a key."""
    return DnsRecord(f"{key.selector}._domainkey.{key.domain}", key.record)


def check_published(record: DnsRecord, resolver: dns.resolver.Resolver | None = None) -> None:
    """Look the record up; raises Refused with what is there instead."""
    try:
        resolver = resolver or dns.resolver.Resolver()
        answer = resolver.resolve(record.name, "TXT", lifetime=DNS_SECONDS)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        raise Refused(
            f"The DNS has no TXT record {record.name} yet; publish it, and give it some minutes."
        ) from None
    except dns.exception.DNSException as error:
        raise Refused(
            f"The DNS could not be asked for {record.name} ({error}); try again, or say --no-check."
        ) from None
    found = ["".join(part.decode(errors="replace") for part in entry.strings) for entry in answer]
    if _public_part(record.value) not in map(_public_part, found):
        raise Refused(f"The TXT record {record.name} holds another key; publish the one of `dkim list`.")


def is_aligned(domain: str, from_domain: str) -> bool:
    """Whether a signature of `domain` speaks for addresses of `from_domain`."""
    return from_domain == domain or from_domain.endswith(f".{domain}")


def _public_part(value: str) -> str:
    """The key in a record, however its tags are spaced and ordered."""
    tags = dict(part.strip().partition("=")[::2] for part in value.split(";") if "=" in part)
    return "".join(tags.get("p", "").split())


def _active() -> Select[SigningKey]:
    return (
        select(SigningKey)
        .where(SigningKey.activated_at.is_not(None), SigningKey.retired_at.is_(None))
        .order_by(SigningKey.id)
    )


def _free_selector(algorithm: DkimAlgorithm, now: datetime, taken: set[str]) -> str:
    name = f"sp{now:%Y%m%d}" + ("" if algorithm is DkimAlgorithm.RSA_SHA256 else "e")
    numbered = (f"{name}-{number}" for number in range(2, len(taken) + 3))
    return next(one for one in (name, *numbered) if one not in taken)


def _domain_of(email: str) -> str:
    """The domain of an address as the DNS knows it."""
    domain = email.rpartition("@")[2].lower()
    return domain if domain.isascii() else domain.encode("idna").decode()
