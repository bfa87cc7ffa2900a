"""A house whose clock a test moves: tick and send by the same domain calls as the workers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import func, select, update

from mailer.db import Sessions, session_scope, step_clock
from mailer.delivery import dispatch
from mailer.delivery.batch import Post, deliver_batch
from mailer.delivery.recover import recover
from mailer.models import Delivery, DeliveryState, Lane
from mailer.schedule.courses import get_course
from mailer.schedule.plan import plan_due
from tests.support.cast import join_course


@dataclass
class House:
    """`at` is the house's present."""

    sessions: Sessions
    post: Post
    at: datetime
    journals: Path

    def enroll(self, email: str, zone: str = "Europe/London") -> int:
        """Somebody joins the course "calm"; their subscriber id."""
        with session_scope(self.sessions) as session:
            return join_course(session, get_course(session, "calm"), email, self.at, zone).id

    def go_to(self, moment: datetime) -> None:
        """Move the clock."""
        self.at = moment
        with session_scope(self.sessions) as session:
            step_clock(session, moment)

    def plan(self) -> None:
        """What the tick does before it dispatches."""
        with session_scope(self.sessions) as session:
            recovered = recover(session, self.journals, self.at)
        recovered.forget_journals()
        with session_scope(self.sessions) as session:
            while plan_due(session, self.at):
                pass

    def offers(self) -> list[list[int]]:
        """The chunks that the dispatcher would hand out now."""
        with session_scope(self.sessions) as session:
            return [chunk for lane in Lane for chunk in dispatch.offer(session, lane, self.at)]

    def send(self) -> dict[str, int]:
        """Plan, dispatch and send all that is due; rows by state."""
        self.plan()
        total: dict[str, int] = {}
        for chunk in self.offers():
            for state, count in deliver_batch(chunk, self.post).counts().items():
                total[state] = total.get(state, 0) + count
        return total

    def states(self) -> dict[str, int]:
        """How many delivery rows are in which state."""
        with session_scope(self.sessions) as session:
            rows = session.execute(select(Delivery.state, func.count()).group_by(Delivery.state))
            return dict(rows.all())

    def forget_offers_and_leases(self) -> None:
        """As if the time of every offer and lease had run out: the broker was emptied, the worker is gone."""
        with session_scope(self.sessions) as session:
            past = func.clock_timestamp() - func.make_interval(0, 0, 0, 0, 1)
            session.execute(
                update(Delivery).where(Delivery.offered_until.is_not(None)).values(offered_until=past)
            )
            session.execute(
                update(Delivery).where(Delivery.state == DeliveryState.SENDING).values(lease_until=past)
            )
