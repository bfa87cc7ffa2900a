"""Every route of the API, tried with each right: the table says which it takes, and nothing is left out."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from typing import Any

import httpx
from fastapi import FastAPI
from fastapi.routing import APIRoute
from openapi_spec_validator import validate
from starlette.routing import Mount

from mailer.accounts.rights import Right
from mailer.settings import Settings
from mailer.web.api.app import PATH, ROUTERS
from mailer.web.api.specification import right_of, specification_of
from mailer.web.app import create_app
from tests.integration.api.conftest import Program

OPEN = {"GET /", "GET /openapi.json"}
"""What takes no token."""

TAKES = {
    "GET /me": None,
    "GET /subscribers": Right.EXPORT,
    "POST /subscribers": Right.AUDIENCE,
    "POST /subscribers/find": Right.SEE,
    "GET /subscribers/{subscriber_id}": Right.SEE,
    "PATCH /subscribers/{subscriber_id}": Right.AUDIENCE,
    "DELETE /subscribers/{subscriber_id}": Right.AUDIENCE,
    "POST /subscribers/{subscriber_id}/leave": Right.AUDIENCE,
    "POST /subscribers/{subscriber_id}/enrollments/{enrollment_id}/pace": Right.AUDIENCE,
    "GET /subscribers/{subscriber_id}/export": Right.EXPORT,
    "GET /subscribers/{subscriber_id}/why": Right.SEE,
    "GET /tags": Right.SEE,
    "POST /tags/rename": Right.AUDIENCE,
    "POST /tags/remove": Right.AUDIENCE,
    "GET /fields": Right.SEE,
    "PUT /fields/{key}": Right.AUDIENCE,
    "POST /fields/{key}/rename": Right.AUDIENCE,
    "POST /fields/{key}/remove": Right.AUDIENCE,
    "GET /lists": Right.SEE,
    "GET /lists/{slug}": Right.SEE,
    "PUT /lists/{slug}": Right.WRITE,
    "DELETE /lists/{slug}": Right.AUDIENCE,
    "POST /lists/{slug}/enroll": Right.SEND,
    "GET /lists/acts/{act_id}": Right.SEE,
    "POST /lists/acts/{act_id}/stop": Right.SEND,
    "GET /segments": Right.SEE,
    "POST /segments/try": Right.SEE,
    "GET /segments/{slug}": Right.SEE,
    "PUT /segments/{slug}": Right.WRITE,
    "DELETE /segments/{slug}": Right.WRITE,
    "GET /segments/{slug}/count": Right.SEE,
    "GET /segments/{slug}/sample": Right.SEE,
    "GET /forms": Right.SEE,
    "POST /forms": Right.WRITE,
    "GET /forms/{slug}": Right.SEE,
    "PUT /forms/{slug}": Right.WRITE,
    "POST /forms/{slug}/close": Right.WRITE,
    "POST /forms/{slug}/open": Right.WRITE,
    "GET /imports": Right.SEE,
    "POST /imports": Right.AUDIENCE,
    "GET /imports/{import_id}": Right.SEE,
    "DELETE /imports/{import_id}": Right.AUDIENCE,
    "GET /imports/{import_id}/preview": Right.AUDIENCE,
    "PUT /imports/{import_id}/reading": Right.AUDIENCE,
    "POST /imports/{import_id}/begin": Right.AUDIENCE,
    "POST /imports/{import_id}/stop": Right.AUDIENCE,
    "POST /imports/{import_id}/go-on": Right.AUDIENCE,
    "GET /imports/{import_id}/not-taken": Right.EXPORT,
    "POST /imports/{import_id}/undo": Right.AUDIENCE,
    "GET /suppressions": Right.EXPORT,
    "POST /suppressions": Right.AUDIENCE,
    "POST /suppressions/find": Right.SEE,
    "POST /suppressions/lift": Right.AUDIENCE,
    "GET /courses": Right.SEE,
    "POST /courses/plan": Right.WRITE,
    "POST /courses/check": Right.WRITE,
    "POST /courses/guide": Right.WRITE,
    "POST /courses": Right.SEND,
    "GET /courses/{slug}": Right.SEE,
    "POST /courses/{slug}/undo": Right.SEND,
    "POST /courses/{slug}/steps/{step}/test": Right.SEND,
    "POST /courses/{slug}/enrollments": Right.SEND,
    "POST /courses/{slug}/simulate": Right.SEE,
    "POST /courses/{slug}/simulate/mail": Right.SEE,
    "GET /forecast": Right.SEE,
    "GET /courses/{slug}/versions": Right.SEE,
    "GET /courses/{slug}/versions/{version}/course.zip": Right.WRITE,
    "GET /courses/{slug}/difference": Right.SEE,
    "GET /courses/{slug}/report": Right.SEE,
    "GET /courses/{slug}/statement": Right.SEE,
    "GET /campaigns": Right.SEE,
    "POST /campaigns": Right.WRITE,
    "GET /campaigns/{slug}": Right.SEE,
    "POST /campaigns/file": Right.WRITE,
    "DELETE /campaigns/{slug}": Right.WRITE,
    "GET /campaigns/{slug}/check": Right.SEE,
    "GET /campaigns/{slug}/mails/{number}": Right.SEE,
    "GET /campaigns/{slug}/source": Right.WRITE,
    "GET /campaigns/{slug}/statement": Right.SEE,
    "GET /campaigns/{slug}/audience": Right.SEE,
    "POST /campaigns/{slug}/schedule": Right.SEND,
    "POST /campaigns/{slug}/test": Right.SEND,
    "POST /campaigns/{slug}/public": Right.SEND,
    "POST /campaigns/{slug}/approve": Right.SEND,
    "POST /campaigns/{slug}/unschedule": Right.SEND,
    "POST /campaigns/{slug}/pause": Right.SEND,
    "POST /campaigns/{slug}/resume": Right.SEND,
    "POST /campaigns/{slug}/cancel": Right.SEND,
    "GET /campaigns/{slug}/progress": Right.SEE,
    "GET /campaigns/{slug}/variants": Right.SEE,
    "POST /campaigns/{slug}/choose": Right.SEND,
    "POST /campaigns/{slug}/go-on": Right.SEND,
    "GET /campaigns/{slug}/links": Right.SEE,
    "GET /campaigns/{slug}/not-reached": Right.EXPORT,
    "GET /campaigns/{slug}/afterwards": Right.SEE,
    "POST /campaigns/{slug}/again": Right.WRITE,
    "GET /series": Right.SEE,
    "POST /series": Right.SEND,
    "GET /series/{slug}": Right.SEE,
    "DELETE /series/{slug}": Right.SEND,
    "GET /series/{slug}/audience": Right.SEE,
    "GET /series/{slug}/preview": Right.SEE,
    "POST /series/{slug}/run": Right.SEND,
    "POST /series/{slug}/skip": Right.SEND,
    "POST /series/{slug}/pause": Right.SEND,
    "POST /series/{slug}/resume": Right.SEND,
    "GET /templates": Right.SEE,
    "PUT /templates/{name}": Right.WRITE,
    "POST /mails": Right.SEND,
    "GET /deliveries": Right.SEE,
    "GET /deliveries/{delivery_id}": Right.SEE,
    "POST /deliveries/weigh": Right.RUN,
    "POST /deliveries/act": Right.RUN,
    "GET /deliveries/acts/{act_id}": Right.SEE,
    "POST /deliveries/acts/{act_id}/stop": Right.RUN,
    "GET /queues": Right.SEE,
    "GET /queues/history": Right.SEE,
    "GET /queues/reasons": Right.SEE,
    "GET /holds": Right.SEE,
    "POST /holds": Right.RUN,
    "POST /holds/release": Right.RUN,
    "GET /holds/overdue": Right.SEE,
    "POST /holds/go-on": Right.RUN,
    "GET /senders": Right.SEE,
    "POST /senders": Right.RUN,
    "GET /senders/{slug}": Right.SEE,
    "PATCH /senders/{slug}": Right.RUN,
    "PUT /senders/{slug}/transports/{transport}": Right.RUN,
    "DELETE /senders/{slug}/transports/{transport}": Right.RUN,
    "POST /senders/{slug}/keys": Right.RUN,
    "POST /senders/{slug}/keys/{selector}/activate": Right.RUN,
    "POST /senders/{slug}/keys/{selector}/retire": Right.RUN,
    "GET /transports": Right.SEE,
    "POST /transports": Right.RUN,
    "GET /transports/{slug}": Right.SEE,
    "PATCH /transports/{slug}": Right.RUN,
    "DELETE /transports/{slug}": Right.RUN,
    "POST /transports/{slug}/pause": Right.RUN,
    "POST /transports/{slug}/resume": Right.RUN,
    "PUT /transports/{slug}/limits": Right.RUN,
    "PUT /transports/{slug}/warmup": Right.RUN,
    "DELETE /transports/{slug}/warmup": Right.RUN,
    "POST /transports/{slug}/test": Right.RUN,
    "GET /webhooks": Right.MANAGE,
    "POST /webhooks": Right.MANAGE,
    "GET /webhooks/{webhook_id}": Right.MANAGE,
    "PUT /webhooks/{webhook_id}": Right.MANAGE,
    "DELETE /webhooks/{webhook_id}": Right.MANAGE,
    "POST /webhooks/{webhook_id}/secret": Right.MANAGE,
    "POST /webhooks/{webhook_id}/pause": Right.MANAGE,
    "POST /webhooks/{webhook_id}/resume": Right.MANAGE,
    "POST /webhooks/{webhook_id}/test": Right.MANAGE,
    "GET /webhooks/{webhook_id}/calls": Right.MANAGE,
    "POST /webhooks/{webhook_id}/calls/{call_id}/again": Right.MANAGE,
    "GET /alarms": Right.SEE,
    "GET /alarms/channels": Right.SEE,
    "POST /alarms/channels": Right.RUN,
    "DELETE /alarms/channels/{channel_id}": Right.RUN,
    "POST /alarms/channels/{channel_id}/test": Right.RUN,
    "GET /actions": Right.SEE,
    "GET /cap": Right.SEE,
    "PUT /cap": Right.MANAGE,
    "DELETE /cap": Right.MANAGE,
}
"""The right that each of the others takes; None: any token."""

ROUTES = {
    f"{method} {route.path}": route
    for router in ROUTERS
    for route in router.routes
    if isinstance(route, APIRoute)
    for method in route.methods or ()
}


def tried(client: httpx.Client, name: str) -> httpx.Response:
    """The route, asked for what is not there and with nothing said."""
    method, _, path = name.partition(" ")
    path = re.sub(r"\{\w+\}", "1", path)
    headers = {"Idempotency-Key": name} if method == "POST" else {}
    return client.request(method, path, json=None if method in {"GET", "DELETE"} else {}, headers=headers)


def test_the_table_names_every_route_of_the_api() -> None:
    assert set(ROUTES) == OPEN | set(TAKES)
    for name, route in ROUTES.items():
        assert right_of(route) == (name not in OPEN, TAKES.get(name)), name


def test_a_token_opens_what_its_scope_says(program: Callable[..., Program]) -> None:
    for right in Right:
        # That one alone opens what takes it, and all others together do not.
        alone, others = program(right).client, program(*set(Right) - {right}).client
        for name in (name for name, takes in TAKES.items() if takes in {None, right}):
            answer = tried(alone, name)
            told = f"{right} at {name}: {answer.status_code} {answer.text}"
            assert answer.status_code != 403, told
            assert answer.status_code < 500, told
            if answer.status_code >= 400:
                assert_is_problem(answer)
            assert "RateLimit" in answer.headers, told
        for name in (name for name, takes in TAKES.items() if takes == right):
            assert tried(others, name).status_code == 403, f"{right} at {name}"


def test_without_a_token_nothing_is_answered(address: str) -> None:
    with httpx.Client(base_url=address + PATH) as stranger:
        strangers = itertools.cycle(
            ({}, {"Authorization": "Bearer sp_nobody"}, {"Authorization": "Basic b3dlbjo="})
        )
        for name, headers in zip(TAKES, strangers, strict=False):
            stranger.headers = httpx.Headers(headers)
            answer = tried(stranger, name)
            assert answer.status_code == 401, f"{name}: {answer.text}"
            assert answer.headers["www-authenticate"] == "Bearer"
            assert_is_problem(answer)


def test_every_post_takes_an_idempotency_key(shop: Program) -> None:
    for name in (name for name in TAKES if name.startswith("POST")):
        path = re.sub(r"\{\w+\}", "1", name.removeprefix("POST "))
        answer = shop.client.post(path, json={})
        told = answer.json()
        where = [one["where"] for one in told.get("faults", [])]
        assert told["type"].endswith("#problem-key-missing") or "header.idempotency-key" in where, name


def test_the_specification_is_openapi_3_1_and_says_what_each_address_takes(settings: Settings) -> None:
    told = specification(settings)
    validate(told)
    assert told["openapi"].startswith("3.1")
    for name, route in ROUTES.items():
        operation = told["paths"][route.path][name.partition(" ")[0].lower()]
        assert operation["summary"], name
        assert operation.get("description"), name
        assert (operation.get("security") is not None) == (name not in OPEN), name
        assert operation.get("x-right") == (str(takes) if (takes := TAKES.get(name)) else None), name
        problems = [status for status in operation["responses"] if status >= "400"]
        assert "429" in problems or name in OPEN, name
        for status in problems:
            content = operation["responses"][status]["content"]
            assert set(content) == {"application/problem+json"}, name


def specification(settings: Settings) -> dict[str, Any]:
    mounted = [route.app for route in create_app(settings).routes if isinstance(route, Mount)]
    assert isinstance(mounted[0], FastAPI)
    return specification_of(mounted[0])


def assert_is_problem(answer: httpx.Response) -> None:
    """RFC 9457: its media type, and members that say the same as the status line."""
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert told["status"] == answer.status_code
    assert told["title"]
    assert told["detail"]
    assert "#problem-" in told["type"]
