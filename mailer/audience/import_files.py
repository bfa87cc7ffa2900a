"""Files that were brought to be imported: how each is to be read, when it begins, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy import text, update
from sqlalchemy.orm import Session

from mailer.audience import unfinished
from mailer.audience.encodings import ENCODINGS, Encoding, tell_encoding
from mailer.audience.fields import declared_fields, list_fields
from mailer.audience.import_folder import ImportFolder, shown_name
from mailer.audience.importing import ImportOrder
from mailer.audience.lists import Evidence
from mailer.audience.merging import Joining
from mailer.audience.preview import Preview, Reading, preview
from mailer.audience.spreadsheet import DELIMITERS
from mailer.errors import NotFound, Refused
from mailer.models import FieldType, ImportFile, ImportFileState, MailingList, OptIn

KEPT = timedelta(days=7)
"""How long a file waits for somebody to begin or go on, its rows that were not taken can be fetched, and it
can be taken back."""
LONGEST_WORDING = 2000

_S = ImportFileState


def bring(
    session: Session, folder: ImportFolder, file: BinaryIO, shown: str, who: str, now: datetime
) -> ImportFile:
    """Keep a file that was uploaded, and tell its encoding. Raises Refused, keeping nothing, for no text."""
    name, size = folder.take(file)
    shown = shown_name(shown)
    try:
        told = _told(folder, name, shown, None)
    except BaseException:
        folder.forget(name)
        raise
    brought = ImportFile(
        name=name,
        file=shown,
        size=size,
        encoding=told.name,
        is_guessed=told.is_guessed,
        who=who,
        brought_at=now,
    )
    session.add(brought)
    session.flush()
    return brought


def _told(folder: ImportFolder, name: str, shown: str, encoding: str | None) -> Encoding:
    try:
        return tell_encoding(folder.path(name), encoding)
    except Refused as error:
        raise Refused(error.what.replace(name, shown)) from None


def get_import_file(session: Session, file_id: int, *, for_change: bool = False) -> ImportFile:
    """The one of this id, locked when it is to be changed; raises NotFound."""
    found = session.get(ImportFile, file_id, with_for_update=for_change, populate_existing=for_change)
    if found is None:
        raise NotFound("There is no such import; the list shows those that there are.")
    return found


def look_at(session: Session, folder: ImportFolder, file: ImportFile) -> Preview:
    """Its first rows as they would be understood; raises Refused or NotFound."""
    reading = Reading(
        file.encoding, file.is_guessed, file.delimiter, None if file.columns is None else tuple(file.columns)
    )
    return preview(folder.path(file.name), file.file, reading, declared_fields(session))


def read_as(
    folder: ImportFolder, file: ImportFile, encoding: str, delimiter: str, columns: Sequence[str] | None
) -> None:
    """How it is to be read; empty words: as the file tells. Raises Refused for a wrong encoding."""
    _still_looked_at(file)
    if delimiter and delimiter not in DELIMITERS:
        raise Refused("The sign between cells is a comma, a semicolon, a tab or |.")
    if encoding != file.encoding:
        if encoding and encoding not in ENCODINGS:
            raise Refused("Choose one of the encodings.")
        told = _told(folder, file.name, file.file, encoding or None)
        file.encoding, file.is_guessed = told.name, told.is_guessed
    if (delimiter or None) != file.delimiter:
        # Other cells are other columns.
        columns = None
    file.delimiter = delimiter or None
    file.columns = None if columns is None else list(columns)


def order(
    session: Session,
    file: ImportFile,
    list_: MailingList,
    wording: str,
    chosen: Sequence[str],
    now: datetime,
    *,
    is_confirmed: bool,
) -> None:
    """Have it imported: its people join the list, with these words as the evidence of their consent."""
    _still_looked_at(file)
    if not wording.strip():
        raise Refused("Write where and in which words these people agreed: it is the evidence of consent.")
    if len(wording) > LONGEST_WORDING or "\0" in wording:
        raise Refused(f"The words of consent may have {LONGEST_WORDING:,} characters.")
    file.list_id, file.wording, file.is_confirmed = list_.id, wording.strip(), is_confirmed
    file.joins_active = is_confirmed or list_.opt_in == OptIn.SINGLE
    file.columns, file.fields = list(chosen), [[key, str(type_)] for key, type_ in list_fields(session)]
    file.state, file.ordered_at = _S.WAITING, now


def _still_looked_at(file: ImportFile) -> None:
    if file.state != _S.LOOKED_AT:
        raise Refused("This import has begun already; its page shows how far it is.")


def evidence_of(file: ImportFile) -> Evidence:
    """What its people agreed to, as it is kept."""
    return Evidence(file.wording, source=f"import of {file.file}")


def order_of(file: ImportFile, path: Path) -> ImportOrder:
    """What was ordered; the same however often it is asked, so that all of it is one import."""
    return ImportOrder(
        path,
        Joining(file.list_id or 0, evidence_of(file), file.joins_active),
        file.encoding,
        file.delimiter,
        tuple(file.columns or ()),
        {key: FieldType(type_) for key, type_ in file.fields},
    )


def stop(file: ImportFile) -> None:
    """Have it pause; whoever was added stays. Raises Refused when it does not run."""
    if file.state != _S.WAITING:
        raise Refused("This import does not run.")
    file.state = _S.STOPPED


def go_on(file: ImportFile) -> None:
    """Have it go on where it was; raises Refused."""
    if file.state != _S.STOPPED:
        raise Refused("This import was not stopped.")
    file.state, file.problem = _S.WAITING, ""


def give_up(session: Session, folder: ImportFolder, file: ImportFile, why: str, now: datetime) -> None:
    """End it as it is, with the reason: its file goes, and all that was read of it and not added."""
    if file.import_id is not None:
        unfinished.forget(session, file.import_id)
    folder.forget(file.name)
    file.state, file.problem, file.finished_at = _S.REFUSED, why[:500], now


def forget_unordered(session: Session, folder: ImportFolder, file: ImportFile) -> None:
    """Away with a file that is not to be imported after all; raises Refused when it has begun."""
    _still_looked_at(file)
    folder.forget_all(file.name)
    session.delete(file)


def note_progress(session: Session, file_id: int, progress: Mapping[str, Any]) -> bool:
    """Write how far it is; False when somebody has stopped it."""
    changed = session.execute(
        update(ImportFile)
        .where(ImportFile.id == file_id, ImportFile.state == _S.WAITING)
        .values(progress=dict(progress))
        .returning(ImportFile.id)
    )
    return changed.first() is not None


def next_open(session: Session) -> ImportFile | None:
    """What workers have to do next: to import, or to take back."""
    found = session.execute(text(_NEXT)).scalar_one_or_none()
    return session.get(ImportFile, found) if found is not None else None


_NEXT = "SELECT id FROM import_files WHERE state IN ('waiting', 'undoing') ORDER BY ordered_at, id LIMIT 1"


def keep_house(session: Session, folder: ImportFolder, now: datetime) -> int:
    """Forget what nobody began or went on with for a week, and files as old; how many files."""
    old = session.execute(text(_OLD), {"then": now - KEPT}).scalars().all()
    for file_id in old:
        file = get_import_file(session, file_id, for_change=True)
        if file.state == _S.LOOKED_AT:
            forget_unordered(session, folder, file)
        elif file.state == _S.STOPPED:
            give_up(session, folder, file, "It was stopped, and nobody went on with it for a week.", now)
    session.flush()
    still = session.execute(text("SELECT name FROM import_files WHERE state IN ('waiting', 'undoing')"))
    return folder.clear(still.scalars())


_OLD = "SELECT id FROM import_files WHERE state IN ('looked-at', 'stopped') AND brought_at < :then"


@dataclass(frozen=True)
class Past:
    """An import of the history: at the desk (`file_id`) or at the command line (None), with its counts.

    `list_slug` is None when the list was deleted since, or there is none yet.
    """

    file_id: int | None
    what: str
    list_slug: str | None
    list_title: str | None
    who: str
    at: datetime
    state: str
    rows: int | None
    joined: int | None
    refused: int | None


def history(session: Session, before: datetime | None, limit: int) -> list[Past]:
    """The newest imports, or those before a moment."""
    rows = session.execute(text(_HISTORY), {"before": before, "limit": limit})
    return [Past(*row) for row in rows]


_HISTORY = """
    SELECT i.file_id, i.what, CASE WHEN l.removed_at IS NULL THEN l.slug END, l.title,
           i.who, i.at, i.state, i.rows, i.joined, i.refused
    FROM (
        (SELECT id AS file_id, file AS what, list_id, who, brought_at AS at, state,
                CAST(report ->> 'rows' AS bigint) AS rows,
                CAST(report ->> 'joined' AS bigint) AS joined,
                CAST(report ->> 'refused_rows' AS bigint) AS refused
         FROM import_files WHERE brought_at < coalesce(CAST(:before AS timestamptz), 'infinity')
         ORDER BY brought_at DESC LIMIT :limit)
        UNION ALL
        (SELECT NULL, source, list_id, '', started_at, state, rows_read,
                (SELECT sum(CAST(part -> 'joined' AS bigint)) FROM jsonb_path_query(parts, '$.*') AS part),
                rows_refused
         FROM imports WHERE started_at < coalesce(CAST(:before AS timestamptz), 'infinity')
           AND NOT EXISTS (SELECT 1 FROM import_files WHERE import_id = imports.id)
         ORDER BY started_at DESC LIMIT :limit)
    ) AS i LEFT JOIN lists l ON l.id = i.list_id ORDER BY at DESC LIMIT :limit
"""
