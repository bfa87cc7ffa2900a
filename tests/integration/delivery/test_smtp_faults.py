"""A server that hangs up, refuses and closes down anywhere in a conversation: how each mail ends."""

from __future__ import annotations

import random
import threading

import pytest

from mailer.delivery.transports.base import Answered, Cut, NotSent, Result, TroubleKind
from tests.support.scripted_smtp import CUT, LOST, SILENCE, ScriptedSmtp
from tests.support.smtp_feed import ADA, BEN, CLEO, Feed, MakePool, kind, nobody_has_it_twice, readers

FAULTS = [
    ("MAIL", CUT),
    ("MAIL", "451 4.3.0 later"),
    ("MAIL", "421 4.7.0 enough"),
    ("RCPT", CUT),
    ("RCPT", "550 5.1.1 no such user"),
    ("RCPT", "421 4.7.0 enough"),
    ("RCPT", "2x0 what"),
    ("DATA", CUT),
    ("DATA", "451-4.3.0 no\n451 room"),
    ("BODY", CUT),
    ("BODY", "552 5.3.4 too big"),
    ("DOT", CUT),
    ("DOT", LOST),
    ("DOT", "554 5.7.1 no"),
    ("DOT", "421 4.7.0 enough"),
    ("RSET", CUT),
]


@pytest.mark.parametrize("seed", range(4))
def test_whatever_goes_wrong_no_mail_is_lost_or_silently_sent_twice(
    any_server: ScriptedSmtp, make_pool: MakePool, seed: int
) -> None:
    chance = random.Random(seed)
    any_server.is_lenient = chance.random() < 0.5
    any_server.most_mails = 40
    for recipient in readers(400):
        if chance.random() < 0.15:
            verb, reply = chance.choice(FAULTS)
            where = any_server.replies.setdefault(verb, []) if verb in ("MAIL", "RSET") else None
            if where is None:
                any_server.about[verb, recipient] = [reply] * chance.choice([1, 1, 3])
            else:
                where += ["250 ok"] * chance.randrange(20) + [reply]
    pool = make_pool(conversations=4)
    left, results = readers(400), dict[str, Result]()
    for _ in range(100):
        feed = Feed(*left)
        trouble = pool.send_all(feed)
        assert len(feed.results) == feed.given
        assert trouble is not None or feed.given == len(left)
        results |= {to: result for to, result in feed.results.items() if not isinstance(result, NotSent)}
        left = [recipient for recipient in left if recipient not in results]
        if not left:
            break
    assert not left
    assert nobody_has_it_twice(any_server)
    has_it = set(any_server.recipients)
    for recipient, result in results.items():
        if not isinstance(result, Cut):
            assert (kind(result) == "taken") == (recipient in has_it)


# Where the server hangs up once, and how the two mails end that are on their way over one conversation.
CUTS = [
    ("GREETING", CUT, "unreachable"),
    ("EHLO", CUT, "unreachable"),
    ("MAIL", CUT, {"ada": "taken", "ben": "taken"}),
    ("RCPT", CUT, {"ada": "taken", "ben": "taken"}),
    ("DATA", CUT, {"ada": "taken", "ben": "taken"}),
    ("BODY", CUT, {"ada": "cut", "ben": "taken"}),
    ("DOT", CUT, {"ada": "cut", "ben": "taken"}),
    ("DOT", LOST, {"ada": "cut", "ben": "taken"}),
]


