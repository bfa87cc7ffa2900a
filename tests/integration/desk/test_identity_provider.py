"""Signing in through an OpenID Connect provider, which really answers."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from joserfc.jwk import RSAKey
from sqlalchemy import select

from mailer.accounts.invitations import invite
from mailer.accounts.rights import at_the_machine
from mailer.accounts.sessions import session_now
from mailer.db import Sessions, session_scope
from mailer.models import Invitation, Operator, Role
from mailer.settings import Settings
from tests.support.identity import CLIENT, SECRET, IdentityServer, identity_server
from tests.support.reader_pages import running_app
from tests.support.staff import STAFF, hire

MARC = STAFF[Role.MARKETER][0]
NINA = "nina@example.org"


@pytest.fixture
def provider() -> Iterator[IdentityServer]:
    with identity_server() as server:
        yield server


@pytest.fixture
def client(settings: Settings, sessions: Sessions, provider: IdentityServer) -> Iterator[httpx.Client]:
    """A browser at a desk that knows the provider."""
    hire(sessions, Role.MARKETER, Role.OWNER)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    knows = settings.replace(
        base_url=f"http://127.0.0.1:{port}",
        oidc_issuer=provider.issuer,
        oidc_client_id=CLIENT,
        oidc_client_secret=SECRET,
        oidc_name="The House",
        oidc_roles="groups/editors=marketer,groups/admins=operator",
    )
    with (
        running_app(knows, port) as address,
        httpx.Client(base_url=address, follow_redirects=True) as browser,
    ):
        yield browser


def comes(client: httpx.Client, provider: IdentityServer, **claims: Any) -> httpx.Response:
    provider.claims = {"sub": "7", "email_verified": True, **claims}
    return client.get("/desk/sign-in/provider")


def invited(sessions: Sessions, role: Role = Role.OPERATOR) -> None:
    with session_scope(sessions) as session:
        invite(session, at_the_machine("tests"), NINA, role, session_now(session))


def role_of(sessions: Sessions, email: str) -> str | None:
    with session_scope(sessions) as session:
        return session.scalar(select(Operator.role).where(Operator.email == email))


def test_who_has_a_login_comes_in_by_their_proven_address_and_later_by_who_they_are(
    client: httpx.Client, provider: IdentityServer
) -> None:
    assert "Sign in with The House" in client.get("/desk/sign-in").text
    assert "Marc (marketer)" in comes(client, provider, email=MARC.upper()).text
    client.cookies.clear()
    assert "Marc (marketer)" in comes(client, provider, email="another@example.org").text
    assert provider.counted == ["metadata"]  # its addresses are kept for a while
    client.cookies.clear()
    other = comes(client, provider, email=MARC, sub="8")
    assert "belongs to another account" in other.text


def test_who_was_invited_needs_no_password(
    client: httpx.Client, provider: IdentityServer, sessions: Sessions
) -> None:
    invited(sessions)
    assert "Nina N. (operator)" in comes(client, provider, email=NINA, name="Nina N.").text
    with session_scope(sessions) as session:
        assert session.scalars(select(Invitation.used_at)).one() is not None
        nina = session.scalars(select(Operator).where(Operator.email == NINA)).one()
        assert nina.password_hash is None
    assert "You have none: you sign in through the identity provider" in client.get("/desk/you").text


def test_nobody_else_comes_in(client: httpx.Client, provider: IdentityServer, sessions: Sessions) -> None:
    answer = comes(client, provider, email=NINA, groups=["cooks"])
    assert (answer.status_code, "Nobody invited nina@example.org" in answer.text) == (422, True)
    assert role_of(sessions, NINA) is None


def test_a_claim_stands_for_a_role_the_highest_counts(
    client: httpx.Client, provider: IdentityServer, sessions: Sessions
) -> None:
    comes(client, provider, email=NINA, groups=["admins", "editors", "cooks"])
    assert role_of(sessions, NINA) == Role.OPERATOR


def test_an_address_that_is_not_proven_opens_nothing(
    client: httpx.Client, provider: IdentityServer, sessions: Sessions
) -> None:
    for claims in ({"email": MARC, "email_verified": False}, {"email": MARC, "email_verified": None}, {}):
        provider.claims["userinfo"] = {}
        answer = comes(client, provider, userinfo={}, **claims)
        assert (answer.status_code, "is proven" in answer.text) == (422, True), claims


def test_an_address_may_stand_in_the_userinfo_alone(client: httpx.Client, provider: IdentityServer) -> None:
    told = {"sub": "7", "email": MARC, "email_verified": True}
    provider.claims = {"sub": "7", "userinfo": {**told, "sub": "somebody else"}}
    assert client.get("/desk/sign-in/provider").status_code == 422
    provider.claims = {"sub": "7", "userinfo": told}
    assert "Marc (marketer)" in client.get("/desk/sign-in/provider").text


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "https://elsewhere.example"},
        {"aud": "another-program"},
        {"nonce": "another question's"},
        {"exp": 1_000_000_000},
        {"at_hash": "of another access token"},
    ],
)
def test_a_token_that_is_not_right_opens_nothing(
    client: httpx.Client, provider: IdentityServer, wrong: dict[str, Any]
) -> None:
    provider.changes = wrong
    answer = comes(client, provider, email=MARC)
    assert (answer.status_code, "its token is not right" in answer.text) == (422, True)


def test_a_token_signed_by_somebody_else_opens_nothing(
    client: httpx.Client, provider: IdentityServer
) -> None:
    provider.signs_with = RSAKey.generate_key(2048, {"kid": "one"})
    assert "its token is not right" in comes(client, provider, email=MARC).text


def test_an_answer_counts_for_the_browser_and_the_question_that_it_belongs_to(
    client: httpx.Client, provider: IdentityServer
) -> None:
    provider.claims = {"sub": "7", "email": MARC, "email_verified": True}
    asked = client.get("/desk/sign-in/provider", follow_redirects=False)
    back = httpx.get(asked.headers["location"]).headers["location"]
    with httpx.Client(follow_redirects=True) as victim:
        assert "another browser began it" in victim.get(back).text
    assert client.get(back.replace("state=", "state=x")).status_code == 422
    assert "Marc (marketer)" in client.get(back).text
    client.cookies.clear()
    assert client.get(back).status_code == 422


def test_a_refusal_by_the_provider_is_told(client: httpx.Client) -> None:
    state = client.get("/desk/sign-in/provider", follow_redirects=False).headers["location"]
    query = httpx.URL(state).params
    answer = client.get("/desk/sign-in/provider/back", params={"state": query["state"], "error": "<b>no"})
    assert answer.status_code == 422
    assert "&lt;b&gt;no" in answer.text


def test_a_provider_that_is_away_leaves_the_password(settings: Settings, sessions: Sessions) -> None:
    hire(sessions, Role.MARKETER)
    away = settings.replace(oidc_issuer="http://127.0.0.1:1", oidc_client_id=CLIENT)
    with running_app(away) as address:
        answer = httpx.get(f"{address}/desk/sign-in/provider")
    assert (answer.status_code, "cannot be reached" in answer.text) == (422, True)
    assert 'name="password"' in answer.text


def test_without_one_there_is_no_button(desk: str) -> None:
    assert "Sign in with" not in httpx.get(f"{desk}/desk/sign-in").text
    assert httpx.get(f"{desk}/desk/sign-in/provider").status_code == 404
