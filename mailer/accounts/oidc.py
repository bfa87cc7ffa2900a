"""Who a person is for an OpenID Connect provider: the code flow with PKCE, its tokens checked by authlib.

The provider is asked through the guarded fetcher. Its own host may be private, since whoever runs this
names it; all other addresses that it gives must be public, or in STEADYPOST_FETCH_ALLOW.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from authlib.common.errors import AuthlibBaseError
from authlib.common.security import generate_token
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from mailer.errors import Refused
from mailer.fetch import CannotFetch, Fetcher
from mailer.models import Role
from mailer.settings import Settings

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signed with the provider's own key; with "none" or a shared secret others could sign as well."""

LEEWAY_SECONDS = 120
KNOWN_SECONDS = 300
"""For how long its addresses are not asked for again: a stranger's clicks must not become requests."""


class ProviderFailed(Refused):
    """The provider did not say who somebody is; `what` says why."""

    def __init__(self, why: str) -> None:
        super().__init__(f"The identity provider could not sign you in: {why}")


@dataclass(frozen=True)
class Provider:
    """The provider, and what we are called there. `roles` are claim, value and the role that they give."""

    issuer: str
    client_id: str
    secret: str
    name: str
    scopes: str
    roles: tuple[tuple[str, str, Role], ...]
    fetcher: Fetcher


@dataclass(frozen=True)
class Metadata:
    """Its addresses, and whether it wants our secret in the form instead of a header."""

    authorization: str
    token: str
    keys: str
    userinfo: str
    secret_in_form: bool


@dataclass(frozen=True)
class Begun:
    """Where the browser goes, and what its way back must fit."""

    url: str
    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True)
class Identity:
    """Somebody, as the provider knows them. `email` is empty unless it is proven; `role` by its claims."""

    subject: str
    email: str
    name: str
    role: Role | None


@lru_cache(maxsize=4)
def provider_of(settings: Settings) -> Provider | None:
    """The provider that the settings name."""
    if not settings.oidc_issuer or not settings.oidc_client_id:
        return None
    allow = (*settings.fetch_allow, urlsplit(settings.oidc_issuer).hostname or "")
    return Provider(
        issuer=settings.oidc_issuer,
        client_id=settings.oidc_client_id,
        secret=settings.oidc_client_secret or "",
        name=settings.oidc_name,
        scopes=settings.oidc_scopes,
        roles=tuple(_rule(part) for part in settings.oidc_roles),
        fetcher=Fetcher(allow),
    )


def _rule(part: str) -> tuple[str, str, Role]:
    claim, _, rest = part.partition("/")
    value, _, role = rest.rpartition("=")
    return claim, value, Role(role)


def begin(provider: Provider, back: str) -> Begun:
    """Send somebody to the provider, who comes back to the address `back`; raises ProviderFailed."""
    state, nonce, verifier = (generate_token(48) for _ in range(3))
    url = prepare_grant_uri(
        _metadata(provider).authorization,
        client_id=provider.client_id,
        response_type="code",
        redirect_uri=back,
        scope=provider.scopes,
        state=state,
        nonce=nonce,
        code_challenge=create_s256_code_challenge(verifier),
        code_challenge_method="S256",
    )
    return Begun(str(url), state, nonce, verifier)


def finish(
    provider: Provider, back: str, said: Mapping[str, str], *, state: str, nonce: str, verifier: str
) -> Identity:
    """Who came back, by the query `said` and what `begin` made; raises ProviderFailed."""
    if said.get("state") != state:
        raise ProviderFailed("this answer belongs to another question. Try again.")
    if said.get("iss", provider.issuer) != provider.issuer:
        raise ProviderFailed("somebody else answered (RFC 9207).")
    if not said.get("code"):
        raise ProviderFailed(f"it says {said.get('error', 'nothing')[:80]!r}.")
    known = _metadata(provider)
    tokens = _tokens(provider, known, back, said["code"], verifier)
    claims = _checked(provider, known, tokens, nonce)
    if not claims.get("email") and known.userinfo:
        claims = {**_userinfo(provider, known, tokens, str(claims["sub"])), **claims}
    return _identity(provider, claims)