@pytest.mark.parametrize("conversations", [1, 3])
@pytest.mark.parametrize(("verb", "how", "expected"), CUTS)
def test_a_conversation_cut_once_loses_nothing(
    any_server: ScriptedSmtp,
    make_pool: MakePool,
    verb: str,
    how: str,
    expected: str | dict[str, str],
    conversations: int,
) -> None:
    if verb == "EHLO" and not any_server.speaks_esmtp:
        verb = "HELO"
    any_server.replies[verb] = [how]
    feed = Feed(ADA, BEN)
    trouble = make_pool(conversations=conversations).send_all(feed)
    if isinstance(expected, str):
        assert trouble is not None
        assert trouble.kind == expected
        assert feed.kinds() == {"ada": "not sent"}
        return
    assert trouble is None
    assert sorted(feed.kinds().values()) == sorted(expected.values())
    assert nobody_has_it_twice(any_server)
    for recipient, result in feed.results.items():
        assert recipient in any_server.recipients or isinstance(result, Cut)


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA", "DOT"])
@pytest.mark.parametrize("reply", [CUT, "421 4.3.2 closing down", "what?", "354-go\n354 on", "299"])
def test_after_good_mails_a_broken_conversation_touches_no_other_mail(
    any_server: ScriptedSmtp, make_pool: MakePool, verb: str, reply: str
) -> None:
    any_server.about[verb, readers(9)[5]] = [reply]
    if verb == "MAIL":  # no recipient is known then
        any_server.replies["MAIL"] = ["250 ok"] * 5 + [reply]
    feed = Feed(*readers(9))
    assert make_pool(conversations=1).send_all(feed) is None
    kinds = feed.kinds()
    was_fine = reply == "299" and verb != "DATA"
    answers_data = reply.startswith("354") and verb == "DATA"
    in_doubt = verb == "DOT" and reply in (CUT, "what?", "354-go\n354 on")
    assert kinds.pop("reader5") == ("cut" if in_doubt else "taken")
    assert set(kinds.values()) == {"taken"}
    assert nobody_has_it_twice(any_server)
    assert any_server.connections == (1 if was_fine or answers_data else 2)


@pytest.mark.parametrize("verb", ["RCPT", "DATA"])
def test_a_mail_that_breaks_every_conversation_is_held_back_and_the_others_leave(
    any_server: ScriptedSmtp, make_pool: MakePool, verb: str
) -> None:
    any_server.about[verb, CLEO] = [CUT] * 5
    feed = Feed(*readers(5), CLEO, *readers(12)[5:])
    assert make_pool(conversations=2).send_all(feed) is None
    kinds = feed.kinds()
    assert kinds.pop("cleo") == "broke"
    assert set(kinds.values()) == {"taken"}
    assert nobody_has_it_twice(any_server)


def test_a_mail_that_is_told_421_twice_is_refused_for_now_and_the_others_leave(
    server: ScriptedSmtp, make_pool: MakePool
) -> None:
    server.about["RCPT", CLEO] = ["421 4.7.1 later"] * 5
    server.delays["DOT"] = 0.02
    feed = Feed(*readers(8), CLEO, *readers(20)[8:])
    assert make_pool(conversations=3).send_all(feed) is None
    result = feed.results[CLEO]
    assert isinstance(result, Answered)
    assert (result.reply.code, result.reply.is_taken) == (421, False)
    assert feed.count() == {"taken": 20, "refused": 1}


def test_two_broken_conversations_in_a_row_are_the_servers_trouble(
    any_server: ScriptedSmtp, make_pool: MakePool
) -> None:
    any_server.replies["DOT"] = [CUT] * 20
    feed = Feed(*readers(20))
    trouble = make_pool(conversations=1).send_all(feed)
    assert trouble is not None
    assert trouble.kind is TroubleKind.UNREACHABLE
    assert feed.count()["cut"] == 2
    assert len(feed.results) == feed.given < 20
    assert len(any_server.recipients) == 2


def test_at_most_one_mail_of_each_conversation_is_in_doubt_when_a_server_dies(
    server: ScriptedSmtp, make_pool: MakePool
) -> None:
    server.replies["DOT"] = ["250 taken"] * 8 + [SILENCE] * 40
    threading.Timer(1.0, server.hang_up).start()
    feed = Feed(*readers(60))
    trouble = make_pool(conversations=4).send_all(feed)
    assert trouble is not None
    assert trouble.kind is TroubleKind.UNREACHABLE
    assert feed.count()["cut"] == 4
    assert feed.count()["taken"] == 8
    assert set(feed.count()) <= {"cut", "taken", "not sent"}
    assert len(feed.results) == feed.given


