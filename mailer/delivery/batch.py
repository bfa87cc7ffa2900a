"""Sending one batch: claim, compose, send, record in groups; never a network call in a transaction."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from mailer.db import Sessions, business_now, session_scope
from mailer.delivery import holds, settle
from mailer.delivery.claim import PAUSED, Claim, Claimed, claim_batch, renew_lease
from mailer.delivery.compose import Composer
from mailer.delivery.conduct import Conduct, Standing, report, standing
from mailer.delivery.facts import course_facts, said_in
from mailer.delivery.journal import Journal
from mailer.delivery.outcome import (
    Outcome,
    after_break,
    after_cut,
    after_reply,
    put_back,
    throttled,
    unreachable,
    waits,
)
from mailer.delivery.policy import DEFAULTS, Policy
from mailer.delivery.report import Report
from mailer.delivery.retry import GIVE_UP_AFTER, is_throttling
from mailer.delivery.signing import Keyring
from mailer.delivery.sources import is_cancelled
from mailer.delivery.transports.base import (
    Answered,
    Broke,
    Cut,
    Email,
    NotSent,
    Pool,
    Result,
    Trouble,
    TroubleKind,
)
from mailer.delivery.verdict import CANCELLED
from mailer.links import Signer
from mailer.models import DeliveryState, Lane
from mailer.render.dkim import DkimKey
from mailer.render.personalize import CannotRender
from mailer.sealing import SealedWithAnotherKey

GROUP = 500
"""Results recorded in one commit. A lost worker's are in its journal, so few commits cost no certainty."""

FLUSH_SECONDS = 1.0
"""Results are recorded this often at least, so that people see a slow send move, and can stop it."""

RENEW_SECONDS = 60.0

STOPPING = "the worker is stopping"
"""Why the rest of a batch is planned again as it was, beside PAUSED."""

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
    """What a batch needs besides its rows.

    `pool` gives the conversations with a transport (None: the relay of the settings), `keyring` the DKIM keys
    of senders. `is_stopping` says that the worker is to end soon: a batch then ends with what is under way.
    """

    sessions: Sessions
    pool: Callable[[int | None], Pool]
    journal: Journal
    signer: Signer
    base_url: str
    policy: Policy = DEFAULTS
    keyring: Keyring | None = None
    is_stopping: Callable[[], bool] = bool


def deliver_batch(batch_id: int, post: Post) -> BatchOutcome:
    """Send one batch; running it twice, also at the same time, sends once."""
    deadline = _deadline()
    with session_scope(post.sessions) as session:
        now = business_now(session)
        claim = claim_batch(session, batch_id, now)
        if claim is None:
            return BatchOutcome()
        way = standing(session, claim.transport_id, claim.domain_group, claim.made_at)
        composer, stop = _prepared(session, post, claim, way)
        # Before the commit: a claim without its journal would be one whose journal was lost.
        post.journal.begin(claim.token)
    sending = _Sending(post, claim, composer, now, deadline, stop)
    try:
        trouble = None if stop else post.pool(claim.transport_id).send_all(sending)
        sending.finish(trouble)
    except BaseException:
        # What is known stays in the journal, from which the next tick settles the batch.
        post.journal.abandon()
        raise
    post.journal.end()
    sending.report.end(sending.counts)
    _report(post, sending.conduct(way))
    return BatchOutcome(sending.counts, Lane(claim.lane))


def _prepared(session: Session, post: Post, claim: Claim, way: Standing) -> tuple[Composer, str]:
    """What makes the mails of a batch, and why none of them may leave now ('' when they may)."""
    stop = PAUSED if claim.is_paused else ""
    stop = stop or way.objection
    keys: Mapping[int, Sequence[DkimKey]] = {}
    try:
        if post.keyring is not None and not stop:
            keys = post.keyring.keys_of(session, claim.setting.senders.values())
    except SealedWithAnotherKey as error:
        # Without the signature these mails would be taken for forged ones; they wait for their key.
        log.warning("%s", error)
        stop = str(error)
    courses = course_facts(session, claim.rows)
    said = said_in(session, claim.rows, claim.setting)
    return Composer(post.signer, post.base_url, claim.setting, courses, keys, said), stop


def _report(post: Post, conduct: Conduct | None) -> None:
    if conduct is not None and not conduct.tells_nothing:
        with session_scope(post.sessions) as session:
            report(session, conduct)


