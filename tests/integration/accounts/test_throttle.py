"""How often somebody may try to get in."""

from __future__ import annotations

import secrets

import pytest

from mailer.accounts.throttle import MOST, Throttle, TooOften, Try
from mailer.embedded.redis import EmbeddedRedis
from mailer.queue import client_url


@pytest.fixture
def throttle(redis: EmbeddedRedis) -> Throttle:
    return Throttle(client_url(redis.broker_url))


@pytest.fixture
def somebody() -> str:
    """Whom no other test has counted."""
    return f"{secrets.token_hex(8)}@example.org"


def used_up(throttle: Throttle, kind: Try, who: str) -> None:
    for _ in range(MOST[kind].amount):
        throttle.take(kind, who)


def test_ten_tries_at_one_login_in_a_quarter_of_an_hour(throttle: Throttle, somebody: str) -> None:
    used_up(throttle, Try.PASSWORD, somebody)
    with pytest.raises(TooOften, match="Wait 15 minutes") as refused:
        throttle.take(Try.PASSWORD, somebody.upper())
    assert 890 <= refused.value.seconds <= 900
    throttle.take(Try.PASSWORD, f"not-{somebody}")
    throttle.take(Try.FACTOR, somebody)


def test_all_web_processes_count_together(redis: EmbeddedRedis, throttle: Throttle, somebody: str) -> None:
    used_up(throttle, Try.PASSWORD, somebody)
    with pytest.raises(TooOften):
        Throttle(client_url(redis.broker_url)).take(Try.PASSWORD, somebody)


def test_a_success_forgets_the_tries_before_it(throttle: Throttle, somebody: str) -> None:
    used_up(throttle, Try.PASSWORD, somebody)
    throttle.forget(Try.PASSWORD, somebody)
    throttle.take(Try.PASSWORD, somebody)


def test_looking_counts_nothing(throttle: Throttle, somebody: str) -> None:
    for _ in range(100):
        throttle.look(Try.NETWORK, somebody)
    used_up(throttle, Try.NETWORK, somebody)
    with pytest.raises(TooOften):
        throttle.look(Try.NETWORK, somebody)


def test_a_household_of_ipv6_is_one_network(throttle: Throttle) -> None:
    home = ":".join(secrets.token_hex(2) for _ in range(2))
    used_up(throttle, Try.NETWORK, f"2001:{home}:0::1")
    with pytest.raises(TooOften):
        throttle.look(Try.NETWORK, f"2001:{home}:0:aaaa:bbbb:cccc:dddd")
    throttle.look(Try.NETWORK, f"2001:{home}:1::1")  # another household


def test_without_redis_each_process_counts_for_itself(somebody: str) -> None:
    alone = Throttle("redis://127.0.0.1:1")
    used_up(alone, Try.PASSWORD, somebody)
    with pytest.raises(TooOften):
        alone.take(Try.PASSWORD, somebody)


def test_redis_learns_no_addresses(redis: EmbeddedRedis, throttle: Throttle, somebody: str) -> None:
    import redis as client

    throttle.take(Try.PASSWORD, somebody)
    throttle.take(Try.NETWORK, "192.0.2.77")
    keys = client.Redis.from_url(client_url(redis.broker_url)).keys("*")
    assert keys
    assert not [key for key in keys if somebody.encode() in key or b"192.0.2" in key]
