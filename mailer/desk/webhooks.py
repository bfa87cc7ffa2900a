"""Webhooks: which programs are told what happens, and every call to them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from urllib.parse import urlsplit

from sqlalchemy.orm import Session

from mailer.accounts.record import record
from mailer.accounts.rights import Actor, Right, needs
from mailer.db import business_now, clock_now
from mailer.models import Webhook, WebhookCall
from mailer.sealing import Seal
from mailer.webhooks import endpoints


@needs(Right.MANAGE)
def list_webhooks(session: Session, _: Actor) -> Sequence[Webhook]:
    """All of them."""
    return endpoints.list_webhooks(session)


@needs(Right.MANAGE)
def page_webhooks(session: Session, _: Actor, after: int, limit: int) -> Sequence[Webhook]:
    """For programs: in the order in which they were made, those after the id `after`."""
    return endpoints.webhooks_by_id(session, after, limit)


@needs(Right.MANAGE)
def show_webhook(
    session: Session, _: Actor, webhook_id: int, before: int | None = None, limit: int = endpoints.PAGE + 1
) -> tuple[Webhook, Sequence[WebhookCall]]:
    """One, with its newest calls (one more than a page has), or those before an id; raises NotFound."""
    webhook = endpoints.get_webhook(session, webhook_id)
    return webhook, endpoints.list_calls(session, webhook_id, before, limit)


@needs(Right.MANAGE)
def add_webhook(
    session: Session, actor: Actor, seal: Seal, name: str, url: str, kinds: Collection[str]
) -> tuple[Webhook, str]:
    """A new one, and its secret, which is shown once."""
    now = clock_now(session)
    webhook, secret = endpoints.add_webhook(session, seal, name, url, kinds, now)
    kinds = ", ".join(webhook.kinds)
    record(session, actor, "webhook add", webhook=webhook.name, to=_host_of(webhook), kinds=kinds)
    return webhook, secret


def _host_of(webhook: Webhook) -> str:
    """Where it tells, for the record: what follows the host is often a secret."""
    parts = urlsplit(webhook.url)
    return f"{parts.scheme}://{parts.netloc}/…"


@needs(Right.MANAGE)
def change_webhook(
    session: Session, actor: Actor, webhook_id: int, name: str, url: str, kinds: Collection[str]
) -> None:
    """Another name, address or choice."""
    webhook = endpoints.get_webhook(session, webhook_id)
    before, was = webhook.url, _host_of(webhook)
    endpoints.change_webhook(session, webhook, name, url, kinds)
    record(
        session,
        actor,
        "webhook edit",
        webhook=webhook.name,
        to=_host_of(webhook),
        to_before=was if webhook.url != before else None,
        kinds=", ".join(webhook.kinds),
    )


@needs(Right.MANAGE)
def change_secret(session: Session, actor: Actor, seal: Seal, webhook_id: int) -> tuple[Webhook, str]:
    """A new secret, shown once; the old one goes on to sign beside it for a day."""
    webhook = endpoints.get_webhook(session, webhook_id)
    now = clock_now(session)
    secret = endpoints.change_secret(session, seal, webhook, now)
    record(session, actor, "webhook secret", webhook=webhook.name)
    return webhook, secret


@needs(Right.MANAGE)
def pause_webhook(session: Session, actor: Actor, webhook_id: int) -> None:
    """Tell it nothing; what happens meanwhile is not kept for it."""
    webhook = endpoints.get_webhook(session, webhook_id)
    webhook.paused_at = clock_now(session)
    webhook.paused_reason = f"by {actor.who}"
    record(session, actor, "webhook pause", webhook=webhook.name)


@needs(Right.MANAGE)
def resume_webhook(session: Session, actor: Actor, webhook_id: int) -> None:
    """Tell it again, and what had waited when it was paused."""
    webhook = endpoints.get_webhook(session, webhook_id)
    webhook.paused_at, webhook.paused_reason = None, ""
    record(session, actor, "webhook resume", webhook=webhook.name)


@needs(Right.MANAGE)
def remove_webhook(session: Session, actor: Actor, webhook_id: int) -> None:
    """Forget it and its calls."""
    webhook = endpoints.get_webhook(session, webhook_id)
    record(session, actor, "webhook remove", webhook=webhook.name)
    session.delete(webhook)


@needs(Right.MANAGE)
def test_webhook(session: Session, actor: Actor, webhook_id: int) -> None:
    """Have it told that this is a test."""
    webhook = endpoints.get_webhook(session, webhook_id)
    endpoints.send_test(session, webhook, business_now(session))
    record(session, actor, "webhook test", 1, webhook=webhook.name)


@needs(Right.MANAGE)
def call_again(session: Session, actor: Actor, webhook_id: int, call_id: int) -> None:
    """Send one call once more; raises NotFound."""
    webhook = endpoints.get_webhook(session, webhook_id)
    endpoints.send_again(session, webhook, call_id)
    record(session, actor, "webhook send again", 1, webhook=webhook.name)
