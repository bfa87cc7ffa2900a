"""A house whose clock a test moves: tick and send by the same domain calls as the workers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import func, select, update

from mailer.db import Sessions, session_scope, step_clock
from mailer.delivery import dispatch
from mailer.delivery.batch import Post, deliver_batch
from mailer.delivery.claim import Claim, claim_batch
from mailer.delivery.journal import Journal
from mailer.delivery.recover import recover
from mailer.delivery.transports.base import Pool
from mailer.launch.campaign_phases import advance
from mailer.launch.campaign_tick import materialise, wind_up
from mailer.models import Batch, Delivery, Lane
from mailer.schedule.courses import get_course
from mailer.schedule.plan import plan_due
from mailer.tally import Wrong, fold, recount
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
            recovered = recover(session, self.journals, self.at, self.post.policy)
        recovered.forget_journals()
        with session_scope(self.sessions) as session:
            while plan_due(session, self.at) + materialise(session, self.at):
                pass
            while advance(session, self.at):
                pass
            while wind_up(session, self.at):
                pass

    def offers(self) -> list[int]:
        """The batches that the dispatcher would hand out now."""
        with session_scope(self.sessions) as session:
            return [batch for lane in Lane for batch in dispatch.offer(session, lane, self.at)]

    def send(self) -> dict[str, int]:
        """Plan, dispatch and send all that is due; rows by state."""
        self.plan()
        total: dict[str, int] = {}
        for batch_id in self.offers():
            for state, count in deliver_batch(batch_id, self.post).counts().items():
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
            session.execute(update(Batch).values(offered_until=past))
            session.execute(update(Batch).where(Batch.token.is_not(None)).values(lease_until=past))

    def lose_worker(self, batch_id: int) -> Claim:
        """Claim a batch as a worker does that is killed right afterwards."""
        journal = Journal(self.journals)
        with session_scope(self.sessions) as session:
            claim = claim_batch(session, batch_id, self.at)
            assert claim is not None
            journal.begin(claim.token)
        journal.abandon()
        journal.close()
        return claim

    def use(self, pool: Pool) -> Post:
        """The same post by another pool."""
        return replace(self.post, pool=lambda _: pool)

    def miscounts(self) -> list[Wrong]:
        """Tallies that a recount does not find; nothing, if all is well."""
        with session_scope(self.sessions) as session:
            found = recount(session)
            while fold(session):
                pass
            return found + recount(session)
