"""The specification of the API (OpenAPI 3.1): FastAPI's, with problems and the right that each act takes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute

from mailer.accounts.rights import Right
from mailer.web.api.caller import Bearer
from mailer.web.api.problems import KINDS, MEDIA_TYPE, Problem

TAGS = [
    {"name": "Start", "description": "Where things are, and what a token may do."},
    {"name": "Subscribers", "description": "People: what is known of them, their lists, export and erasure."},
    {"name": "Tags and fields", "description": "What is known of people: what there is, renamed for all."},
    {"name": "Lists", "description": "What people sign up to."},
    {"name": "Segments", "description": "Saved rules on people, asked whenever they are used."},
    {"name": "Forms", "description": "Pages by which people put themselves on a list."},
    {"name": "Imports", "description": "Files of people: brought, looked at, imported, taken back."},
    {"name": "Suppression", "description": "Addresses that must not be mailed."},
    {"name": "Courses", "description": "Published courses, and the people in them."},
    {"name": "Campaigns", "description": "One message, sent once, to lists or a segment."},
    {"name": "Series", "description": "Campaigns that recur, by the calendar or from a feed."},
    {"name": "Mails", "description": "One mail to one person, because of something that they did."},
    {"name": "Deliveries", "description": "What became of every mail."},
    {"name": "Queues", "description": "What waits and moves, and stopping it for a while."},
    {"name": "Senders", "description": "Who mails come from, by which transports, signed with which keys."},
    {"name": "Transports", "description": "The relays that mail goes by, and their limits."},
    {"name": "Webhooks", "description": "Which programs are told what happens, and every call to them."},
    {"name": "Watch", "description": "Alarms and who is told, what was done by whom, and the cap."},
]

OF_EVERY = ("too-many", "our-fault", "short-break")
NOT_OF_OURS = ("422",)
"""What FastAPI says of itself, and we say as a problem."""


@lru_cache(maxsize=8)
def specification_of(api: FastAPI) -> dict[str, Any]:
    """What `api` can do, as it is told at openapi.json. Made when it is first asked for: it takes a while."""
    routers: Sequence[APIRouter] = api.state.routers
    made = api.openapi()
    made["servers"] = [{"url": api.state.address}]
    made["info"]["description"] = (
        "Everything that Steadypost can do so far, for programs. Errors are problems (RFC 9457); lists "
        "come in parts; a POST with the same Idempotency-Key is done once."
    )
    made["info"]["license"] = {"name": "Apache-2.0", "identifier": "Apache-2.0"}
    schemas = made.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    told = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= told.pop("$defs", {})
    schemas["Problem"] = told
    for router in routers:
        for route in router.routes:
            if isinstance(route, APIRoute):
                for method in route.methods or ():
                    _say_more(made["paths"][route.path][method.lower()], route, method)
    return made


def right_of(route: APIRoute) -> tuple[bool, Right | None]:
    """Whether a route takes a token, and which right that must have."""
    for dependency in route.dependant.dependencies:
        if isinstance(dependency.call, Bearer):
            return True, dependency.call.right
    return False, None


def _say_more(operation: dict[str, Any], route: APIRoute, method: str) -> None:
    takes_token, right = right_of(route)
    operation["summary"] = route.name.replace("_", " ").capitalize()
    if right is not None:
        operation["x-right"] = str(right)
    kinds = [*OF_EVERY]
    if takes_token:
        kinds += ["token-needed", "factor-needed"]
    if right is not None:
        kinds.append("not-allowed")
    if "{" in route.path:
        kinds.append("not-found")
    if operation.get("parameters") or operation.get("requestBody"):
        kinds += ["bad-request", "not-valid"]
    if method == "POST":
        kinds += ["key-missing", "key-in-use", "key-of-another", "refused"]
    for ours in NOT_OF_OURS:
        operation["responses"].pop(ours, None)
    for status, (_, title) in sorted((KINDS[kind][0], KINDS[kind]) for kind in kinds):
        known = operation["responses"].setdefault(str(status), _response())
        titles = known["description"].split("; ") if known["description"] else []
        known["description"] = "; ".join([*titles, title])


def _response() -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": "", "content": {MEDIA_TYPE: {"schema": schema}}}
