"""A release from its first step to its last, each in a transaction of its own; see `release`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from functools import partial

from sqlalchemy.orm import Session

from mailer.delivery.installation import Installation
from mailer.launch.release import (
    GROUP,
    Choice,
    begin,
    finish,
    go_on,
    overdue_readers,
    pass_over_mails,
    pass_over_readers,
    write_campaigns,
)

Scope = Callable[[], AbstractContextManager[Session]]
"""Opens one transaction."""


def carry_out(
    scope: Scope,
    choice: Choice,
    here: Installation,
    now: datetime,
    *,
    who: str,
    show: Callable[[int, int], None] | None = None,
) -> int:
    """Release what was chosen; how many mails were passed over. `show` is told of readers done, of how many.

    The holds end in the last transaction: one that was cut short is done again from its beginning. One that
    another release was begun after stops; what it passed over stays so. Raises Refused then.
    """
    with scope() as session:
        action_id = begin(session, choice, now, who=who)

    def step(some: Callable[[Session], int]) -> int:
        with scope() as session:
            go_on(session, choice, action_id)
            return some(session)

    _until_none(lambda: step(lambda session: write_campaigns(session, choice, now)))
    with scope() as session:
        groups = overdue_readers(session, choice, now)
    mails = 0
    for number, ids in enumerate(groups):
        if show is not None:
            show(number * GROUP, sum(map(len, groups)))
        mails += step(partial(pass_over_readers, choice=choice, ids=ids, now=now))
    mails += _until_none(lambda: step(lambda session: pass_over_mails(session, choice, now)))
    with scope() as session:
        mark = finish(session, choice, here, now, action_id=action_id, mails=mails)
    here.note(mark)
    return mails


def _until_none(some: Callable[[], int]) -> int:
    """Do `some` until there are no more; how many there were."""
    total = 0
    while more := some():
        total += more
    return total