def _metadata(provider: Provider) -> Metadata:
    return _discovered(provider, int(time.monotonic()) // KNOWN_SECONDS)


@lru_cache(maxsize=4)
def _discovered(provider: Provider, _period: int) -> Metadata:
    told = _json(provider, f"{provider.issuer.rstrip('/')}/.well-known/openid-configuration")
    if told.get("issuer") != provider.issuer:
        raise ProviderFailed("it calls itself something else than STEADYPOST_OIDC_ISSUER.")
    names = ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint")
    begins, token, keys, userinfo = (str(told.get(name, "")) for name in names)
    schemes = {urlsplit(url).scheme for url in (begins, token, keys, userinfo or keys)}
    if not schemes <= {urlsplit(provider.issuer).scheme, "https"}:
        raise ProviderFailed("one of its addresses is missing or does not begin with https://.")
    ways = told.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    return Metadata(begins, token, keys, userinfo, "client_secret_basic" not in ways)


def _tokens(provider: Provider, known: Metadata, back: str, code: str, verifier: str) -> dict[str, Any]:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": back,
        "code_verifier": verifier,
        "client_id": provider.client_id,
    }
    headers = {"accept": "application/json"}
    if provider.secret and known.secret_in_form:
        form["client_secret"] = provider.secret
    elif provider.secret:
        pair = f"{quote(provider.client_id, safe='')}:{quote(provider.secret, safe='')}"
        headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode('ascii')}"
    tokens = _json(provider, known.token, headers, form)
    if not isinstance(tokens.get("id_token"), str):
        raise ProviderFailed(f"it says {str(tokens.get('error', 'nothing'))[:80]!r}.")
    return tokens


def _checked(provider: Provider, known: Metadata, tokens: Mapping[str, Any], nonce: str) -> dict[str, Any]:
    """The claims of the ID token, once its signature and each claim are right (OIDC Core 3.1.3.7)."""
    keys = _json(provider, known.keys)
    try:
        token = jwt.decode(
            tokens["id_token"],
            KeySet.import_key_set(keys),  # type: ignore[arg-type]
            registry=JWSRegistry(algorithms=list(ALGORITHMS), strict_check_header=False),
        )
        options = {"iss": {"values": [provider.issuer]}, "aud": {"values": [provider.client_id]}}
        params = {"nonce": nonce, "client_id": provider.client_id}
        if "access_token" in tokens:
            params["access_token"] = tokens["access_token"]
        claims = CodeIDToken(token.claims, token.header, options, params)
        claims.validate(leeway=LEEWAY_SECONDS)
    except (AuthlibBaseError, JoseError, ValueError, LookupError, TypeError) as error:
        raise ProviderFailed(f"its token is not right ({type(error).__name__}).") from None
    return dict(claims)


def _userinfo(provider: Provider, known: Metadata, tokens: Mapping[str, Any], subject: str) -> dict[str, Any]:
    headers = {"authorization": f"Bearer {tokens.get('access_token', '')}"}
    told = _json(provider, known.userinfo, headers)
    # OIDC Core 5.3.2: it may be somebody else's.
    return told if told.get("sub") == subject else {}


def _identity(provider: Provider, claims: Mapping[str, Any]) -> Identity:
    # As text, too: Cognito says "true".
    is_proven = claims.get("email_verified") in (True, "true")
    return Identity(
        subject=f"{provider.issuer} {claims['sub']}",
        email=str(claims.get("email") or "") if is_proven else "",
        name=str(claims.get("name") or "")[:200],
        role=_role(provider, claims),
    )


def _role(provider: Provider, claims: Mapping[str, Any]) -> Role | None:
    """The highest of the roles that the claims give."""
    given = [role for claim, value, role in provider.roles if value in _values(claims.get(claim))]
    return max(given, key=list(Role).index, default=None)


def _values(claim: object) -> list[str]:
    return [str(one) for one in claim] if isinstance(claim, list) else [str(claim)]


def _json(
    provider: Provider,
    url: str,
    headers: Mapping[str, str] | None = None,
    form: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    try:
        told = json.loads(_asked(provider.fetcher, url, dict(headers or {}), form))
    except CannotFetch:
        raise ProviderFailed("it cannot be reached. Try again later.") from None
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise ProviderFailed("it answers something else than expected.")
    return told


def _asked(fetcher: Fetcher, url: str, headers: dict[str, str], form: Mapping[str, str] | None) -> bytes:
    if form is None:
        return fetcher.fetch(url, headers).content
    headers["content-type"] = "application/x-www-form-urlencoded"
    body = urlencode(form).encode("ascii")
    return asyncio.run(fetcher.post(url, body, headers, with_content=True)).content
