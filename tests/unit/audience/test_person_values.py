"""Names, languages and tags as they are kept."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.audience.columns import BUILT_IN, meaning_of, named
from mailer.audience.subscribers import MAX_NAME, Person, tidy_language, tidy_name
from mailer.errors import MailerError, Refused, UnknownZone


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("  Ada   Lovelace ", "Ada Lovelace"),
        ("Ada\r\nBcc: ben@reader.example", "Ada Bcc: ben@reader.example"),
        ("Ada\u2028Lovelace\x00\x1b", "Ada Lovelace"),
        ("Ada\u00a0Lovelace\u200b\ufeff", "Ada Lovelace"),
        ("\u202eadA", "adA"),  # turned around, a name could pretend to be another
        ("A\udcffda", "A da"),  # bytes of a terminal that are no UTF-8
        ("می\u200cخواهم", "می\u200cخواهم"),  # Persian needs its zero-width non-joiner
    ],
)
def test_a_name_is_one_visible_line(typed: str, kept: str) -> None:
    assert tidy_name(typed) == kept


@given(st.text(max_size=400))
def test_no_name_can_break_a_mail_header_or_the_database(typed: str) -> None:
    kept = tidy_name(typed)
    assert kept == tidy_name(kept)
    assert len(kept) <= MAX_NAME
    assert not set(kept) & {"\r", "\n", "\x00", "\u2028", "\x85"}
    kept.encode()


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("EN", "en"),
        ("de_at", "de-AT"),
        (" pt-br ", "pt-BR"),
        ("zh-hant-tw", "zh-Hant-TW"),
        ("es-419", "es-419"),
    ],
)
def test_a_language_in_its_usual_form(typed: str, kept: str) -> None:
    assert tidy_language(typed) == kept


@pytest.mark.parametrize(
    "typed", ["German", "english", "de_DE@euro", "und", "../../etc", "de-", "xx", "d", "\x00"]
)
def test_what_is_no_language_is_refused(typed: str) -> None:
    with pytest.raises(Refused, match="write a tag such as en, de or pt-BR"):
        tidy_language(typed)


def test_a_person_is_checked_as_a_whole() -> None:
    ada = Person(
        "Ada@reader.example", " Ada ", "DE", " Europe/Berlin ", ("VIP", " vip ", "", "Spring")
    ).checked()
    assert (ada.name, ada.language, ada.zone, ada.tags) == ("Ada", "de", "Europe/Berlin", ("spring", "vip"))
    with pytest.raises(UnknownZone, match="Europe/Nowhere"):
        Person("ada@reader.example", zone="Europe/Nowhere").checked()


@given(st.text(max_size=12), st.text(max_size=12), st.text(max_size=12))
def test_whatever_a_row_holds_is_a_person_or_a_sentence(name: str, language: str, zone: str) -> None:
    with suppress(MailerError):
        Person("ada@reader.example", name, language, zone, (name,), {}).checked()


@pytest.mark.parametrize(
    ("headers", "meaning"),
    [
        (
            ("Email", "E-Mail-Adresse:", "Adresse électronique", "Correo electrónico", "メールアドレス"),
            "email",
        ),
        (("First Name", "Vorname", "Prénom", "Imię", "Förnamn", "имя"), "first_name"),
        (("Surname", "NACHNAME", "Nom", "Apellidos", "Фамилия"), "last_name"),
        (("Time zone", "Zeitzone", "Fuseau horaire", "Fuso horário"), "zone"),
        (("Favourite colour", "Straße", "", "***"), None),
    ],
)
def test_a_column_is_known_by_many_names(headers: tuple[str, ...], meaning: str | None) -> None:
    assert {meaning_of(header) for header in headers} == {meaning}


def test_a_column_of_another_name_keeps_it_in_plain_letters() -> None:
    assert named(["E-Mail", "Lieblings-Farbe", "Größe (cm)"]) == ("email", "lieblings_farbe", "grosse_cm")
    assert named(BUILT_IN) == BUILT_IN
