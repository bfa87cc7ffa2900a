"""The page that explains the API, made here from its specification: it needs no other site and no script."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.routing import Mount

from mailer.accounts.rights import MEANING, Actor, Right
from mailer.web.api.problems import KINDS
from mailer.web.api.specification import specification_of
from mailer.web.cookie import COOKIE
from mailer.web.deps import READ, Parts, PartsDep
from mailer.web.signed_in import Entry, LacksFactor, NotSignedIn, OwesFactor

router = APIRouter()

PATH = "/api/docs"
METHODS = ("get", "post", "put", "patch", "delete")
FILES = {
    "application/zip": "course.zip",
    "text/csv": "people.csv",
    "application/octet-stream": "guide.md",
}
"""What a file that is sent is called in examples."""
DEEP = 4
"""So many levels of an example are written out."""


@dataclass(frozen=True)
class Field:
    """One thing that is sent or answered: where it stands, what it is, and what it means."""

    name: str
    place: str
    type: str
    is_needed: bool
    words: str


@dataclass(frozen=True)
class Operation:
    """One method of one address, as the page shows it."""

    anchor: str
    method: str
    path: str
    heading: str
    words: str
    right: str
    fields: tuple[Field, ...]
    answers: tuple[Field, ...]
    status: str
    curl: str
    answer: str


@router.api_route(PATH, methods=READ)
async def documentation(request: Request, parts: PartsDep) -> Response:
    """Every address of the API, what it takes and answers. For anybody: it tells nothing of what is here."""
    (api,) = (route.app for route in request.app.routes if isinstance(route, Mount))
    actor = await run_in_threadpool(_whoever, request, parts)
    return parts.desk.page(
        request,
        "api_docs.html",
        actor,
        groups=_groups(api),
        address=parts.base_url + "/api/v1",
        specification=parts.desk.url("/api/v1/openapi.json"),
        problems=KINDS,
        rights=MEANING,
    )


def prepare(app: FastAPI) -> None:
    """Make what the page shows before anybody asks for it: it takes most of a second."""
    _groups(next(route.app for route in app.routes if isinstance(route, Mount)))


def _whoever(request: Request, parts: Parts) -> Actor | None:
    """Who is signed in, if anybody is: they see the menu too."""
    try:
        return Entry(None).find(parts, request.cookies.get(COOKIE, ""))
    except (NotSignedIn, OwesFactor, LacksFactor):
        return None


@lru_cache(maxsize=4)
def _groups(api: FastAPI) -> tuple[tuple[str, str, tuple[Operation, ...]], ...]:
    """The operations by their tags: each with its name, what it is about, and its operations."""
    told = specification_of(api)
    found: dict[str, list[Operation]] = {tag["name"]: [] for tag in told["tags"]}
    for path, methods in told["paths"].items():
        for method in METHODS:
            if method in methods:
                operation = methods[method]
                found[operation["tags"][0]].append(_operation(told, path, method, operation))
    words = {tag["name"]: tag["description"] for tag in told["tags"]}
    return tuple((name, words[name], tuple(operations)) for name, operations in found.items() if operations)


def _operation(told: Mapping[str, Any], path: str, method: str, operation: Mapping[str, Any]) -> Operation:
    right = operation.get("x-right", "")
    takes = Right(right) if right else None
    status = next(status for status in operation["responses"] if status.startswith("2"))
    contents: dict[str, Any] = operation["responses"][status].get("content", {})
    schema: Mapping[str, Any] = next((one.get("schema", {}) for one in contents.values()), {})
    fields = [_parameter(one) for one in operation.get("parameters", ())]
    body, media_type = _body(operation)
    return Operation(
        anchor=operation["operationId"],
        method=method.upper(),
        path=path,
        heading=operation["summary"],
        words=operation.get("description", ""),
        right=f"{takes}: {MEANING[takes]}" if takes else "",
        fields=(*fields, *_fields(told, body, "body")),
        answers=tuple(_fields(told, schema, "answer")),
        status=status,
        curl=_curl(told, path, method, operation, body, media_type),
        answer=json.dumps(_example(told, schema), indent=2, ensure_ascii=False) if schema else "",
    )


def _body(operation: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    content = operation.get("requestBody", {}).get("content", {})
    for media_type, said in content.items():
        return said.get("schema", {}), media_type
    return {}, ""


def _parameter(one: Mapping[str, Any]) -> Field:
    schema = one.get("schema", {})
    return Field(
        one["name"], one["in"], _type(schema), bool(one.get("required")), _words(one) or _words(schema)
    )


def _words(said: Mapping[str, Any]) -> str:
    return " ".join(str(said.get("description", "")).split())


def _resolved(told: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a reference stands for; of several choices the first that is something."""
    while True:
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            schema = told["components"]["schemas"][name]
        elif "anyOf" in schema:
            schema = next((one for one in schema["anyOf"] if one.get("type") != "null"), {})
        else:
            return schema


