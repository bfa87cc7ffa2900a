"""Which language a page speaks: its reader's, or what the browser asks for."""

from __future__ import annotations

from mailer.i18n import SOURCE_LANGUAGE, fallback_chain, languages


def spoken(tag: str) -> str:
    """The tag itself when we have words for it (de-AT: those of de), else English."""
    base = tag.replace("_", "-").split("-")[0]
    own = [known for known in fallback_chain(tag) if known.split("-")[0] == base]
    return tag if set(own) & set(languages()) else SOURCE_LANGUAGE


def asked_for(accept_language: str) -> str:
    """The language that an Accept-Language header likes best among those we speak (RFC 9110 12.5.4)."""
    wishes: list[tuple[float, str]] = []
    for part in accept_language.split(",")[:20]:
        tag, _, weight = part.partition(";")
        wishes.append((_weight(weight), tag.strip().lower()))
    offered = {tag.lower(): tag for tag in languages()}
    # Sorting is stable: of two with the same weight, the one written first wins.
    for wish, tag in sorted(wishes, key=lambda wish: -wish[0]):
        known = offered.get(tag) or offered.get(tag.split("-")[0])
        if wish > 0 and known:
            return known
    return SOURCE_LANGUAGE


def _weight(parameter: str) -> float:
    """1 when nothing is said, 0 when what is said cannot be read."""
    name, _, value = parameter.strip().partition("=")
    try:
        return 1.0 if not name else float(value)
    except ValueError:
        return 0.0
