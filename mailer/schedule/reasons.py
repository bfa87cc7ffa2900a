"""Why a lesson leaves when it does and as it does, in words: for `why` and for the simulator. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from mailer.clock import local_date
from mailer.schedule.decide import Send
from mailer.schedule.place import Place, StepPlan, date_of

AN_EXTRA = "an extra, on the first free day"
UNDECIDED = "what comes next could not be decided; the log says why"
"""The reason of an enrollment that the tick could not decide; it is tried again."""


def as_written(step: StepPlan) -> str:
    """What is said of one that leaves as its course has it."""
    return f"day {step.day}"


def reason_of(place: Place, send: Send, steps: Sequence[StepPlan], now: datetime) -> str:
    """Why `send`, decided for this place (the one before it), leaves `now`."""
    if send.because:
        return send.because
    if send.repeats is not None:
        gentler = ", in its gentler version" if send.step.easier_than else ""
        return f"week {send.repeats} once more{gentler}: the reader was not ready to go on"
    if send.is_extra:
        return AN_EXTRA
    own = date_of(place, send.anchor, send.step.day, steps)
    words = as_written(send.step)
    if place.gap is not None:
        every = "every day" if place.gap == 1 else f"every {place.gap} days"
        words += f", {every} as the reader chose"
    if send.step.instead_of:
        words += f", for those with: {send.step.condition}"
    if local_date(now, place.zone) != own:
        words += f", moved from {own:%a %d %b} to the next day that is free and allowed"
    return words
