"""Importing people from a file: every row is either taken or refused with a reason; twice changes nothing.

The file is read as a whole into a table of its own, then its people are added part by part. Each part is
one transaction that also notes how far the import is, so a run that was killed is gone on with.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from sqlalchemy.orm import Session

from mailer.audience import unfinished
from mailer.audience.columns import BUILT_IN
from mailer.audience.fields import declared_fields
from mailer.audience.lists import Evidence
from mailer.audience.merging import Joining, KeptAway, Merged, merge_people
from mailer.audience.reading import PeopleReader, PersonRow, refuse_doubled
from mailer.audience.spreadsheet import Row, Sheet, open_sheet
from mailer.audience.staging import NotTaken
from mailer.audience.unfinished import Elsewhere, Unfinished
from mailer.errors import MailerError, Refused
from mailer.models import FieldType, MailingList, OptIn, SuppressionReason

AT_ONCE = 20_000
"""Rows that are read, and people who are added, in one transaction."""
WORKERS = 2
"""Parts that are added at the same time: one of them waits for the disk while the other computes."""
LISTED = 1000
"""Rows that a report holds; all of them go through `keep`."""
SHOWN_VALUE = 320

Transaction = Callable[[], AbstractContextManager[Session]]
"""Opens a transaction that is committed at the end of the block."""
Ask = Callable[[Session, Sequence[int]], None]
"""Asks new subscriptions, by their ids, to confirm."""
Moved = Callable[[Session, Sequence[int]], None]
"""Hears of people who were known and have a zone now, by their ids."""


@dataclass(frozen=True)
class ImportOrder:
    """What to import. The same order for the same file goes on where it was left."""

    path: Path
    joining: Joining
    encoding: str | None = None
    """For a file whose own cannot be told."""
    delimiter: str | None = None
    columns: tuple[str, ...] | None = None
    """The columns by our names, "" for those that are not used, when somebody has said what they mean."""
    declared: Mapping[str, FieldType] | None = None
    """The custom fields as they were when it was ordered; None: as they are now."""

    @classmethod
    def to(
        cls,
        list_: MailingList,
        path: Path,
        evidence: Evidence,
        *,
        is_confirmed: bool = False,
        encoding: str | None = None,
    ) -> ImportOrder:
        """Onto `list_`: pending on a double opt-in list, unless they have confirmed elsewhere."""
        is_active = is_confirmed or list_.opt_in == OptIn.SINGLE
        return cls(path, Joining(list_.id, evidence, is_active), encoding)


class Progress(NamedTuple):
    """How far an import is: rows while it reads, then people of at most `total` ones.

    `before` is what an earlier run had done when this one began.
    """

    is_reading: bool
    done: int
    total: int | None
    refused: int
    before: int


@dataclass(frozen=True)
class ImportReport:
    """What an import did, over all its runs.

    Every row is one of `people`, one of `repeated` (somebody named before) or `refused_rows`. Every one
    of the people is new or known, and has joined, was on the list already or is kept away: they have
    left before, or their address is suppressed. `unconfirmed` of those on the list have still not
    answered. `asked` of those who joined have to confirm. `guess` is the first row whose letters depend
    on a guess of the encoding, with its line number. `refused` and `kept_away` hold at most LISTED rows.
    """

    encoding: str
    delimiter: str
    has_header: bool
    rows: int
    people: int
    repeated: int
    new_people: int
    known_people: int
    joined: int
    already_on_list: int
    unconfirmed: int
    left_before: int
    suppressed: int
    asked: int
    ignored_columns: tuple[str, ...]
    refused_rows: int
    refused: tuple[NotTaken, ...]
    kept_away: tuple[NotTaken, ...]
    guess: tuple[int, str] | None


@dataclass(frozen=True)
class Ways:
    """What an import does beside importing: `keep` gets every row that was not taken, before the end.

    `begun` hears of its id in the transaction that begins it, `done` of its report in the last one.
    """

    ask: Ask
    moved: Moved
    tell: Callable[[Progress], None] = lambda _: None
    keep: Callable[[Iterator[NotTaken]], None] = lambda _: None
    begun: Callable[[Session, int], None] = lambda _, __: None
    done: Callable[[Session, ImportReport], None] = lambda _, __: None
    workers: int = WORKERS
    at_once: int = AT_ONCE


def import_file(
    transaction: Transaction, order: ImportOrder, now: datetime, ways: Ways, *, restart: bool = False
) -> ImportReport:
    """Add everybody in a CSV file to a list, in parts and in little memory.

    Whoever left the list or everything before stays away, and a suppressed address is not put on the
    list: it is not mailed, and importing again finds it once it may be. `restart` forgets what an
    earlier run has read. Raises Refused when the file as a whole cannot be read, and then nobody has
    been added; single bad rows are refused in the report. Raises Elsewhere when the same import runs
    already.
    """
    with open_sheet(order.path, order.encoding, order.delimiter, order.columns) as sheet:
        with transaction() as session:
            declared = declared_fields(session) if order.declared is None else order.declared
            refuse_doubled(sheet.columns, declared, order.path.name)
            digest = _digest(order, sheet, declared, ways.at_once)
            if restart:
                unfinished.forget_digest(session, digest)
            source = order.joining.evidence.source
            at = unfinished.begin(session, digest, order.joining.list_id, source, now)
            ways.begun(session, at.id)
        if not at.is_read:
            at = _read(transaction, sheet, declared, at, ways)
    _add(transaction, order, at, now, ways)
    with transaction() as session:
        report = _report(session, order, sheet, declared, at.id)
        ways.keep(at.staging.rows_not_taken(session))
        unfinished.finish(session, at.id, now)
        ways.done(session, report)
    return report


def _digest(order: ImportOrder, sheet: Sheet, declared: Mapping[str, FieldType], at_once: int) -> bytes:
    """What makes two imports the same one: the file, and all that decides what becomes of its rows."""
    joining = order.joining
    said: list[object] = [sheet.digest.hex(), order.path.name, order.encoding, declared, at_once]
    said += [one for one in (order.delimiter, order.columns) if one is not None]
    consent = [joining.list_id, joining.is_active, joining.evidence.wording, joining.evidence.source]
    return hashlib.sha256(json.dumps([said, consent]).encode()).digest()


@dataclass
class _Reading:
    """One part of the rows; what is learned on the way is kept."""

    sheet: Sheet
    reader: PeopleReader
    has_guess: bool
    rows: int = 0
    guess: tuple[int, str] | None = None

    def __post_init__(self) -> None:
        self.refused: list[NotTaken] = []

    def people(self, at_once: int) -> Iterator[PersonRow]:
        """Everybody whose row is good; the others are added to `refused`."""
        looks_for_guess = self.sheet.encoding.is_guessed and not self.has_guess
        for row in islice(self.sheet.rows, at_once):
            self.rows += 1
            if looks_for_guess and self.guess is None:
                self._look_for_guess(row)
            try:
                if row.problem:
                    raise Refused(row.problem)
                person = self.reader.person(row.line, row.cells)
            except MailerError as error:
                self.refused.append(NotTaken(row.line, _shown(self.reader.email(row.cells)), str(error)))
            else:
                yield person

    def _look_for_guess(self, row: Row) -> None:
        text = " ".join(cell for cell in row.cells if not cell.isascii())
        if text:
            self.guess = row.line, _shown(text[:80])


def _shown(text: str) -> str:
    """Text as it can be kept: not a whole page, and no halves of characters."""
    return text[:SHOWN_VALUE].encode(errors="replace").decode()


def _read(
    transaction: Transaction,
    sheet: Sheet,
    declared: Mapping[str, FieldType],
    at: Unfinished,
    ways: Ways,
) -> Unfinished:
    """Copy the rows that have not been read; a file that cannot be read to its end leaves nothing behind."""
    reader = PeopleReader(sheet.columns, declared)
    before = sum(1 for _ in islice(sheet.rows, at.rows_read))
    ways.tell(Progress(True, before, None, at.rows_refused, before))
    try:
        while not at.is_read:
            with transaction() as session:
                at = _read_part(session, sheet, reader, at, ways.at_once)
            ways.tell(Progress(True, at.rows_read, None, at.rows_refused, before))
    except Elsewhere:
        raise
    except Refused:
        with transaction() as session:
            unfinished.forget(session, at.id)
        raise
    return at


def _read_part(
    session: Session, sheet: Sheet, reader: PeopleReader, at: Unfinished, at_once: int
) -> Unfinished:
    unfinished.enter(session, at.id)
    reading = _Reading(sheet, reader, has_guess=at.guess is not None)
    at.staging.add_people(session, reading.people(at_once))
    at.staging.add_not_taken(session, reading.refused)
    is_last = reading.rows < at_once
    if is_last:
        at.staging.make_ready(session)
    return unfinished.record_rows(
        session, at, reading.rows, len(reading.refused), reading.guess, is_last=is_last
    )


class _Part(NamedTuple):
    """Everybody whose key is above `after` and, if it is given, at most `upto`."""

    number: int
    after: str
    upto: str | None


def _add(transaction: Transaction, order: ImportOrder, at: Unfinished, now: datetime, ways: Ways) -> None:
    """Add everybody who has not been added."""
    with transaction() as session:
        bounds = at.staging.bounds(session, ways.at_once)
    parts = [
        _Part(number, after, upto)
        for number, (after, upto) in enumerate(zip(["", *bounds], [*bounds, None], strict=True))
        if number not in at.parts
    ]
    before = done = at.total("people")
    total = at.rows_read - at.rows_refused

    def add(part: _Part) -> int:
        with transaction() as session:
            return _add_part(session, at, part, order.joining, now, ways)

    ways.tell(Progress(False, done, total, at.rows_refused, before))
    with closing(_each(add, parts, ways.workers)) as each:
        for added in each:
            done += added
            ways.tell(Progress(False, done, total, at.rows_refused, before))


def _each(add: Callable[[_Part], int], parts: Sequence[_Part], workers: int) -> Generator[int]:
    """The results as they come; at the first error, or Ctrl-C, no other part is begun."""
    if workers == 1:
        yield from map(add, parts)
        return
    with ThreadPoolExecutor(workers) as pool:
        futures: list[Future[int]] = [pool.submit(add, part) for part in parts]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _add_part(
    session: Session, at: Unfinished, part: _Part, joining: Joining, now: datetime, ways: Ways
) -> int:
    unfinished.enter(session, at.id)
    merged = merge_people(session, at.staging.people, part.after, part.upto, joining, now)
    kept_away = [
        NotTaken(person.line, person.email, _why_kept_away(person), is_kept_away=True)
        for person in merged.kept_away
    ]
    at.staging.add_not_taken(session, kept_away)
    if merged.joined and not joining.is_active:
        ways.ask(session, merged.joined)
    ways.moved(session, merged.moved)
    unfinished.record_part(session, at.id, part.number, _counts(merged))
    return merged.people


def _counts(merged: Merged) -> dict[str, int]:
    left = sum(person.has_left for person in merged.kept_away)
    return {
        "people": merged.people,
        "new": merged.new_people,
        "joined": len(merged.joined),
        # Where to look for those who joined, should the import be taken back.
        "first": min(merged.joined, default=0),
        "last": max(merged.joined, default=0),
        "unconfirmed": merged.unconfirmed,
        "left": left,
        "suppressed": len(merged.kept_away) - left,
    }


def _why_kept_away(person: KeptAway) -> str:
    if person.suppression == SuppressionReason.EVERYTHING:
        return f"left everything on {person.suppressed_at:%Y-%m-%d} and stays away"
    if person.suppression is not None:
        return f"the address is not mailed: {person.suppression} on {person.suppressed_at:%Y-%m-%d}"
    return f"left the list on {person.left_on:%Y-%m-%d} and stays away"


def _report(
    session: Session, order: ImportOrder, sheet: Sheet, declared: Mapping[str, FieldType], import_id: int
) -> ImportReport:
    at = unfinished.enter(session, import_id)
    people, joined = at.total("people"), at.total("joined")
    left, suppressed = at.total("left"), at.total("suppressed")
    built_in_or_declared = {*BUILT_IN, *declared}
    rows = at.staging.rows_not_taken
    return ImportReport(
        encoding=sheet.encoding.name,
        delimiter=sheet.delimiter,
        has_header=sheet.has_header,
        rows=at.rows_read,
        people=people,
        repeated=at.rows_read - at.rows_refused - people,
        new_people=at.total("new"),
        known_people=people - at.total("new"),
        joined=joined,
        already_on_list=people - joined - left - suppressed,
        unconfirmed=at.total("unconfirmed"),
        left_before=left,
        suppressed=suppressed,
        asked=0 if order.joining.is_active else joined,
        ignored_columns=tuple(name for name in sheet.columns if name and name not in built_in_or_declared),
        refused_rows=at.rows_refused,
        refused=tuple(rows(session, is_kept_away=False, limit=LISTED)),
        kept_away=tuple(rows(session, is_kept_away=True, limit=LISTED)),
        guess=at.guess,
    )
