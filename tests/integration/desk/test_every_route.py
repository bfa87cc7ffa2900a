"""Every route of the desk, tried as each role: the table says who gets in, and nothing is left out of it."""

from __future__ import annotations

import inspect
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

import mailer.desk
from mailer.accounts.rights import ROLES
from mailer.models import Role
from mailer.settings import Settings
from mailer.web.app import create_app
from mailer.web.marketer.imports import _fields
from mailer.web.marketer.uploads import _large_upload, _upload
from mailer.web.signed_in import Entry
from tests.support.staff import Person

OPEN = {
    "GET /desk/sign-in",
    "POST /desk/sign-in",
    "POST /desk/sign-in/passkey",
    "GET /desk/sign-in/provider",
    "GET /desk/sign-in/provider/back",
    "POST /desk/sign-in/passkey/question",
    "GET /desk/forgotten",
    "POST /desk/forgotten",
    "GET /desk/join/{secret}",
    "POST /desk/join/{secret}",
    "GET /desk/setup",
    "POST /desk/setup",
}
"""What nobody has to be signed in for."""

LEAST = {
    "GET /desk": Role.READER,
    "POST /desk/outlook": Role.READER,
    "GET /desk/settings": Role.READER,
    "POST /desk/settings/cap": Role.OWNER,
    "POST /desk/sign-out": Role.READER,
    "GET /desk/sign-in/factor": Role.READER,
    "POST /desk/sign-in/factor": Role.READER,
    "POST /desk/sign-in/factor/passkey": Role.READER,
    "GET /desk/you": Role.READER,
    "POST /desk/you": Role.READER,
    "POST /desk/you/password": Role.READER,
    "POST /desk/you/codes": Role.READER,
    "POST /desk/you/codes/confirm": Role.READER,
    "POST /desk/you/codes/off": Role.READER,
    "POST /desk/you/recovery-codes": Role.READER,
    "POST /desk/you/passkeys": Role.READER,
    "POST /desk/you/passkeys/question": Role.READER,
    "POST /desk/you/passkeys/{passkey_id}/remove": Role.READER,
    "POST /desk/you/sessions/others/end": Role.READER,
    "POST /desk/you/sessions/{session_id}/end": Role.READER,
    "GET /desk/tokens": Role.READER,
    "POST /desk/tokens": Role.READER,
    "POST /desk/tokens/{token_id}/revoke": Role.READER,
    "GET /desk/people": Role.OWNER,
    "POST /desk/people": Role.OWNER,
    "POST /desk/people/invitations/{invitation_id}/withdraw": Role.OWNER,
    "GET /desk/people/{operator_id}": Role.OWNER,
    "POST /desk/people/{operator_id}/role": Role.OWNER,
    "POST /desk/people/{operator_id}/suspend": Role.OWNER,
    "POST /desk/people/{operator_id}/restore": Role.OWNER,
    "POST /desk/people/{operator_id}/remove": Role.OWNER,
    "POST /desk/people/{operator_id}/sign-out": Role.OWNER,
    "POST /desk/people/{operator_id}/factor": Role.OWNER,
    "POST /desk/people/{operator_id}/password": Role.OWNER,
    "GET /desk/audit": Role.READER,
    "GET /desk/audit.csv": Role.MARKETER,
    "GET /desk/first-mail": Role.OPERATOR,
    "POST /desk/first-mail": Role.OPERATOR,
    "GET /desk/transports": Role.READER,
    "POST /desk/transports": Role.OPERATOR,
    "GET /desk/transports/{slug}": Role.READER,
    "POST /desk/transports/{slug}": Role.OPERATOR,
    "POST /desk/transports/{slug}/pause": Role.OPERATOR,
    "POST /desk/transports/{slug}/resume": Role.OPERATOR,
    "POST /desk/transports/{slug}/limit": Role.OPERATOR,
    "POST /desk/transports/{slug}/warmup": Role.OPERATOR,
    "POST /desk/transports/{slug}/test": Role.OPERATOR,
    "POST /desk/transports/{slug}/remove": Role.OPERATOR,
    "GET /desk/transports/{slug}/remove": Role.OPERATOR,
    "GET /desk/senders": Role.READER,
    "POST /desk/senders": Role.OPERATOR,
    "GET /desk/senders/{slug}": Role.READER,
    "POST /desk/senders/{slug}": Role.OPERATOR,
    "POST /desk/senders/{slug}/transports": Role.OPERATOR,
    "POST /desk/senders/{slug}/transports/remove": Role.OPERATOR,
    "POST /desk/senders/{slug}/keys": Role.OPERATOR,
    "POST /desk/senders/{slug}/keys/{selector}/activate": Role.OPERATOR,
    "POST /desk/senders/{slug}/keys/{selector}/retire": Role.OPERATOR,
    "GET /desk/courses": Role.READER,
    "GET /desk/courses/{slug}": Role.READER,
    "POST /desk/courses/{slug}/move": Role.MARKETER,
    "POST /desk/courses/{slug}/steps": Role.MARKETER,
    "GET /desk/courses/{slug}/settings": Role.MARKETER,
    "POST /desk/courses/{slug}/settings": Role.MARKETER,
    "POST /desk/courses/{slug}/pictures": Role.MARKETER,
    "GET /desk/courses/{slug}/pictures/one": Role.MARKETER,
    "GET /desk/courses/{slug}/pictures/remove": Role.MARKETER,
    "POST /desk/courses/{slug}/pictures/remove": Role.MARKETER,
    "GET /desk/courses/{slug}/course.zip": Role.MARKETER,
    "GET /desk/courses/{slug}/guide": Role.MARKETER,
    "POST /desk/courses/{slug}/guide": Role.MARKETER,
    "GET /desk/courses/{slug}/guide/{name}": Role.MARKETER,
    "POST /desk/courses/{slug}/guide/{name}": Role.MARKETER,
    "POST /desk/courses/{slug}/bring-back": Role.MARKETER,
    "GET /desk/courses/{slug}/remove": Role.MARKETER,
    "POST /desk/courses/{slug}/remove": Role.MARKETER,
    "GET /desk/courses/{slug}/steps/{name}": Role.MARKETER,
    "POST /desk/courses/{slug}/steps/{name}": Role.MARKETER,
    "POST /desk/courses/{slug}/steps/{name}/preview": Role.MARKETER,
    "GET /desk/courses/{slug}/steps/{name}/mail": Role.MARKETER,
    "POST /desk/courses/{slug}/steps/{name}/test": Role.MARKETER,
    "POST /desk/courses/{slug}/steps/{name}/texts": Role.MARKETER,
    "POST /desk/courses/{slug}/steps/{name}/forget": Role.MARKETER,
    "GET /desk/courses/{slug}/steps/{name}/remove": Role.MARKETER,
    "POST /desk/courses/{slug}/steps/{name}/remove": Role.MARKETER,
    "GET /desk/courses/{slug}/publish": Role.MARKETER,
    "POST /desk/courses/{slug}/publish": Role.MARKETER,
    "GET /desk/courses/{slug}/undo": Role.MARKETER,
    "POST /desk/courses/{slug}/undo": Role.MARKETER,
    "GET /desk/courses/{slug}/versions": Role.READER,
    "GET /desk/courses/{slug}/versions/{version}/course.zip": Role.MARKETER,
    "GET /desk/courses/{slug}/versions/{version}/edit": Role.MARKETER,
    "POST /desk/courses/{slug}/versions/{version}/edit": Role.MARKETER,
    "GET /desk/courses/{slug}/simulate": Role.READER,
    "POST /desk/courses/{slug}/simulate": Role.READER,
    "GET /desk/new-course": Role.MARKETER,
    "POST /desk/new-course": Role.MARKETER,
    "GET /desk/new-course/folder/{arrival}": Role.MARKETER,
    "POST /desk/new-course/folder/{arrival}": Role.MARKETER,
    "POST /desk/new-course/folder": Role.MARKETER,
    "GET /desk/new-course/{arrival}": Role.MARKETER,
    "POST /desk/new-course/{arrival}/sections/{key}": Role.MARKETER,
    "POST /desk/new-course/{arrival}": Role.MARKETER,
    "GET /desk/campaigns": Role.READER,
    "GET /desk/new-campaign": Role.MARKETER,
    "POST /desk/new-campaign": Role.MARKETER,
    "POST /desk/new-campaign/file": Role.MARKETER,
    "GET /desk/campaigns/{slug}": Role.READER,
    "GET /desk/campaigns/{slug}/source": Role.MARKETER,
    "POST /desk/campaigns/{slug}/source": Role.MARKETER,
    "POST /desk/campaigns/{slug}/unschedule": Role.MARKETER,
    "GET /desk/campaigns/{slug}/remove": Role.MARKETER,
    "POST /desk/campaigns/{slug}/remove": Role.MARKETER,
    "GET /desk/campaigns/{slug}/edit": Role.MARKETER,
    "POST /desk/campaigns/{slug}/edit": Role.MARKETER,
    "POST /desk/campaigns/{slug}/edit/preview": Role.MARKETER,
    "GET /desk/campaigns/{slug}/edit/mail": Role.MARKETER,
    "POST /desk/campaigns/{slug}/edit/forget": Role.MARKETER,
    "POST /desk/campaigns/{slug}/edit/translation": Role.MARKETER,
    "POST /desk/campaigns/{slug}/edit/remove": Role.MARKETER,
    "POST /desk/campaigns/{slug}/edit/pictures": Role.MARKETER,
    "GET /desk/campaigns/{slug}/visual": Role.MARKETER,
    "POST /desk/campaigns/{slug}/visual": Role.MARKETER,
    "POST /desk/campaigns/{slug}/visual/preview": Role.MARKETER,
    "POST /desk/campaigns/{slug}/visual/turn": Role.MARKETER,
    "POST /desk/campaigns/{slug}/visual/back": Role.MARKETER,
    "POST /desk/campaigns/{slug}/visual/pictures": Role.MARKETER,
    "GET /desk/campaigns/{slug}/media/{name}": Role.MARKETER,
    "GET /desk/campaigns/{slug}/audience": Role.MARKETER,
    "POST /desk/campaigns/{slug}/audience": Role.MARKETER,
    "POST /desk/campaigns/{slug}/audience/look": Role.MARKETER,
    "GET /desk/campaigns/{slug}/ab-test": Role.MARKETER,
    "POST /desk/campaigns/{slug}/ab-test": Role.MARKETER,
    "GET /desk/campaigns/{slug}/check": Role.READER,
    "POST /desk/campaigns/{slug}/check": Role.MARKETER,
    "GET /desk/campaigns/{slug}/test": Role.MARKETER,
    "POST /desk/campaigns/{slug}/test": Role.MARKETER,
    "GET /desk/campaigns/{slug}/schedule": Role.MARKETER,
    "GET /desk/campaigns/{slug}/confirm": Role.MARKETER,
    "POST /desk/campaigns/{slug}/confirm": Role.MARKETER,
    "GET /desk/campaigns/{slug}/approve": Role.MARKETER,
    "GET /desk/campaigns/{slug}/approve/frame": Role.MARKETER,
    "POST /desk/campaigns/{slug}/approve": Role.MARKETER,
    "GET /desk/webhooks": Role.OWNER,
    "POST /desk/webhooks": Role.OWNER,
    "GET /desk/webhooks/{webhook_id}": Role.OWNER,
    "POST /desk/webhooks/{webhook_id}": Role.OWNER,
    "POST /desk/webhooks/{webhook_id}/secret": Role.OWNER,
    "POST /desk/webhooks/{webhook_id}/pause": Role.OWNER,
    "POST /desk/webhooks/{webhook_id}/resume": Role.OWNER,
    "POST /desk/webhooks/{webhook_id}/test": Role.OWNER,
    "POST /desk/webhooks/{webhook_id}/calls/{call_id}/again": Role.OWNER,
    "POST /desk/webhooks/{webhook_id}/remove": Role.OWNER,
    "GET /desk/webhooks/{webhook_id}/remove": Role.OWNER,
    "GET /desk/forms": Role.READER,
    "POST /desk/forms": Role.MARKETER,
    "GET /desk/forms/{slug}": Role.READER,
    "POST /desk/forms/{slug}": Role.MARKETER,
    "POST /desk/forms/{slug}/close": Role.MARKETER,
    "POST /desk/forms/{slug}/open": Role.MARKETER,
    "GET /desk/segments": Role.READER,
    "GET /desk/new-segment": Role.MARKETER,
    "POST /desk/new-segment": Role.MARKETER,
    "POST /desk/new-segment/look": Role.READER,
    "GET /desk/segments/{slug}": Role.READER,
    "GET /desk/segments/{slug}/edit": Role.MARKETER,
    "POST /desk/segments/{slug}/edit": Role.MARKETER,
    "GET /desk/segments/{slug}/remove": Role.MARKETER,
    "POST /desk/segments/{slug}/remove": Role.MARKETER,
    "GET /desk/imports": Role.READER,
    "POST /desk/imports": Role.MARKETER,
    "GET /desk/imports/{file_id}": Role.READER,
    "POST /desk/imports/{file_id}": Role.MARKETER,
    "POST /desk/imports/{file_id}/stop": Role.MARKETER,
    "POST /desk/imports/{file_id}/go-on": Role.MARKETER,
    "POST /desk/imports/{file_id}/forget": Role.MARKETER,
    "GET /desk/imports/{file_id}/not-taken.csv": Role.MARKETER,
    "GET /desk/imports/{file_id}/undo": Role.MARKETER,
    "POST /desk/imports/{file_id}/undo": Role.MARKETER,
    "GET /desk/new-series": Role.MARKETER,
    "POST /desk/new-series": Role.MARKETER,
    "GET /desk/series": Role.READER,
    "GET /desk/series/{slug}": Role.READER,
    "GET /desk/series/{slug}/edit": Role.MARKETER,
    "GET /desk/series/{slug}/preview": Role.READER,
    "GET /desk/series/{slug}/mail": Role.READER,
    "GET /desk/series/{slug}/run": Role.MARKETER,
    "POST /desk/series/{slug}/run": Role.MARKETER,
    "GET /desk/series/{slug}/skip": Role.MARKETER,
    "POST /desk/series/{slug}/skip": Role.MARKETER,
    "POST /desk/series/{slug}/pause": Role.MARKETER,
    "POST /desk/series/{slug}/resume": Role.MARKETER,
    "GET /desk/series/{slug}/remove": Role.MARKETER,
    "POST /desk/series/{slug}/remove": Role.MARKETER,
    "GET /desk/archive": Role.READER,
    "GET /desk/history.csv": Role.READER,
    "GET /desk/courses/{slug}/simulate.csv": Role.READER,
    "GET /desk/courses/{slug}/simulate/frame": Role.READER,
    "GET /desk/courses/{slug}/simulate/mail": Role.READER,
    "GET /desk/campaigns/{slug}/statement.csv": Role.READER,
    "POST /desk/archive": Role.MARKETER,
    "GET /desk/campaigns/{slug}/progress": Role.READER,
    "GET /desk/campaigns/{slug}/variants": Role.READER,
    "GET /desk/campaigns/{slug}/variants.csv": Role.READER,
    "GET /desk/campaigns/{slug}/pause": Role.MARKETER,
    "POST /desk/campaigns/{slug}/pause": Role.MARKETER,
    "GET /desk/campaigns/{slug}/resume": Role.MARKETER,
    "POST /desk/campaigns/{slug}/resume": Role.MARKETER,
    "GET /desk/campaigns/{slug}/cancel": Role.MARKETER,
    "POST /desk/campaigns/{slug}/cancel": Role.MARKETER,
    "GET /desk/campaigns/{slug}/choose": Role.MARKETER,
    "POST /desk/campaigns/{slug}/choose": Role.MARKETER,
    "GET /desk/campaigns/{slug}/statement": Role.READER,
    "GET /desk/campaigns/{slug}/missing": Role.READER,
    "GET /desk/campaigns/{slug}/missing.csv": Role.MARKETER,
    "GET /desk/campaigns/{slug}/again": Role.MARKETER,
    "POST /desk/campaigns/{slug}/again": Role.MARKETER,
    "GET /desk/campaigns/{slug}/links": Role.READER,
    "GET /desk/campaigns/{slug}/links/mail": Role.READER,
    "GET /desk/campaigns/{slug}/links.csv": Role.READER,
    "GET /desk/reports": Role.READER,
    "GET /desk/reports/{part}.csv": Role.READER,
    "GET /desk/reports/courses/{slug}": Role.READER,
    "GET /desk/reports/courses/{slug}/{part}.csv": Role.READER,
    "GET /desk/subscribers": Role.READER,
    "POST /desk/subscribers": Role.MARKETER,
    "POST /desk/subscribers/find": Role.READER,
    "GET /desk/subscribers.csv": Role.MARKETER,
    "GET /desk/subscribers/{subscriber_id}": Role.READER,
    "POST /desk/subscribers/{subscriber_id}": Role.MARKETER,
    "POST /desk/subscribers/{subscriber_id}/join": Role.MARKETER,
    "GET /desk/subscribers/{subscriber_id}/leave": Role.MARKETER,
    "POST /desk/subscribers/{subscriber_id}/leave": Role.MARKETER,
    "POST /desk/subscribers/{subscriber_id}/enroll": Role.MARKETER,
    "GET /desk/subscribers/{subscriber_id}/courses/{enrollment_id}": Role.READER,
    "POST /desk/subscribers/{subscriber_id}/courses/{enrollment_id}": Role.MARKETER,
    "GET /desk/subscribers/{subscriber_id}/person.json": Role.MARKETER,
    "GET /desk/subscribers/{subscriber_id}/erase": Role.MARKETER,
    "POST /desk/subscribers/{subscriber_id}/erase": Role.MARKETER,
    "GET /desk/lists": Role.READER,
    "POST /desk/lists": Role.MARKETER,
    "GET /desk/lists/{slug}": Role.READER,
    "POST /desk/lists/{slug}": Role.MARKETER,
    "GET /desk/lists/{slug}/remove": Role.MARKETER,
    "POST /desk/lists/{slug}/remove": Role.MARKETER,
    "GET /desk/lists/{slug}/enroll": Role.MARKETER,
    "POST /desk/lists/{slug}/enroll": Role.MARKETER,
    "GET /desk/lists/acts/{act_id}": Role.READER,
    "POST /desk/lists/acts/{act_id}/stop": Role.MARKETER,
    "GET /desk/tags": Role.READER,
    "GET /desk/tags/change": Role.MARKETER,
    "POST /desk/tags/change": Role.MARKETER,
    "GET /desk/fields": Role.READER,
    "POST /desk/fields": Role.MARKETER,
    "GET /desk/fields/change": Role.MARKETER,
    "POST /desk/fields/change": Role.MARKETER,
    "GET /desk/suppressions": Role.READER,
    "POST /desk/suppressions": Role.MARKETER,
    "POST /desk/suppressions/find": Role.READER,
    "GET /desk/suppressions.csv": Role.MARKETER,
    "GET /desk/suppressions/{suppression_id}": Role.READER,
    "POST /desk/suppressions/{suppression_id}/lift": Role.MARKETER,
    "GET /desk/board": Role.READER,
    "GET /desk/board/events": Role.READER,
    "GET /desk/history": Role.READER,
    "GET /desk/alarms": Role.READER,
    "POST /desk/alarms": Role.OPERATOR,
    "POST /desk/alarms/{channel_id}/test": Role.OPERATOR,
    "GET /desk/alarms/{channel_id}/remove": Role.OPERATOR,
    "POST /desk/alarms/{channel_id}/remove": Role.OPERATOR,
    "GET /desk/reasons": Role.READER,
    "GET /desk/operating": Role.READER,
    "GET /desk/deliveries": Role.READER,
    "GET /desk/deliveries/{delivery_id}": Role.READER,
    "GET /desk/deliveries/act": Role.OPERATOR,
    "GET /desk/deliveries/acts/{act_id}": Role.READER,
    "POST /desk/deliveries/acts/{act_id}/stop": Role.OPERATOR,
    "POST /desk/deliveries/act": Role.OPERATOR,
    "GET /desk/holds": Role.READER,
    "GET /desk/holds/pause": Role.OPERATOR,
    "POST /desk/holds/pause": Role.OPERATOR,
    "GET /desk/holds/resume": Role.OPERATOR,
    "POST /desk/holds/resume": Role.OPERATOR,
    "GET /desk/holds/release": Role.READER,
    "POST /desk/holds/release": Role.OPERATOR,
}
"""The least role that gets in, for every other route."""


