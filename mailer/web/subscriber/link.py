"""A tracked link of a mail: on to where its author meant, with a row that says so."""

from __future__ import annotations

import base64
import logging
import re

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy.exc import SQLAlchemyError

from mailer.db import DatabaseDown, business_now
from mailer.feedback.clicks import Target, find_target, record_click
from mailer.feedback.verdicts import OPEN
from mailer.links import BadLink
from mailer.render.tracking import OPEN_PICTURE
from mailer.web.deps import READ, Parts, PartsDep
from mailer.web.pages import PRIVATE_HEADERS
from mailer.web.subscriber.reader import delivery_of

log = logging.getLogger(__name__)
router = APIRouter()

NUMBER = re.compile(r"[0-9]{1,4}").fullmatch
NO_STORE = {**PRIVATE_HEADERS, "Cache-Control": "no-store"}
PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
"""A transparent GIF of one pixel."""


@router.api_route("/l/{token}/{number}", methods=READ)
def follow(request: Request, token: str, number: str, parts: PartsDep) -> Response:
    """The address that the message itself has under this number: nothing of the request is in it."""
    delivery_id = delivery_of(parts, token)
    is_open = number == OPEN_PICTURE
    if not is_open and not NUMBER(number):
        raise BadLink
    with parts.session() as session:
        target = find_target(session, delivery_id, OPEN if is_open else int(number))
    if target is None:
        raise BadLink
    _record(parts, request, target)
    if is_open:
        return Response(PIXEL, media_type="image/gif", headers=NO_STORE)
    if target.url is None:
        return Response(status_code=204, headers=NO_STORE)
    return RedirectResponse(target.url, status_code=302, headers=NO_STORE)


def _record(parts: Parts, request: Request, target: Target) -> None:
    """Keep the request. Whoever follows a link gets where they want to also when that fails."""
    try:
        with parts.session() as session:
            record_click(
                session,
                target,
                method=request.method,
                user_agent=request.headers.get("user-agent", ""),
                address=request.client.host if request.client else "",
                now=business_now(session),
            )
    except (SQLAlchemyError, DatabaseDown) as error:
        log.warning("A click was not recorded: %s", type(error).__name__, extra={"event": "click.lost"})
