"""One SMTP conversation, without a socket: what is said, and what a server's answers make of the mails."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.delivery.transports.base import Answered, Email, Result, TroubleKind
from mailer.delivery.transports.conversation import Conversation, Fate, Step, Turn
from mailer.delivery.transports.envelope import Abilities, envelope

PIPELINING = Abilities(pipelining=True)
PLAIN = Abilities()
OK = b"250 2.0.0 ok\r\n"
GO_ON = b"354 go on\r\n"
ENVELOPE = b"MAIL FROM:<a@steadypost.example>\r\nRCPT TO:<%s@reader.example>\r\nDATA\r\n"


def turn(name: str, text: bytes = b"Hello\r\n") -> Turn:
    email = Email("a@steadypost.example", f"{name}@reader.example", text)
    commands = envelope(email, PLAIN)
    assert isinstance(commands, bytes)
    return Turn(hash(name), email, commands)


def said(talk: Conversation) -> bytes:
    """What is to be written, written at once."""
    output = talk.output[talk.output_at :]
    talk.wrote(len(output))
    return output


def ready(talk: Conversation, mail: Turn) -> None:
    """Bring a mail to the point where the server waits for its text."""
    talk.announce(mail)
    if talk.abilities.pipelining:
        said(talk)
        talk.receive(OK + OK + GO_ON)
    else:
        for reply in (OK, OK, GO_ON):
            said(talk)
            talk.receive(reply)
    assert talk.is_ready


def codes(results: list[tuple[Turn, Result]]) -> list[tuple[str, int]]:
    return [
        (mail.email.recipient.partition("@")[0], result.reply.code)
        for mail, result in results
        if isinstance(result, Answered)
    ]


def test_with_pipelining_one_write_ends_a_mail_and_announces_the_next() -> None:
    talk = Conversation(PIPELINING)
    ada, ben = turn("ada"), turn("ben")
    talk.announce(ada)
    assert said(talk) == ENVELOPE % b"ada"
    assert talk.receive(OK + OK + GO_ON) == []
    talk.finish(ben)
    assert said(talk) == b"Hello\r\n.\r\n" + ENVELOPE % b"ben"
    assert codes(talk.receive(b"250 2.0.0 queued as 12\r\n" + OK + OK + GO_ON)) == [("ada", 250)]
    assert talk.is_ready
    assert talk.announced is ben


def test_without_pipelining_each_command_waits_for_its_answer() -> None:
    talk = Conversation(PLAIN)
    talk.announce(turn("ada"))
    for command, reply in (
        (b"MAIL FROM:<a@steadypost.example>\r\n", OK),
        (b"RCPT TO:<ada@reader.example>\r\n", OK),
        (b"DATA\r\n", GO_ON),
    ):
        assert said(talk) == command
        assert not talk.output
        assert talk.receive(reply) == []
    talk.finish(None)
    assert said(talk) == b"Hello\r\n.\r\n"
    assert codes(talk.receive(OK)) == [("ada", 250)]
    assert talk.is_idle


def test_an_accepted_mail_keeps_the_servers_words() -> None:
    talk = Conversation(PIPELINING)
    ready(talk, turn("ada"))
    talk.finish(None)
    said(talk)
    ((_, result),) = talk.receive(b"250-2.0.0 queued\r\n250 as \x1b12\xc3\xbc\r\n")
    assert isinstance(result, Answered)
    assert result.reply.is_taken
    assert result.reply.text == "2.0.0 queued as  12ü"


@pytest.mark.parametrize("abilities", [PIPELINING, PLAIN], ids=["pipelining", "plain"])
def test_a_line_that_begins_with_a_dot_gets_a_second_one(abilities: Abilities) -> None:
    talk = Conversation(abilities)
    ready(talk, turn("ada", b".one\r\ntwo.\r\n.\r\n..three"))
    talk.finish(None)
    assert said(talk) == b"..one\r\ntwo.\r\n..\r\n...three\r\n.\r\n"


def test_a_refused_recipient_is_answered_and_the_next_mail_begins_with_rset() -> None:
    talk = Conversation(PIPELINING)
    cleo, ada = turn("cleo"), turn("ada")
    talk.announce(cleo)
    said(talk)
    ((mail, result),) = talk.receive(OK + b"550 5.1.1 no such user\r\n554 5.5.1 no valid recipients\r\n")
    assert mail is cleo
    assert isinstance(result, Answered)
    assert (result.reply.code, result.reply.at_recipient, result.reply.is_final) == (550, True, False)
    assert talk.is_free
    talk.announce(ada)
    assert said(talk) == b"RSET\r\n" + ENVELOPE % b"ada"
    talk.receive(OK + OK + OK + GO_ON)
    assert talk.is_ready


def test_a_server_that_wants_the_text_of_a_refused_mail_gets_a_lone_dot() -> None:
    # RFC 2920 section 3.1: RCPT was refused, and DATA answered 354 all the same.
    talk = Conversation(PIPELINING)
    talk.announce(turn("cleo"))
    said(talk)
    assert codes(talk.receive(OK + b"550 5.1.1 no\r\n" + GO_ON)) == [("cleo", 550)]
    talk.announce(turn("ada"))
    assert said(talk) == b".\r\n" + ENVELOPE % b"ada"
    assert talk.receive(b"554 5.5.1 no valid recipients\r\n" + OK + OK + GO_ON) == []
    assert talk.is_ready


def test_without_pipelining_a_refused_mail_is_not_begun() -> None:
    talk = Conversation(PLAIN)
    talk.announce(turn("cleo"))
    said(talk)
    talk.receive(OK)
    said(talk)
    assert codes(talk.receive(b"550 5.1.1 no\r\n")) == [("cleo", 550)]
    talk.announce(turn("ada"))
    assert said(talk) == b"RSET\r\n"
    talk.receive(OK)
    assert said(talk).startswith(b"MAIL")


def test_the_next_mail_can_be_refused_while_the_one_before_is_taken() -> None:
    talk = Conversation(PIPELINING)
    ready(talk, turn("ada"))
    talk.finish(turn("cleo"))
    said(talk)
    results = talk.receive(OK + b"451 4.3.0 later\r\n503 no\r\n503 no\r\n")
    assert codes(results) == [("ada", 250), ("cleo", 451)]


@pytest.mark.parametrize(
    ("reply", "is_about_us"),
    [
        (b"530 5.7.0 Authentication required\r\n", True),
        (b"550 5.7.1 sender not allowed\r\n", True),
        (b"552 5.3.4 too big\r\n", False),
        (b"552 too big\r\n", False),
        (b"550 5.6.7 no such signs\r\n", False),
        (b"451 4.3.0 later\r\n", False),
    ],
)
def test_a_refusal_of_mail_is_about_us_or_about_this_mail(reply: bytes, is_about_us: bool) -> None:
    talk = Conversation(PIPELINING)
    talk.announce(turn("ada"))
    said(talk)
    results = talk.receive(reply + b"503 5.5.1 no\r\n503 5.5.1 no\r\n")
    if is_about_us:
        assert results == []
        assert talk.end is not None
        assert talk.end.kind is TroubleKind.UNWELCOME
    else:
        assert codes(results) == [("ada", int(reply[:3]))]
        assert talk.end is None


def test_data_can_be_refused() -> None:
    talk = Conversation(PIPELINING)
    talk.announce(turn("ada"))
    said(talk)
    assert codes(talk.receive(OK + OK + b"451 4.3.0 no room\r\n")) == [("ada", 451)]


@pytest.mark.parametrize(
    ("replies", "fates"),
    [
        (b"421 4.3.2 bye\r\n", [("ada", Fate.SUSPECT), ("ben", Fate.INNOCENT)]),  # surely not taken
        (OK + b"421 4.3.2 bye\r\n", [("ben", Fate.INNOCENT)]),  # at MAIL: it has had enough of us
        (OK + OK + b"421 4.3.2 bye\r\n", [("ben", Fate.SUSPECT)]),
        (OK + OK + OK + b"421 4.3.2 bye\r\n", [("ben", Fate.SUSPECT)]),
        (OK + OK + OK + b"250 what\r\n", [("ben", Fate.SUSPECT)]),  # that is no answer to DATA
        (b"what?\r\n", [("ada", Fate.IN_DOUBT), ("ben", Fate.INNOCENT)]),
        (b"354 more\r\n", [("ada", Fate.IN_DOUBT), ("ben", Fate.INNOCENT)]),
        (b"999 odd\r\n", [("ada", Fate.IN_DOUBT), ("ben", Fate.INNOCENT)]),
        (OK + b"what?\r\n", [("ben", Fate.SUSPECT)]),
        (OK + b"354 more\r\n", [("ben", Fate.SUSPECT)]),
    ],
)
def test_how_a_conversation_ends_over_its_mails(replies: bytes, fates: list[tuple[str, Fate]]) -> None:
    talk = Conversation(PIPELINING)
    ready(talk, turn("ada"))
    talk.finish(turn("ben"))
    said(talk)
    talk.receive(replies)
    assert talk.end is not None
    assert (talk.end.kind is TroubleKind.BUSY) == (b"421" in replies)
    assert [(mail.email.recipient.partition("@")[0], fate) for mail, fate in talk.lost()] == fates


@pytest.mark.parametrize(
    ("written", "fate"),
    [(0, Fate.BROKEN), (5, Fate.BROKEN), (7, Fate.BROKEN), (8, Fate.IN_DOUBT), (10, Fate.IN_DOUBT)],
)
def test_only_a_mail_whose_dot_was_handed_over_is_in_doubt(written: int, fate: Fate) -> None:
    talk = Conversation(PIPELINING)
    ada, ben = turn("ada"), turn("ben")
    ready(talk, ada)
    talk.finish(ben)
    assert talk.output.startswith(b"Hello\r\n.\r\nMAIL")  # the dot is the eighth byte
    talk.wrote(written)
    assert talk.lost() == [(ada, fate), (ben, Fate.INNOCENT)]


def test_the_dot_is_known_to_be_in_what_is_written() -> None:
    talk = Conversation(PIPELINING)
    ready(talk, turn("ada"))
    talk.finish(turn("ben"))
    assert not talk.holds_dot(7)
    assert talk.holds_dot(8)
    talk.wrote(8)
    assert not talk.holds_dot(len(talk.output))


@pytest.mark.parametrize(
    ("reply", "code", "fates"),
    [
        (b"552 5.3.4 enough\r\n", [("ada", 552)], [Fate.INNOCENT]),
        (b"250 taken already?\r\n", [], [Fate.BROKEN, Fate.INNOCENT]),
        (b"421 4.3.2 bye\r\n", [], [Fate.SUSPECT, Fate.INNOCENT]),
    ],
)
def test_an_answer_in_the_middle_of_a_mail_ends_the_conversation(
    reply: bytes, code: list[tuple[str, int]], fates: list[Fate]
) -> None:
    talk = Conversation(PIPELINING)
    ready(talk, turn("ada"))
    talk.finish(turn("ben"))
    talk.wrote(3)
    assert codes(talk.receive(reply)) == code
    assert talk.end is not None
    assert [fate for _, fate in talk.lost()] == fates


def test_nobody_is_to_blame_when_a_kept_connection_was_dead() -> None:
    talk = Conversation(PIPELINING)
    ada = turn("ada")
    talk.is_proven = False
    talk.announce(ada)
    assert talk.lost() == [(ada, Fate.INNOCENT)]


def test_a_server_that_hangs_up_at_rset_has_nothing_against_the_next_mail() -> None:
    talk = Conversation(PIPELINING)
    talk.announce(turn("cleo"))
    said(talk)
    talk.receive(OK + b"550 5.1.1 no\r\n554 no\r\n")
    ada = turn("ada")
    talk.announce(ada)
    said(talk)
    assert talk.lost() == [(ada, Fate.INNOCENT)]


def test_a_server_that_speaks_unasked_is_left() -> None:
    talk = Conversation(PIPELINING)
    talk.receive(b"421 4.4.2 idle for too long\r\n")
    assert talk.end is not None
    assert talk.lost() == []


@pytest.mark.parametrize("noise", [b"x" * 10_000, b"250-more\r\n" * 300])
def test_a_server_that_never_ends_its_answer_is_left(noise: bytes) -> None:
    talk = Conversation(PIPELINING)
    talk.announce(turn("ada"))
    talk.receive(noise)
    assert talk.end is not None


def test_answers_to_commands_that_have_not_left_are_nonsense() -> None:
    talk = Conversation(PIPELINING)
    talk.announce(turn("ada"))
    talk.receive(OK + OK + GO_ON)
    assert talk.end is not None
    assert not talk.is_ready


def test_mails_can_be_taken_back_until_their_text_has_begun() -> None:
    talk = Conversation(PIPELINING)
    ada, ben = turn("ada"), turn("ben")
    ready(talk, ada)
    talk.finish(ben)
    said(talk)
    assert talk.take_back() == [ben]
    assert codes(talk.receive(OK + OK + OK + GO_ON)) == [("ada", 250)]
    assert talk.end is not None
    assert talk.lost() == []


ANSWERS = st.lists(
    st.sampled_from(
        [
            OK,
            GO_ON,
            b"250-2.0.0 a\r\n250-b\r\n250 c\r\n",
            b"550-5.1.1 no\r\n550 5.1.1 user\r\n",
            b"451 4.7.1 later\r\n",
            b"554 no\r\n",
            b"421 bye\r\n",
            b"250\r\n",
            b"nonsense\r\n",
        ]
    ),
    max_size=12,
)


def course_of(pieces: list[bytes]) -> tuple[list[object], bytes]:
    """Drive a conversation of three mails with what a server says; what became of them, what was said."""
    talk = Conversation(PIPELINING)
    waiting = [turn("ada"), turn("ben"), turn("cleo")]
    words = b""
    log: list[object] = []
    talk.announce(waiting.pop(0))
    words += said(talk)
    for piece in pieces:
        for mail, result in talk.receive(piece):
            log.append((mail.email.recipient, result))
        if talk.end is not None:
            break
        if talk.is_ready:
            talk.finish(waiting.pop(0) if waiting else None)
        elif talk.is_free and waiting:
            talk.announce(waiting.pop(0))
        words += said(talk)
    log.append(talk.end)
    log += [(mail.email.recipient, fate) for mail, fate in talk.lost()]
    return log, words


@given(ANSWERS, st.data())
def test_it_does_not_matter_where_the_network_splits_the_answers(
    answers: list[bytes], data: st.DataObject
) -> None:
    whole = course_of(answers)
    pieces = []
    for answer in answers:
        cut = data.draw(st.integers(0, len(answer)))
        pieces += [answer[:cut], answer[cut:]]
    assert course_of(pieces) == whole
    assert course_of([bytes([byte]) for answer in answers for byte in answer]) == whole


@given(st.binary(max_size=200))
def test_whatever_a_server_says_no_mail_is_lost_or_ends_twice(noise: bytes) -> None:
    talk = Conversation(PIPELINING)
    ada, ben = turn("ada"), turn("ben")
    ready(talk, ada)
    talk.finish(ben)
    said(talk)
    ended = [mail for mail, _ in talk.receive(noise)] + [mail for mail, _ in talk.lost()]
    assert sorted(mail.key for mail in ended) == sorted([ada.key, ben.key])


def test_a_step_names_itself_for_the_reason() -> None:
    assert f"did not answer {Step.DOT.value}" == "did not answer the final dot"
