"""Which weeks a label such as "Weeks 3 and 4:" or "Days 8–14" names, and what a daily focus looks like."""

from __future__ import annotations

import re
from dataclasses import dataclass

NUMBER_WORDS = {
    word: number
    for words in (
        "one two three four five six seven eight nine ten eleven twelve",
        "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth",
        "eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf",
        "erste zweite dritte vierte fünfte sechste siebte achte neunte zehnte elfte zwölfte",
    )
    for number, word in enumerate(words.split(), start=1)
}
# What people call a week and a day -> what one week is called in that language.
WEEK_WORDS = {
    "weeks": "Week",
    "week": "Week",
    "wks": "Week",
    "wk": "Week",
    "wochen": "Woche",
    "woche": "Woche",
    "semaines": "Semaine",
    "semaine": "Semaine",
    "semanas": "Semana",
    "semana": "Semana",
    "settimane": "Settimana",
    "settimana": "Settimana",
    "weken": "Week",
}
DAY_WORDS = {
    "days": "Week",
    "day": "Week",
    "tage": "Woche",
    "tag": "Woche",
    "jours": "Semaine",
    "jour": "Semaine",
    "días": "Semana",
    "día": "Semana",
    "dias": "Semana",
    "dia": "Semana",
    "giorni": "Settimana",
    "giorno": "Settimana",
    "dagen": "Week",
    "dag": "Week",
}
DAYS_A_WEEK = 7
MOST_WEEKS = 104

