"""A relay, as STEADYPOST_SMTP_URL describes it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Self
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from mailer.errors import BadSetting

LOCAL_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})
KNOWN_WORDS = frozenset({"starttls", "auth", "ca", "token_url", "client_id", "client_secret"})


class StartTls(StrEnum):
    """Whether to ask for TLS: when offered, always, or never."""

    OFFERED = "offered"
    REQUIRED = "required"
    NEVER = "never"


class Auth(StrEnum):
    """How to log in: with a password (PLAIN or LOGIN), or with an OAuth 2 token."""

    PASSWORD = "password"  # noqa: S105 (a word of the URL)
    XOAUTH2 = "xoauth2"


@dataclass(frozen=True)
class SmtpServer:
    """Where a relay is and how it is entered.

    `ca` is a file with the authorities to trust beside the system's. With XOAUTH2 the password is an access
    token; when there is a `token_url`, it is a refresh token that buys access tokens there (RFC 6749
    section 6).
    """

    host: str
    port: int
    user: str = ""
    password: str = ""
    is_tls: bool = False
    starttls: StartTls = StartTls.OFFERED
    auth: Auth = Auth.PASSWORD
    ca: str = ""
    token_url: str = ""
    client_id: str = ""
    client_secret: str = ""

    @classmethod
    def from_url(cls, url: str) -> Self:
        """`smtp://user:pass@host:port?starttls=required` or `smtps://…`; raises BadSetting."""
        parts = urlsplit(url)
        words = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        _check(parts, words)
        is_tls = parts.scheme == "smtps"
        return cls(
            host=parts.hostname or "localhost",
            port=parts.port or (465 if is_tls else 587 if parts.username else 25),
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            is_tls=is_tls,
            starttls=StartTls(words.get("starttls", StartTls.OFFERED)),
            auth=Auth(words.get("auth", Auth.PASSWORD)),
            ca=words.get("ca", ""),
            token_url=words.get("token_url", ""),
            client_id=words.get("client_id", ""),
            client_secret=words.get("client_secret", ""),
        )

    @property
    def is_local(self) -> bool:
        """Whether it is this machine, where a password needs no TLS."""
        return self.host in LOCAL_HOSTS

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    def __repr__(self) -> str:
        # Without the password: this may end in a log.
        return f"SmtpServer({self})"


def _check(parts: SplitResult, words: dict[str, str]) -> None:
    """Raise BadSetting for what is not understood: a misspelt starttls=required must not be passed over."""
    if unknown := sorted(set(words) - KNOWN_WORDS):
        raise BadSetting(
            f"{unknown[0]}= in the mail server's URL is not one of {', '.join(sorted(KNOWN_WORDS))}"
        )
    for name, kinds in (("starttls", StartTls), ("auth", Auth)):
        if words.get(name, next(iter(kinds))) not in set(kinds):
            raise BadSetting(f"{name}={words[name]} is not one of {', '.join(kinds)}")
    try:
        parts.port  # noqa: B018 (reading it checks it)
    except ValueError as error:
        raise BadSetting("the port in the mail server's URL is not a number up to 65535") from error
    token_host = urlsplit(words.get("token_url", ""))
    if token_host.scheme not in ("", "https") and token_host.hostname not in LOCAL_HOSTS:
        raise BadSetting("token_url= must begin with https://, since a secret is sent there")
