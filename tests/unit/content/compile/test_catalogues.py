"""No word of ours goes untranslated: what templates and code ask for is in every catalogue."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po

from mailer.i18n import LOCALE_DIR, SOURCE_LANGUAGE, languages
from mailer.settings import PROJECT

MAPPING = LOCALE_DIR / "babel.cfg"
TRANSLATED = [language for language in languages() if language != SOURCE_LANGUAGE]
COMMANDS = "".join(
    line.removeprefix("#").removeprefix(" ")
    for line in MAPPING.read_text(encoding="utf-8").splitlines(keepends=True)
    if line.startswith("#")
)
"""How to bring the catalogues up to date; it stands at the head of babel.cfg."""

VALUE = re.compile(r"%\(\w+\)s")


@cache
def asked_for() -> frozenset[str]:
    """Every message in templates and code, found by Babel's own extractor."""
    with MAPPING.open(encoding="utf-8") as file:
        methods, options = parse_mapping_cfg(file, str(MAPPING))  # type: ignore[no-untyped-call]
    found: set[str] = set()
    for folder in ("mailer", "templates"):
        within = [(pattern.removeprefix(f"{folder}/"), method) for pattern, method in methods]
        in_folder = {pattern.removeprefix(f"{folder}/"): options[pattern] for pattern, _ in methods}
        for _, _, message, _, _ in extract_from_dir(PROJECT / folder, within, in_folder):
            found.update([message] if isinstance(message, str) else message)
    return frozenset(found)


def catalogue_of(language: str) -> Catalog:
    path = LOCALE_DIR / language.replace("-", "_") / "LC_MESSAGES" / "steadypost.po"
    with path.open("rb") as file:
        return read_po(file)


def test_the_extractor_finds_messages_in_mails_pages_and_code() -> None:
    assert {"Unsubscribe", "Today’s small action", "Is this your address?", "Hello,"} <= asked_for()


def test_no_message_hides_in_an_f_string_where_the_extractor_cannot_see_it() -> None:
    for path in (PROJECT / "mailer").rglob("*.py"):
        assert not re.search(r"""\bf["'].*\{_\(""", path.read_text(encoding="utf-8")), path.name


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_message_is_translated(language: str) -> None:
    catalogue = catalogue_of(language)
    missing = [
        each for each in sorted(asked_for()) if each not in catalogue or not all_of(catalogue[each].string)
    ]
    assert missing == [], f"Not translated into {language}: {missing}.\n\n{COMMANDS}"


@pytest.mark.parametrize("language", TRANSLATED)
def test_no_translation_is_a_guess_or_left_over(language: str) -> None:
    catalogue = catalogue_of(language)
    guessed = [str(each.id) for each in catalogue if each.id and each.fuzzy]
    unused = [str(each.id) for each in catalogue if each.id and not asked_for().issuperset(ids(each.id))]
    assert guessed == [], f"Marked as fuzzy: {guessed}.\n\n{COMMANDS}"
    unused += [str(each.id) for each in catalogue.obsolete.values()]
    assert unused == [], f"Used no more: {unused}.\n\n{COMMANDS}"


@pytest.mark.parametrize("language", TRANSLATED)
def test_translations_keep_their_values(language: str) -> None:
    for each in catalogue_of(language):
        if each.id:
            wanted = sorted(set(VALUE.findall(" ".join(ids(each.id)))))
            given = sorted(set(VALUE.findall(" ".join(ids(each.string)))))
            assert given == wanted, each.id


@pytest.mark.parametrize("language", TRANSLATED)
def test_catalogues_name_no_file_lines_that_would_change_with_every_edit(language: str) -> None:
    assert all(not each.locations for each in catalogue_of(language))


def test_the_commands_name_the_files_that_are_there() -> None:
    for name in re.findall(r"templates/[\w./]+\w", COMMANDS.replace("*", "de")):
        assert Path(PROJECT / name).exists(), name


def all_of(strings: object) -> bool:
    return all(ids(strings))


def ids(message: object) -> tuple[str, ...]:
    """A message's forms: one, or singular and plural."""
    return (message,) if isinstance(message, str) else tuple(message)  # type: ignore[arg-type]
