"""Several conversations with a real SMTP server: how many, how long, and what is kept."""

from __future__ import annotations

import os
import socket
import time

import pytest

from mailer.delivery.transports.base import Answered, Email, Result, Trouble, TroubleKind
from mailer.delivery.transports.connect import Timeouts
from mailer.delivery.transports.server import SmtpServer
from mailer.delivery.transports.smtp_pool import SmtpPool, send_one
from tests.support.scripted_smtp import CUT, SILENCE, ScriptedSmtp
from tests.support.smtp_feed import ADA, BEN, CLEO, TEXT, Feed, MakePool, nobody_has_it_twice, readers

IMPATIENT = Timeouts(connect=2, greeting=1, command=1, data_start=1, data_block=1, final_dot=1)


def test_every_mail_arrives_once_and_as_it_was(any_server: ScriptedSmtp, make_pool: MakePool) -> None:
    feed = Feed(*readers(50))
    assert make_pool().send_all(feed) is None
    assert feed.count() == {"taken": 50}
    assert sorted(any_server.recipients) == sorted(readers(50))
    assert set(any_server.contents) == {TEXT}
    assert set(feed.dots.values()) == {1}


@pytest.mark.parametrize("conversations", [1, 4])
def test_mails_are_made_as_late_as_can_be(
    any_server: ScriptedSmtp, make_pool: MakePool, conversations: int
) -> None:
    feed = Feed(*readers(30))
    make_pool(conversations=conversations).send_all(feed)
    # In each conversation one whose dot has left, and one that is announced.
    assert feed.most_in_hand <= 2 * conversations


def test_one_mail_opens_one_connection_and_the_next_call_uses_it(
    server: ScriptedSmtp, make_pool: MakePool
) -> None:
    pool = make_pool()
    for recipient in (ADA, BEN, CLEO):
        assert pool.send_all(Feed(recipient)) is None
    assert server.connections == 1


def test_a_slow_server_gets_all_the_conversations_that_it_may_have(
    server: ScriptedSmtp, make_pool: MakePool
) -> None:
    server.delays["DOT"] = 0.1
    feed = Feed(*readers(32))
    assert make_pool(conversations=8).send_all(feed) is None
    assert feed.count() == {"taken": 32}
    assert len(server.mails_by_connection) == 8


def test_a_server_that_allows_two_connections_is_used_with_two(
    server: ScriptedSmtp, make_pool: MakePool
) -> None:
    server.most_at_once = 2
    server.delays["DOT"] = 0.02
    feed = Feed(*readers(40))
    assert make_pool(conversations=6).send_all(feed) is None
    assert feed.count() == {"taken": 40}
    assert len(server.mails_by_connection) == 2
    assert server.connections <= 6


def test_a_connection_is_exchanged_after_so_many_mails(any_server: ScriptedSmtp, make_pool: MakePool) -> None:
    feed = Feed(*readers(50))
    assert make_pool(conversations=2, mails_per_connection=7).send_all(feed) is None
    assert feed.count() == {"taken": 50}
    assert max(any_server.mails_by_connection.values()) == 7


@pytest.mark.parametrize("conversations", [1, 5])
def test_a_server_that_has_enough_after_three_mails_gets_new_connections(
    any_server: ScriptedSmtp, make_pool: MakePool, conversations: int
) -> None:
    any_server.most_mails = 3
    feed = Feed(*readers(45))
    assert make_pool(conversations=conversations).send_all(feed) is None
    assert feed.count() == {"taken": 45}
    assert nobody_has_it_twice(any_server)


def test_connections_that_never_come_about_hold_nothing_up(server: ScriptedSmtp, make_pool: MakePool) -> None:
    server.replies["GREETING"] = ["220 hello", SILENCE, SILENCE]
    pool = make_pool(conversations=3, timeouts=Timeouts(greeting=10))
    began = time.monotonic()
    for _ in range(2):
        feed = Feed(*readers(30))
        assert pool.send_all(feed) is None
        assert feed.count() == {"taken": 30}
    assert time.monotonic() - began < 8
    assert len(server.mails_by_connection) == 1


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    pool = SmtpPool(SmtpServer.from_url(f"smtp://127.0.0.1:{port}"))
    email = Email("a@steadypost.example", ADA, TEXT)
    trouble = send_one(pool, email)
    assert isinstance(trouble, Trouble)
    assert trouble.kind is TroubleKind.UNREACHABLE
    pool.close()


