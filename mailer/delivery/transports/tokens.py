"""OAuth 2 access tokens for SMTP, bought with a refresh token and kept until they expire (RFC 6749 6)."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from urllib.parse import urlencode, urlsplit

from mailer.delivery.transports.server import SmtpServer
from mailer.fetch import CannotFetch, Fetcher

FORM = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
EARLY_SECONDS = 60.0
"""A token that expires sooner is not used any more: logging in takes a while."""
USUAL_LIFE_SECONDS = 3600.0
"""For a server that does not say; a token that is refused earlier is bought again anyway."""


class NoToken(Exception):
    """No access token could be had; the reason names no secret."""


class TokenSource:
    """The access token of one server, shared by the threads that open connections."""

    def __init__(self, server: SmtpServer, fetcher: Fetcher) -> None:
        self._server = server
        self._fetcher = fetcher
        self._refresh_token = server.password
        self._token = "" if server.token_url else server.password
        self._until = 0.0 if server.token_url else float("inf")
        self._lock = threading.Lock()

    @property
    def can_renew(self) -> bool:
        """Whether a token that is refused can be exchanged for another."""
        return bool(self._server.token_url)

    def token(self) -> str:
        """A token that should be good now; raises NoToken."""
        with self._lock:
            if time.monotonic() >= self._until - EARLY_SECONDS:
                self._buy()
            return self._token

    def refused(self, token: str) -> None:
        """The server did not want this one: buy another next time, unless a thread has done so already."""
        with self._lock:
            if self.can_renew and token == self._token:
                self._until = 0.0

    def _buy(self) -> None:
        server = self._server
        form = {"grant_type": "refresh_token", "refresh_token": self._refresh_token}
        if server.client_id:
            form["client_id"] = server.client_id
        if server.client_secret:
            form["client_secret"] = server.client_secret
        host = urlsplit(server.token_url).hostname
        asked = self._fetcher.post(server.token_url, urlencode(form).encode(), FORM, with_content=True)
        try:
            answer = asyncio.run(asked)
            words = json.loads(answer.content)
            token = words["access_token"] if answer.status == 200 else None
        except (CannotFetch, ValueError, KeyError, TypeError) as error:
            raise NoToken(f"{host} gave no access token ({type(error).__name__})") from None
        if not isinstance(token, str):
            error_name = words.get("error") if isinstance(words, dict) else None
            raise NoToken(f"{host} gave no access token ({answer.status} {error_name or ''})")
        self._token = token
        self._until = time.monotonic() + _seconds(words.get("expires_in"))
        # Some authorities exchange the refresh token too; the new one lives as long as this process.
        self._refresh_token = words.get("refresh_token") or self._refresh_token


def _seconds(expires_in: object) -> float:
    try:
        return float(str(expires_in))
    except ValueError:
        return USUAL_LIFE_SECONDS
