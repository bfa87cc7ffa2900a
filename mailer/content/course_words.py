"""The forms that values of authors' files have: slugs, hours, languages, addresses, lines, characters."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from datetime import time
from difflib import get_close_matches

from babel import Locale, UnknownLocaleError
from email_validator import EmailNotValidError, validate_email

SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
LANGUAGE_TAG = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*")
CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")


def parse_send_time(value: str) -> time | None:
    """ "08:30" as a time of day; None when it is not one."""
    match = CLOCK.fullmatch(value.strip())
    return time(int(match[1]), int(match[2])) if match else None


def is_one_line(value: str) -> bool:
    """Whether `value` can stand in a mail's header: no line breaks of any script, no control characters."""
    return not any(unicodedata.category(sign) in {"Cc", "Cs", "Zl", "Zp"} for sign in value)


def is_language(value: str) -> bool:
    """Whether `value` is a language tag such as en, de or pt-BR, of a language that Babel knows."""
    try:
        return bool(LANGUAGE_TAG.fullmatch(value) and Locale.parse(value.split("-")[0]))
    except (UnknownLocaleError, ValueError):
        return False


def is_address(value: str) -> bool:
    """Whether mails can come from `value`, as far as its form tells."""
    try:
        validate_email(value, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return False
    return True


def find_control_character(text: str) -> tuple[int, str] | None:
    """The line (from 0) and name of the first character that neither a mail nor the database takes."""
    for position, sign in enumerate(text):
        if unicodedata.category(sign) in {"Cc", "Cs"} and sign not in "\n\t":
            return text.count("\n", 0, position), f"U+{ord(sign):04X}"
    return None


def known_or_near(name: str, known: Iterable[str]) -> str:
    """What to write instead of `name`: the nearest of `known`, or all of them."""
    names = sorted(known)
    close = get_close_matches(name, names, n=1)
    return f"Did you mean {close[0]}?" if close else f"Known are {', '.join(names)}."
