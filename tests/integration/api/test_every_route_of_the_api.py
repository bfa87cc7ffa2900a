"""Every route of the API, tried with each right: the table says which it takes, and nothing is left out."""

from __future__ import annotations

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
    "GET /subscribers": Right.SEE,
    "POST /subscribers": Right.AUDIENCE,
    "POST /subscribers/find": Right.SEE,
    "GET /subscribers/{subscriber_id}": Right.SEE,
    "PATCH /subscribers/{subscriber_id}": Right.AUDIENCE,
    "DELETE /subscribers/{subscriber_id}": Right.AUDIENCE,
    "POST /subscribers/{subscriber_id}/leave": Right.AUDIENCE,
    "GET /subscribers/{subscriber_id}/export": Right.EXPORT,
    "GET /subscribers/{subscriber_id}/why": Right.SEE,
    "GET /lists": Right.SEE,
    "GET /lists/{slug}": Right.SEE,
    "PUT /lists/{slug}": Right.WRITE,
    "GET /segments": Right.SEE,
    "POST /segments/try": Right.SEE,
    "GET /segments/{slug}": Right.SEE,
    "PUT /segments/{slug}": Right.WRITE,
    "DELETE /segments/{slug}": Right.WRITE,
    "GET /segments/{slug}/count": Right.SEE,
    "GET /segments/{slug}/sample": Right.SEE,
    "GET /suppressions": Right.SEE,
    "POST /suppressions": Right.AUDIENCE,
    "POST /suppressions/lift": Right.AUDIENCE,
    "GET /courses": Right.SEE,
    "POST /courses/plan": Right.WRITE,
    "POST /courses": Right.SEND,
    "GET /courses/{slug}": Right.SEE,
    "POST /courses/{slug}/undo": Right.SEND,
    "POST /courses/{slug}/enrollments": Right.SEND,
    "POST /courses/{slug}/simulate": Right.SEE,
    "GET /forecast": Right.SEE,
    "GET /campaigns": Right.SEE,
    "POST /campaigns": Right.WRITE,
    "GET /campaigns/{slug}": Right.SEE,
    "GET /campaigns/{slug}/statement": Right.SEE,
    "GET /campaigns/{slug}/audience": Right.SEE,
    "POST /campaigns/{slug}/schedule": Right.SEND,
    "POST /campaigns/{slug}/pause": Right.SEND,
    "POST /campaigns/{slug}/resume": Right.SEND,
    "POST /campaigns/{slug}/cancel": Right.SEND,
    "POST /campaigns/{slug}/approve": Right.SEND,
    "POST /campaigns/{slug}/unschedule": Right.SEND,
    "GET /templates": Right.SEE,
    "PUT /templates/{name}": Right.WRITE,
    "POST /mails": Right.SEND,
    "GET /deliveries": Right.SEE,
    "GET /deliveries/{delivery_id}": Right.SEE,
    "POST /deliveries/act": Right.RUN,
    "GET /queues": Right.SEE,
    "GET /holds": Right.SEE,
    "POST /holds": Right.RUN,
    "POST /holds/release": Right.RUN,
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
        client = program(right).client
        for name, takes in TAKES.items():
            answer = tried(client, name)
            told = f"{right} at {name}: {answer.status_code} {answer.text}"
            assert (answer.status_code != 403) == (takes in {None, right}), told
            assert answer.status_code < 500, told
            if answer.status_code >= 400:
                assert_is_problem(answer)
            assert "RateLimit" in answer.headers, told


def test_without_a_token_nothing_is_answered(address: str) -> None:
    with httpx.Client(base_url=address + PATH) as stranger:
        for name in TAKES:
            for headers in ({}, {"Authorization": "Bearer sp_nobody"}, {"Authorization": "Basic b3dlbjo="}):
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