@pytest.mark.parametrize(
    ("verb", "reply", "code"),
    [
        ("MAIL", "451 4.3.0 later", 451),
        ("MAIL", "552-5.3.4 too\n552 5.3.4 big", 552),
        ("RCPT", "550 5.1.1 no such user", 550),
        ("RCPT", "451 4.7.1 greylisted", 451),
        ("DATA", "451 4.3.0 no room", 451),
        ("DOT", "554 5.7.1 spam", 554),
        ("DOT", "452 4.3.1 no room", 452),
    ],
)
@pytest.mark.parametrize("is_lenient", [False, True], ids=["strict", "lenient"])
def test_a_refusal_touches_no_other_mail(
    any_server: ScriptedSmtp, make_pool: MakePool, verb: str, reply: str, code: int, is_lenient: bool
) -> None:
    any_server.is_lenient = is_lenient
    any_server.about[verb, BEN] = [reply]
    if verb == "MAIL":
        any_server.replies["MAIL"] = ["250 ok", reply]
    feed = Feed(ADA, BEN, CLEO)
    assert make_pool(conversations=1).send_all(feed) is None
    assert feed.kinds() == {"ada": "taken", "ben": "refused", "cleo": "taken"}
    result = feed.results[BEN]
    assert isinstance(result, Answered)
    assert (result.reply.code, result.reply.at_recipient, result.reply.is_final) == (
        code,
        verb == "RCPT",
        verb == "DOT",
    )
    assert any_server.connections == 1
    assert any_server.recipients == [ADA, CLEO]


def test_many_refused_mails_stay_in_step_with_their_answers(
    any_server: ScriptedSmtp, make_pool: MakePool
) -> None:
    any_server.is_lenient = True
    refused = readers(60)[::3]
    for recipient in refused:
        any_server.about["RCPT", recipient] = ["550 5.1.1 no"]
    feed = Feed(*readers(60))
    assert make_pool(conversations=3).send_all(feed) is None
    assert {to for to, result in feed.results.items() if kind(result) == "refused"} == set(refused)
    assert sorted(any_server.recipients) == sorted(set(readers(60)) - set(refused))


def test_a_server_that_hangs_up_after_a_refusal_has_refused(
    any_server: ScriptedSmtp, make_pool: MakePool
) -> None:
    any_server.replies = {"RCPT": ["550 5.1.1 no such user"], "RSET": [CUT]}
    feed = Feed(CLEO, ADA, BEN)
    assert make_pool(conversations=1).send_all(feed) is None
    assert feed.kinds() == {"cleo": "refused", "ada": "taken", "ben": "taken"}


@pytest.mark.parametrize("reply", ["530 5.7.0 Authentication required", "550 5.7.1 sender not allowed"])
def test_a_refusal_of_us_stops_everything_and_costs_no_mail(
    any_server: ScriptedSmtp, make_pool: MakePool, reply: str
) -> None:
    any_server.replies["MAIL"] = ["250 ok", "250 ok", reply]
    feed = Feed(*readers(20))
    trouble = make_pool(conversations=1).send_all(feed)
    assert trouble is not None
    assert trouble.kind is TroubleKind.UNWELCOME
    assert reply in trouble.reason
    assert feed.count() == {"taken": 2, "not sent": 1}


@pytest.mark.parametrize(
    ("greeting", "expected"),
    [
        ("421 4.3.2 closing down", TroubleKind.BUSY),
        ("450 4.7.1 later", TroubleKind.BUSY),
        ("554 5.7.1 not you", TroubleKind.UNWELCOME),
        ("hello", TroubleKind.UNREACHABLE),
        (CUT, TroubleKind.UNREACHABLE),
    ],
)
def test_a_greeting_that_is_no_welcome(
    server: ScriptedSmtp, make_pool: MakePool, greeting: str, expected: TroubleKind
) -> None:
    server.replies["GREETING"] = [greeting]
    feed = Feed(*readers(9))
    trouble = make_pool().send_all(feed)
    assert trouble is not None
    assert trouble.kind is expected
    assert feed.count() == {"not sent": 1}
    assert server.connections == 1  # it was tried alone before others were opened


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA", "DOT"])
def test_a_server_that_closes_down_costs_no_mail(
    any_server: ScriptedSmtp, make_pool: MakePool, verb: str
) -> None:
    any_server.replies[verb] = ["421 4.3.2 closing down"]
    feed = Feed(ADA, BEN)
    trouble = make_pool(conversations=1).send_all(feed)
    assert trouble is not None
    assert trouble.kind is TroubleKind.BUSY
    assert "421 4.3.2 closing down" in trouble.reason
    assert set(feed.kinds().values()) == {"not sent"}
    assert any_server.recipients == []
