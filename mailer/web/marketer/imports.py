"""Imports: a file is brought, looked at, imported in the background and followed, and taken back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, BackgroundTasks, Depends, Request, Response
from fastapi.responses import FileResponse
from starlette.exceptions import HTTPException

from mailer.accounts.rights import Right
from mailer.audience.columns import BUILT_IN
from mailer.audience.encodings import ENCODINGS
from mailer.audience.import_folder import MOST_BYTES, ImportFolder
from mailer.db import clock_now
from mailer.desk import imports as desk
from mailer.errors import MailerError, NotFound, Refused
from mailer.models import ImportFileState
from mailer.queue import ERRANDS, TaskName
from mailer.web.deps import READ, Parts, PartsDep
from mailer.web.marketer.uploads import ROOM, LargeUploadDep
from mailer.web.pages import PRIVATE_HEADERS
from mailer.web.signed_in import Audience, Export, See

router = APIRouter()

PATH = "/desk/imports"
SHOWN = 50
MOST_COLUMNS = 200
LATE_SECONDS = 30
"""After which an import that no worker has taken says so."""

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
MEANINGS = {
    "email": "Email address",
    "name": "Name",
    "first_name": "First name",
    "last_name": "Last name",
    "language": "Language",
    "zone": "Time zone",
    "tags": "Tags",
}


async def _fields(request: Request) -> Mapping[str, str]:
    """A form's fields: one for each column, and those beside them."""
    try:
        form = await request.form(max_files=0, max_fields=MOST_COLUMNS + 20)
    except HTTPException as error:
        if error.status_code != 400:
            raise
        raise Refused(f"The form could not be read; a file may have {MOST_COLUMNS} columns.") from None
    return {name: value for name, value in form.items() if isinstance(value, str)}


ManyFields = Annotated[Mapping[str, str], Depends(_fields)]


@router.api_route(PATH, methods=READ)
def list_(request: Request, parts: PartsDep, actor: See, before: datetime | None = None) -> Response:
    """The history, and the form for a file."""
    return _list(request, parts, actor, before)


@router.post(PATH, max_body_size=MOST_BYTES + ROOM)
def bring(request: Request, actor: Audience, upload: LargeUploadDep, parts: PartsDep) -> Response:
    """Keep a file and show how it would be understood; the form again when it is none."""
    try:
        if upload.content is None:
            raise Refused("Choose a file first.")
        with parts.session() as session:
            file_id = desk.bring_file(session, actor, _folder(parts), upload.content, upload.file)
    except MailerError as error:
        return _list(request, parts, actor, None, error=_words(error))
    return parts.desk.go(f"{PATH}/{file_id}")


@router.api_route(PATH + "/{file_id}", methods=READ)
def show(request: Request, file_id: int, parts: PartsDep, actor: See, part: str = "") -> Response:
    """One: its first rows before it begins, how far it is, or what it did."""
    if part == "progress":
        return _progress(request, parts, actor, file_id)
    return _show(request, parts, actor, file_id, {})


@router.post(PATH + "/{file_id}")
def change(
    request: Request,
    file_id: int,
    actor: Audience,
    fields: ManyFields,
    parts: PartsDep,
    tasks: BackgroundTasks,
) -> Response:
    """Read the file in another way and show that; or begin."""
    try:
        with parts.session() as session:
            encoding, delimiter = fields.get("encoding", ""), fields.get("delimiter", "")
            folder = _folder(parts)
            desk.read_file_as(session, actor, folder, file_id, encoding, delimiter, _columns(fields))
        if fields.get("do") == "begin":
            with parts.session() as session:
                desk.begin_import(
                    *(session, actor, folder, file_id, fields.get("list", ""), fields.get("wording", "")),
                    is_confirmed="confirmed" in fields,
                )
            _wake(parts, tasks)
            return parts.desk.go(f"{PATH}/{file_id}")
    except NotFound:
        raise
    except MailerError as error:
        return _show(request, parts, actor, file_id, fields, error=_words(error))
    return _show(request, parts, actor, file_id, fields)


@router.post(PATH + "/{file_id}/stop")
def stop(file_id: int, parts: PartsDep, actor: Audience) -> Response:
    """Have it rest."""
    with parts.session() as session:
        desk.stop_import(session, actor, file_id)
    return parts.desk.go(f"{PATH}/{file_id}", done="Stopped. Who was added stays; it can go on later.")


@router.post(PATH + "/{file_id}/go-on")
def go_on(file_id: int, parts: PartsDep, actor: Audience, tasks: BackgroundTasks) -> Response:
    """Have it go on where it was."""
    with parts.session() as session:
        desk.go_on_with_import(session, actor, file_id)
    _wake(parts, tasks)
    return parts.desk.go(f"{PATH}/{file_id}", done="It goes on where it was.")


@router.post(PATH + "/{file_id}/forget")
def forget(file_id: int, parts: PartsDep, actor: Audience) -> Response:
    """Away with a file that is not to be imported."""
    with parts.session() as session:
        desk.forget_file(session, actor, _folder(parts), file_id)
    return parts.desk.go(PATH, done="The file is gone; nobody was added.")