_NUMBER = rf"(?:\d{{1,3}}|{'|'.join(NUMBER_WORDS)})"
_ORDINAL = r"(?:\d{1,2}(?:st|nd|rd|th)|first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth)"
_UNIT = "|".join(sorted({*WEEK_WORDS, *DAY_WORDS}, key=len, reverse=True))
_TO = r"\s*(?:[-–—−‑]|(?:to|through|thru|until|till|bis|à|au|a|al|tot|t/m)\s)\s*"
_AND = r"\s*(?:,?\s*(?:and|und|et|y|e|en)\s|[,&+/])\s*"
_RANGE = rf"#?{_NUMBER}(?:(?:{_TO}|{_AND})(?:(?:{_UNIT})\s*)?{_NUMBER}(?!\w))*"
_WEEKS = (
    rf"(?:(?P<unit>{_UNIT})\s*(?P<range>{_RANGE})(?!\w)"
    rf"|(?:the\s+)?(?P<ordinal>{_ORDINAL})\s+(?P<one>week|day)\b)"
)
_PHASE = r"(?:(?:phase|stage|step|part|block|month|level)\s+\w+\s*[:,–—-]?\s*)"
LABEL = re.compile(
    rf"\s*{_PHASE}?[(\[]?{_WEEKS}[)\]]?\s*(?P<end>[:.–—]|\s-(?=\s)|-(?=\s)|$)\s*", re.IGNORECASE
)
# "Week 1 Foundation" and "Phase 1: Foundation (Weeks 1–2)", as headings have it.
UNPUNCTUATED = re.compile(rf"\s*{_WEEKS}(?P<end>\s+)(?=(?-i:[^\W\da-z]))", re.IGNORECASE)
TRAILING = re.compile(rf".*\S(?:\s*[(\[,–—:]|\s-)\s*{_WEEKS}[)\]]?\s*", re.IGNORECASE)
RANGE_ALONE = re.compile(rf"\s*(?:(?:{_UNIT})\s*)?(?P<range>{_RANGE})\s*", re.IGNORECASE)
DAILY_FOCUS = re.compile(
    r"\s*(?:(?:your|the)\s+)?(?:"
    r"(?:daily\s+(?:focus|habits?|practice|routine|basics|essentials"
    r"|goals?|reminders?|checklist)|täglicher\s+fokus)"
    r"(?:\s*\([^)]{1,40}\))?\s*(?:[:–—]|\s-\s|$)"
    r"|(?:every|each)\s+day\s*(?::|$)|(?:daily|throughout|all\s+weeks|every\s+week)\s*(?::|$)"
    r"|(?:jeden\s+tag|täglich|chaque\s+jour|cada\s+día|ogni\s+giorno|elke\s+dag)\s*(?::|$)"
    r")\s*",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Label:
    """A label found in a line: its weeks, the label as written, and where the text after it begins.

    `week_word` is what one week is called in the label's language; `title` what a heading says
    besides ("Foundation" of "Phase 1: Foundation (Weeks 1–2)").
    """

    weeks: tuple[int, ...]
    words: str
    end: int
    week_word: str
    title: str = ""


def find_label(line: str) -> Label | None:
    """The week label that `line` begins with, or None: "Week 1 is hard" has none."""
    match = LABEL.match(line)
    return _label_at(match, line) if match else None


def _label_at(match: re.Match[str], line: str) -> Label | None:
    weeks, week_word = _weeks_of(match)
    written = " ".join(line[: match.start("end")].split())
    written = written.strip("()[] ") if written.startswith(("(", "[")) else written
    return Label(weeks, written, match.end(), week_word) if weeks else None


def find_heading_label(line: str) -> Label | None:
    """The weeks a heading is about, at its beginning or at its end."""
    match = UNPUNCTUATED.match(line)
    if label := find_label(line) or (_label_at(match, line) if match else None):
        return Label(label.weeks, label.words, label.end, label.week_word, line[label.end :].strip())
    match = TRAILING.fullmatch(line)
    if not match:
        return None
    weeks, week_word = _weeks_of(match)
    return Label(weeks, "", len(line), week_word, line.strip()) if weeks else None


def weeks_of_cell(cell: str, column: str) -> Label | None:
    """The weeks a table's cell names: "Weeks 1–2", or just "1–2" in a column called Week."""
    if label := find_label(cell):
        return label if label.end >= len(cell.rstrip()) else None
    unit = column.casefold().strip(" #.:").split(" ")[0]
    match = RANGE_ALONE.fullmatch(cell)
    if not match or unit not in {*WEEK_WORDS, *DAY_WORDS}:
        return None
    weeks = _numbered(match["range"], is_days=unit in DAY_WORDS)
    week_word = WEEK_WORDS.get(unit) or DAY_WORDS[unit]
    return Label(weeks, f"{column.strip()} {cell.strip()}", len(cell), week_word) if weeks else None


def focus_end(line: str) -> int | None:
    """Where the text of "Daily focus: …" begins; None when the line is no such thing."""
    match = DAILY_FOCUS.match(line)
    return match.end() if match else None


def _weeks_of(match: re.Match[str]) -> tuple[tuple[int, ...], str]:
    if match["ordinal"]:
        number = _number(match["ordinal"])
        is_days = match["one"].casefold() == "day"
        return _as_weeks([number], is_days=is_days), "Week"
    unit = match["unit"].casefold()
    week_word = WEEK_WORDS.get(unit) or DAY_WORDS[unit]
    return _numbered(match["range"], is_days=unit in DAY_WORDS), week_word


def _numbered(words: str, *, is_days: bool) -> tuple[int, ...]:
    """ "1–2" is 1 and 2, "3 and 5" is 3 and 5, "1-2, 4" is 1, 2 and 4; none for a range run backwards."""
    numbers: list[int] = []
    matches = list(re.finditer(rf"{_NUMBER}(?!\w)", words, re.IGNORECASE))
    for at, match in enumerate(matches):
        between = words[matches[at - 1].end() : match.start()] if at else ""
        number = _number(match[0])
        if at and re.match(rf"{_TO}", between, re.IGNORECASE):
            if number < numbers[-1]:
                return ()
            numbers += range(numbers[-1] + 1, number + 1)
        else:
            numbers.append(number)
    return _as_weeks(numbers, is_days=is_days)


def _as_weeks(numbers: list[int], *, is_days: bool) -> tuple[int, ...]:
    """Day 1 to 7 are week 1. Nothing when a number cannot be a week's (2024, 0)."""
    weeks = {-(-number // DAYS_A_WEEK) if is_days else number for number in numbers}
    return tuple(sorted(weeks)) if weeks and min(weeks) >= 1 and max(weeks) <= MOST_WEEKS else ()


def _number(words: str) -> int:
    digits = re.match(r"\d+", words)
    return int(digits[0]) if digits else NUMBER_WORDS[words.casefold()]


PLAN_WORDS = re.compile(
    r"plan|protocol|program(me)?|schedule|routine|roadmap|timetable|calendar|challenge|reset|week(s|ly)?"
    r"|step[- ]by[- ]step|\d+[- ]days?|protokoll|programm|wochenplan"
    r"|zeitplan|programa|programme|protocolo|schema",
    re.IGNORECASE,
)


def names_plan(heading: str) -> bool:
    """Whether a heading announces something to do week by week, not just to expect."""
    return bool(re.search(rf"(?<!\w)(?:\w*-)?(?:{PLAN_WORDS.pattern})(?!\w)", heading, re.IGNORECASE))
