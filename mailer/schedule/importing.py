"""Importing people onto a list: those who have to confirm are asked with the part they come in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from mailer.audience import importing
from mailer.audience.importing import ImportOrder, ImportReport, Progress, Transaction, Ways
from mailer.audience.staging import NotTaken
from mailer.models import MailingList
from mailer.schedule.moving import keep_to_zones
from mailer.schedule.signup import ASKED_AT_ONCE, ask_all, refuse_without_sender


def import_to_list(
    transaction: Transaction,
    order: ImportOrder,
    now: datetime,
    *,
    restart: bool = False,
    tell: Callable[[Progress], None] = lambda _: None,
    keep: Callable[[Iterator[NotTaken]], None] = lambda _: None,
    begun: Callable[[Session, int], None] = lambda _, __: None,
    done: Callable[[Session, ImportReport], None] = lambda _, __: None,
    workers: int = importing.WORKERS,
    at_once: int = importing.AT_ONCE,
) -> ImportReport:
    """Import people from a CSV file and ask those who have to confirm; see `audience.importing`.

    A person's subscription and their confirmation mail are one transaction, so nobody is asked twice
    however often the import is stopped. Raises Refused also when the list has no sender to ask with.
    """
    list_id = order.joining.list_id
    if not order.joining.is_active:
        with transaction() as session:
            refuse_without_sender(session.get_one(MailingList, list_id))

    def ask(session: Session, subscription_ids: Sequence[int]) -> None:
        list_ = session.get_one(MailingList, list_id)
        for start in range(0, len(subscription_ids), ASKED_AT_ONCE):
            ask_all(session, list_, subscription_ids[start : start + ASKED_AT_ONCE], now)

    def moved(session: Session, subscriber_ids: Sequence[int]) -> None:
        keep_to_zones(session, subscriber_ids, now)

    ways = Ways(ask, moved, tell, keep, begun, done, workers=workers, at_once=at_once)
    return importing.import_file(transaction, order, now, ways, restart=restart)
