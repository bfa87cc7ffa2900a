"""A place where a house runs: its data folder, and the ticks that look before anything else is done."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select, update

from mailer.db import session_scope
from mailer.delivery import guard
from mailer.delivery.guard import Standing
from mailer.delivery.holds import guarded
from mailer.delivery.installation import Installation
from mailer.models import Delivery, DeliveryState, Hold, Instance, Step, Subscriber
from mailer.reports.flow import next_moment
from tests.support.house import House

HOLD_AFTER = timedelta(hours=6)


class Place:
    """An installation: this data folder, and a token that was set, or the one kept in it."""

    def __init__(self, house: House, data_dir: Path, token: str | None = None) -> None:
        self.house = house
        self.data_dir = data_dir
        self.here = Installation(data_dir, token)

    def look(self) -> Standing:
        """What the tick does first."""
        with session_scope(self.house.sessions) as session:
            standing = guard.look(session, self.here, HOLD_AFTER, self.house.at)
        self.here.note(standing.mark)
        return standing

    def tick(self) -> dict[str, int]:
        """A whole tick and its batches, as the workers do them; rows by state."""
        standing = self.look()
        if not standing.may_plan or not self.may_send():
            return {}
        return self.house.send()

    def may_send(self) -> bool:
        """What a worker asks before it sends."""
        with session_scope(self.house.sessions) as session:
            return guard.may_send(session, self.here, HOLD_AFTER)

    def forget_sign(self, length: timedelta) -> None:
        """As if the last sign of life were so long ago; the house's own clock stays."""
        with session_scope(self.house.sessions) as session:
            session.execute(update(Instance).values(seen_at=func.clock_timestamp() - length))

    def silence(self, length: timedelta) -> None:
        """As if nothing had run for so long: the house's clock is that much further."""
        self.forget_sign(length)
        self.house.go_to(self.house.at + length)

    def holds(self) -> list[tuple[str, str, str]]:
        """(cause, scope, target) of what is on hold by itself."""
        return [(hold.cause, hold.scope, hold.target) for hold in self._guarded()]

    def reasons(self) -> set[str]:
        """Why."""
        return {hold.reason for hold in self._guarded()}

    def _guarded(self) -> Sequence[Hold]:
        with session_scope(self.house.sessions) as session:
            return guarded(session)

    def instance(self) -> Instance:
        """The instance row as it is now."""
        with session_scope(self.house.sessions) as session:
            return session.execute(select(Instance)).scalar_one()

    def mails_of(self, email: str) -> list[tuple[str, str]]:
        """(step key, state) of somebody's lessons, in their order."""
        with session_scope(self.house.sessions) as session:
            rows = session.execute(
                select(Step.key, Delivery.state)
                .join(Delivery, Delivery.step_id == Step.id)
                .join(Subscriber, Subscriber.id == Delivery.subscriber_id)
                .where(Subscriber.email == email)
                .order_by(Step.day)
            )
            return [(key, str(DeliveryState(state))) for key, state in rows]

    def live_to(self, moment: datetime) -> None:
        """Jump from one moment at which something is due to the next, with a tick at each."""
        self.tick()
        while self.house.at < moment:
            with session_scope(self.house.sessions) as session:
                following = next_moment(session)
            self.house.go_to(max(self.house.at, min(following or moment, moment)))
            self.tick()
