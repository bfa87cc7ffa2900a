"""One limit: what it has room for now, and when it will have more. Pure; times are the database's clock."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from math import floor

from mailer.models import LimitOrigin, Period

LENGTH = {
    Period.MINUTE: timedelta(minutes=1),
    Period.HOUR: timedelta(hours=1),
    Period.DAY: timedelta(days=1),
}
BURST_SHARE = 12
"""A bucket holds a twelfth of its period: five minutes' worth of an hour, five seconds' worth of a minute."""

KEPT_SHARE = 50
"""A fiftieth of a day is kept for urgent mail: no confirmation waits for midnight behind a campaign."""

A_LITTLE = timedelta(milliseconds=20)
"""Added to a moment that was reckoned with fractions of tokens, so that it is never a hair too early."""

WORDS = {Period.MINUTE: "a minute", Period.HOUR: "an hour", Period.DAY: "a day"}


@dataclass(frozen=True)
class Limit:
    """See `models.SendLimit`.

    A minute and an hour are token buckets with capacity c, refilled at most - c + 1 tokens a period, so
    that no period, wherever it begins, sees more than `most`: c at once, and less than one token more than
    most - c from what is refilled in it. A day is a count that begins anew at midnight UTC, because a
    relay's daily quota may be used up at once, and a lesson has its hour.
    """

    id: int
    transport_id: int
    domain_group: str
    period: Period
    origin: LimitOrigin
    most: int
    tokens: float
    filled_at: datetime
    day: date | None
    used: int
    promised_until: datetime | None
    since: datetime

    @property
    def capacity(self) -> int:
        return max(1, self.most // BURST_SHARE)

    @property
    def spacing(self) -> timedelta:
        """The time from one token to the next, in the long run."""
        if self.period is Period.DAY:
            return LENGTH[self.period] / self.most
        return LENGTH[self.period] / (self.most - self.capacity + 1)

    def free(self, now: datetime, *, is_urgent: bool = True) -> int:
        """How many mails may be reserved now; fewer of a day when they are not urgent (see KEPT_SHARE)."""
        if self.period is Period.DAY:
            most = self.most if is_urgent else self.most - self.most // KEPT_SHARE
            return max(0, most - (self.used if self.day == _day(now) else 0))
        return floor(self._level(now))

    def take(self, count: int, now: datetime) -> Limit:
        """The limit after `count` mails were reserved."""
        if self.period is Period.DAY:
            used = self.used if self.day == _day(now) else 0
            return replace(self, day=_day(now), used=used + count)
        return replace(self, tokens=self._level(now) - count, filled_at=max(now, self.filled_at))

    def give_back(self, count: int, now: datetime, reserved_at: datetime) -> Limit:
        """The limit after `count` of the mails reserved at `reserved_at` turned out not to be sent.

        What was counted on a day that is over, or before this limit was set, is not counted here. What was
        refilled since then is kept back: without the reservation a full bucket would have let it run over.
        """
        if reserved_at < self.since:
            return self
        if self.period is Period.DAY:
            is_of_today = self.day == _day(now) == _day(reserved_at)
            return replace(self, used=max(0, self.used - count)) if is_of_today else self
        refilled = max(now - reserved_at, timedelta(0)) / self.spacing
        level = min(float(self.capacity), self._level(now) + max(0.0, count - refilled))
        return replace(self, tokens=level, filled_at=max(now, self.filled_at))

    def next_at(self, now: datetime, *, is_urgent: bool = True) -> datetime:
        """The moment at which one more mail may be reserved, should nobody else take it."""
        if self.free(now, is_urgent=is_urgent) > 0:
            return now
        if self.period is Period.DAY:
            return _midnight_after(now)
        return now + (1 - self._level(now)) * self.spacing + A_LITTLE

    def next_promise(self, now: datetime, *, is_urgent: bool = True) -> datetime:
        """The moment that the next mail which has to wait is promised: behind all that wait already."""
        first = self.next_at(now, is_urgent=is_urgent)
        return first if self.promised_until is None else max(first, self.promised_until + self.spacing)

    def promise(self, count: int, now: datetime, *, is_urgent: bool = True) -> tuple[Limit, list[datetime]]:
        """A moment for each of `count` mails that have to wait.

        They come when there is a token for each, so that a row which waits is moved once, not each time
        when somebody looks.
        """
        first = self.next_promise(now, is_urgent=is_urgent)
        moments = [first + number * self.spacing for number in range(count)]
        return replace(self, promised_until=moments[-1]) if moments else self, moments

    def __str__(self) -> str:
        where = f" to {self.domain_group}" if self.domain_group else ""
        why = {LimitOrigin.SET: "", LimitOrigin.WARMUP: " (warm-up)", LimitOrigin.SLOWED: " (busy)"}
        return f"{self.most:,} {WORDS[self.period]}{where}{why[self.origin]}"

    def _level(self, now: datetime) -> float:
        """Tokens in the bucket at `now`; another process's clock reading may be a little ahead of ours."""
        passed = max(now - self.filled_at, timedelta(0))
        return min(float(self.capacity), self.tokens + passed / self.spacing)


def _day(moment: datetime) -> date:
    return moment.astimezone(UTC).date()


def _midnight_after(moment: datetime) -> datetime:
    return datetime.combine(_day(moment) + timedelta(days=1), time(0), UTC)
