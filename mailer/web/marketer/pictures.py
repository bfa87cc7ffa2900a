"""The pictures of a course: looked at, added and removed."""

from __future__ import annotations

from pathlib import PurePath

from fastapi import APIRouter, Request, Response

from mailer.desk import pictures as desk
from mailer.web.deps import READ, FormFields, PartsDep
from mailer.web.files import FILE_HEADERS
from mailer.web.marketer.courses import PATH, drafts_of
from mailer.web.marketer.uploads import ROOM, UploadDep
from mailer.web.signed_in import Write

router = APIRouter()

PICTURES = PATH + "/{slug}/pictures"


@router.post(PICTURES, max_body_size=desk.MOST_PICTURE + ROOM)
def add(slug: str, actor: Write, upload: UploadDep, parts: PartsDep) -> Response:
    """Another picture for its mails, beside one of the same name."""
    with parts.session() as session:
        source = desk.add_picture(session, actor, drafts_of(parts), slug, upload.file, upload.content)
    done = f"Added {source}. Write ![What it shows]({source}) where it belongs."
    return parts.desk.go(f"{PATH}/{slug}/settings#pictures", done=done)


@router.get(PICTURES + "/one")
def show(slug: str, name: str, parts: PartsDep, actor: Write) -> Response:
    """The picture itself."""
    with parts.session() as session:
        found = desk.show_picture(session, actor, drafts_of(parts), slug, name)
    headers = {**FILE_HEADERS, "Cache-Control": "private, no-cache"}
    return Response(found.content, media_type=found.content_type, headers=headers)


@router.api_route(PICTURES + "/remove", methods=READ)
def ask_remove(request: Request, slug: str, name: str, parts: PartsDep, actor: Write) -> Response:
    """What removing it means."""
    with parts.session() as session:
        found = desk.look_at_picture(session, actor, drafts_of(parts), slug, name)
    return parts.desk.page(request, "courses/picture_remove.html", actor, slug=slug, found=found)


@router.post(PICTURES + "/remove")
def remove(slug: str, fields: FormFields, parts: PartsDep, actor: Write) -> Response:
    """Take it out of the draft."""
    name = fields.get("name", "")
    with parts.session() as session:
        desk.remove_picture(session, actor, drafts_of(parts), slug, name, fields.get("digest", ""))
    return parts.desk.go(f"{PATH}/{slug}/settings#pictures", done=f"Removed {PurePath(name).name}.")
