"""Imports: a file is brought, looked at, and imported by the workers; it can be stopped and taken back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from sqlalchemy.orm import Session

from mailer.accounts.record import record
from mailer.accounts.rights import Actor, Right, needs
from mailer.audience import import_files, undo_import
from mailer.audience.columns import BUILT_IN
from mailer.audience.fields import declared_fields
from mailer.audience.import_files import Past
from mailer.audience.import_folder import ImportFolder
from mailer.audience.lists import get_list, list_lists
from mailer.audience.preview import Preview
from mailer.audience.staging import NotTaken
from mailer.db import business_now
from mailer.errors import NotFound, Refused
from mailer.models import ImportFile, MailingList
from mailer.reports.not_taken import first_not_taken
from mailer.schedule.signup import refuse_without_sender

SHOWN_ROWS = 20


@dataclass(frozen=True)
class ImportPage:
    """An import with its list, the first rows that were not taken, and why it cannot be taken back."""

    file: ImportFile
    list_: MailingList | None
    not_taken: Sequence[NotTaken]
    has_not_taken: bool
    why_not_undo: str


@needs(Right.SEE)
def list_imports(session: Session, _: Actor, before: datetime | None, limit: int) -> list[Past]:
    """The newest imports, also those of the command line, or those before a moment."""
    return import_files.history(session, before, limit)


@needs(Right.SEE)
def lists_to_choose(session: Session, _: Actor) -> Sequence[MailingList]:
    """The lists that people can be imported to."""
    return list_lists(session)


@needs(Right.SEE)
def fields_to_choose(session: Session, _: Actor) -> list[str]:
    """The fields that a column may be."""
    return list(declared_fields(session))


@needs(Right.SEE)
def show_import(session: Session, actor: Actor, folder: ImportFolder, file_id: int) -> ImportPage:
    """One, as it stands; rows of the file are shown to whoever may change people. Raises NotFound."""
    file = import_files.get_import_file(session, file_id)
    rows = folder.not_taken(file.name)
    shown = first_not_taken(rows, SHOWN_ROWS) if actor.may(Right.AUDIENCE) else []
    return ImportPage(
        file,
        session.get(MailingList, file.list_id) if file.list_id is not None else None,
        shown,
        rows.is_file(),
        undo_import.why_not(file, business_now(session)),
    )


@needs(Right.AUDIENCE)
def bring_file(session: Session, actor: Actor, folder: ImportFolder, file: BinaryIO, shown: str) -> int:
    """Keep an uploaded file to be looked at; its id. Raises Refused."""
    brought = import_files.bring(session, folder, file, shown, actor.who, business_now(session))
    record(session, actor, "import file", file=brought.file)
    return brought.id


@needs(Right.AUDIENCE)
def look_at_file(session: Session, _: Actor, folder: ImportFolder, file_id: int) -> Preview:
    """Its first rows as they would be understood; raises Refused or NotFound."""
    return import_files.look_at(session, folder, import_files.get_import_file(session, file_id))


@needs(Right.AUDIENCE)
def read_file_as(
    session: Session,
    _: Actor,
    folder: ImportFolder,
    file_id: int,
    encoding: str,
    delimiter: str,
    columns: Sequence[str] | None,
) -> None:
    """How it is to be read. Raises Refused."""
    file = import_files.get_import_file(session, file_id, for_change=True)
    known = {*BUILT_IN, *declared_fields(session)}
    if columns is not None:
        columns = [column if column in known else "" for column in columns]
    import_files.read_as(folder, file, encoding, delimiter, columns)


@needs(Right.AUDIENCE)
def begin_import(
    session: Session,
    actor: Actor,
    folder: ImportFolder,
    file_id: int,
    list_slug: str,
    wording: str,
    *,
    is_confirmed: bool,
) -> None:
    """Have the workers import what was looked at. Raises Refused, NotFound for the list or the file."""
    file = import_files.get_import_file(session, file_id, for_change=True)
    if not list_slug:
        raise Refused("Choose the list that these people agreed to be on.")
    list_ = get_list(session, list_slug)
    seen = import_files.look_at(session, folder, file)
    if seen.problem:
        raise Refused(seen.problem)
    now = business_now(session)
    import_files.order(session, file, list_, wording, seen.chosen, now, is_confirmed=is_confirmed)
    if not file.joins_active:
        refuse_without_sender(list_)
    record(session, actor, "import begin", file=file.file, list=list_slug, confirmed=is_confirmed)


@needs(Right.AUDIENCE)
def stop_import(session: Session, actor: Actor, file_id: int) -> None:
    """Have it rest; whoever was added stays. Raises Refused."""
    file = import_files.get_import_file(session, file_id, for_change=True)
    import_files.stop(file)
    record(session, actor, "import stop", file=file.file)


@needs(Right.AUDIENCE)
def go_on_with_import(session: Session, actor: Actor, file_id: int) -> None:
    """Have it go on. Raises Refused."""
    file = import_files.get_import_file(session, file_id, for_change=True)
    import_files.go_on(file)
    record(session, actor, "import go on", file=file.file)


@needs(Right.AUDIENCE)
def forget_file(session: Session, actor: Actor, folder: ImportFolder, file_id: int) -> None:
    """Away with a file that is not to be imported. Raises Refused when it has begun."""
    file = import_files.get_import_file(session, file_id, for_change=True)
    import_files.forget_unordered(session, folder, file)
    record(session, actor, "import forget", file=file.file)


@needs(Right.EXPORT)
def rows_not_taken(session: Session, actor: Actor, folder: ImportFolder, file_id: int) -> Path:
    """The file of rows that were not taken; raises NotFound when there is none, or none any more."""
    file = import_files.get_import_file(session, file_id)
    path = folder.not_taken(file.name)
    if not path.is_file():
        raise NotFound("The rows that were not taken are kept for a week, and are gone.")
    rows = int(file.report.get("refused_rows", 0))
    record(session, actor, "import refused rows", rows, file=file.file)
    return path


@needs(Right.AUDIENCE)
def undo_import_file(session: Session, actor: Actor, file_id: int) -> None:
    """Have the workers take it back. Raises Refused, saying why it cannot be."""
    file = import_files.get_import_file(session, file_id, for_change=True)
    undo_import.begin(session, file, business_now(session))
    record(session, actor, "import undo", int(file.report.get("joined", 0)), file=file.file)
