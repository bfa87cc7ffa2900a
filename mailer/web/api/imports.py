"""Imports: a file is brought, looked at, imported by the workers and followed, and taken back."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, BackgroundTasks, Query, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from mailer.audience.import_files import LONGEST_WORDING
from mailer.audience.import_folder import MOST_BYTES, ImportFolder
from mailer.audience.preview import Preview
from mailer.audience.staging import NotTaken
from mailer.desk import imports as desk
from mailer.desk.imports import ImportPage
from mailer.models import ImportFileState
from mailer.queue import ERRANDS, TaskName
from mailer.web.api.caller import Audience, Export, See
from mailer.web.api.once import OnceDep, OnceFileDep
from mailer.web.api.paging import Page, PagingDep
from mailer.web.api.problems import BadRequest
from mailer.web.api.told import Changed, RowId, Told
from mailer.web.deps import Parts, PartsDep

router = APIRouter(prefix="/imports", tags=["Imports"])

MOST_COLUMNS = 200
CSV_BODY = {
    "required": True,
    "content": {
        "text/csv": {
            "schema": {
                "type": "string",
                "format": "binary",
                "description": "Rows of people, as a spreadsheet saves them; one column holds addresses.",
            }
        }
    },
}


Columns = Annotated[list[Annotated[str, Field(max_length=100)]], Field(max_length=MOST_COLUMNS)]


class PastImport(BaseModel):
    """An import of the history. `id` is null for one of the command line, which has no address here."""

    id: int | None
    file: str = Field(examples=["people.csv"])
    list: str | None = Field(examples=["calm"])
    who: str
    at: datetime
    state: str = Field(examples=["finished"])
    rows: int | None
    joined: int | None
    refused: int | None


class NotTakenRow(BaseModel):
    """A row that was not taken, and why."""

    line: int
    email: str = Field(examples=["no address"])
    reason: str

    @classmethod
    def of(cls, row: NotTaken) -> NotTakenRow:
        return cls(line=row.line, email=row.value, reason=row.reason)


class Import(BaseModel):
    """An import as it stands. `progress` and `report` are counts; `not_taken` are the first such rows.

    The rows are shown to tokens with the right `audience` alone. `list` is null before it begins, and when
    the list was deleted since. `why_not_undo` is empty when it can be taken back.
    """

    id: int
    file: str = Field(examples=["people.csv"])
    size: int
    state: ImportFileState
    encoding: str = Field(examples=["utf-8"])
    delimiter: str | None = Field(examples=[None])
    columns: list[str] | None = Field(examples=[["email", "name", ""]])
    consent: str
    is_confirmed: bool
    who: str
    brought_at: datetime
    begun_at: datetime | None
    finished_at: datetime | None
    progress: dict[str, Any] = Field(examples=[{}])
    report: dict[str, Any] = Field(examples=[{"rows": 2, "joined": 2}])
    problem: str
    why_not_undo: str
    not_taken: list[NotTakenRow]
    list_: str | None = Field(serialization_alias="list", examples=["calm"])

    @classmethod
    def of(cls, view: ImportPage) -> Import:
        file = view.file
        told = {name: getattr(file, name) for name in cls.model_fields if hasattr(file, name)}
        return cls(
            **told,
            list_=view.list_.slug if view.list_ and view.list_.removed_at is None else None,
            consent=file.wording,
            begun_at=file.ordered_at,
            why_not_undo=view.why_not_undo,
            not_taken=[NotTakenRow.of(one) for one in view.not_taken],
        )


class Brought(BaseModel):
    """The file's import, which has not begun: look at it first."""

    id: int


class ColumnShown(BaseModel):
    """A column: what stands above it, some of its values, and which of ours it is ("" for none)."""

    header: str = Field(examples=["Adresse"])
    samples: list[str] = Field(examples=[["ada@reader.example"]])
    meaning: str = Field(examples=["email"])


