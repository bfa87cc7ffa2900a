"""The API as an application of its own, so that each of its answers is JSON, errors too."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mailer.audience.import_folder import MOST_BYTES
from mailer.content.arrivals import MOST_GUIDE
from mailer.content.course_zip import MOST_PACKED
from mailer.desk.campaign_drafts import MOST_UPLOAD
from mailer.web.api import (
    actions,
    alarms,
    campaign_reports,
    campaign_texts,
    campaigns,
    course_reports,
    courses,
    deliveries,
    forms,
    guides,
    holds,
    home,
    imports,
    labels,
    lists,
    mails,
    queues,
    segments,
    senders,
    series,
    subscribers,
    suppressions,
    transports,
    webhooks,
)
from mailer.web.api.limits import Limiter
from mailer.web.api.problems import ANSWER_HEADERS, problem, show_problems
from mailer.web.api.specification import TAGS
from mailer.web.deps import Parts

PATH = "/api/v1"
MAX_BODY_BYTES = 1024 * 1024
UPLOADS = {
    f"{PATH}/courses": MOST_PACKED,
    f"{PATH}/courses/plan": MOST_PACKED,
    f"{PATH}/courses/check": MOST_PACKED,
    f"{PATH}/courses/guide": MOST_GUIDE,
    f"{PATH}/campaigns/file": MOST_UPLOAD,
    f"{PATH}/imports": MOST_BYTES,
}
"""Where a guide, a course folder or a campaign is sent, with its pictures; and files of people to import."""

ROUTERS: tuple[APIRouter, ...] = tuple(
    noun.router
    for noun in (
        home,
        subscribers,
        labels,
        lists,
        segments,
        forms,
        imports,
        suppressions,
        courses,
        guides,
        course_reports,
        campaigns,
        campaign_texts,
        campaign_reports,
        series,
        mails,
        deliveries,
        queues,
        holds,
        senders,
        transports,
        webhooks,
        alarms,
        actions,
    )
)


def make_api(parts: Parts, **options: Any) -> FastAPI:
    """The application to be mounted at PATH; `options` are those of every application here."""
    api = FastAPI(
        title="Steadypost",
        version="1",
        openapi_tags=TAGS,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
        max_body_size=MOST_PACKED,
        **options,
    )
    api.state.parts = parts
    api.state.limiter = Limiter(str(parts.settings.redis_url), parts.settings.api_per_minute)
    for router in ROUTERS:
        api.include_router(router)
    api.add_middleware(NotTooLarge)
    api.add_middleware(AnswerHeaders)
    show_problems(api)
    api.state.routers, api.state.address = ROUTERS, parts.base_url + PATH
    return api


class AnswerHeaders:
    """Puts ANSWER_HEADERS on every answer, and what a request noted in `request.state.headers`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        noted: dict[str, str] = {}
        scope.setdefault("state", {})["headers"] = noted

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in (ANSWER_HEADERS | noted).items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)


class NotTooLarge:
    """Refuses a request that says that it is too large; what does not say so is cut off at the most."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            request = Request(scope)
            most = UPLOADS.get(PATH + request.url.path.rpartition(PATH)[2].removesuffix("/"), MAX_BODY_BYTES)
            length = request.headers.get("content-length", "")
            if length.isdecimal() and int(length) > most:
                words = f"A request here may have {most // 1024:,} kB; send less at once."
                await problem(request, "too-large", words)(scope, receive, send)
                return
        await self._app(scope, receive, send)
