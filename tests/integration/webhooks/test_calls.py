"""What webhooks are told, how it is signed, and what happens when nobody takes it."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, func, select, update

from mailer.db import session_scope
from mailer.errors import Refused
from mailer.feedback.record import leave
from mailer.fetch import CannotFetch, Fetcher
from mailer.models import CallState, Enrollment, Subscriber, Webhook, WebhookCall, WebhookKind
from mailer.sealing import Seal
from mailer.webhooks import endpoints
from mailer.webhooks.send import WAITS, drop_old, send_due, take_due
from mailer.webhooks.signature import headers_of, new_secret
from tests.support.house import House
from tests.support.listener import Listener, listening

SEAL = Seal(["a secret for sealing what rests, long enough"])
FETCHER = Fetcher(allow=["127.0.0.1"])
ALL = tuple(endpoints.CHOICES)


@pytest.fixture
def listener() -> Iterator[Listener]:
    with listening() as server:
        yield server


@dataclass
class Hook:
    """A webhook of the house."""

    house: House
    id: int
    secret: str

    def send(self) -> int:
        """What the workers' task does."""
        return send_due(self.house.sessions, SEAL, FETCHER)

    def hurry(self) -> None:
        """As if the wait before the next attempt were over."""
        with session_scope(self.house.sessions) as session:
            session.execute(update(WebhookCall).values(due_at=func.clock_timestamp()))

    def calls(self) -> list[tuple[str, int, int | None]]:
        """State, attempts and the last status of each call."""
        with session_scope(self.house.sessions) as session:
            rows = session.execute(
                select(WebhookCall.state, WebhookCall.attempts, WebhookCall.status).order_by(WebhookCall.id)
            )
            return [(row.state, row.attempts, row.status) for row in rows]

    def test(self) -> None:
        """Have it sent a test."""
        with session_scope(self.house.sessions) as session:
            endpoints.send_test(session, session.get_one(Webhook, self.id), self.house.at)


@pytest.fixture
def hook(house: House, listener: Listener) -> Hook:
    with session_scope(house.sessions) as session:
        now = session.execute(select(func.clock_timestamp())).scalar_one()
        webhook, secret = endpoints.add_webhook(session, SEAL, "shop", listener.url, ALL, now)
        return Hook(house, webhook.id, secret)


def test_somebody_who_leaves_is_told_once_with_their_address(hook: Hook, listener: Listener) -> None:
    ada = hook.house.enroll("ada@example.org")
    for _ in range(2):  # leaving twice is leaving once
        with session_scope(hook.house.sessions) as session:
            leave(session, ada, None, source="link", now=hook.house.at)
    assert hook.send() == 1
    assert listener.told == [
        {
            "type": "subscriber.unsubscribed",
            "timestamp": hook.house.at.isoformat(),
            "data": {"subscriber_id": ada, "email": "ada@example.org", "everything": True},
        }
    ]
    assert hook.send() == 0


def test_who_has_had_the_last_step_has_finished_the_course(hook: Hook, listener: Listener) -> None:
    hook.house.enroll("ada@example.org")
    eight = hook.house.at.replace(hour=8)
    for day in range(1, 10):
        hook.house.go_to(eight + timedelta(days=day))
        hook.house.send()
    hook.send()
    assert [(told["type"], told["data"]["course"]) for told in listener.told] == [("course.finished", "calm")]


def test_nothing_is_kept_where_nobody_listens(hook: Hook) -> None:
    with session_scope(hook.house.sessions) as session:
        session.execute(update(Webhook).values(kinds=[WebhookKind.BOUNCED]))
    ada = hook.house.enroll("ada@example.org")
    with session_scope(hook.house.sessions) as session:
        leave(session, ada, None, source="link", now=hook.house.at)
    assert hook.calls() == []


def test_a_call_is_signed_as_the_specification_says(hook: Hook, listener: Listener) -> None:
    hook.test()
    hook.send()
    headers, body = listener.heard[0]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(hook.secret.removeprefix("whsec_"))
    mac = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    assert headers["webhook-signature"] == f"v1,{mac}"
    assert headers["content-type"] == "application/json"


