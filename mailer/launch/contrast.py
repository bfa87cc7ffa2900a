"""Whether the colours of an author's own MJML can be read (WCAG 2.2, success criterion 1.4.3)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from lxml import etree

from mailer.content.mjml_check import parse_fragment

Colour = tuple[int, int, int]

INK, SHEET = (0x22, 0x30, 0x2E), (255, 255, 255)
"""The colours of a mail's text and of the sheet under it, where nothing else is said."""
LEAST, LEAST_LARGE, LARGE = 4.5, 3.0, 24.0
"""The ratio asked of text, of large text, and from how many pixels on it is large."""
OWN_INK, OWN_SIZE = (0, 0, 0), 13.0
"""What MJML gives text in a whole mail of the author's own."""
OWN_COLOURS = {"mj-button": {"color": "#ffffff", "background-color": "#414141"}}
NO_DEFAULTS: Mapping[str, Mapping[str, str]] = {}
IS_DOCUMENT = re.compile(r"\s*<mjml\b")
TAGS = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
BLOCKS = re.compile(r"^```mjml[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
NAMED = {"black": (0, 0, 0), "white": SHEET, "gray": (128, 128, 128), "silver": (192, 192, 192)}
NAMED |= {"red": (255, 0, 0), "yellow": (255, 255, 0), "lime": (0, 255, 0), "blue": (0, 0, 255)}


def ratio(one: Colour, other: Colour) -> float:
    """How far two colours are apart, from 1 (none) to 21 (black on white)."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def faint_texts(body: str) -> Iterator[tuple[int, float, float]]:
    """(line of `body` from 0, ratio, least ratio) of each element whose text is too faint.

    In Markdown its blocks of MJML are looked at; a mail that is MJML is looked at whole.
    """
    if IS_DOCUMENT.match(body):
        # What stands in our tags may be no XML.
        root, _ = parse_fragment(_without_tags(body))
        for element in root:
            if isinstance(element.tag, str):
                yield from _faint(element, 0, OWN_INK, SHEET, OWN_SIZE, OWN_COLOURS)
        return
    for block in BLOCKS.finditer(body):
        first = body.count("\n", 0, block.start(1))
        root, _ = parse_fragment(block[1])
        for element in root:
            if isinstance(element.tag, str):
                yield from _faint(element, first, INK, SHEET, 17.0)


def _without_tags(body: str) -> str:
    """The MJML with a letter for each value and nothing for each control tag, on the same lines."""
    return TAGS.sub(lambda tag: ("x" if tag[0].startswith("{{") else "") + "\n" * tag[0].count("\n"), body)


def parse_colour(text: str | None) -> Colour | None:
    """#abc, #aabbcc, rgb(1, 2, 3) or one of a few names; None for all else."""
    text = (text or "").strip().lower()
    if match := re.fullmatch(r"#([0-9a-f]{3}|[0-9a-f]{6})", text):
        digits = match[1] if len(match[1]) == 6 else "".join(digit * 2 for digit in match[1])
        return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)
    if match := re.fullmatch(r"rgb\(\s*(\d{1,3})[\s,]+(\d{1,3})[\s,]+(\d{1,3})\s*\)", text):
        return int(match[1]), int(match[2]), int(match[3])
    return NAMED.get(text)


def _faint(
    element: etree._Element,
    first: int,
    ink: Colour,
    under: Colour,
    size: float,
    defaults: Mapping[str, Mapping[str, str]] = NO_DEFAULTS,
) -> Iterator[tuple[int, float, float]]:
    styles = {**defaults.get(str(element.tag), {}), **{n: str(value) for n, value in element.attrib.items()}}
    for part in styles.pop("style", "").split(";"):
        name, _, value = part.partition(":")
        styles[name.strip().lower()] = value
    names = ("background", "inner-background-color", "background-color", "bgcolor")
    inside = (styles.get(name) for name in names)
    around = styles.get("container-background-color")
    found = next(filter(None, map(parse_colour, [*inside, around])), None)
    under, ink = found or under, parse_colour(styles.get("color")) or ink
    if match := re.match(r"\s*([\d.]+)px", styles.get("font-size", "")):
        size = float(match[1])
    least, apart = LEAST_LARGE if size >= LARGE else LEAST, ratio(ink, under)
    if apart < least and (element.text or "").strip():
        yield first + (element.sourceline or 1) - 1, apart, least
    for child in element:
        if isinstance(child.tag, str):
            yield from _faint(child, first, ink, under, size, defaults)


def _luminance(colour: Colour) -> float:
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (number / 255 for number in colour)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
