"""What a template can name about one person."""

from __future__ import annotations

from datetime import date

import pytest

from mailer.content.variables import VARIABLES
from mailer.links import Signer
from mailer.render.context import About, Reader, build_context, greeting, mail_links

LINKS = mail_links("https://mail.example.org", Signer(["a key of thirty-two characters.."]), 7)
ABOUT = About(
    "A quiet neck", "The Reading Room", "12 Quiet Lane", "A quiet neck", "", 30, 22, date(2026, 8, 4)
)


@pytest.mark.parametrize(
    ("name", "language", "expected"),
    [
        ("Ada", "en", "Hello Ada,"),
        ("", "en", "Hello,"),
        ("Ada", "de", "Hallo Ada,"),
        ("", "de-AT", "Guten Tag,"),
        ("100%s", "en", "Hello 100%s,"),
        ("evil.example/x", "en", "Hello,"),
        ("a@evil.example", "en", "Hello,"),
        ("https:", "en", "Hello,"),
    ],
)
def test_a_greeting_reads_well_with_and_without_a_name(name: str, language: str, expected: str) -> None:
    assert greeting(name, language) == expected


@pytest.mark.parametrize(
    ("language", "day"), [("en", "Tuesday, August 4, 2026"), ("de", "Dienstag, 4. August 2026")]
)
def test_the_first_lessons_day_is_written_out_in_the_mails_language(language: str, day: str) -> None:
    reader = Reader("ada@reader.example", "Ada Marsh", "fr", {})
    context = build_context(reader, ABOUT, LINKS, language=language, base_url="https://mail.example.org")
    assert context["first_lesson_on"] == day


def test_every_variable_on_offer_is_there() -> None:
    reader = Reader("ada@reader.example", "Ada Marsh", "en", {"city": "Tønder"})
    context = build_context(reader, ABOUT, LINKS, language="en", base_url="https://mail.example.org")
    for variable in VARIABLES:
        value = context
        for name in variable.path.split("."):
            value = value[name]
    assert context["fields"] == {"city": "Tønder"}


def test_one_readers_values_are_not_anothers() -> None:
    ada, cleo = (
        build_context(Reader(email, name, "en", {}), ABOUT, LINKS, language="en", base_url="x")
        for email, name in (("ada@reader.example", "Ada"), ("cleo@reader.example", ""))
    )
    assert (ada["greeting"], cleo["greeting"]) == ("Hello Ada,", "Hello,")
    ada["fields"]["city"] = ada["links"]["view"] = "changed"
    assert cleo["fields"] == {}
    assert cleo["links"]["view"] == LINKS.view
