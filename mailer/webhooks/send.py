"""Sending what webhooks are to be told: each call until it is taken, for about three days."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from mailer.db import Sessions, clock_now, session_scope
from mailer.errors import MailerError
from mailer.fetch import Fetcher
from mailer.models import CallState, Webhook, WebhookCall
from mailer.sealing import Seal
from mailer.webhooks.signature import headers_of

AT_ONCE = 50
LEASE = timedelta(minutes=2)
"""After which a call that a lost worker had is sent again, with the same id."""

WAITS = tuple(
    timedelta(seconds=seconds) for seconds in (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
)
"""From attempt to attempt, as Standard Webhooks proposes under "Deliverability and reliability"."""

GONE = 410
SICK_AFTER = timedelta(days=5)
KEPT = timedelta(days=30)


@dataclass(frozen=True)
class Call:
    """A call on its way, with what it is sent with."""

    id: int
    webhook_id: int
    url: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """What came back: a status, or why there is none."""

    status: int | None
    reason: str
    seconds: float

    @property
    def is_taken(self) -> bool:
        """Whether the receiver has it: 2xx."""
        return self.status is not None and 200 <= self.status < 300


def send_due(sessions: Sessions, seal: Seal, fetcher: Fetcher) -> int:
    """Send what is due, AT_ONCE calls at most; returns how many. No session is held meanwhile."""
    with session_scope(sessions) as session:
        calls = take_due(session, seal)
    if not calls:
        return 0
    answers = asyncio.run(_ask_all(fetcher, calls))
    with session_scope(sessions) as session:
        for call, answer in zip(calls, answers, strict=True):
            settle(session, call.id, answer)
    return len(calls)


def take_due(session: Session, seal: Seal) -> list[Call]:
    """Take calls that are due for LEASE: another worker passes over them."""
    now = clock_now(session)
    rows = session.execute(
        select(WebhookCall, Webhook)
        .join(Webhook, Webhook.id == WebhookCall.webhook_id)
        .where(WebhookCall.state == CallState.WAITING, WebhookCall.due_at <= now, Webhook.paused_at.is_(None))
        .order_by(WebhookCall.due_at)
        .limit(AT_ONCE)
        .with_for_update(of=WebhookCall, skip_locked=True)
    ).all()
    calls = []
    for call, webhook in rows:
        call.due_at, call.attempts = now + LEASE, call.attempts + 1
        calls.append(_written(call, webhook, seal, now))
    session.flush()
    return calls


def _written(call: WebhookCall, webhook: Webhook, seal: Seal, now: datetime) -> Call:
    told = {"type": call.kind, "timestamp": call.at.isoformat(), "data": call.body}
    body = json.dumps(told, ensure_ascii=False).encode()
    keys = [seal.open(webhook.sealed_secret, f"The secret of the webhook {webhook.name}")]
    if webhook.sealed_old and webhook.old_until is not None and webhook.old_until > now:
        keys.append(seal.open(webhook.sealed_old, f"The old secret of the webhook {webhook.name}"))
    headers = headers_of(f"msg_{call.call_id.hex}", body, keys, now)
    return Call(call.id, webhook.id, webhook.url, {"content-type": "application/json", **headers}, body)


async def _ask_all(fetcher: Fetcher, calls: Sequence[Call]) -> list[Answer]:
    return list(await asyncio.gather(*(_ask(fetcher, call) for call in calls)))


async def _ask(fetcher: Fetcher, call: Call) -> Answer:
    try:
        got = await fetcher.post(call.url, call.body, call.headers)
    except MailerError as error:
        return Answer(None, str(error)[:300], 0.0)
    reason = "" if 200 <= got.status < 300 else f"it answered {got.status}"
    return Answer(got.status, reason, got.seconds)


def settle(session: Session, call_id: int, answer: Answer) -> None:
    """Write what came back; a call that was not taken is due again, or given up after the last attempt."""
    call = session.get(WebhookCall, call_id, with_for_update=True)
    if call is None or call.state != CallState.WAITING:
        return
    now = clock_now(session)
    call.status, call.reason, call.milliseconds = answer.status, answer.reason, round(answer.seconds * 1000)
    if answer.is_taken:
        call.state, call.settled_at = CallState.DELIVERED, now
        session.execute(update(Webhook).where(Webhook.id == call.webhook_id).values(good_at=now))
        return
    if answer.status == GONE:
        call.state, call.settled_at = CallState.GIVEN_UP, now
        _pause(session, call.webhook_id, now, "it answered 410: it wants no calls any more")
        return
    if call.attempts > len(WAITS):
        call.state, call.settled_at = CallState.GIVEN_UP, now
        _pause_the_sick(session, call.webhook_id, now)
        return
    # A little later each, so that all that waited for a server that was away do not come at once.
    call.due_at = now + WAITS[call.attempts - 1] * random.uniform(1.0, 1.2)  # noqa: S311


def _pause_the_sick(session: Session, webhook_id: int, now: datetime) -> None:
    webhook = session.get_one(Webhook, webhook_id)
    if now - (webhook.good_at or webhook.created_at) > SICK_AFTER:
        _pause(session, webhook_id, now, f"it has taken no call for {SICK_AFTER.days} days")


def _pause(session: Session, webhook_id: int, now: datetime, reason: str) -> None:
    session.execute(
        update(Webhook)
        .where(Webhook.id == webhook_id, Webhook.paused_at.is_(None))
        .values(paused_at=now, paused_reason=reason)
    )


def drop_old(session: Session) -> int:
    """Forget calls that are done, or wait for a webhook that is paused, and are older than KEPT; how many."""
    paused = select(Webhook.id).where(Webhook.paused_at.is_not(None))
    gone = session.execute(
        delete(WebhookCall)
        .where(
            WebhookCall.created_at < clock_now(session) - KEPT,
            or_(WebhookCall.state != CallState.WAITING, WebhookCall.webhook_id.in_(paused)),
        )
        .returning(WebhookCall.id)
    )
    return len(gone.all())
