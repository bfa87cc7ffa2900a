"""Mails that are signed with their sender's DKIM keys, checked by another program's eyes (dkimpy)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from socketserver import BaseRequestHandler, ThreadingUDPServer
from threading import Thread

import dkim
import dns.flags
import dns.message
import dns.resolver
import dns.rrset
import pytest
from sqlalchemy import text

from mailer.db import session_scope
from mailer.delivery import roster, signing
from mailer.errors import Refused
from mailer.models import SigningKey
from mailer.render.dkim import DkimAlgorithm, DnsRecord
from mailer.sealing import Seal
from tests.support.fleet import Fleet

NOW = datetime(2026, 3, 2, tzinfo=UTC)
COVERED = {b"from", b"to", b"subject", b"date", b"list-unsubscribe", b"list-unsubscribe-post"}


def new_key(
    fleet: Fleet, algorithm: DkimAlgorithm = DkimAlgorithm.RSA_SHA256, *, is_active: bool = True
) -> SigningKey:
    with session_scope(fleet.sessions) as session:
        sender = roster.get_sender(session, "calm")
        key = signing.new_key(session, sender, fleet.seal, NOW, algorithm=algorithm)
        if is_active:
            signing.activate(session, key)
        return key


def verify(content: bytes, *keys: SigningKey) -> list[dict[bytes, bytes]]:
    """The tags of every signature, each of which must be right."""
    records = {f"{signing.record_of(key).name}.".encode(): key.record.encode() for key in keys}
    tags = []
    for number in range(content.lower().count(b"dkim-signature:")):
        mail = dkim.DKIM(content)
        assert mail.verify(idx=number, dnsfunc=lambda name, timeout=5: records.get(name))
        tags.append(mail.signature_fields)
    return tags


def test_a_lesson_that_went_the_whole_way_carries_a_signature_over_what_rfc_8058_wants(fleet: Fleet) -> None:
    server = fleet.add("relay")
    key = new_key(fleet)
    fleet.enroll(2)
    assert fleet.send() == {"accepted": 2}
    for content in server.contents:
        (tags,) = verify(content, key)
        assert (tags[b"d"], tags[b"s"], tags[b"a"]) == (b"steadypost.example", b"sp20260302", b"rsa-sha256")
        assert {name.strip() for name in tags[b"h"].lower().split(b":")} >= COVERED
        assert b"List-Unsubscribe-Post: List-Unsubscribe=One-Click" in content


def test_ed25519_stands_beside_rsa(fleet: Fleet) -> None:
    keys = new_key(fleet), new_key(fleet, DkimAlgorithm.ED25519_SHA256)
    fleet.enroll(1)
    fleet.send()
    found = verify(fleet.default.contents[0], *keys)
    assert sorted(tags[b"a"] for tags in found) == [b"ed25519-sha256", b"rsa-sha256"]


def test_a_new_key_signs_nothing_before_it_is_activated_and_a_retired_one_no_more(fleet: Fleet) -> None:
    key = new_key(fleet, is_active=False)
    fleet.enroll(1)
    fleet.send()
    with session_scope(fleet.sessions) as session:
        found = signing.find_key(session, roster.get_sender(session, "calm"), key.selector)
        signing.activate(session, found)
    fleet.enroll(2)
    fleet.send()
    with session_scope(fleet.sessions) as session:
        found = signing.find_key(session, roster.get_sender(session, "calm"), key.selector)
        assert signing.retire(session, found)
        assert not signing.retire(session, found)
    fleet.enroll(3)
    fleet.send()
    assert [b"DKIM-Signature" in content for content in fleet.default.contents] == [False, True, False]


def test_a_new_key_takes_the_place_of_the_one_before_it(fleet: Fleet) -> None:
    old = new_key(fleet)
    new = new_key(fleet)
    assert (old.selector, new.selector) == ("sp20260302", "sp20260302-2")
    fleet.enroll(1)
    fleet.send()
    (tags,) = verify(fleet.default.contents[0], new)
    assert tags[b"s"] == b"sp20260302-2"


def test_a_key_of_another_domain_does_not_sign(fleet: Fleet) -> None:
    new_key(fleet)
    with session_scope(fleet.sessions) as session:
        roster.get_sender(session, "calm").email = "course@elsewhere.example"
    fleet.enroll(1)
    fleet.send()
    assert b"DKIM-Signature" not in fleet.default.contents[0]


def test_mail_waits_for_a_key_that_cannot_be_opened(fleet: Fleet) -> None:
    key = new_key(fleet)
    lost = Seal(["another secret key that nobody has any more"]).close("x")
    with session_scope(fleet.sessions) as session:
        session.execute(text("UPDATE dkim_keys SET sealed_key = :lost"), {"lost": lost})
    fleet.enroll(1)
    assert fleet.send() == {"planned": 1}
    assert fleet.default.contents == []
    with session_scope(fleet.sessions) as session:
        found = signing.find_key(session, roster.get_sender(session, "calm"), key.selector)
        signing.retire(session, found)
    fleet.wait(seconds=21)
    assert fleet.send() == {"accepted": 1}


def test_neither_a_password_nor_a_private_key_is_in_the_database(fleet: Fleet) -> None:
    fleet.add("relay", url="smtp://me:opensesame@127.0.0.1:{port}")
    new_key(fleet)
    with session_scope(fleet.sessions) as session:
        rows = session.execute(
            text(
                "SELECT row_to_json(t)::text FROM transports t"
                " UNION ALL SELECT row_to_json(k)::text FROM dkim_keys k"
                " UNION ALL SELECT row_to_json(a)::text FROM actions a"
            )
        ).scalars()
        kept = " ".join(rows)
    assert "opensesame" not in kept
    assert "PRIVATE KEY" not in kept
    assert "gAAAA" in kept  # how Fernet's tokens begin


class _Dns(BaseRequestHandler):
    """Answers TXT questions from its server's `records`."""

    def handle(self) -> None:
        data, sock = self.request
        question = dns.message.from_wire(data)
        answer = dns.message.make_response(question)
        answer.flags |= dns.flags.AA
        name = question.question[0].name
        strings = self.server.records.get(name.to_text(omit_final_dot=True))  # type: ignore[attr-defined]
        if strings is None:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        else:
            quoted = " ".join(f'"{part}"' for part in strings)
            answer.answer.append(dns.rrset.from_text(name, 60, "IN", "TXT", quoted))
        sock.sendto(answer.to_wire(), self.client_address)


