"""Lines for people and for programs, and what is in neither."""

from __future__ import annotations

import json
import logging
from datetime import datetime

import pytest

from mailer.links import Signer
from mailer.logs import JsonLines, Mask, TextLines, secrets_of
from mailer.settings import load_settings

KEY = "a-secret-key-that-is-long-enough-for-us"
TOKEN = Signer([KEY]).delivery_token(4812)
NOBODY = Mask()


def record(message: str, *args: object, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("mailer.delivery", logging.WARNING, __file__, 1, message, args, None)
    made.__dict__.update(extra)
    return made


def failing(message: str) -> logging.LogRecord:
    made = record("It failed")
    try:
        raise RuntimeError(message)
    except RuntimeError as error:
        made.exc_info = (RuntimeError, error, error.__traceback__)
    return made


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("550 5.1.1 <ada@example.org>: unknown", "550 5.1.1 <[address]>: unknown"),
        ("RCPT TO:<ada+list@mail.example.co.uk>", "RCPT TO:<[address]>"),
        ("no such user 'ada@example.org'", "no such user [address]'"),
        ('"ada b"@example.org is full', "[address] is full"),
        ("o'brien@example.org", "[address]"),
        ("bounces+ada=example.org@sender.example", "[address]"),
        ("ada@[192.0.2.1] and ada@müller.example", "[address] and [address]"),
        ("mailto:ada%40example.org", "mailto:[address]"),
        ("smtp://relay:hunter2@mail.example:587/x", "smtp://[secret]@mail.example:587/x"),
        ("redis://:p@ss@host:1", "redis://[secret]@host:1"),
        (f"GET /m/{TOKEN}/unsubscribe", "GET /m/[token]/unsubscribe"),
        (f"https://news.example.org/confirm/{TOKEN}?a=1", "https://news.example.org/confirm/[token]?a=1"),
        (
            "https://api.example.org/send?api_key=abc123&x=1",
            "https://api.example.org/send?api_key=[secret]&x=1",
        ),
        ("Authorization: Bearer abc.def.ghi", "Authorization: Bearer [secret]"),
        ("{'password': 'hunter2'}", "{'password': [secret]'}"),
        ("got Zm9vYmFyQmF6MTIzNDU2 back", "got [token] back"),
        (
            "duplicate key\nDETAIL:  Key (slug)=(sleep-well) already exists.",
            "duplicate key\nDETAIL: [left out]",
        ),
        ("CONTEXT:  unnamed portal parameter $1 = 'ada'", "CONTEXT: [left out]"),
    ],
)
def test_addresses_credentials_and_tokens_are_taken_out(said: str, written: str) -> None:
    assert NOBODY(said) == written


@pytest.mark.parametrize(
    "said",
    [
        "Task steadypost.tick[0a64d1bd-1d0c-4a52-8d9a-0f3a2b1c4d5e] raised unexpected: KeyError",
        "worker course@vm ready",
        '  File "/opt/steadypost/mailer/delivery/batch.py", line 110, in deliver_batch',
        "552 5.2.2 mailbox full; 3 of 500 @ 12:00",
        "http://127.0.0.1:8025/health",
    ],
)
def test_what_an_operator_needs_stays(said: str) -> None:
    assert NOBODY(said) == said


def test_a_long_line_without_any_space_is_masked_in_a_moment() -> None:
    assert len(NOBODY("a" * 300_000 + "@")) > 0
    assert len(NOBODY("a@" * 100_000)) > 0


def test_the_secrets_of_the_settings_are_found_in_every_spelling() -> None:
    settings = load_settings(
        {
            "STEADYPOST_SECRET_KEY": KEY,
            "STEADYPOST_SMTP_URL": "smtp://relay:open%2Fsesame@mail.example",
            "STEADYPOST_DATABASE_URL": "postgresql://sp:postgres-pass@db/sp",
        }
    )
    mask = Mask(secrets_of(settings))
    # base64 of "open/sesame", and of "\0relay\0open/sesame" as AUTH PLAIN says it
    for said in (
        KEY,
        "open/sesame",
        "open%2Fsesame",
        "postgres-pass",
        "b3Blbi9zZXNhbWU=",
        "AHJlbGF5AG9wZW4vc2VzYW1l",
    ):
        assert mask(f"sent {said} to it") == "sent [secret] to it"


def test_a_json_line_has_the_fields_of_its_event() -> None:
    said = record(
        "%s said no",
        "ada@example.org",
        event="delivery.failed",
        delivery_id=7,
        code=550,
        mails={"failed": 1},
        transport=None,
    )
    line = JsonLines(NOBODY).format(said)
    assert "\n" not in line
    values = json.loads(line)
    assert datetime.fromisoformat(values.pop("at")).tzinfo is not None
    assert values == {
        "level": "WARNING",
        "logger": "mailer.delivery",
        "message": "[address] said no",
        "event": "delivery.failed",
        "delivery_id": 7,
        "code": 550,
        "mails": {"failed": 1},
    }


def test_a_text_line_is_one_line_whatever_a_server_says() -> None:
    line = TextLines(NOBODY).format(
        record("550 no\r\nINFO all is well", event="x", lane="course", mails={"accepted": 2}, transport=None)
    )
    assert line.endswith(" WARNING mailer.delivery: 550 no INFO all is well event=x lane=course accepted=2")


@pytest.mark.parametrize("lines", [JsonLines(NOBODY), TextLines(NOBODY)])
def test_an_exception_is_written_down_without_what_it_quotes(lines: logging.Formatter) -> None:
    line = lines.format(failing(f"<ada@example.org> at https://x.example/m/{TOKEN}"))
    assert "RuntimeError: <[address]> at https://x.example/m/[token]" in line
    assert "test_logs.py" in line
    assert "ada@" not in line
    assert TOKEN not in line
