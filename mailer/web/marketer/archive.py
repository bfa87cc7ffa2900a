"""Which campaigns anybody may read in the archive."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from mailer.desk import archive as desk
from mailer.web.deps import READ, FormFields, PartsDep
from mailer.web.signed_in import See, Send

router = APIRouter()

PATH = "/desk/archive"


@router.api_route(PATH, methods=READ)
def list_(request: Request, parts: PartsDep, actor: See, before: int | None = None) -> Response:
    """Campaigns that have left, the newest first, each public or not."""
    with parts.session() as session:
        page = desk.list_campaigns(session, actor, before)
    older = parts.desk.url(PATH, before=page.older) if page.older is not None else ""
    address = f"{parts.base_url.rstrip('/')}/archive"
    return parts.desk.page(
        request, "archive.html", actor, issues=page.issues, older=older, before=before, address=address
    )


@router.post(PATH)
def change(fields: FormFields, parts: PartsDep, actor: Send) -> Response:
    """One is public from now on, or not any more."""
    slug, is_public = fields.get("campaign", ""), fields.get("public") == "yes"
    with parts.session() as session:
        desk.set_public(session, actor, slug, parts.base_url.rstrip("/"), is_public=is_public)
    said = "Anybody can read it in the archive now" if is_public else "It is not in the archive any more"
    return parts.desk.go(PATH, done=f"{slug}: {said}.", before=fields.get("before", ""))
