"""Words that are not a course's own text: message catalogues, dates and writing direction by language."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import lru_cache
from io import BytesIO

import jinja2
from babel import Locale, UnknownLocaleError
from babel.dates import format_date as format_babel_date
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations

from mailer.settings import PROJECT

LOCALE_DIR = PROJECT / "templates" / "locale"
DOMAIN = "steadypost"
SOURCE_LANGUAGE = "en"
"""The language the msgids are written in; it needs no catalogue."""

RIGHT_TO_LEFT = frozenset({"ar", "dv", "fa", "he", "ks", "ku-arab", "ps", "sd", "ug", "ur", "yi"})


def languages() -> tuple[str, ...]:
    """The languages with a catalogue, English among them, in alphabetical order."""
    found = {path.parent.parent.name for path in LOCALE_DIR.glob(f"*/LC_MESSAGES/{DOMAIN}.po")}
    return tuple(sorted({name.replace("_", "-") for name in found} | {SOURCE_LANGUAGE}))


@lru_cache(maxsize=64)
def translator(language: str) -> NullTranslations:
    """The catalogue for a language tag: de-AT falls back to de, and what is missing there to English."""
    chain: NullTranslations = NullTranslations()
    for tag in reversed(fallback_chain(language)):
        catalogue = _read_catalogue(tag.replace("-", "_"))
        if catalogue is not None:
            catalogue.add_fallback(chain)
            chain = catalogue
    return chain


def fallback_chain(language: str) -> list[str]:
    """The tags to try for a language, the nearest first, English last: de-AT, de, en."""
    parts = language.replace("_", "-").split("-")
    parts[0] = parts[0].lower()
    chain = ["-".join(parts[:length]) for length in range(len(parts), 0, -1)]
    return chain if SOURCE_LANGUAGE in chain else [*chain, SOURCE_LANGUAGE]


def _read_catalogue(tag: str) -> Translations | None:
    # A tag comes from course.toml or a person's row: only plain names may become part of a path.
    if not tag.replace("_", "").isalnum():
        return None
    path = LOCALE_DIR / tag / "LC_MESSAGES" / f"{DOMAIN}.po"
    if not path.is_file():
        return None
    with path.open("rb") as source:
        catalogue = read_po(source, locale=tag, domain=DOMAIN)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Translations(fp=compiled, domain=DOMAIN)


def answer_words(gettext: Callable[[str], str]) -> dict[str, str]:
    """What the answers to a check-in are called on buttons."""
    _ = gettext
    return {"done": _("Done"), "not-yet": _("Not yet"), "too-hard": _("Too hard")}


def install(environment: jinja2.Environment, language: str) -> None:
    """Make `_`, `gettext` and `ngettext` of `environment` speak `language`.

    Newstyle: values are given as keywords, and under autoescape they are escaped, the text is not.
    """
    environment.add_extension("jinja2.ext.i18n")
    words = translator(language)
    environment.install_gettext_callables(  # type: ignore[attr-defined]
        words.gettext, words.ngettext, newstyle=True, pgettext=words.pgettext, npgettext=words.npgettext
    )


def locale_of(language: str) -> Locale:
    """Babel's locale for a language tag, or the nearest that Babel knows, or English."""
    for tag in fallback_chain(language):
        try:
            return Locale.parse(tag, sep="-")
        except (UnknownLocaleError, ValueError):
            continue
    return Locale(SOURCE_LANGUAGE)


def format_date(day: date, language: str) -> str:
    """A day as people write it: "Tuesday, August 4, 2026", "Dienstag, 4. August 2026"."""
    return format_babel_date(day, format="full", locale=locale_of(language))


def is_right_to_left(language: str) -> bool:
    """Whether the language is written from right to left (Arabic, Hebrew, Persian, Urdu and kin)."""
    tag = language.replace("_", "-").lower()
    return tag.split("-")[0] in RIGHT_TO_LEFT or tag in RIGHT_TO_LEFT
