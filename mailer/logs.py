"""What workers, beat and the web app write down: text or JSON lines, without addresses or secrets.

A line says what happened (`event`) and to what (`delivery_id`, `batch_id`, `lane`, `transport`, `code`,
`seconds`), given as `extra`. Servers quote addresses in their replies, and exceptions may quote anything, so
every line is masked as the last thing before it is written, whoever wrote it.
"""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, urlsplit

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

from mailer.settings import Settings

OURS = ("mailer", "worker")
"""Loggers of which INFO is shown also where others are heard from WARNING on."""
THEIRS = (
    *("uvicorn", "uvicorn.error", "uvicorn.access"),
    *("celery", "celery.task", "celery.redirected", "celery.worker", "celery.beat"),
    "mail.log",
)
"""Loggers that come with handlers, and so with a format, of their own."""
NOISE = frozenset({"data", "color_message", "taskName"})
"""Extras of Celery and uvicorn that repeat the message."""
SHORTEST_SECRET = 4
"""A shorter one would be found in every second word; no real one is."""

_PATTERNS = (
    # ://user:password@host
    (re.compile(r"(://)[^\s/@'\"]*(?:@[^\s/@'\"]*)*@(?=[\w\[])"), r"\1[secret]@"),
    # The links of our mails; whoever has one is taken for its reader.
    (re.compile(r"(/(?:confirm|m|l)/)[\w-]{8,}"), r"\1[token]"),
    (re.compile(r"(?i)\b((?:bearer|basic) )[\w.~+/=-]{6,}"), r"\1[secret]"),
    (
        re.compile(
            r"(?i)\b([\w-]*(?:password|passwd|secret|token|api[_-]?key)\b['\"]?\s*[:=]\s*)['\"]?[^\s&,'\"]+"
        ),
        r"\1[secret]",
    ),
    # Any other word that looks drawn by lot: capital and small letters and digits, 18 or more.
    (
        re.compile(r"(?<![\w-])(?=[\w-]*[a-z])(?=[\w-]*[A-Z])(?=[\w-]*\d)[A-Za-z0-9_-]{18,}(?![\w-])"),
        "[token]",
    ),
    # What PostgreSQL adds to an error quotes rows and parameters.
    (re.compile(r"(?m)^(\s*(?:DETAIL|CONTEXT):).*$"), r"\1 [left out]"),
    (
        re.compile(
            r"(?:\"[^\"\n]{1,64}\"|[^\s<>()\[\],;:\"@]{1,254})(?:@|%40)"
            r"(?:\[[^\]\s]+\]|[^\s<>()\[\],;:\"'@/?&=.]+(?:\.[^\s<>()\[\],;:\"'@/?&=.]+)+)"
        ),
        "[address]",
    ),
)


class Mask:
    """Takes addresses, credentials and tokens out of a text, and `secrets` wherever they stand in it."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = sorted({one for one in secrets if len(one) >= SHORTEST_SECRET}, key=len, reverse=True)
        self._secrets = re.compile("|".join(map(re.escape, known))) if known else None

    def __call__(self, text: str) -> str:
        if self._secrets is not None:
            text = self._secrets.sub("[secret]", text)
        for pattern, instead in _PATTERNS:
            text = pattern.sub(instead, text)
        return text

    def anything(self, value: Any) -> Any:
        """The same for what may stand in a field of a line: plain values, and anything else as its text."""
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, Mapping):
            return {self(str(name)): self.anything(one) for name, one in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.anything(one) for one in value]
        return self(value.isoformat() if isinstance(value, datetime) else str(value))


class JsonLines(JsonFormatter):
    """A line is a JSON object: at, level, logger, message, then the event's fields."""

    def __init__(self, mask: Mask) -> None:
        super().__init__(
            ("levelname", "name", "message"),
            rename_fields={
                "levelname": "level",
                "name": "logger",
                "exc_info": "exception",
                "stack_info": "stack",
            },
            reserved_attrs=[*RESERVED_ATTRS, *NOISE],
            timestamp="at",
            json_ensure_ascii=False,
        )
        self._mask = mask

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        masked: dict[str, Any] = self._mask.anything(log_data)
        # What was not known, or did not happen, is not said.
        said = {name: value for name, value in masked.items() if value is not None and value != {}}
        return {"at": said.pop("at"), **said}


class TextLines(logging.Formatter):
    """A line for people: when, how grave, what happened, and the event's fields as name=value."""

    def __init__(self, mask: Mask) -> None:
        super().__init__()
        self._mask = mask

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        # What a server says must not look like a line of ours.
        message = " ".join(record.getMessage().splitlines())
        words = [f"{at} {record.levelname} {record.name}: {message}"]
        words += [f"{name}={value}" for name, value in _fields(_extras(record))]
        lines = [" ".join(words)]
        if record.exc_info:
            lines.append(self.formatException(record.exc_info))
        elif record.exc_text:
            lines.append(record.exc_text)
        return self._mask("\n".join(lines))


def _extras(record: logging.LogRecord) -> dict[str, Any]:
    left_out = {*RESERVED_ATTRS, *NOISE}
    return {name: value for name, value in vars(record).items() if name not in left_out}


def _fields(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Names and values, those of a mapping one by one; what is None is left out."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _fields(value)
        elif value is not None:
            words = " ".join(str(value).split())
            yield name.replace(" ", "-"), f'"{words}"' if " " in words else words


def secrets_of(settings: Settings) -> set[str]:
    """Every secret in the settings, also in the forms in which a URL or an SMTP login spells it."""
    found = {*settings.secret_key, settings.instance_token or ""}
    for url in (settings.database_url, settings.redis_url, settings.smtp_url):
        parts = urlsplit(url or "")
        if parts.password:
            user, password = unquote(parts.username or ""), unquote(parts.password)
            found |= {parts.password, password}
            found |= {_base64(password), _base64(f"\0{user}\0{password}")}  # AUTH LOGIN, AUTH PLAIN
    return found - {""}


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode("ascii")


def set_up_logs(settings: Settings, level: int = logging.WARNING) -> None:
    """Write every line of this process to stderr in the format of the settings, masked.

    Other people's loggers are heard from `level` on, ours from INFO on at least.
    """
    mask = Mask(secrets_of(settings))
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines(mask) if settings.log_format == "json" else TextLines(mask))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in OURS:
        logging.getLogger(name).setLevel(min(level, logging.INFO))
    for name in THEIRS:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    logging.captureWarnings(True)
