"""The conversations of one worker process: a pool for each transport that it has sent by."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from sqlalchemy import select

from mailer.db import Sessions, session_scope
from mailer.delivery.transports.base import Feed, Pool, Trouble, TroubleKind
from mailer.delivery.transports.server import SmtpServer
from mailer.delivery.transports.smtp_pool import SmtpPool
from mailer.delivery.ways import DEFAULT
from mailer.errors import MailerError
from mailer.fetch import PUBLIC_ONLY, Fetcher
from mailer.models import Transport
from mailer.sealing import Seal


class _Key(NamedTuple):
    """What a pool was made from; another value, and it is made anew."""

    sealed_url: str
    conversations: int


class Unusable:
    """The pool of a transport whose server is not known: whatever is to be sent meets this trouble."""

    def __init__(self, reason: str) -> None:
        self._trouble = Trouble(TroubleKind.LOGIN, reason)

    def send_all(self, feed: Feed) -> Trouble | None:  # noqa: ARG002
        return self._trouble

    def close(self) -> None:
        pass


class Pools:
    """Pools by transport, kept from batch to batch. `default_url` is STEADYPOST_SMTP_URL."""

    def __init__(
        self,
        sessions: Sessions,
        seal: Seal,
        default_url: str,
        fetcher: Fetcher = PUBLIC_ONLY,
        make: Callable[..., Pool] = SmtpPool,
    ) -> None:
        self._sessions = sessions
        self._seal = seal
        self._default_url = default_url
        self._fetcher = fetcher
        self._make = make
        self._kept: dict[int | None, tuple[_Key, Pool]] = {}

    def __call__(self, transport_id: int | None) -> Pool:
        """The pool of a transport as it is now; None is the relay of the settings."""
        key = self._key(transport_id)
        kept = self._kept.get(transport_id)
        if kept is not None and kept[0] == key:
            return kept[1]
        if kept is not None:
            kept[1].close()
        pool = self._made(key)
        self._kept[transport_id] = (key, pool)
        return pool

    def close(self) -> None:
        """End all conversations."""
        for _, pool in self._kept.values():
            pool.close()
        self._kept.clear()

    def _key(self, transport_id: int | None) -> _Key:
        wanted = Transport.slug == DEFAULT if transport_id is None else Transport.id == transport_id
        with session_scope(self._sessions) as session:
            row = session.execute(select(Transport.sealed_url, Transport.conversations).where(wanted)).one()
        return _Key(row.sealed_url, row.conversations)

    def _made(self, key: _Key) -> Pool:
        try:
            url = self._seal.open(key.sealed_url, "The URL of the transport") if key.sealed_url else ""
            server = SmtpServer.from_url(url or self._default_url)
        except MailerError as error:
            return Unusable(str(error))
        return self._make(server, conversations=key.conversations, fetcher=self._fetcher)
