"""Forms with a file in them: one file, of a size that the page allows, with the fields beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, BinaryIO

from fastapi import Depends, Request
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from mailer.errors import Refused
from mailer.web.deps import MAX_FIELDS

ROOM = 100_000
"""Bytes of an upload's form beside its file."""


@dataclass(frozen=True)
class Upload:
    """A file that somebody chose, by its name and bytes (both empty when none was), and the other fields."""

    file: str
    content: bytes
    fields: dict[str, str]


@dataclass(frozen=True)
class LargeUpload:
    """The same with the file as it lies in a temporary one; None when none was chosen."""

    file: str
    content: BinaryIO | None
    fields: dict[str, str]


async def _form(request: Request) -> tuple[list[UploadFile], dict[str, str]]:
    """The files and the other fields of a form; raises Refused for what is none."""
    try:
        form = await request.form(max_files=1, max_fields=MAX_FIELDS)
    except HTTPException as error:
        if error.status_code != 400:
            raise
        raise Refused("The form could not be read; go back and try again.") from None
    fields = {name: value for name, value in form.items() if isinstance(value, str)}
    return [value for value in form.values() if isinstance(value, UploadFile)], fields


async def _upload(request: Request) -> Upload:
    """The file and fields of a form; the route's `max_body_size` bounds it."""
    files, fields = await _form(request)
    if not files:
        return Upload("", b"", fields)
    return Upload(files[0].filename or "", await files[0].read(), fields)


async def _large_upload(request: Request) -> LargeUpload:
    """The file and fields of a form, the file not read into memory."""
    files, fields = await _form(request)
    for file in files:
        if file.filename:
            return LargeUpload(file.filename, file.file, fields)
    return LargeUpload("", None, fields)


LargeUploadDep = Annotated[LargeUpload, Depends(_large_upload)]
UploadDep = Annotated[Upload, Depends(_upload)]
