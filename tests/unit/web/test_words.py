"""Pages speak the reader's language: how it is found, and that no word is missing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from mailer.i18n import DOMAIN, LOCALE_DIR
from mailer.settings import PROJECT
from mailer.web.language import asked_for, spoken
from mailer.web.pages import TEMPLATES
from mailer.web.subscriber.choices import language_choices, zone_choices
from mailer.web.subscriber.reader import masked

VALUE = re.compile(r"%\(\w+\)s")


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("de", "de"),
        ("de-CH, en;q=0.5", "de"),
        ("ar-EG", "ar"),
        ("fr, en;q=0.8, de;q=0.9", "de"),  # French is liked best, but we have no words for it
        ("en, de", "en"),  # alike in weight: the first wins
        ("de;q=0", "en"),  # not wanted
        ("*, ;q=x, de;q=nonsense", "en"),
        ("," * 100_000, "en"),
    ],
)
def test_a_browsers_wish(header: str, language: str) -> None:
    assert asked_for(header) == language


@pytest.mark.parametrize(
    ("tag", "language"), [("de-AT", "de-AT"), ("en-GB", "en-GB"), ("fr", "en"), ("../de", "en")]
)
def test_a_reader_without_words_of_their_own_gets_english(tag: str, language: str) -> None:
    assert spoken(tag) == language


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("ada@example.org", "a••@example.org"),
        ("b@example.org", "b••@example.org"),  # neither does its length tell
        ("ümit@example.org", "ü••@example.org"),
    ],
)
def test_an_address_is_shown_so_that_only_its_owner_knows_it(address: str, shown: str) -> None:
    assert masked(address) == shown


WHERE = ("mail", "web")
KINDS = [(f"**.{ending}", "jinja2") for ending in ("html", "mjml", "md", "txt", "jinja")]


@pytest.mark.parametrize("language", ["de", "ar"])
def test_every_word_of_the_pages_and_mails_is_there(language: str) -> None:
    found = {
        str(message)
        for folder in WHERE
        for _, _, message, _, _ in extract_from_dir(TEMPLATES.parent / folder, method_map=KINDS)
    }
    found |= {
        str(message)
        for _, _, message, _, _ in extract_from_dir(PROJECT / "mailer", method_map=[("**.py", "python")])
    }
    assert len(found) > 250
    with (LOCALE_DIR / language / "LC_MESSAGES" / f"{DOMAIN}.po").open("rb") as file:
        known = {str(entry.id): entry for entry in read_po(file) if entry.string and not entry.fuzzy}
    assert found - known.keys() == set()
    for words, entry in known.items():
        assert sorted(VALUE.findall(words)) == sorted(VALUE.findall(str(entry.string))), words


def test_cities_are_named_in_the_readers_language_and_sorted() -> None:
    europe = next(region for region in zone_choices("de", "Europe/Vienna") if region.name == "Europe")
    cities = [one.city for one in europe.zones]
    assert "Wien" in cities
    assert cities == sorted(cities, key=str.casefold)


def test_a_zone_that_no_place_has_any_more_stays_chosen() -> None:
    last = zone_choices("en", "US/Pacific")[-1]
    assert [one.name for one in last.zones] == ["US/Pacific"]


def test_a_language_in_use_stays_to_be_chosen() -> None:
    assert ("fr", "Français") in language_choices("fr")
    assert ("de", "Deutsch") in language_choices("en")


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("front", "back", "least"),
    [
        ("ink", "card", 7.0),
        ("quiet", "card", 4.5),
        ("quiet", "paper", 4.5),
        ("quiet", "wash", 4.5),
        ("ink", "wash", 4.5),
        ("accent", "card", 4.5),
        ("accent", "paper", 4.5),
        ("accent", "wash", 4.5),
        ("on-accent", "accent", 4.5),
        ("on-accent", "accent-strong", 4.5),
        ("field", "card", 3.0),
    ],
)
def test_everything_can_be_read(front: str, back: str, least: float, scheme: int) -> None:
    css = (Path(TEMPLATES) / "static" / "site.css").read_text()
    palette = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", css.split(":root")[scheme + 1]))
    bright, dark = sorted((luminance(palette[front]), luminance(palette[back])), reverse=True)
    assert (bright + 0.05) / (dark + 0.05) >= least
