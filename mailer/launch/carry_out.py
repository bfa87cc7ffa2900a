"""A release from its first step to its last, each in a transaction of its own; see `release`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime

from sqlalchemy.orm import Session

from mailer.delivery.installation import Installation
from mailer.launch.release import (
    GROUP,
    Choice,
    begin,
    finish,
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

    The holds end in the last transaction: one that was cut short is done again from its beginning.
    """
    with scope() as session:
        action_id = begin(session, choice, now, who=who)
    _until_none(scope, lambda session: write_campaigns(session, choice, now))
    with scope() as session:
        groups = overdue_readers(session, choice, now)
    mails = 0
    for number, ids in enumerate(groups):
        if show is not None:
            show(number * GROUP, sum(map(len, groups)))
        with scope() as session:
            mails += pass_over_readers(session, choice, ids, now)
    mails += _until_none(scope, lambda session: pass_over_mails(session, choice, now))
    with scope() as session:
        mark = finish(session, choice, here, now, action_id=action_id, mails=mails)
    here.note(mark)
    return mails


def _until_none(scope: Scope, some: Callable[[Session], int]) -> int:
    """Do `some` in transactions of their own until there are no more; how many there were."""
    total = 0
    more = 1
    while more:
        with scope() as session:
            more = some(session)
        total += more
    return total
