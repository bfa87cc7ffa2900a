"""For those who run Steadypost: whether it runs, and whether what it needs is there."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy.exc import SQLAlchemyError

from mailer.db import DatabaseDown, business_now
from mailer.web.deps import READ, Parts, PartsDep
from mailer.web.language import asked_for
from mailer.web.pages import PRIVATE_HEADERS

router = APIRouter()


@router.api_route("/", methods=READ)
def running(request: Request, parts: PartsDep) -> Response:
    """That it runs, and nothing else."""
    return parts.pages.render("running.html", asked_for(request.headers.get("accept-language", "")))


@router.api_route("/health", methods=READ)
def health(parts: PartsDep) -> Response:
    """What a load balancer asks: 200 when database and broker answer, else 503 naming which does not."""
    found = {"database": _database(parts), "broker": "ok" if parts.broker.ping() else "down"}
    is_well = all(word == "ok" for word in found.values())
    return JSONResponse(found, 200 if is_well else 503, PRIVATE_HEADERS)


def _database(parts: Parts) -> str:
    try:
        with parts.session() as session:
            business_now(session)
    except (DatabaseDown, SQLAlchemyError):
        return "down"
    return "ok"