def routes(app: FastAPI) -> dict[str, APIRoute]:
    return {
        f"{method} {route.path}": route
        for router in app.routes
        for route in getattr(getattr(router, "original_router", None), "routes", [])
        if isinstance(route, APIRoute) and route.path.startswith("/desk")
        for method in (route.methods or set()) - {"HEAD"}
    }


@pytest.fixture
def app(settings: Settings) -> FastAPI:
    return create_app(settings)


def test_the_table_names_every_route_of_the_desk(app: FastAPI) -> None:
    assert set(routes(app)) == OPEN | set(LEAST)


def test_whoever_may_send_a_file_is_known_before_any_of_it_is_read(app: FastAPI) -> None:
    reading = {_upload, _large_upload, _fields}
    for name, route in routes(app).items():
        calls = [dependency.call for dependency in route.dependant.dependencies]
        read = [at for at, call in enumerate(calls) if call in reading]
        who = [at for at, call in enumerate(calls) if isinstance(call, Entry)]
        assert not read or who[0] < read[0], name


def test_every_route_but_the_open_ones_asks_who_is_there(app: FastAPI) -> None:
    for name, route in routes(app).items():
        asks = [dependency.call for dependency in route.dependant.dependencies]
        assert any(isinstance(call, Entry) for call in asks) == (name not in OPEN), name


