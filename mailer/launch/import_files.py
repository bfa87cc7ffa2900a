"""Imports that were begun at the desk, carried on by workers a while at a time, one after the other.

An import is gone on with where it was (`audience/importing.py`), so it does not matter when a worker stops:
it was told to, was killed, or lets other errands come first.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mailer.accounts.record import record
from mailer.accounts.rights import at_the_machine
from mailer.audience import import_files, undo_import
from mailer.audience.import_folder import ImportFolder
from mailer.audience.importing import ImportReport, Progress, Transaction
from mailer.audience.unfinished import Elsewhere
from mailer.db import DatabaseDown, Sessions, business_now, session_scope
from mailer.errors import MailerError, NotFound
from mailer.models import ImportFile, ImportFileState
from mailer.reports.not_taken import NotTakenFile
from mailer.schedule.importing import import_to_list

log = logging.getLogger(__name__)

AT_A_TIME = 10.0
"""Seconds after which a worker lets others' errands come before the rest."""
TOLD_EVERY = 0.5
"""Seconds between two notes of how far it is."""
UNSEEN = timedelta(minutes=2)
"""So long a file is left to other workers by one that has no folder of such files."""
ALONE = 7_301_995
"""Our key among PostgreSQL's advisory locks: whoever holds it works on the imports."""
OUR_FAULT = "Something went wrong on our side, and is in the log. Go on with it to try again."
NOT_ALL_BACK = "Taking it back stopped: something went wrong on our side, and is in the log. Try it again."
NOT_SEEN = (
    "The workers do not see the file. It may have been brought more than a week ago; else have the web "
    "application and the workers share one STEADYPOST_DATA_DIR."
)


class Paused(Exception):
    """The import rests: somebody stopped it, or its time is over for now."""


def carry_on(
    sessions: Sessions, data_dir: Path, is_stopping: Callable[[], bool], seconds: float = AT_A_TIME
) -> bool:
    """Work for a while on the import that was begun first; whether there is anything left to do."""
    folder = ImportFolder(data_dir)
    # The lock is this transaction's, so it goes with its process; nothing else happens in it.
    with session_scope(sessions) as alone:
        if not alone.execute(select(func.pg_try_advisory_xact_lock(ALONE))).scalar_one():
            return False
        file = import_files.next_open(alone)
        if file is None or (file.state == ImportFileState.WAITING and _is_anothers(alone, folder, file)):
            return False
        work = _import if file.state == ImportFileState.WAITING else _undo
        return work(lambda: session_scope(sessions), folder, file, _Clock(seconds, is_stopping))


def _is_anothers(session: Session, folder: ImportFolder, file: ImportFile) -> bool:
    """Whether it is left to a worker that shares the web application's folder, as this one seems not to."""
    if folder.home.is_dir():
        return False
    return file.import_id is not None or business_now(session) - (file.ordered_at or file.brought_at) < UNSEEN


class _Clock:
    """Says when to rest."""

    def __init__(self, seconds: float, is_stopping: Callable[[], bool]) -> None:
        self._until = time.monotonic() + seconds
        self._is_stopping = is_stopping

    @property
    def is_over(self) -> bool:
        return time.monotonic() > self._until or self._is_stopping()


def _import(transaction: Transaction, folder: ImportFolder, file: ImportFile, clock: _Clock) -> bool:
    """Import some of it; whether there is something to do at once."""
    try:
        _import_some(transaction, folder, file, clock)
    except Elsewhere:
        return False
    except Paused:
        return True
    except DatabaseDown:
        raise
    except MailerError as error:
        words = NOT_SEEN if isinstance(error, NotFound) else error.what or str(error)
        with transaction() as session:
            now_file = import_files.get_import_file(session, file.id, for_change=True)
            why = words.replace(file.name, file.file)
            import_files.give_up(session, folder, now_file, why, business_now(session))
    except Exception:
        log.exception("An import failed", extra={"event": "import.failed", "import_file": file.id})
        with transaction() as session:
            now_file = import_files.get_import_file(session, file.id, for_change=True)
            now_file.state, now_file.problem = ImportFileState.STOPPED, OUR_FAULT
    else:
        folder.forget(file.name)
    return True


def _import_some(transaction: Transaction, folder: ImportFolder, file: ImportFile, clock: _Clock) -> None:
    """Go on with it; raises Paused when it is not at its end, and Refused for what the file is."""
    path = folder.path(file.name)

    def begun(session: Session, import_id: int) -> None:
        import_files.get_import_file(session, file.id).import_id = import_id

    def done(session: Session, report: ImportReport) -> None:
        _finish(session, file.id, report)

    import_to_list(
        transaction,
        import_files.order_of(file, path),
        file.ordered_at or file.brought_at,
        tell=_Teller(transaction, file.id, clock).tell,
        keep=NotTakenFile(folder.not_taken(file.name), path).keep,
        begun=begun,
        done=done,
    )


def _finish(session: Session, file_id: int, report: ImportReport) -> None:
    """Write what it did, in the transaction that ends it; counts, and no address."""
    file = import_files.get_import_file(session, file_id, for_change=True)
    counts = asdict(report)
    for name in ("refused", "kept_away", "guess"):
        del counts[name]
    file.report, file.finished_at = counts, business_now(session)
    file.state, file.progress = ImportFileState.FINISHED, {}
    record(
        session, at_the_machine(file.who), "import end", report.people, file=file.file, joined=report.joined
    )


class _Teller:
    """Notes how far the import is, and raises Paused when it is to rest."""

    def __init__(self, transaction: Transaction, file_id: int, clock: _Clock) -> None:
        self._transaction, self._file_id, self._clock = transaction, file_id, clock
        self._told_at = float("-inf")

    def tell(self, at: Progress) -> None:
        is_over = self._clock.is_over
        if not is_over and time.monotonic() < self._told_at + TOLD_EVERY:
            return
        self._told_at = time.monotonic()
        progress = {name: value for name, value in at._asdict().items() if name != "before"}
        with self._transaction() as session:
            goes_on = import_files.note_progress(session, self._file_id, progress)
        if is_over or not goes_on:
            raise Paused


def _undo(transaction: Transaction, _: ImportFolder, file: ImportFile, clock: _Clock) -> bool:
    """Take some of it back; there is always something to look at then."""
    is_done = False
    try:
        while not is_done and not clock.is_over:
            with transaction() as session:
                is_done = _undo_some(session, file.id)
    except DatabaseDown:
        raise
    except Exception:
        log.exception("Taking back failed", extra={"event": "import.undo_failed", "import_file": file.id})
        with transaction() as session:
            now_file = import_files.get_import_file(session, file.id, for_change=True)
            now_file.state, now_file.problem = ImportFileState.FINISHED, NOT_ALL_BACK
    return True


def _undo_some(session: Session, file_id: int) -> bool:
    """Take some more people back; whether that were the last ones."""
    file = import_files.get_import_file(session, file_id, for_change=True)
    if file.state != ImportFileState.UNDOING:
        return True
    undone = undo_import.undo_part(session, file)
    file.progress = {
        **file.progress,
        "after": undone.after,
        "forgotten": file.progress["forgotten"] + undone.forgotten,
        "taken_off": file.progress["taken_off"] + undone.taken_off,
    }
    if undone.after is not None:
        return False
    undo_import.end(file, business_now(session))
    rows = file.report["undone"]["forgotten"] + file.report["undone"]["taken_off"]
    record(session, at_the_machine(file.who), "import undo end", rows, file=file.file)
    return True
