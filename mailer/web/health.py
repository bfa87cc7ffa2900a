"""For those who run Steadypost: whether it runs, and whether what it needs is there."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST
from sqlalchemy.exc import SQLAlchemyError

from mailer.db import DatabaseDown, business_now
from mailer.migrations import is_current
from mailer.queue import QUEUES
from mailer.reports.metrics import as_prometheus, opens_metrics
from mailer.reports.queues import queue_status
from mailer.web.deps import READ, Parts, PartsDep
from mailer.web.language import asked_for
from mailer.web.pages import PRIVATE_HEADERS

router = APIRouter()

OK = "ok"


@router.api_route("/", methods=READ)
def running(request: Request, parts: PartsDep) -> Response:
    """That it runs, and nothing else."""
    return parts.pages.render("running.html", asked_for(request.headers.get("accept-language", "")))


@router.api_route("/healthz", methods=READ)
def alive() -> Response:
    """200 as long as this process answers; asks nobody else, so that an outage elsewhere restarts nothing."""
    return JSONResponse({"process": OK}, headers=PRIVATE_HEADERS)


@router.api_route("/readyz", methods=READ)
def ready(parts: PartsDep) -> Response:
    """200 when database, migrations and broker are as work needs them, else 503 naming which is not."""
    return _answer(_database(parts) | _broker(parts))


@router.api_route("/health", methods=READ)
def health(parts: PartsDep) -> Response:
    """The older name, kept for load balancers: the same without the migrations."""
    found = _database(parts) | _broker(parts)
    del found["migrations"]
    return _answer(found)


@router.api_route("/metrics", methods=READ)
def metrics(request: Request, parts: PartsDep) -> Response:
    """The queues for Prometheus, to whoever sends `Authorization: Bearer` with our token; else 401.

    `steadypost queue metrics-token` prints the token. Where a request comes from opens nothing: behind a
    proxy on this machine everybody's would come from here.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not opens_metrics(parts.signer, token.strip()):
        return Response(status_code=401, headers={**PRIVATE_HEADERS, "WWW-Authenticate": "Bearer"})
    # Before the transaction begins: a broker that is away takes seconds to find out.
    depths = parts.broker.depths()
    with parts.session() as session:
        found = queue_status(session, business_now(session), {name: depths.get(name) for name in QUEUES})
    return Response(as_prometheus(found), headers=PRIVATE_HEADERS, media_type=CONTENT_TYPE_LATEST)


def _answer(found: dict[str, str]) -> Response:
    is_well = all(word == OK for word in found.values())
    return JSONResponse(found, 200 if is_well else 503, PRIVATE_HEADERS)


def _broker(parts: Parts) -> dict[str, str]:
    return {"broker": OK if parts.broker.ping() else "down"}


def _database(parts: Parts) -> dict[str, str]:
    """Whether it answers, and whether its schema is this program's."""
    try:
        with parts.session() as session:
            current = is_current(session.connection())
    except (DatabaseDown, SQLAlchemyError):
        return {"database": "down", "migrations": "unknown"}
    return {"database": OK, "migrations": OK if current else "not current"}