def test_kept_connections_that_died_meanwhile_lose_no_mail(
    any_server: ScriptedSmtp, make_pool: MakePool
) -> None:
    any_server.delays["DOT"] = 0.03
    pool = make_pool(conversations=4)
    assert pool.send_all(Feed(*readers(12))) is None
    before = any_server.connections
    any_server.hang_up()
    time.sleep(0.05)
    feed = Feed(ADA, BEN, CLEO)
    assert pool.send_all(feed) is None
    assert feed.count() == {"taken": 3}
    assert any_server.connections > before
    assert nobody_has_it_twice(any_server)


def test_a_server_that_hangs_up_on_a_kept_connection_as_the_mail_comes(
    server: ScriptedSmtp, make_pool: MakePool
) -> None:
    pool = make_pool(conversations=1)
    assert pool.send_all(Feed(ADA)) is None
    server.replies["MAIL"] = [CUT, CUT]  # the kept one, and even the first new one
    feed = Feed(BEN)
    assert pool.send_all(feed) is None
    assert feed.kinds() == {"ben": "taken"}
    assert server.connections == 3


def test_a_kept_connection_that_was_idle_for_long_is_replaced(
    server: ScriptedSmtp, make_pool: MakePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = make_pool()
    assert pool.send_all(Feed(ADA)) is None
    monkeypatch.setattr("mailer.delivery.transports.smtp_pool.STALE_AFTER_SECONDS", 0.05)
    time.sleep(0.1)
    assert pool.send_all(Feed(BEN)) is None
    assert server.connections == 2


@pytest.mark.parametrize(
    ("verb", "expected"),
    [
        ("GREETING", TroubleKind.UNREACHABLE),
        ("EHLO", TroubleKind.UNREACHABLE),
        ("MAIL", {"ada": "taken"}),
        ("RCPT", {"ada": "taken"}),
        ("DATA", {"ada": "taken"}),
        ("DOT", {"ada": "cut"}),
    ],
)
def test_each_phase_has_its_time_limit(
    server: ScriptedSmtp, make_pool: MakePool, verb: str, expected: TroubleKind | dict[str, str]
) -> None:
    server.replies[verb] = [SILENCE]
    feed = Feed(ADA)
    began = time.monotonic()
    trouble = make_pool(timeouts=IMPATIENT).send_all(feed)
    assert 0.9 < time.monotonic() - began < 15  # a second or two; others may have the processor
    if isinstance(expected, TroubleKind):
        assert trouble is not None
        assert trouble.kind is expected
    else:
        assert feed.kinds() == expected
        assert nobody_has_it_twice(server)


def test_a_server_that_takes_no_more_of_a_long_mail_has_not_got_it(
    server: ScriptedSmtp, make_pool: MakePool
) -> None:
    server.replies["BODY"] = [SILENCE]
    text = b"Subject: long\r\n\r\n" + b"x" * 70 + b"\r\n"
    feed = Feed(ADA, text=text * 100_000)  # nine megabytes fill every buffer
    make_pool(timeouts=IMPATIENT).send_all(feed)
    assert feed.kinds() == {"ada": "broke"}
    assert feed.dots[ADA] == 0


def test_a_long_mail_arrives_whole_while_the_feed_is_tended(
    any_server: ScriptedSmtp, make_pool: MakePool
) -> None:
    text = b"Subject: long\r\n\r\n" + b"." * 70 + b"\r\n" + (b"y" * 70 + b"\r\n") * 100_000
    any_server.delays["DOT"] = 1.2
    feed = Feed(ADA, text=text)
    assert make_pool().send_all(feed) is None
    assert any_server.contents == [text]
    assert feed.dots[ADA] >= 1
    gaps = [later - earlier for earlier, later in zip(feed.tended, feed.tended[1:], strict=False)]
    assert len(feed.tended) >= 3
    assert max(gaps) < 1.0  # half a second, and as much for a busy machine


def test_a_server_that_has_heard_enough_of_a_long_mail_has_refused_it(
    server: ScriptedSmtp, make_pool: MakePool
) -> None:
    server.replies["BODY"] = ["552 5.3.4 that is enough"]
    feed = Feed(ADA, text=(b"y" * 70 + b"\r\n") * 100_000)
    assert make_pool().send_all(feed) is None
    assert feed.kinds()["ada"] in ("refused", "broke")  # a reset connection may take its last words along


def test_a_mail_that_must_not_leave_any_more_is_stopped_before_its_dot(
    any_server: ScriptedSmtp, make_pool: MakePool
) -> None:
    feed = Feed(*readers(6))
    feed.withheld = {readers(6)[2]}
    assert make_pool(conversations=1).send_all(feed) is None
    assert feed.kinds().pop("reader2") == "not sent"
    assert feed.count() == {"taken": 5, "not sent": 1}
    assert readers(6)[2] not in any_server.recipients


class DatabaseGone(Exception):
    """The feed cannot record anything any more."""


def test_an_error_of_the_feed_hangs_up_what_is_in_the_middle_and_keeps_the_rest(
    server: ScriptedSmtp, make_pool: MakePool
) -> None:
    pool = make_pool(conversations=3)
    server.delays["DOT"] = 0.03
    assert pool.send_all(Feed(*readers(9))) is None
    assert server.connections == 3

    class Failing(Feed):
        def done(self, key: int, result: Result) -> None:
            raise DatabaseGone

    with pytest.raises(DatabaseGone):
        pool.send_all(Failing(ADA, BEN))
    time.sleep(0.1)
    feed = Feed(*readers(30)[9:])
    assert pool.send_all(feed) is None
    assert feed.count() == {"taken": 21}
    assert server.connections <= 5  # one was idle, and was kept
    assert nobody_has_it_twice(server)


def test_a_child_process_leaves_its_parents_connections_alone(
    server: ScriptedSmtp, make_pool: MakePool
) -> None:
    pool = make_pool(conversations=1)
    assert pool.send_all(Feed(ADA)) is None
    child = os.fork()
    if child == 0:
        feed = Feed(BEN)
        trouble = pool.send_all(feed)
        pool.close()
        os._exit(0 if trouble is None and feed.kinds() == {"ben": "taken"} else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert pool.send_all(Feed(CLEO)) is None
    assert server.connections == 2
    assert server.mails_by_connection == {1: 2, 2: 1}


def test_addresses_beyond_ascii_are_sent_or_refused_as_the_server_can(
    any_server: ScriptedSmtp, make_pool: MakePool
) -> None:
    feed = Feed("jürgen@bücher.example", "ada@bücher.example")
    assert make_pool().send_all(feed) is None
    can = "SMTPUTF8" in any_server.extensions
    assert feed.kinds() == {"jürgen": "taken" if can else "refused", "ada": "taken"}
    assert "ada@xn--bcher-kva.example" in any_server.recipients


def test_a_mail_over_the_servers_size_is_refused_without_asking(
    server: ScriptedSmtp, make_pool: MakePool
) -> None:
    server.extensions = ["PIPELINING", "SIZE 100"]
    feed = Feed(ADA, text=b"x" * 101)
    assert make_pool().send_all(feed) is None
    result = feed.results[ADA]
    assert isinstance(result, Answered)
    assert (result.reply.code, result.reply.enhanced) == (552, "5.3.4")
    assert not any(command.startswith("MAIL") for command in server.commands)


def test_one_mail_alone_gets_its_result(server: ScriptedSmtp, make_pool: MakePool) -> None:
    pool = make_pool()
    email = Email("a@steadypost.example", ADA, TEXT)
    result = send_one(pool, email)
    assert isinstance(result, Answered)
    assert result.reply.is_taken
    server.replies["RCPT"] = ["550 5.1.1 no such user"]
    refused = send_one(pool, email)
    assert isinstance(refused, Answered)
    assert refused.reply.code == 550


def test_a_closed_pool_says_goodbye_and_opens_again_when_needed(
    server: ScriptedSmtp, make_pool: MakePool
) -> None:
    pool = make_pool()
    pool.send_all(Feed(ADA))
    pool.close()
    time.sleep(0.05)
    assert server.commands[-1] == "QUIT"
    assert pool.send_all(Feed(BEN)) is None
