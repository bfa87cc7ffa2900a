"""Languages: catalogues with their fallbacks, dates as people write them, writing direction."""

from __future__ import annotations

from datetime import date

import jinja2
import pytest

from mailer.i18n import fallback_chain, format_date, install, is_right_to_left, languages, translator

TUESDAY = date(2026, 8, 4)


def test_there_are_english_german_and_arabic_to_begin_with() -> None:
    assert {"ar", "de", "en"} <= set(languages())


@pytest.mark.parametrize(
    ("language", "word"),
    [
        ("en", "Unsubscribe"),
        ("de", "Abbestellen"),
        ("ar", "إلغاء الاشتراك"),
        ("de-AT", "Abbestellen"),
        ("de_CH", "Abbestellen"),
        ("DE", "Abbestellen"),
        ("fr", "Unsubscribe"),
        ("../../etc", "Unsubscribe"),
        ("", "Unsubscribe"),
    ],
)
def test_a_language_without_a_catalogue_falls_back(language: str, word: str) -> None:
    assert translator(language).gettext("Unsubscribe") == word


def test_the_nearest_language_is_tried_first_and_english_last() -> None:
    assert fallback_chain("zh-Hant-TW") == ["zh-Hant-TW", "zh-Hant", "zh", "en"]
    assert fallback_chain("en-GB") == ["en-GB", "en"]


@pytest.mark.parametrize(
    ("language", "written"),
    [
        ("en", "Tuesday, August 4, 2026"),
        ("en-GB", "Tuesday, 4 August 2026"),
        ("de", "Dienstag, 4. August 2026"),
        ("de-ZZ", "Dienstag, 4. August 2026"),
        ("tlh", "Tuesday, August 4, 2026"),  # Klingon has no calendar in Babel
    ],
)
def test_a_date_is_written_out_in_the_readers_language(language: str, written: str) -> None:
    assert format_date(TUESDAY, language) == written


@pytest.mark.parametrize(
    ("language", "is_rtl"),
    [("ar", True), ("ar-EG", True), ("fa", True), ("he", True), ("ur", True), ("en", False), ("arn", False)],
)
def test_which_languages_run_from_right_to_left(language: str, is_rtl: bool) -> None:
    assert is_right_to_left(language) is is_rtl


def test_values_are_escaped_in_pages_and_the_words_around_them_are_not() -> None:
    environment = jinja2.Environment(autoescape=True)
    install(environment, "de")
    page = environment.from_string(
        '{{ _("You receive this because you asked for “%(list)s”.", list=title) }}'
    )
    assert page.render(title="<b>") == "Sie bekommen diese Mail, weil Sie „&lt;b&gt;“ bestellt haben."
