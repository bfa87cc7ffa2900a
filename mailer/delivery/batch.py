"""Sending one batch: claim, compose, send, record in small groups; never a network call in a transaction."""

from __future__ import annotations

import logging
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from mailer.db import Sessions, business_now, session_scope
from mailer.delivery import settle
from mailer.delivery.claim import Claimed, claim_batch, renew_lease
from mailer.delivery.compose import Composer
from mailer.delivery.facts import course_facts
from mailer.delivery.journal import Journal
from mailer.delivery.outcome import Outcome, after_break, after_cut, after_reply, unreachable
from mailer.delivery.transports.base import BrokeOff, CutOff, Transport, Unreachable
from mailer.links import Signer
from mailer.models import DeliveryState, Lane
from mailer.render.personalize import CannotRender

GROUP = 25
"""Results recorded in one commit: what a lost worker can leave in doubt, against a commit for each."""

TRUST = timedelta(minutes=4)
"""For how long of its LEASE a worker begins and ends mails; ten minutes more may go by for a last answer."""

STEADY_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""A clock that goes on while the machine sleeps, where there is one."""

log = logging.getLogger(__name__)


@dataclass
class BatchOutcome:
    """How many rows of a batch went into which state; `lane` is None when there was nothing to claim."""

    states: Counter[DeliveryState] = field(default_factory=Counter)
    lane: Lane | None = None

    def counts(self) -> dict[str, int]:
        return {str(state): count for state, count in self.states.items()}


@dataclass(frozen=True)
class Post:
    """What a batch needs besides its rows."""

    sessions: Sessions
    transport: Transport
    journal: Journal
    signer: Signer
    base_url: str


def deliver_batch(delivery_ids: Sequence[int], post: Post) -> BatchOutcome:
    """Send one chunk; running it twice, also at the same time, sends once."""
    outcome = BatchOutcome()
    deadline = _deadline()
    with session_scope(post.sessions) as session:
        now = business_now(session)
        claimed, ended = claim_batch(session, delivery_ids, now)
        composer = Composer(post.signer, post.base_url, course_facts(session, claimed))
    outcome.states.update(ended)
    if not claimed:
        return outcome
    outcome.lane = Lane(claimed[0].lane)
    sending = _Sending(post, composer, now, claimed[0].token, deadline)
    post.journal.begin(sending.token)
    try:
        outcome.states.update(sending.all(claimed))
    except BaseException:
        post.journal.abandon()
        raise
    return outcome


@dataclass
class _Sending:
    """One claimed batch on its way: until `deadline` its rows are surely ours."""

    post: Post
    composer: Composer
    now: datetime
    token: uuid.UUID
    deadline: float

    def all(self, waiting: Sequence[Claimed]) -> Counter[DeliveryState]:
        """Send group by group, and record each group before the next."""
        counts: Counter[DeliveryState] = Counter()
        while waiting:
            group, waiting = waiting[:GROUP], waiting[GROUP:]
            results, stopped = self._group(group)
            if stopped:
                results.extend(unreachable(row, stopped) for row in waiting)
                waiting = []
            counts += self._record(results)
            if waiting and self._renew() < len(waiting):
                log.warning("The rows of a batch were given to somebody else; the rest of it is left alone")
                break
        self.post.journal.end()
        return counts

    def _group(self, group: Sequence[Claimed]) -> tuple[list[Outcome], str]:
        """Send some rows; the reason why no more can be sent, or nothing.

        Not one of the rows that are left then is to blame: all wait a little, and none is counted.
        """
        results: list[Outcome] = []
        broken = 0
        for position, row in enumerate(group):
            stopped = ""
            try:
                self._check_deadline()
                results.append(self._one(row))
                broken = 0
            except BrokeOff as error:
                # One mail may be to blame; two in a row are the server's own trouble.
                results.append(after_break(row, str(error), self.now))
                broken += 1
                stopped = str(error) if broken == 2 else ""
            except CutOff as error:
                # At most one mail of a connection is in doubt.
                results.append(after_cut(row, str(error)))
                stopped = str(error)
            except Unreachable as error:
                results.append(unreachable(row, str(error)))
                stopped = str(error)
            if stopped:
                log.warning("%s", stopped)
                results.extend(unreachable(left, stopped) for left in group[position + 1 :])
                return results, stopped
        return results, ""

    def _one(self, row: Claimed) -> Outcome:
        """Compose and send one mail; raises what Transport raises."""
        self.post.journal.attempt(row.id, row.token)
        try:
            email = self.composer.compose(row, self.now)
        except CannotRender as error:
            return Outcome(row, DeliveryState.QUARANTINED, error.what, was_tried=False)
        except Exception as error:
            # A bug is not a bounce: it stays loud, and this row alone is set aside.
            log.exception("Delivery %s could not be composed", row.id)
            reason = f"{type(error).__name__}: {error}"
            return Outcome(row, DeliveryState.QUARANTINED, reason, was_tried=False)

        def before_dot() -> None:
            self._check_deadline()  # a slow server may have used up the time since the mail was begun
            self.post.journal.dot(row.id, row.token)

        result = self.post.transport.send(email, before_dot=before_dot)
        self.post.journal.reply(row.id, row.token, result.reply)
        return after_reply(row, result.reply, self.now)

    def _record(self, results: Sequence[Outcome]) -> Counter[DeliveryState]:
        """Write a group's results. Should the database be away, the journal still knows them."""
        with session_scope(self.post.sessions) as session:
            return settle.record(session, results, business_now(session))

    def _renew(self) -> int:
        """Ask for more time for the rows that are left; how many of them are still ours."""
        renewed = _deadline()
        with session_scope(self.post.sessions) as session:
            left = renew_lease(session, self.token)
        self.deadline = renewed
        self.post.journal.begin(self.token)
        return left

    def _check_deadline(self) -> None:
        if time.clock_gettime(STEADY_CLOCK) >= self.deadline:
            raise Unreachable("The lease on a batch is nearly over")


def _deadline() -> float:
    """Until when a lease that is taken or renewed now may be trusted, by this process's clock.

    Well before the database lets somebody else have the rows, so that a worker that was stopped and
    woken does not send what has been given away.
    """
    return time.clock_gettime(STEADY_CLOCK) + TRUST.total_seconds()
