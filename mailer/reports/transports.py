"""How each transport is and what it did today; every sender with its ways and keys."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from mailer.db import clock_now
from mailer.delivery.buckets import Limit
from mailer.delivery.limits import limits_of
from mailer.delivery.roster import senders_by, transports_of
from mailer.delivery.signing import is_aligned, keys_to_show, record_of
from mailer.delivery.transports.server import SmtpServer
from mailer.delivery.warming import results
from mailer.delivery.ways import DEFAULT
from mailer.errors import MailerError
from mailer.models import BreakerState, LimitOrigin, Sender, SigningKey, Transport
from mailer.sealing import Seal


@dataclass(frozen=True)
class TransportView:
    """A transport as people see it; the URL's password is in none of it."""

    slug: str
    server: str
    state: str
    reason: str
    since: datetime | None
    next_probe_at: datetime | None
    conversations: int
    accepted_today: int
    deferred_today: int
    limits: tuple[Limit, ...]
    senders: tuple[tuple[str, int], ...]
    warmup: dict[str, int] | None
    now: datetime

    def as_values(self) -> dict[str, Any]:
        """For --json."""
        return {
            "transport": self.slug,
            "server": self.server,
            "state": self.state,
            "reason": self.reason,
            "since": self.since.isoformat() if self.since else None,
            "next_probe_at": self.next_probe_at.isoformat() if self.next_probe_at else None,
            "conversations": self.conversations,
            "accepted_today": self.accepted_today,
            "deferred_today": self.deferred_today,
            "limits": [
                {
                    "domain_group": limit.domain_group or None,
                    "period": limit.period,
                    "origin": limit.origin,
                    "most": limit.most,
                    "free": limit.free(self.now),
                }
                for limit in self.limits
            ],
            "senders": [{"sender": slug, "weight": weight} for slug, weight in self.senders],
            "warmup": self.warmup,
        }


def transport_view(
    session: Session, transport: Transport, seal: Seal, default_url: str | None
) -> TransportView:
    """One transport; `default_url` is where the default one's mail goes, None when nothing runs."""
    now = clock_now(session).astimezone(UTC)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    accepted, deferred = results(session, transport.id, midnight, now)
    limits = tuple(limits_of(session, transport.id))
    state, reason, since = _state(transport, limits)
    return TransportView(
        *(transport.slug, _server(transport, seal, default_url), state, reason, since),
        *(transport.probe_at, transport.conversations, accepted, deferred, limits),
        tuple(senders_by(session, transport)),
        _warmup(transport, limits),
        now,
    )


def _state(transport: Transport, limits: tuple[Limit, ...]) -> tuple[str, str, datetime | None]:
    if transport.paused_at is not None:
        return "paused", transport.paused_reason, transport.paused_at
    if transport.state == BreakerState.OPEN:
        return "out", transport.reason, transport.since
    if transport.state == BreakerState.PROBING:
        return "being tried", transport.reason, transport.since
    slowed = next((limit for limit in limits if limit.origin is LimitOrigin.SLOWED), None)
    if slowed is not None:
        return "slowed", f"the server was busy: {slowed.most:,} a minute for now", slowed.since
    return "well", "", None


def _server(transport: Transport, seal: Seal, default_url: str | None) -> str:
    if not transport.sealed_url:
        return str(SmtpServer.from_url(default_url)) if default_url else "the setting's"
    try:
        return str(SmtpServer.from_url(seal.open(transport.sealed_url)))
    except MailerError:
        return "(sealed with another secret key)"


def _warmup(transport: Transport, limits: tuple[Limit, ...]) -> dict[str, int] | None:
    if transport.warmup_first is None or transport.warmup_target is None:
        return None
    ceiling = next((limit.most for limit in limits if limit.origin is LimitOrigin.WARMUP), 0)
    return {
        "today": ceiling,
        "first": transport.warmup_first,
        "target": transport.warmup_target,
        "growth_percent": transport.warmup_growth,
    }


def key_values(key: SigningKey, sender: Sender) -> dict[str, Any]:
    """A DKIM key for --json and tables: everything but the private part."""
    record = record_of(key)
    return {
        "selector": key.selector,
        "domain": key.domain,
        "algorithm": key.algorithm,
        "state": key_state(key, sender),
        "created_at": key.created_at.isoformat(),
        "activated_at": key.activated_at.isoformat() if key.activated_at else None,
        "retired_at": key.retired_at.isoformat() if key.retired_at else None,
        "dns_name": record.name,
        "dns_value": record.value,
    }


def key_state(key: SigningKey, sender: Sender) -> str:
    """In one word, or in two."""
    if key.retired_at is not None:
        return "retired"
    if key.activated_at is None:
        return "not active yet"
    domain = sender.email.rpartition("@")[2].lower()
    return "signs" if is_aligned(key.domain, domain) else f"idle: mail is from {domain}"


def sender_values(session: Session, sender: Sender) -> dict[str, Any]:
    """A sender with its transports and keys."""
    ways = [{"transport": one.slug, "weight": weight} for one, weight in transports_of(session, sender)]
    return {
        "sender": sender.slug,
        "name": sender.name,
        "email": sender.email,
        "reply_to": sender.reply_to,
        "postal_address": sender.postal_address,
        "track_clicks": sender.track_clicks,
        "track_opens": sender.track_opens,
        "decoy": sender.decoy,
        "transports": ways or [{"transport": DEFAULT, "weight": 1}],
        "dkim": [key_values(key, sender) for key in keys_to_show(session, sender)],
    }