@pytest.mark.parametrize("role", Role)
def test_who_gets_in_where(staff: dict[Role, Person], role: Role) -> None:
    person = staff[role]
    for name, least in sorted(LEAST.items(), key=lambda one: ("/desk/sign-out" in one[0], "/end" in one[0])):
        answer = _tried(person.client, name, person.key)
        may = ROLES.index(role) >= ROLES.index(least)
        assert (answer.status_code != 403) == may, f"{role} at {name}: {answer.status_code}"
        assert answer.status_code < 500, f"{role} at {name}: {answer.status_code}"


def test_nobody_gets_in_without_signing_in(desk: str) -> None:
    with httpx.Client(base_url=desk) as stranger:
        for name in LEAST:
            answer = _tried(stranger, name, "")
            if name.startswith("GET"):
                assert answer.headers["location"].startswith("/desk/sign-in"), name
            else:
                assert answer.status_code == 403, name


def test_a_form_of_another_site_does_nothing(staff: dict[Role, Person]) -> None:
    owner = staff[Role.OWNER]
    for name in LEAST:
        if name.startswith("GET"):
            continue
        elsewhere = {"Sec-Fetch-Site": "cross-site"}
        assert _tried(owner.client, name, owner.key, headers=elsewhere).status_code == 403, name
        assert _tried(owner.client, name, "f" * 80).status_code == 403, name


def test_every_call_of_the_desk_asks_for_a_right() -> None:
    for module in iter_modules(mailer.desk.__path__, "mailer.desk."):
        for name, call in inspect.getmembers(import_module(module.name), inspect.isfunction):
            if call.__module__ == module.name and not name.startswith("_"):
                assert hasattr(call, "right"), f"{module.name}.{name} says by no @needs which right it takes"


def _tried(client: httpx.Client, name: str, key: str, **more: Any) -> httpx.Response:
    method, _, path = name.partition(" ")
    for part in ("{", "}"):
        path = path.replace(part, "")
    # A part of the path becomes 1: what is not there is 404 for those who may, after the right was asked.
    address = "/".join("1" if piece in _parts(name) else piece for piece in path.split("/"))
    if method == "GET":
        # Only its head: the board's events go on for minutes.
        with client.stream(method, address, **more) as answer:
            return answer
    return client.request(method, address, data={"form_key": key}, **more)


def _parts(name: str) -> set[str]:
    return {piece.strip("{}") for piece in name.split("/") if piece.startswith("{")}
