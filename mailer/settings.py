"""All settings, read once at the start from STEADYPOST_* and passed in from there.

Every setting can also be given as a file: STEADYPOST_SECRET_KEY_FILE=/run/secrets/key.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
import secrets
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    field_validator,
)

from mailer.errors import BadSetting

PREFIX = "STEADYPOST_"
ORIGINS = f"{PREFIX}ORIGINS"
"""How a child process is told where its settings came from: its own environment names them all."""

PROJECT = Path(__file__).resolve().parent.parent


def _with_a_port_that_is_one(url: str | None) -> str | None:
    """The same URL; raises ValueError when its port is no number."""
    try:
        _ = urlsplit(url or "").port
    except ValueError:
        # Its own message would repeat a part of the password.
        encoded = "a # or / in the password is written as %23 or %2F"
        raise ValueError(f"what follows the host's colon is no port number; {encoded}") from None
    return url


def _comma_separated(value: object) -> object:
    return _parts(value) if isinstance(value, str) else value


_ROLES = ("reader", "marketer", "operator", "owner")


def default_data_dir() -> Path:
    """Where data lives when nothing is said.

    As root PostgreSQL runs as another user, who could not reach into root's home folder.
    """
    if os.geteuid() == 0:
        return Path("/var/lib/steadypost")
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "steadypost"


class Choices(BaseModel):
    """A setting that says something about each of several things: `a=this,b=that`.

    What is not named keeps its default; a `-` in a name is a `_` here.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    def __str__(self) -> str:
        """As it is written in the environment."""
        return ",".join(
            f"{name.replace('_', '-')}={_never(value)}" for name, value in self.model_dump().items()
        )

    @classmethod
    def read(cls, value: object) -> object:
        """What is written in the environment; raises ValueError with the words that could stand there."""
        if not isinstance(value, str):
            return value
        names = [name.replace("_", "-") for name in cls.model_fields]
        chosen: dict[str, str] = {}
        for part in _parts(value):
            name, equals, word = (piece.strip() for piece in part.partition("="))
            if not equals or name not in names or name in chosen:
                raise ValueError(f"{part!r} must be name=value, with each of {', '.join(names)} at most once")
            chosen[name.replace("-", "_")] = word
        try:
            return cls.model_validate(chosen)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            name = str(first["loc"][0]).replace("_", "-")
            raise ValueError(f"{name}: {first['msg']}") from None


def _never(value: object) -> object:
    return "never" if value is None else value


