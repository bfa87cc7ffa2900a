"""A small OpenID Connect provider for tests: it speaks the real protocol, and asks nobody anything."""

from __future__ import annotations

import base64
import hashlib
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any
from urllib.parse import urlencode

import uvicorn
from fastapi import FastAPI, Form, Header, HTTPException
from fastapi.responses import RedirectResponse
from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "steadypost", "a secret: that the provider gave us/"


@dataclass
class IdentityServer:
    """The provider; `claims` are those of whoever signs in next, `changes` what it says wrongly."""

    issuer: str
    claims: dict[str, Any] = field(default_factory=dict)
    changes: dict[str, Any] = field(default_factory=dict)
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one", "use": "sig"}))
    signs_with: RSAKey | None = None
    asked: dict[str, dict[str, str]] = field(default_factory=dict)
    counted: list[str] = field(default_factory=list)

    def metadata(self) -> dict[str, Any]:
        self.counted.append("metadata")
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    def authorize(
        self, client_id: str, redirect_uri: str, state: str, nonce: str, code_challenge: str
    ) -> RedirectResponse:
        assert client_id == CLIENT
        code = secrets.token_urlsafe(16)
        self.asked[code] = {"nonce": nonce, "challenge": code_challenge, "back": redirect_uri}
        return RedirectResponse(f"{redirect_uri}?{urlencode({'code': code, 'state': state})}", 303)

    def token(
        self,
        code: Annotated[str, Form()],
        redirect_uri: Annotated[str, Form()],
        code_verifier: Annotated[str, Form()],
        authorization: Annotated[str, Header()],
    ) -> dict[str, Any]:
        asked = self.asked.pop(code, None)
        if asked is None:
            raise HTTPException(400, "invalid_grant")
        assert base64.b64decode(authorization.removeprefix("Basic ")).decode() == (
            f"{CLIENT}:a%20secret%3A%20that%20the%20provider%20gave%20us%2F"
        )
        digest = hashlib.sha256(code_verifier.encode()).digest()
        assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == asked["challenge"]
        assert redirect_uri == asked["back"]
        now = int(time.time())
        claims = {
            **{"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": asked["nonce"]},
            **{name: value for name, value in self.claims.items() if name != "userinfo"},
            **self.changes,
        }
        signed = jwt.encode({"alg": "RS256", "kid": "one"}, claims, self.signs_with or self.key)
        return {"access_token": "an access token", "token_type": "Bearer", "id_token": signed}

    def keys(self) -> dict[str, Any]:
        return {"keys": [self.key.as_dict(private=False)]}

    def userinfo(self, authorization: Annotated[str, Header()]) -> dict[str, Any]:
        assert authorization == "Bearer an access token"
        told: dict[str, Any] = self.claims["userinfo"]
        return told


@contextmanager
def identity_server() -> Iterator[IdentityServer]:
    """The provider at an address of its own."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = IdentityServer(f"http://127.0.0.1:{listener.getsockname()[1]}")
    app = FastAPI(openapi_url=None)
    app.get("/.well-known/openid-configuration")(server.metadata)
    app.get("/authorize")(server.authorize)
    app.post("/token")(server.token)
    app.get("/keys")(server.keys)
    app.get("/userinfo")(server.userinfo)
    running = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False, lifespan="off"))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        while not running.started:
            time.sleep(0.005)
        yield server
    finally:
        running.should_exit = True
        thread.join(timeout=10)
        listener.close()