class PersonShown(BaseModel):
    """A row as somebody who would be added."""

    line: int
    email: str = Field(examples=["ada@reader.example"])
    name: str
    language: str
    zone: str
    tags: str
    fields: dict[str, Any] = Field(examples=[{}])


class Understood(BaseModel):
    """How a file is understood, by its first rows. `problem` says what has to be chosen first.

    All of `rows` were looked at when it `is_whole`; else that is an estimate.
    """

    delimiter: str = Field(examples=[","])
    has_header: bool
    columns: list[ColumnShown]
    people: list[PersonShown]
    refused: list[NotTakenRow]
    looked_at: int
    repeated: int
    is_whole: bool
    rows: int
    problem: str = Field(examples=[""])

    @classmethod
    def of(cls, seen: Preview) -> Understood:
        return cls(
            delimiter=seen.delimiter,
            has_header=seen.has_header,
            columns=[ColumnShown.model_validate(one, from_attributes=True) for one in seen.columns],
            people=[PersonShown.model_validate(one, from_attributes=True) for one in seen.people],
            refused=[NotTakenRow.of(one) for one in seen.refused],
            looked_at=seen.looked_at,
            repeated=seen.repeated,
            is_whole=seen.is_whole,
            rows=seen.rows,
            problem=seen.problem,
        )


class ReadAs(Told):
    """How the file is to be read. What is left out, the file tells itself."""

    encoding: str = Field(default="", max_length=40, examples=["cp1252"])
    delimiter: str = Field(default="", max_length=1, examples=[";"])
    columns: Annotated[list[Annotated[str, Field(max_length=100)]], Field(max_length=MOST_COLUMNS)] | None = (
        Field(
            default=None,
            examples=[["email", "first_name", ""]],
            description="What each column is: email, name, first_name, last_name, language, zone, tags, a "
            "custom field, or empty for one that is not used.",
        )
    )


class Beginning(Told):
    """Onto which list, and where and in which words these people agreed."""

    list_: str = Field(alias="list", max_length=100, examples=["calm"])
    consent: str = Field(max_length=LONGEST_WORDING, examples=["Yes, send me letters (at the fair)."])
    is_confirmed: bool = Field(
        default=False, description="They have confirmed by a mail elsewhere; do not ask again."
    )


@router.get("")
def list_imports(parts: PartsDep, actor: See, paging: PagingDep) -> Page[PastImport]:
    """All imports, those of the command line too, the newest first."""
    before = _moment(paging.after("imports", str))
    with parts.session() as session:
        rows = desk.list_imports(session, actor, before, paging.limit + 1)
    return paging.page(
        rows,
        "imports",
        lambda row: str(row.at.isoformat()),
        lambda row: PastImport(
            **{name: getattr(row, name) for name in ("who", "at", "state", "rows", "joined", "refused")},
            id=row.file_id,
            file=row.what,
            list=row.list_slug,
        ),
    )


def _moment(place: str | None) -> datetime | None:
    try:
        return None if place is None else datetime.fromisoformat(place)
    except ValueError:
        raise BadRequest("This cursor is not one of this list; take `next` of the part before it.") from None


@router.post(
    "",
    status_code=201,
    response_model=Brought,
    max_body_size=MOST_BYTES,
    openapi_extra={"requestBody": CSV_BODY},
)
def bring_file(
    parts: PartsDep,
    actor: Audience,
    brought: OnceFileDep,
    file: Annotated[str, Query(max_length=200, description="What it is called.")] = "people.csv",
) -> Response:
    """Bring a file of people. Nobody is added yet; it is kept for a week."""
    folder = _folder(parts)
    return brought.once.answer(
        actor,
        lambda session: Brought(id=desk.bring_file(session, actor, folder, brought.content, file)),
        201,
    )


@router.get("/{import_id}")
def show_import(parts: PartsDep, actor: See, import_id: RowId) -> Import:
    """How far an import is, and what it did."""
    with parts.session() as session:
        return Import.of(desk.show_import(session, actor, _folder(parts), import_id))