def test_a_signature_worked_by_hand() -> None:
    """The example of the Standard Webhooks reference: id, moment, body and secret give this signature."""
    now = datetime.fromtimestamp(1614265330, UTC)
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    headers = headers_of("msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}', [secret], now)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_for_a_day_after_a_change_both_secrets_sign(hook: Hook, listener: Listener) -> None:
    with session_scope(hook.house.sessions) as session:
        now = session.execute(select(func.clock_timestamp())).scalar_one()
        endpoints.change_secret(session, SEAL, session.get_one(Webhook, hook.id), now)
    hook.test()
    hook.send()
    with session_scope(hook.house.sessions) as session:
        session.execute(update(Webhook).values(old_until=func.clock_timestamp()))
    hook.test()
    hook.send()
    assert [len(headers["webhook-signature"].split()) for headers, _ in listener.heard] == [2, 1]


def test_what_is_not_taken_is_sent_again_with_the_same_id_and_then_given_up(
    hook: Hook, listener: Listener
) -> None:
    listener.status = 500
    hook.test()
    for _ in range(len(WAITS) + 3):
        hook.send()
        hook.hurry()
    assert hook.calls() == [(CallState.GIVEN_UP, 1 + len(WAITS), 500)]
    assert len({headers["webhook-id"] for headers, _ in listener.heard}) == 1
    assert len(listener.heard) == 1 + len(WAITS)


def test_it_waits_between_attempts(hook: Hook, listener: Listener) -> None:
    listener.status = 503
    hook.test()
    assert (hook.send(), hook.send()) == (1, 0)
    listener.status = 200
    hook.hurry()
    hook.send()
    assert hook.calls() == [(CallState.DELIVERED, 2, 200)]


def test_a_redirect_is_not_followed(hook: Hook, listener: Listener) -> None:
    listener.status = 302
    hook.test()
    hook.send()
    assert hook.calls() == [(CallState.WAITING, 1, 302)]


def test_one_that_is_gone_is_paused(hook: Hook, listener: Listener) -> None:
    listener.status = 410
    hook.test()
    hook.send()
    with session_scope(hook.house.sessions) as session:
        assert "410" in session.get_one(Webhook, hook.id).paused_reason


def test_a_worker_that_is_lost_leaves_its_calls_to_another(hook: Hook, listener: Listener) -> None:
    hook.test()
    with session_scope(hook.house.sessions) as session:
        assert len(take_due(session, SEAL)) == 1  # and then it is killed
    assert hook.send() == 0  # within its lease
    hook.hurry()
    assert hook.send() == 1
    assert hook.calls() == [(CallState.DELIVERED, 2, 204)]


def test_who_is_erased_is_told_of_no_more(hook: Hook) -> None:
    ada = hook.house.enroll("ada@example.org")
    with session_scope(hook.house.sessions) as session:
        leave(session, ada, None, source="link", now=hook.house.at)
    with session_scope(hook.house.sessions) as session:
        session.execute(delete(Enrollment))
        session.execute(delete(Subscriber).where(Subscriber.id == ada))
    assert hook.calls() == []


def test_old_calls_are_forgotten(hook: Hook) -> None:
    hook.test()
    hook.send()
    hook.test()
    with session_scope(hook.house.sessions) as session:
        session.execute(update(WebhookCall).values(created_at=func.clock_timestamp() - timedelta(days=31)))
        assert drop_old(session) == 1  # the one that waits stays
    assert [state for state, *_ in hook.calls()] == [CallState.WAITING]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://example.org/hook", "Write https://"),
        ("ftp://example.org/", "does not begin with http"),
        ("https://me:secret@example.org/", "name or password"),
        ("nonsense", "does not begin with http"),
    ],
)
def test_addresses_that_are_not_told_anything(house: House, url: str, words: str) -> None:
    with session_scope(house.sessions) as session, pytest.raises((Refused, CannotFetch), match=words):
        endpoints.add_webhook(session, SEAL, "shop", url, ALL, house.at)


def test_secrets_are_long_and_never_twice() -> None:
    assert len({new_secret() for _ in range(50)}) == 50
    assert len(base64.b64decode(new_secret().removeprefix("whsec_"))) == 32


def test_a_webhook_that_is_paused_is_sent_nothing_and_keeps_what_waits_no_longer_than_all_else(
    hook: Hook,
) -> None:
    hook.test()
    with session_scope(hook.house.sessions) as session:
        session.get_one(Webhook, hook.id).paused_at = hook.house.at
        call_id = session.execute(select(WebhookCall.id)).scalar_one()
    with session_scope(hook.house.sessions) as session:
        webhook = session.get_one(Webhook, hook.id)
        with pytest.raises(Refused, match="is paused"):
            endpoints.send_test(session, webhook, hook.house.at)
        with pytest.raises(Refused, match="is paused"):
            endpoints.send_again(session, webhook, call_id)
        assert drop_old(session) == 0
        session.execute(update(WebhookCall).values(created_at=func.clock_timestamp() - timedelta(days=31)))
        assert drop_old(session) == 1