@router.api_route(PATH + "/{file_id}/not-taken.csv", methods=READ)
def not_taken(file_id: int, parts: PartsDep, actor: Export) -> Response:
    """Every row that was not taken, with its reason."""
    with parts.session() as session:
        path = desk.rows_not_taken(session, actor, _folder(parts), file_id)
    return FileResponse(
        path,
        media_type="text/csv; charset=utf-8",
        filename=f"not-taken-{file_id}.csv",
        headers=PRIVATE_HEADERS,
    )


@router.api_route(PATH + "/{file_id}/undo", methods=READ)
def ask_undo(request: Request, file_id: int, parts: PartsDep, actor: Audience) -> Response:
    """What taking it back does, or why it cannot be done."""
    with parts.session() as session:
        view = desk.show_import(session, actor, _folder(parts), file_id)
    return parts.desk.page(request, "imports/undo.html", actor, view=view)


@router.post(PATH + "/{file_id}/undo")
def undo(file_id: int, parts: PartsDep, actor: Audience, tasks: BackgroundTasks) -> Response:
    """Have it taken back."""
    with parts.session() as session:
        desk.undo_import_file(session, actor, file_id)
    _wake(parts, tasks)
    return parts.desk.go(f"{PATH}/{file_id}")


def _folder(parts: Parts) -> ImportFolder:
    return ImportFolder(parts.settings.data_dir)


def _wake(parts: Parts, tasks: BackgroundTasks) -> None:
    """Workers look for themselves every few seconds; so asked they begin at once."""
    tasks.add_task(parts.broker.send, TaskName.IMPORT_FILES, queue=ERRANDS, expires=60)


def _columns(fields: Mapping[str, str]) -> list[str] | None:
    """What was chosen for each column, in their order; None when none was asked for."""
    chosen: list[str] = []
    while (name := f"column-{len(chosen)}") in fields:
        chosen.append(fields[name])
    return chosen or None


def _list(
    request: Request, parts: Parts, actor: See, before: datetime | None, *, error: str = ""
) -> Response:
    with parts.session() as session:
        rows = desk.list_imports(session, actor, before, SHOWN)
        lists = desk.lists_to_choose(session, actor)
    older = parts.desk.url(PATH, before=rows[-1].at.isoformat()) if len(rows) == SHOWN else ""
    return parts.desk.page(
        request,
        "imports/list.html",
        actor,
        rows=rows,
        older=older,
        is_first=before is None,
        has_lists=bool(lists),
        most=MOST_BYTES // 1024**2,
        error=error,
    )


def _progress(request: Request, parts: Parts, actor: See, file_id: int) -> Response:
    with parts.session() as session:
        view = desk.show_import(session, actor, _folder(parts), file_id)
        late = _is_late(view, clock_now(session))
    if view.file.state in (ImportFileState.WAITING, ImportFileState.UNDOING):
        return parts.desk.page(request, "imports/progress.html", actor, view=view, is_late=late)
    return Response(status_code=204, headers={"HX-Refresh": "true", **PRIVATE_HEADERS})


def _is_late(view: desk.ImportPage, now: datetime) -> bool:
    begun = view.file.ordered_at
    is_new = view.file.state == ImportFileState.WAITING and not view.file.progress
    return is_new and begun is not None and (now - begun).total_seconds() > LATE_SECONDS


def _show(
    request: Request, parts: Parts, actor: See, file_id: int, fields: Mapping[str, str], *, error: str = ""
) -> Response:
    with parts.session() as session:
        view = desk.show_import(session, actor, _folder(parts), file_id)
        late = _is_late(view, clock_now(session))
    if view.file.state != ImportFileState.LOOKED_AT:
        return parts.desk.page(
            request, "imports/one.html", actor, view=view, is_late=late, error=error, meanings=MEANINGS
        )
    values: dict[str, Any] = {"preview": None, "lists": [], "choices": []}
    if actor.may(Right.AUDIENCE):
        values, error = _looked_at(parts, actor, file_id, error)
    return parts.desk.page(
        request,
        "imports/preview.html",
        actor,
        view=view,
        fields=fields,
        encodings=ENCODINGS,
        delimiters=DELIMITERS,
        error=error,
        **values,
    )


def _looked_at(parts: Parts, actor: Audience, file_id: int, error: str) -> tuple[dict[str, Any], str]:
    """What the file looks like, and what can be chosen."""
    found = None
    with parts.session() as session:
        lists = desk.lists_to_choose(session, actor)
        keys = desk.fields_to_choose(session, actor)
        try:
            found = desk.look_at_file(session, actor, _folder(parts), file_id)
        except NotFound:
            raise
        except MailerError as wrong:
            error = error or _words(wrong)
    choices = [(name, MEANINGS[name]) for name in BUILT_IN]
    choices += [(key, key.replace("_", " ").capitalize()) for key in keys]
    return {"preview": found, "lists": lists, "choices": choices}, error


def _words(error: MailerError) -> str:
    # The command line's way is no way here.
    return str(error).replace(
        ", or name its encoding with --encoding (such as", ", or choose its encoding (such as"
    )