@contextmanager
def dns_server(records: dict[str, tuple[str, ...]]) -> Iterator[dns.resolver.Resolver]:
    with ThreadingUDPServer(("127.0.0.1", 0), _Dns) as server:
        server.records = records  # type: ignore[attr-defined]
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers, resolver.port = ["127.0.0.1"], server.server_address[1]
        yield resolver
        server.shutdown()
        thread.join()


def test_the_record_is_looked_for_before_a_key_signs(fleet: Fleet) -> None:
    record = signing.record_of(new_key(fleet, is_active=False))
    assert len(record.strings) == 2  # too long for one string of a zone file
    assert all(len(part) <= 255 for part in record.strings)
    with dns_server({}) as resolver, pytest.raises(Refused, match="has no TXT record sp20260302"):
        signing.check_published(record, resolver)
    with (
        dns_server({record.name: ("v=DKIM1; k=rsa; p=AAAA",)}) as resolver,
        pytest.raises(Refused, match="another key"),
    ):
        signing.check_published(record, resolver)
    with dns_server({record.name: record.strings}) as resolver:
        signing.check_published(record, resolver)
    # Forms of providers space the tags as they like.
    spaced = DnsRecord(record.name, record.value.replace("; ", ";"))
    with dns_server({record.name: spaced.strings}) as resolver:
        signing.check_published(record, resolver)
