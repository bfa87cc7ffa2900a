"""Webhooks as people make, change and look at them."""

from __future__ import annotations

import ipaddress
import uuid
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.db import clock_now
from mailer.errors import NotFound, Refused
from mailer.fetch import web_address
from mailer.models import CallState, Webhook, WebhookCall, WebhookKind
from mailer.sealing import Seal
from mailer.webhooks.signature import new_secret

OLD_SECRET = timedelta(days=1)
"""How long calls are signed with the secret before too, after it was changed."""

CHOICES = tuple(kind for kind in WebhookKind if kind is not WebhookKind.TEST)
PAGE = 50


def add_webhook(
    session: Session, seal: Seal, name: str, url: str, kinds: Collection[str], now: datetime
) -> tuple[Webhook, str]:
    """A new one, and its secret, which is shown once. Raises Refused or CannotFetch (a bad address)."""
    secret = new_secret()
    webhook = Webhook(
        name=_name(name),
        url=listening_address(url),
        kinds=_kinds(kinds),
        sealed_secret=seal.close(secret),
        created_at=now,
    )
    session.add(webhook)
    session.flush()
    return webhook, secret


def change_webhook(session: Session, webhook: Webhook, name: str, url: str, kinds: Collection[str]) -> None:
    """Another name, address or choice; what waits goes to the new address."""
    webhook.name, webhook.url, webhook.kinds = _name(name), listening_address(url), _kinds(kinds)
    session.flush()


def change_secret(session: Session, seal: Seal, webhook: Webhook, now: datetime) -> str:
    """A new secret, shown once; for a day calls are signed with both, so that none is refused."""
    secret = new_secret()
    webhook.sealed_old, webhook.old_until = webhook.sealed_secret, now + OLD_SECRET
    webhook.sealed_secret = seal.close(secret)
    session.flush()
    return secret


def get_webhook(session: Session, webhook_id: int) -> Webhook:
    """The webhook of this id; raises NotFound."""
    webhook = session.get(Webhook, webhook_id)
    if webhook is None:
        raise NotFound("There is no such webhook.")
    return webhook


def list_webhooks(session: Session) -> Sequence[Webhook]:
    """All of them, by name."""
    return session.scalars(select(Webhook).order_by(Webhook.name, Webhook.id)).all()


def webhooks_by_id(session: Session, after: int, limit: int) -> Sequence[Webhook]:
    """Webhooks in the order in which they were made, those after the id `after`."""
    return session.scalars(select(Webhook).where(Webhook.id > after).order_by(Webhook.id).limit(limit)).all()


def list_calls(
    session: Session, webhook_id: int, before: int | None = None, limit: int = PAGE + 1
) -> Sequence[WebhookCall]:
    """Its calls, newest first, PAGE and one more unless another `limit` is named."""
    asked = select(WebhookCall).where(WebhookCall.webhook_id == webhook_id)
    if before is not None:
        asked = asked.where(WebhookCall.id < before)
    return session.scalars(asked.order_by(WebhookCall.id.desc()).limit(limit)).all()


def send_test(session: Session, webhook: Webhook, at: datetime) -> None:
    """Have it told that this is a test, also when it does not listen to anything yet.

    Raises Refused while it is paused.
    """
    _refuse_paused(webhook)
    now = clock_now(session)
    session.add(
        WebhookCall(
            webhook_id=webhook.id,
            call_id=uuid.uuid4(),
            kind=WebhookKind.TEST,
            at=at,
            body={"words": "A test of this webhook. Nothing happened."},
            created_at=now,
            due_at=now,
        )
    )
    session.flush()


def send_again(session: Session, webhook: Webhook, call_id: int) -> None:
    """Have a call sent once more, at once, with the same id; raises NotFound, or Refused (it is paused)."""
    _refuse_paused(webhook)
    call = session.get(WebhookCall, call_id)
    if call is None or call.webhook_id != webhook.id:
        raise NotFound("There is no such call; calls are kept for a month.")
    call.state, call.settled_at, call.attempts = CallState.WAITING, None, 0
    call.due_at = clock_now(session)
    session.flush()


def _refuse_paused(webhook: Webhook) -> None:
    if webhook.paused_at is not None:
        raise Refused(f"The webhook {webhook.name} is paused, so nothing would be sent; resume it first.")


def _name(name: str) -> str:
    words = " ".join(name.split())[:100]
    if not words:
        raise Refused("Give the webhook a name, such as what listens there.")
    return words


def listening_address(url: str) -> str:
    """The address as it is kept; raises Refused, or CannotFetch when it is none of the web."""
    target = web_address(url.strip())
    if target.scheme == "http" and not _is_near(target.host):
        raise Refused("Write https://: what a webhook is told is about people, and passes many hands.")
    return str(target)


def _is_near(host: str) -> bool:
    """Whether it is a machine of one's own: a name without a domain, or a private address."""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return "." not in host


def _kinds(kinds: Collection[str]) -> list[str]:
    chosen = [kind.value for kind in CHOICES if kind in kinds]
    if not chosen:
        raise Refused("Choose at least one thing that it is told.")
    return chosen