def _fields(told: Mapping[str, Any], schema: Mapping[str, Any], place: str) -> Iterator[Field]:
    """The members of an object, or of the objects of an array."""
    whole = _resolved(told, schema)
    if whole.get("type") == "array":
        whole = _resolved(told, whole.get("items", {}))
    if whole.get("format") == "binary" or whole.get("contentMediaType"):
        yield Field("(the file)", place, "bytes", True, _words(whole))
    needed = whole.get("required", ())
    for name, said in whole.get("properties", {}).items():
        yield Field(name, place, _type(said), name in needed, _words(said))


def _type(schema: Mapping[str, Any]) -> str:
    """A type in a few words."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        return " or ".join(_type(one) for one in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(json.dumps(one) for one in schema["enum"])
    if schema.get("type") == "array":
        return f"array of {_type(schema.get('items', {}))}"
    return str(schema.get("format") or schema.get("type") or "any")


def _example(told: Mapping[str, Any], schema: Mapping[str, Any], depth: int = 0) -> Any:
    """An example of a schema: its own where it has one, else one made of its parts."""
    for one in (schema, _resolved(told, schema)):
        if one.get("examples"):
            return one["examples"][0]
    whole = _resolved(told, schema)
    if "default" in schema and depth:
        return schema["default"]
    if "enum" in whole:
        return whole["enum"][0]
    match whole.get("type"):
        case "object" if depth < DEEP:
            members = whole.get("properties", {})
            return {name: _example(told, said, depth + 1) for name, said in members.items()}
        case "array" if depth < DEEP:
            return [_example(told, whole.get("items", {}), depth + 1)]
        case "integer" | "number":
            return 1
        case "boolean":
            return True
        case "string":
            return {"date-time": "2026-12-01T09:00:00Z", "date": "2026-12-01"}.get(
                whole.get("format", ""), "…"
            )
    return {}


def _curl(
    told: Mapping[str, Any],
    path: str,
    method: str,
    operation: Mapping[str, Any],
    body: Mapping[str, Any],
    media_type: str,
) -> str:
    """The request as a command, for a shell in which $API and $TOKEN are set."""
    for one in operation.get("parameters", ()):
        if one["in"] == "path":
            examples = one.get("examples") or one.get("schema", {}).get("examples") or ["1"]
            path = path.replace("{" + one["name"] + "}", str(examples[0]))
    lines = [f'curl "$API{path}"' if method == "get" else f'curl -X {method.upper()} "$API{path}"']
    if operation.get("security"):
        lines.append('-H "Authorization: Bearer $TOKEN"')
    if method == "post":
        lines.append('-H "Idempotency-Key: $(uuidgen)"')
    if media_type == "application/json":
        sent = json.dumps(_example(told, body), ensure_ascii=False).replace("'", "'\\''")
        lines += [f'-H "Content-Type: {media_type}"', f"-d '{sent}'"]
    elif media_type:
        lines += [f'-H "Content-Type: {media_type}"', f"--data-binary @{FILES[media_type]}"]
    return " \\\n  ".join(lines)
