"""A house that sends by several transports, each of them a scripted server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from mailer.db import Sessions, session_scope
from mailer.delivery import roster
from mailer.delivery.batch import Post
from mailer.delivery.journal import Journal
from mailer.delivery.pools import Pools
from mailer.delivery.signing import Keyring
from mailer.links import Signer
from mailer.models import Delivery, Period, Transport
from mailer.sealing import Seal
from tests.support.house import House
from tests.support.scripted_smtp import ScriptedSmtp, scripted_smtp

WHO = "test"


@dataclass
class Fleet:
    """`default` is the server of the settings; the sender "calm" uses it until it is given others."""

    house: House
    seal: Seal
    default: ScriptedSmtp
    folder: Path
    stack: ExitStack

    @property
    def sessions(self) -> Sessions:
        return self.house.sessions

    def add(self, slug: str, weight: int = 1, url: str = "") -> ScriptedSmtp:
        """A new server, as a transport of the sender "calm"."""
        server = self.stack.enter_context(scripted_smtp())
        with session_scope(self.sessions) as session:
            transport = roster.add_transport(
                session, self.seal, slug, url.format(port=server.port) or server.url, 2, WHO
            )
            roster.use_transport(session, roster.get_sender(session, "calm"), transport, weight, WHO)
        return server

    def limit(self, slug: str, period: Period, most: int | None, to: str = "") -> None:
        with session_scope(self.sessions) as session:
            roster.set_limit(session, roster.get_transport(session, slug), period, most, to, WHO)

    def pause(self, slug: str) -> None:
        with session_scope(self.sessions) as session:
            roster.pause_transport(session, roster.get_transport(session, slug), "a test", WHO)

    def enroll(self, count: int, domain: str = "reader.example") -> None:
        """So many readers join, each of whom is sent a welcome."""
        for number in range(count):
            self.house.enroll(f"reader{number}@{domain}")

    def send(self) -> dict[str, int]:
        return self.house.send()

    def wait(self, **time: float) -> None:
        """Let business time go on."""
        self.house.go_to(self.house.at + timedelta(**time))

    def let_pauses_pass(self) -> None:
        """As if the time until every next probe had gone by."""
        self._probe_in("-1 second")

    def let_pauses_last(self) -> None:
        """However slow this machine is just now, no probe is due."""
        self._probe_in("1 hour")

    def _probe_in(self, time: str) -> None:
        with session_scope(self.sessions) as session:
            session.execute(
                update(Transport)
                .where(Transport.probe_at.is_not(None))
                .values(probe_at=text(f"clock_timestamp() + interval '{time}'"))
            )

    def let_limits_refill(self, **time: float) -> None:
        """As if so much time had gone by for every limit."""
        with session_scope(self.sessions) as session:
            moved = "filled_at = filled_at - :d, since = since - :d, promised_until = promised_until - :d"
            session.execute(text(f"UPDATE send_limits SET {moved}"), {"d": timedelta(**time)})

    def transport(self, slug: str) -> Transport:
        with session_scope(self.sessions) as session:
            return roster.get_transport(session, slug)

    def rows(self, *columns: Any) -> list[Any]:
        """These columns of every delivery, by id."""
        with session_scope(self.sessions) as session:
            return list(session.execute(select(*columns).order_by(Delivery.id)).all())

    def another_post(self, name: str) -> Post:
        """What another worker process would send with."""
        pools = Pools(self.sessions, self.seal, self.default.url)
        self.stack.callback(pools.close)
        journal = Journal(self.folder / f"journal-{name}")
        self.stack.callback(journal.close)
        return replace(self.house.post, pool=pools, journal=journal)


def clock(session: Session) -> datetime:
    now: datetime = session.execute(text("SELECT clock_timestamp()")).scalar_one()
    return now


@contextmanager
def fleet_of(
    house: House, server: ScriptedSmtp, signer: Signer, secret: str, folder: Path
) -> Iterator[Fleet]:
    """The house's fleet: so far only the server of the settings."""
    seal = Seal([secret])
    with ExitStack() as stack:
        pools = Pools(house.sessions, seal, server.url)
        stack.callback(pools.close)
        house.post = replace(house.post, pool=pools, keyring=Keyring(seal))
        yield Fleet(house, seal, server, folder, stack)