@router.delete("/{import_id}")
def forget_import(parts: PartsDep, actor: Audience, import_id: RowId) -> Changed:
    """Forget a file that is not to be imported after all."""
    with parts.session() as session:
        desk.forget_file(session, actor, _folder(parts), import_id)
    return Changed(changed=True)


@router.get("/{import_id}/preview")
def preview_import(parts: PartsDep, actor: Audience, import_id: RowId) -> Understood:
    """How a file is understood: its columns, and its first rows as people."""
    with parts.session() as session:
        return Understood.of(desk.look_at_file(session, actor, _folder(parts), import_id))


@router.put("/{import_id}/reading")
def read_file_as(parts: PartsDep, actor: Audience, import_id: RowId, asked: ReadAs) -> Understood:
    """Read a file in another way; answered with how it is understood then."""
    folder = _folder(parts)
    with parts.session() as session:
        desk.read_file_as(
            *(session, actor, folder, import_id, asked.encoding, asked.delimiter), columns=asked.columns
        )
        return Understood.of(desk.look_at_file(session, actor, folder, import_id))


@router.post("/{import_id}/begin", status_code=202, response_model=Changed)
def begin_import(
    parts: PartsDep,
    actor: Audience,
    once: OnceDep,
    import_id: RowId,
    asked: Beginning,
    tasks: BackgroundTasks,
) -> Response:
    """Have the workers import what was looked at. On a list with double opt-in people confirm first."""

    def act(session: Session) -> Changed:
        desk.begin_import(
            *(session, actor, _folder(parts), import_id, asked.list_, asked.consent),
            is_confirmed=asked.is_confirmed,
        )
        return Changed(changed=True)

    _wake(parts, tasks)
    return once.answer(actor, act, 202)


@router.post("/{import_id}/stop", response_model=Changed)
def stop_import(actor: Audience, once: OnceDep, import_id: RowId) -> Response:
    """Have it rest; who was added stays, and it can go on later."""

    def act(session: Session) -> Changed:
        desk.stop_import(session, actor, import_id)
        return Changed(changed=True)

    return once.answer(actor, act)


@router.post("/{import_id}/go-on", status_code=202, response_model=Changed)
def go_on_with_import(
    parts: PartsDep, actor: Audience, once: OnceDep, import_id: RowId, tasks: BackgroundTasks
) -> Response:
    """Have it go on where it was."""

    def act(session: Session) -> Changed:
        desk.go_on_with_import(session, actor, import_id)
        return Changed(changed=True)

    _wake(parts, tasks)
    return once.answer(actor, act, 202)


@router.get("/{import_id}/not-taken", response_class=FileResponse)
def download_rows_not_taken(parts: PartsDep, actor: Export, import_id: RowId) -> FileResponse:
    """Every row that was not taken, with its reason, as a CSV file; for a week."""
    with parts.session() as session:
        path = desk.rows_not_taken(session, actor, _folder(parts), import_id)
    return FileResponse(path, media_type="text/csv; charset=utf-8", filename=f"not-taken-{import_id}.csv")


@router.post("/{import_id}/undo", status_code=202, response_model=Changed)
def undo_import(
    parts: PartsDep, actor: Audience, once: OnceDep, import_id: RowId, tasks: BackgroundTasks
) -> Response:
    """Have the workers take it back: whoever came by it and has done nothing since is forgotten."""

    def act(session: Session) -> Changed:
        desk.undo_import_file(session, actor, import_id)
        return Changed(changed=True)

    _wake(parts, tasks)
    return once.answer(actor, act, 202)


def _folder(parts: Parts) -> ImportFolder:
    return ImportFolder(parts.settings.data_dir)


def _wake(parts: Parts, tasks: BackgroundTasks) -> None:
    """Workers look for themselves every few seconds; so asked, after the answer, they begin at once."""
    tasks.add_task(parts.broker.send, TaskName.IMPORT_FILES, queue=ERRANDS, expires=60)
