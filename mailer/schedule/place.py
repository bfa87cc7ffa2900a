"""Where somebody is in a course, and on which dates its days fall for them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

from mailer.i18n import fallback_chain
from mailer.schedule.timing import ANY_DAY, Anchor, Timing, Window, own_hours, quiet_ends, window_outside


@dataclass(frozen=True)
class StepPlan:
    """What a decision needs to know of a step.

    One with `instead_of` stands before the step of that key, on the same day, and is sent to those who
    meet its `condition`. `languages` are the messages it was translated to.
    """

    id: int
    key: str
    day: int
    send_time: time
    message_id: int
    timing: Timing = ANY_DAY
    condition: str = ""
    instead_of: str = ""
    easier_than: str = ""
    week: int | None = None
    languages: tuple[tuple[str, int], ...] = ()

    def message_in(self, language: str | None) -> int:
        """The message for somebody who reads `language`: the nearest translation, or what all others get."""
        if language and self.languages:
            known = dict(self.languages)
            for tag in fallback_chain(language):
                if tag in known:
                    return known[tag]
        return self.message_id


@dataclass(frozen=True)
class Weeks:
    """The weeks `of` a course's mails by their steps' ids; `gentler` versions come only as a repeat."""

    of: Mapping[int, int] = field(default_factory=dict)
    gentler: frozenset[int] = frozenset()

    def repeated_by(self, step_id: int | None, *, is_repeat: bool) -> int | None:
        """Which week a mail of this step was once more; None: it was not."""
        if step_id is None or not (is_repeat or step_id in self.gentler):
            return None
        return self.of.get(step_id)


NO_WEEKS = Weeks()


@dataclass(frozen=True)
class Place:
    """Where somebody is in a course, and what they asked for.

    `last_day` is the course day of the mail planned last (0: the welcome); `is_last_open` says that
    it is still on its way, `last_left_on` on which day in their zone it left, `repeated_week` that it was
    this week's mail once more.

    `gap` is the days from mail to mail that the reader chose (None: as written); `send_time` and `weekdays`
    take the place of the author's. `is_asked`: they want the next one now. `answers` and `repeats` are by
    week. `extras` are the ids of steps that come first, `last_extras` of those that come after all others.
    `holds` are those of the course's rules that this person meets, None where nobody has looked;
    `stop` is the rule that ends the course for them. `room_from` is the first day on which a cap on all their
    mails leaves room, None: there is some; `quiet` are hours in which nothing leaves.
    """

    zone: str
    anchor: Anchor
    last_day: int
    is_last_open: bool = False
    last_left_on: date | None = None
    gap: int | None = None
    send_time: time | None = None
    weekdays: int | None = None
    is_asked: bool = False
    answers: tuple[tuple[int, str], ...] = ()
    repeats: tuple[tuple[int, int], ...] = ()
    extras: tuple[int, ...] = ()
    last_extras: tuple[int, ...] = ()
    holds: frozenset[str] | None = None
    stop: str = ""
    room_from: date | None = None
    quiet: tuple[time, time] | None = None
    repeated_week: int | None = None

    @property
    def wishes(self) -> tuple[object, ...]:
        """What of it is the reader's asking and answering."""
        return self.is_asked, self.answers, self.repeats, self.extras, self.last_extras

    def window_of(self, step: StepPlan, day: date) -> Window:
        """When `step` may leave for this reader, from `day` on."""
        send_time, timing = own_hours(step.send_time, step.timing, self.send_time, self.weekdays)
        # An hour that readers chose for themselves counts for more than quiet hours.
        quiet = self.quiet if self.send_time is None else None
        return window_outside(quiet, day, send_time, timing, self.zone)

    def nights(self, step: StepPlan) -> int:
        """How many days after its own one `step` leaves because of quiet hours: 1 for a late evening's."""
        if self.quiet is None or self.send_time is not None:
            return 0
        return quiet_ends(self.quiet, step.send_time) or 0


def date_of(place: Place, anchor: Anchor, day: int, steps: Sequence[StepPlan]) -> date:
    """The calendar day on which course day `day` falls: as written, or counted in the reader's own gaps."""
    if place.gap is None:
        return anchor.date_of(day)
    low, high = sorted((anchor.day, day))
    mails = len({step.day for step in steps if low < step.day <= high})
    return anchor.on + timedelta(days=place.gap * mails * (1 if day >= anchor.day else -1))


def moment_of(place: Place, anchor: Anchor, step: StepPlan, steps: Sequence[StepPlan]) -> datetime:
    """When `step` is due by its own date, however late it is now."""
    return place.window_of(step, date_of(place, anchor, step.day, steps)).opens_at


def shifted(place: Place, steps: Sequence[StepPlan]) -> Anchor:
    """The anchor, moved when the last mail left on a later day than planned.

    One that lies ahead is not moved: the reader comes back to its date.
    """
    if place.anchor.day > place.last_day:
        return place.anchor
    planned, left_on = date_of(place, place.anchor, place.last_day, steps), place.last_left_on
    if left_on is None or left_on <= planned:
        return place.anchor
    last = next((step for step in steps if step.day == place.last_day), None)
    belongs_on = left_on - timedelta(days=place.nights(last) if last else 0)
    return Anchor(belongs_on, place.last_day) if belongs_on > planned else place.anchor
