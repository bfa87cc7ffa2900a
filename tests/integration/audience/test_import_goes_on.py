"""An import that was stopped goes on where it was: nobody twice, no row lost, and nothing left behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from mailer.audience.fields import declare_field
from mailer.audience.importing import ImportOrder, ImportReport
from mailer.audience.lists import Evidence, get_list
from mailer.audience.staging import NotTaken
from mailer.audience.suppression import suppress
from mailer.audience.unfinished import Elsewhere
from mailer.db import Sessions, session_scope
from mailer.errors import Refused
from mailer.feedback.record import leave
from mailer.models import Consent, Delivery, FieldType, Subscriber, Subscription, SuppressionReason
from mailer.schedule.importing import import_to_list
from tests.support.cast import ADA, BEN, CLEO, join, publish_folder, write_course

EVIDENCE = Evidence("They ticked the box at the fair.", "import of fair.csv")
AT_ONCE = 5


class Killed(BaseException):
    """As if the process had ended at this moment."""


@pytest.fixture(autouse=True)
def house(sessions: Sessions, tmp_path: Path, now: datetime) -> None:
    """Ben has left, Cleo's address bounces, and the list "calm" asks everybody else to confirm."""
    with session_scope(sessions) as session:
        publish_folder(session, write_course(tmp_path / "calm", opt_in="double"), now)
        declare_field(session, "height", FieldType.NUMBER)
        ben = join(session, BEN, now)
        leave(session, ben.id, get_list(session, "calm").id, source="page", now=now)
        suppress(session, CLEO, SuppressionReason.HARD_BOUNCE, now)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Thirty rows: 24 readers, Ben, Cleo, two refused rows, and Ada twice, far from herself."""
    readers = [f"reader{number:02}@reader.example,Reader {number},{150 + number}" for number in range(24)]
    odd = [f"{ADA},Ada,", f"{BEN},,", "not an address,,", f"{CLEO},,"]
    path = tmp_path / "fair.csv"
    last = [f"{ADA.upper()},Ada Lovelace,165", "x@reader.example,X,tall"]
    path.write_text("\n".join(["email,name,height", *odd, *readers, *last]), encoding="utf-8")
    return path


def bring_in(
    sessions: Sessions,
    file: Path,
    now: datetime,
    *,
    transactions: int | None = None,
    kept: list[NotTaken] | None = None,
    restart: bool = False,
    at_once: int = AT_ONCE,
) -> ImportReport:
    """Import the file; with `transactions`, be killed in the middle of the one after so many."""
    left = transactions

    @contextmanager
    def transaction() -> Iterator[Session]:
        nonlocal left
        with session_scope(sessions) as session:
            yield session
            if left == 0:
                raise Killed
        left = None if left is None else left - 1

    with session_scope(sessions) as session:
        order = ImportOrder.to(get_list(session, "calm"), file, EVIDENCE)

    def keep(rows: Iterator[NotTaken]) -> None:
        if kept is not None:
            kept.extend(rows)

    return import_to_list(transaction, order, now, keep=keep, restart=restart, workers=1, at_once=at_once)


def stop(sessions: Sessions, file: Path, now: datetime, transactions: int) -> bool:
    """Whether it was stopped before its end."""
    try:
        bring_in(sessions, file, now, transactions=transactions)
    except Killed:
        return True
    return False


def people(sessions: Sessions) -> list[tuple[Any, ...]]:
    """All that is known of everybody, and how often each was asked and is mailed."""
    with session_scope(sessions) as session:
        asked = select(func.count()).select_from(Consent).join(Subscription)
        rows = session.execute(
            select(
                Subscriber.email_key,
                Subscriber.name,
                Subscriber.fields,
                asked.where(Subscription.subscriber_id == Subscriber.id).scalar_subquery(),
                select(func.count()).where(Delivery.subscriber_id == Subscriber.id).scalar_subquery(),
            ).order_by(Subscriber.email_key)
        )
        return [tuple(row) for row in rows]


def tables(session: Session) -> list[str]:
    found = text(r"SELECT relname FROM pg_class WHERE relname ~ '^import_[0-9]'")
    return list(session.scalars(found))


def test_an_import_that_is_killed_after_every_transaction_ends_as_if_it_had_not_been(
    sessions: Sessions, file: Path, now: datetime, tmp_path: Path
) -> None:
    # One transaction at a time gets through: the opening ones, 7 of reading, 6 of adding, the last.
    kills = 0
    while stop(sessions, file, now, transactions=4):
        kills += 1
        assert kills < 40
    assert kills >= 6
    with session_scope(sessions) as session:
        assert tables(session) == []
    known = {row[0]: row[1:] for row in people(sessions)}
    assert len(known) == 24 + 3
    assert known[ADA] == ("Ada Lovelace", {"height": 165}, 1, 1)
    assert known[CLEO] == ("", {}, 0, 0)
    assert known[BEN][2:] == (2, 1)  # asked when he joined, then withdrawn; not asked now
    assert all(row[2:] == (1, 1) for address, row in known.items() if address.startswith("reader"))


def test_the_report_tells_of_all_runs_and_not_of_the_last_alone(
    sessions: Sessions, file: Path, now: datetime
) -> None:
    kept: list[NotTaken] = []
    for transactions in (4, 12):
        with pytest.raises(Killed):
            bring_in(sessions, file, now, transactions=transactions)
    report = bring_in(sessions, file, now, kept=kept)
    assert (report.rows, report.people, report.repeated, report.refused_rows) == (30, 27, 1, 2)
    assert (report.new_people, report.known_people, report.joined, report.asked) == (26, 1, 25, 25)
    assert (report.left_before, report.suppressed, report.already_on_list) == (1, 1, 0)
    assert [(row.line, row.value) for row in kept] == [
        (3, BEN),
        (4, "not an address"),
        (5, CLEO),
        (31, "x@reader.example"),
    ]


@pytest.mark.parametrize("at_once", [1, 3, 1000])
def test_parts_of_any_size_give_the_same_people_and_the_same_report(
    sessions: Sessions, file: Path, now: datetime, at_once: int
) -> None:
    report = bring_in(sessions, file, now, at_once=at_once)
    assert (report.rows, report.people, report.repeated, report.refused_rows) == (30, 27, 1, 2)
    assert (report.new_people, report.joined, report.left_before, report.suppressed) == (26, 25, 1, 1)
    known = {row[0]: row[1:] for row in people(sessions)}
    assert known[ADA] == ("Ada Lovelace", {"height": 165}, 1, 1)


def test_a_restart_reads_the_file_again_and_asks_nobody_twice(
    sessions: Sessions, file: Path, now: datetime
) -> None:
    with pytest.raises(Killed):
        bring_in(sessions, file, now, transactions=11)
    before = sum(row[4] for row in people(sessions))
    assert before > 1
    report = bring_in(sessions, file, now, restart=True)
    assert report.rows == 30
    assert report.joined + before - 1 == 25  # Ben's mail is from when he joined
    assert all(row[4] == 1 for row in people(sessions) if row[0] != CLEO)


def test_another_file_begins_anew(sessions: Sessions, file: Path, now: datetime) -> None:
    with pytest.raises(Killed):
        bring_in(sessions, file, now, transactions=11)
    file.write_text(f"email\n{ADA}\nx@reader.example\n", encoding="utf-8")
    assert bring_in(sessions, file, now).rows == 2


def test_what_was_read_of_a_file_that_cannot_be_read_to_its_end_is_forgotten(
    sessions: Sessions, file: Path, now: datetime
) -> None:
    with file.open("a", encoding="utf-8") as more:
        more.write(f'\n{ADA},"Ada\n{BEN},Ben\n')
    with pytest.raises(Refused, match="quotation mark opens on line 32"):
        bring_in(sessions, file, now)
    assert len(people(sessions)) == 1  # Ben alone, from before
    with session_scope(sessions) as session:
        assert tables(session) == []
        assert session.scalar(text("SELECT count(*) FROM imports")) == 0


def test_nobodys_addresses_are_kept_for_more_than_a_week(
    sessions: Sessions, file: Path, now: datetime, tmp_path: Path
) -> None:
    with pytest.raises(Killed):
        bring_in(sessions, file, now, transactions=11)
    other = tmp_path / "other.csv"
    other.write_text(f"email\n{ADA}\n", encoding="utf-8")
    bring_in(sessions, other, now + timedelta(days=6))
    with session_scope(sessions) as session:
        assert len(tables(session)) >= 2
    bring_in(sessions, other, now + timedelta(days=8))
    with session_scope(sessions) as session:
        assert tables(session) == []


def test_of_two_processes_with_the_same_import_one_gives_way_and_the_other_ends_it(
    sessions: Sessions, file: Path, now: datetime
) -> None:
    with session_scope(sessions) as session:
        order = ImportOrder.to(get_list(session, "calm"), file, EVIDENCE)
    reports: list[ImportReport] = []

    @contextmanager
    def overtaken() -> Iterator[Session]:
        """After this one's first part, the other one runs to the end."""
        with session_scope(sessions) as session:
            yield session
            is_begun = session.scalar(text("SELECT count(*) FROM imports WHERE rows_read > 0"))
        if is_begun and not reports:
            reports.append(bring_in(sessions, file, now))

    with pytest.raises(Elsewhere, match="Another process"):
        import_to_list(overtaken, order, now, workers=1, at_once=AT_ONCE)
    assert (reports[0].rows, reports[0].joined) == (30, 25)
    assert all(row[4] == 1 for row in people(sessions) if row[0] != CLEO)