class _Sending:
    """One claimed batch on its way, as the Feed of a pool: until `deadline` its rows are surely ours."""

    def __init__(
        self,
        post: Post,
        claim: Claim,
        composer: Composer,
        now: datetime,
        deadline: float,
        stop: str,
    ) -> None:
        self._post = post
        self._claim = claim
        self._composer = composer
        self._now = now
        self._deadline = deadline
        self._stop = stop
        self._busy: Trouble | None = None
        self._ends: Counter[type[Result]] = Counter()
        self._taken = 0
        self._trouble: Trouble | None = None
        self._is_lost = False
        self._domains: frozenset[str] = frozenset()
        self._at = 0
        self._in_hand: dict[int, bool] = {}
        """Mails that were given and have not ended, by their keys; whether their final dot may have left."""
        self._results = [
            *(Outcome(row, state, reason, was_tried=False) for row, state, reason in claim.refused),
            *map(waits, claim.waiting),
        ]
        self._began_at = self._flushed_at = self._renewed_at = time.monotonic()
        self.counts: Counter[DeliveryState] = Counter()
        self.report = Report(claim)

    def next(self) -> tuple[int, Email] | None:
        """The next mail that can be made; see Feed."""
        rows = self._claim.rows
        while self._at < len(rows) and not (self._stop or self._busy or self._is_lost):
            key, row = self._at, rows[self._at]
            self._at += 1
            if self._domains and row.email.rpartition("@")[2].lower() in self._domains:
                self._results.append(put_back(row, PAUSED))
                continue
            self._post.journal.attempt(row.id, self._claim.token)
            email = self._compose(row)
            if email is not None:
                self._in_hand[key] = False
                return key, email
        return None

    def before_dot(self, key: int) -> bool:
        """Whether the mail may still leave; a slow server may have used up the time since it was begun."""
        if self._is_lost or time.clock_gettime(STEADY_CLOCK) >= self._deadline:
            return False
        self._post.journal.dot(self._claim.rows[key].id, self._claim.token)
        self._in_hand[key] = True
        return True

    def done(self, key: int, result: Result) -> None:
        """A mail has ended."""
        row = self._claim.rows[key]
        self._in_hand.pop(key, None)
        if isinstance(result, Answered):
            self._post.journal.reply(row.id, self._claim.token, result.reply)
        outcome = self._outcome(row, result)
        if outcome.state != DeliveryState.ACCEPTED:
            self.report.note(outcome)
        self._ends[type(result)] += 1
        self._results.append(outcome)
        if len(self._results) >= GROUP:
            self._flush()

    def tend(self) -> None:
        """Record what has ended, keep the lease, and hear of a pause, a cancelling or the worker's end."""
        if self._post.is_stopping():
            self._stop = self._stop or STOPPING
        now = time.monotonic()
        if now - self._flushed_at >= FLUSH_SECONDS:
            self._flush()

    def finish(self, trouble: Trouble | None) -> None:
        """Record the rest; what was not tried is planned again, and nothing held against it."""
        for key in list(self._in_hand):  # there are none, unless a pool has forgotten a mail
            dotted, reason = self._in_hand[key], "no answer was heard"
            self.done(key, Cut(reason) if dotted else NotSent(reason))
        left = self._claim.rows[self._at :]
        self._trouble = trouble = trouble or self._busy
        if trouble is not None:
            fields = {"event": "transport.trouble", **self.report.fields, "kind": str(trouble.kind)}
            log.warning("The transport cannot be used: %s", trouble.reason, extra=fields)
            self._results += [unreachable(row, trouble.reason) for row in left]
        else:
            self._results += [self._left_over(row) for row in left]
        self._flush(is_last=True)

    def conduct(self, way: Standing) -> Conduct | None:
        """What the batch tells about its transport; asked when it is finished."""
        claim, ends = self._claim, self._ends
        if claim.transport_id is None or self._is_lost:  # then `recover` has given back what was not used
            return None
        tried = ends[Answered] + ends[Broke] + ends[Cut]
        mails = len(claim.rows) + len(claim.refused) + len(claim.waiting)
        return Conduct(
            *(claim.transport_id, claim.domain_group, claim.made_at),
            taken=self._taken,
            answered=ends[Answered],
            unused=max(0, mails - tried),
            seconds=time.monotonic() - self._began_at,
            trouble=self._trouble,
            was_well=way.is_well,
        )

    def _left_over(self, row: Claimed) -> Outcome:
        """A row that was not begun, and no server's fault: it waits where somebody stopped it, or ends."""
        if self._stop == CANCELLED:
            return Outcome(row, DeliveryState.CANCELLED, CANCELLED, was_tried=False)
        if self._stop in ("", PAUSED, STOPPING):
            return put_back(row, PAUSED if self._stop == PAUSED else "")
        return unreachable(row, self._stop)

    def _compose(self, row: Claimed) -> Email | None:
        try:
            return self._composer.compose(row, self._now)
        except CannotRender as error:
            reason = error.what
        except Exception as error:
            # A bug is not a bounce: it stays loud, and this row alone is set aside.
            log.exception("Delivery %s could not be composed", row.id, extra={"delivery_id": row.id})
            reason = f"{type(error).__name__}: {error}"
        outcome = Outcome(row, DeliveryState.QUARANTINED, reason, was_tried=False)
        self.report.note(outcome)
        self._results.append(outcome)
        return None

    def _outcome(self, row: Claimed, result: Result) -> Outcome:
        if isinstance(result, Answered):
            # A mail that meets this again and again may be to blame after all, and is refused like any other.
            is_young = self._now - row.due_at < GIVE_UP_AFTER[Lane(row.lane)]
            if is_young and is_throttling(result.reply):
                self._busy = Trouble(TroubleKind.BUSY, f"busy: {result.reply.code} {result.reply.text}")
                return throttled(row, result.reply)
            self._taken += result.reply.is_taken
            return after_reply(row, result.reply, self._now)
        if isinstance(result, Cut):
            return after_cut(row, result.reason, self._post.policy.after_cut[Lane(row.lane)])
        if isinstance(result, Broke):
            return after_break(row, result.reason, self._now)
        return unreachable(row, result.reason)

    def _flush(self, *, is_last: bool = False) -> None:
        """Write what has ended. Should the database be away, the journal still knows it."""
        if self._is_lost and not self._results:
            return
        renewed = _deadline()
        try:
            counts, is_ours = self._record(is_last=is_last)
        except Exception as error:
            if is_last:
                raise
            # No further mail; but those whose dot has left are answered, or they would be in doubt. What is
            # known is written once more at the end: rows that the commit did reach are not written twice.
            log.warning("Results could not be recorded: %s", error)
            self._stop = self._stop or "the database was away"
            self._flushed_at = time.monotonic()
            return
        self._results = []
        if not is_ours and not self._is_lost:
            self._is_lost = True
            words = "The batch was given to somebody else; the rest of it is left alone"
            log.warning(words, extra={"event": "batch.lost", **self.report.fields})
        self.counts += counts or Counter()
        self._flushed_at = time.monotonic()
        if self._renewed_at == 0:
            self._renewed_at, self._deadline = self._flushed_at, renewed

    def _record(self, *, is_last: bool) -> tuple[Counter[DeliveryState] | None, bool]:
        """One commit; the counts, and whether the batch is still ours."""
        claim = self._claim
        with session_scope(self._post.sessions) as session:
            self._now = business_now(session)
            counts = settle.record(
                *(session, claim.batch_id, claim.token, self._results, self._now, self._post.policy),
                transport_id=claim.transport_id,
                is_last=is_last,
            )
            return counts, counts is not None and (is_last or self._keep(session))

    def _keep(self, session: Session) -> bool:
        """Hear whether its mails may still leave, and ask for more time now and then; whether it is ours."""
        stopped = holds.in_force(session)
        self._domains = stopped.domains
        if stopped.stops(self._claim.lane, self._claim.source):
            self._stop = PAUSED
        if is_cancelled(session, self._claim.source):
            self._stop = CANCELLED
        if time.monotonic() - self._renewed_at < RENEW_SECONDS:
            return True
        self._renewed_at = 0
        return renew_lease(session, self._claim)


def _deadline() -> float:
    """Until when a lease that is taken or renewed now may be trusted, by this process's clock.

    Well before the database lets somebody else have the rows, so that a worker that was stopped and
    woken does not send what has been given away.
    """
    return time.clock_gettime(STEADY_CLOCK) + TRUST.total_seconds()
