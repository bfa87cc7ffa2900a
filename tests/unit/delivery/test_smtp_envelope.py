"""What a mail's commands look like for a server, and what is refused before it is asked."""

from __future__ import annotations

import pytest

from mailer.delivery.retry import SmtpReply
from mailer.delivery.transports.base import Email
from mailer.delivery.transports.envelope import Abilities, envelope, stuffed
from mailer.delivery.transports.server import Auth, SmtpServer, StartTls
from mailer.errors import BadSetting

EVERYTHING = Abilities(pipelining=True, size=1000, smtputf8=True, eightbit=True)


def commands(recipient: str, abilities: Abilities, content: bytes = b"Hello\r\n") -> str:
    made = envelope(Email("a@steadypost.example", recipient, content), abilities)
    assert isinstance(made, bytes)
    return made.decode()


def refusal(recipient: str, abilities: Abilities, content: bytes = b"Hello\r\n") -> SmtpReply:
    made = envelope(Email("a@steadypost.example", recipient, content), abilities)
    assert isinstance(made, SmtpReply)
    return made


def test_a_server_that_offers_nothing_gets_nothing_but_addresses() -> None:
    assert commands("ada@reader.example", Abilities()) == (
        "MAIL FROM:<a@steadypost.example>\r\nRCPT TO:<ada@reader.example>\r\nDATA\r\n"
    )


def test_a_server_that_asks_for_sizes_is_told() -> None:
    assert commands("ada@reader.example", EVERYTHING).startswith(
        "MAIL FROM:<a@steadypost.example> SIZE=7\r\n"
    )


def test_a_mail_over_the_servers_limit_is_refused_without_asking() -> None:
    reply = refusal("ada@reader.example", EVERYTHING, b"x" * 1001)
    assert (reply.code, reply.enhanced) == (552, "5.3.4")
    assert "SIZE=1001" in commands("ada@reader.example", Abilities(size=0), b"x" * 1001)  # 0: no limit


def test_a_domain_beyond_ascii_is_sent_as_its_a_label() -> None:
    assert "RCPT TO:<ada@xn--bcher-kva.example>\r\n" in commands("ada@bücher.example", Abilities())


def test_a_local_part_beyond_ascii_needs_smtputf8() -> None:
    assert commands("jürgen@bücher.example", EVERYTHING) == (
        "MAIL FROM:<a@steadypost.example> SMTPUTF8 SIZE=7 BODY=8BITMIME\r\n"
        "RCPT TO:<jürgen@bücher.example>\r\nDATA\r\n"
    )
    reply = refusal("jürgen@bücher.example", Abilities())
    assert (reply.code, reply.enhanced, reply.at_recipient) == (553, "5.6.7", True)


def test_a_text_beyond_ascii_is_announced() -> None:
    assert "BODY=8BITMIME" in commands("ada@reader.example", EVERYTHING, "für Ada\r\n".encode())


@pytest.mark.parametrize("address", ["ada@reader.example>\r\nRCPT TO:<ben@x.example", "ada\n@reader.example"])
def test_an_address_with_a_line_end_never_becomes_a_command(address: str) -> None:
    reply = refusal(address, EVERYTHING)
    assert (reply.code, reply.enhanced, reply.at_recipient) == (553, "5.1.3", True)


def test_a_maker_who_knows_that_no_line_begins_with_a_dot_saves_the_look() -> None:
    assert stuffed(Email("a", "b", b"one\r\n", has_dot_lines=False)) == b"one\r\n"
    assert stuffed(Email("a", "b", b"one\r\n.two")) == b"one\r\n..two\r\n"


def test_a_servers_url_says_how_to_get_in() -> None:
    server = SmtpServer.from_url(
        "smtp://ada%40reader.example:s3cret@mail.example?auth=xoauth2&starttls=required"
        "&token_url=https://login.example/token&client_id=me&client_secret=hush&ca=/etc/ca.pem"
    )
    assert (server.host, server.port, server.user) == ("mail.example", 587, "ada@reader.example")
    assert (server.auth, server.starttls) == (Auth.XOAUTH2, StartTls.REQUIRED)
    assert (server.token_url, server.ca) == ("https://login.example/token", "/etc/ca.pem")


def test_secrets_are_in_no_description_of_a_server() -> None:
    server = SmtpServer.from_url("smtps://ada:s3cret@mail.example?client_secret=hush")
    for words in (repr(server), str(server), f"{server}", f"{server!r}"):
        assert "s3cret" not in words
        assert "hush" not in words


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("startls=required", "startls="),  # misspelt: it must not be passed over
        ("starttls=always", "starttls=always"),
        ("auth=cram", "auth=cram"),
        ("token_url=http://login.example/token", "https://"),
    ],
)
def test_a_wish_that_is_not_understood_is_refused(query: str, reason: str) -> None:
    with pytest.raises(BadSetting, match=reason):
        SmtpServer.from_url(f"smtp://mail.example?{query}")