def _parts(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


class AfterCut(Choices):
    """By lane: what becomes of a mail whose conversation was cut between the final dot and its reply."""

    transactional: Literal["resend", "hold"] = "resend"
    course: Literal["resend", "hold"] = "resend"
    campaign: Literal["resend", "hold"] = "hold"


Days = Annotated[
    Annotated[int, Field(ge=1, le=36_500)] | None,
    BeforeValidator(lambda value: None if value == "never" else value),
]
"""A number of days, or `never`."""


class SuppressionDays(Choices):
    """By reason: after how many days a suppression ends by itself; no other reason ever does."""

    soft_bounce: Days = 30
    hard_bounce: Days = None


MayLift = Literal["marketer", "operator", "owner", "nobody"]


class LiftedBy(Choices):
    """By reason: who may lift a suppression, and all above them."""

    soft_bounce: MayLift = "marketer"
    hard_bounce: MayLift = "operator"
    manual: MayLift = "operator"
    complaint: MayLift = "owner"
    unsubscribed_from_everything: MayLift = "owner"


class Origin(StrEnum):
    """Where a setting's value comes from."""

    ENVIRONMENT = "environment"
    FILE = "file"
    DEFAULT = "default"


class Settings(BaseModel):
    """What a person can set. URLs left out mean: Steadypost runs that part itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    database_url: str | None = Field(default=None, repr=False)
    redis_url: str | None = Field(default=None, repr=False)
    smtp_url: str | None = Field(default=None, repr=False)
    base_url: str = "http://127.0.0.1:8025"
    secret_key: Annotated[tuple[str, ...], BeforeValidator(_comma_separated), Field(repr=False)] = ()
    data_dir: Path = Field(default_factory=default_data_dir)
    instance_token: str | None = Field(default=None, repr=False)
    hold_after_hours: float = Field(default=6.0, gt=0)
    keep_months: Annotated[int, Field(ge=2)] = 25
    after_cut: Annotated[AfterCut, BeforeValidator(AfterCut.read)] = AfterCut()
    soft_bounces: int = Field(default=3, ge=0, le=1000)
    soft_bounce_days: int = Field(default=7, ge=0, le=3650)
    suppression_days: Annotated[SuppressionDays, BeforeValidator(SuppressionDays.read)] = SuppressionDays()
    lifted_by: Annotated[LiftedBy, BeforeValidator(LiftedBy.read)] = LiftedBy()
    fetch_allow: Annotated[tuple[str, ...], BeforeValidator(_comma_separated)] = ()
    oidc_issuer: str | None = None
    oidc_client_id: str | None = None
    oidc_client_secret: str | None = Field(default=None, repr=False)
    oidc_name: str = "single sign-on"
    oidc_scopes: str = "openid email profile"
    oidc_roles: Annotated[tuple[str, ...], BeforeValidator(_comma_separated)] = ()
    second_factor: Literal["optional", "owner", "operator", "marketer", "reader"] = "optional"
    approval: Literal["off", "campaigns"] = "off"
    log_format: Literal["text", "json"] = "text"
    api_per_minute: Annotated[int, Field(ge=1)] = 600

    _origins: dict[str, Origin] = PrivateAttr(default_factory=dict)

    @field_validator("database_url")
    @classmethod
    def _is_postgres(cls, value: str | None) -> str | None:
        if value is not None and urlsplit(value).scheme.split("+")[0] not in {"postgresql", "postgres"}:
            raise ValueError("it must begin with postgresql://, the only database Steadypost speaks to")
        return _with_a_port_that_is_one(value)

    @field_validator("redis_url")
    @classmethod
    def _is_redis(cls, value: str | None) -> str | None:
        if value is not None and urlsplit(value).scheme not in {"redis", "rediss", "unix", "redis+socket"}:
            raise ValueError("it must begin with redis://, rediss:// or unix://")
        return _with_a_port_that_is_one(value)

    @field_validator("smtp_url")
    @classmethod
    def _is_smtp(cls, value: str | None) -> str | None:
        if value is not None:
            parts = urlsplit(value)
            if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
                raise ValueError(
                    "write it as smtp://user:password@host:587 or smtps://user:password@host:465"
                )
        return _with_a_port_that_is_one(value)

    @field_validator("base_url")
    @classmethod
    def _is_web_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("it must be the public address of this site, such as https://news.example.org")
        if parts.query or parts.fragment:
            raise ValueError("it must end with the host or a path, without ? and #")
        return value.rstrip("/")

    @field_validator("oidc_issuer")
    @classmethod
    def _is_issuer(cls, value: str | None) -> str | None:
        parts = urlsplit(value or "https://none")
        is_here = parts.scheme == "http" and parts.hostname in {"localhost", "127.0.0.1", "::1"}
        if not parts.hostname or not (parts.scheme == "https" or is_here):
            raise ValueError("it must begin with https://, as the provider itself writes it")
        return value

    @field_validator("oidc_roles")
    @classmethod
    def _is_claims_to_roles(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for part in value:
            claim, slash, rest = part.partition("/")
            wanted, equals, role = rest.rpartition("=")
            if not (claim and slash and wanted and equals) or role not in _ROLES:
                raise ValueError(f"{part!r} must be claim/value=role, with a role of {', '.join(_ROLES)}")
        return value

    @field_validator("instance_token")
    @classmethod
    def _is_a_token(cls, value: str | None) -> str | None:
        if value is not None and len(value) < 16:
            raise ValueError("the instance token needs at least 16 characters")
        return value

    @field_validator("secret_key")
    @classmethod
    def _is_long(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if any(len(key) < 32 for key in value):
            raise ValueError("each secret key needs at least 32 characters")
        return value

    @field_validator("fetch_allow")
    @classmethod
    def _is_hosts_and_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for part in value:
            is_network = "/" in part or ":" in part
            try:
                _ = ipaddress.ip_network(part, strict=False) if is_network else part
            except ValueError:
                raise ValueError(
                    f"{part!r} is neither a network such as 10.1.0.0/16 nor a host's name"
                ) from None
        return value

    @property
    def needs_approval(self) -> bool:
        """Whether a second person has to approve a campaign before it leaves."""
        return self.approval == "campaigns"

    @property
    def hold_after(self) -> timedelta:
        """How long an outage may last without anything being put on hold."""
        return timedelta(hours=self.hold_after_hours)

    def replace(self, **changes: Any) -> Self:
        """A copy with `changes`, checked like any other settings."""
        changed = type(self).model_validate({**self.model_dump(), **changes})
        changed._origins = dict(self._origins)
        return changed

    def origin_of(self, name: str) -> Origin:
        """Where the value of this field comes from, as far as a person said it."""
        return self._origins.get(name, Origin.DEFAULT)

    def as_environment(self) -> dict[str, str]:
        """The same settings as STEADYPOST_* variables, for a child process."""
        values = self.model_dump(exclude_none=True)
        for name in ("secret_key", "fetch_allow", "oidc_roles"):
            values[name] = ",".join(getattr(self, name))
        values["data_dir"] = self.data_dir.absolute()
        for name in type(self).model_fields:
            if isinstance(choices := getattr(self, name), Choices):
                values[name] = choices
        origins = ",".join(f"{name}={origin}" for name, origin in self._origins.items())
        named = {PREFIX + name.upper(): str(value) for name, value in values.items() if value != ""}
        return {**named, ORIGINS: origins or "none"}


def load_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Settings from the environment; raises BadSetting with one sentence when one is wrong."""
    environment = os.environ if environment is None else environment
    values: dict[str, str] = {}
    origins: dict[str, Origin] = {}
    for variable, value in environment.items():
        if not variable.startswith(PREFIX) or value == "" or variable == ORIGINS:
            continue
        name, origin = variable.removeprefix(PREFIX).lower(), Origin.ENVIRONMENT
        if name.endswith("_file"):
            name, value, origin = name.removesuffix("_file"), _read_secret(variable, value), Origin.FILE
        if name not in Settings.model_fields:
            raise BadSetting(f"{variable} is not a setting{_did_you_mean(name)}")
        values[name], origins[name] = value, origin
    try:
        settings = Settings.model_validate(values)
        handed_over = _handed_over(environment)
        settings._origins = origins if handed_over is None else handed_over
        return settings
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        # The value itself is not repeated: it may hold a password.
        reason = first["msg"].removeprefix("Value error, ")
        raise BadSetting(f"{PREFIX}{str(first['loc'][0]).upper()} is wrong, {reason}") from None


def _handed_over(environment: Mapping[str, str]) -> dict[str, Origin] | None:
    """Where the parent process had its settings from; None when this is no child of ours."""
    told = environment.get(ORIGINS)
    if not told:
        return None
    pairs = (part.partition("=") for part in _parts(told))
    return {name: Origin(word) for name, _, word in pairs if word in list(Origin)}


def local_secret_key(data_dir: Path) -> str:
    """The secret key kept in `data_dir`, made on first use: enough for one machine, not for several."""
    path = data_dir / "secret_key"
    if not path.exists():
        data_dir.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(48))
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise BadSetting(
            f"{path} cannot be read ({error.strerror}), it belongs to whoever runs `up`"
        ) from None


def _read_secret(variable: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise BadSetting(f"{variable} names {path}, which cannot be read ({error.strerror})") from None


def _did_you_mean(name: str) -> str:
    close = difflib.get_close_matches(name, Settings.model_fields, n=1)
    return f"; did you mean {PREFIX}{close[0].upper()}?" if close else ""
