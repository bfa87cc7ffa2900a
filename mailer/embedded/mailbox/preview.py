"""A mail's HTML made ready for a frame: light or dark, links in a new tab, its own pictures in place."""

from __future__ import annotations

import re
from collections.abc import Mapping

# The frame of a mail gets this beside its sandbox: what was sent to us is never trusted. Pictures come
# from the mail itself and from this machine, where Steadypost publishes those of a course.
FRAME_POLICY = "; ".join(
    [
        "default-src 'none'",
        "style-src 'unsafe-inline'",
        "img-src 'self' data: http://127.0.0.1:* http://localhost:* https://127.0.0.1:* https://localhost:*",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'self'",
        "sandbox allow-popups allow-popups-to-escape-sandbox",
    ]
)
SCHEME = re.compile(r"\(\s*prefers-color-scheme\s*:\s*(dark|light)\s*\)", re.IGNORECASE)
HEAD = re.compile(r"<head\b[^>]*>", re.IGNORECASE)
DOCTYPE = re.compile(r"\s*<!doctype[^>]*>", re.IGNORECASE)


def has_dark_styles(html: str) -> bool:
    """Whether the mail brings styles of its own for dark mode."""
    return any(found[1].lower() == "dark" for found in SCHEME.finditer(html))


def framed(html: str, *, dark: bool, pictures: Mapping[str, str]) -> str:
    """`html` as a reader in dark mode (or not) sees it, whatever this machine prefers.

    `pictures` gives the address of each part that the mail calls by its Content-ID.
    """
    wanted = "dark" if dark else "light"
    # Conditions that hold always and never; `all` could not stand in "screen and (…)".
    shown = SCHEME.sub(
        lambda found: "(min-width: 0)" if found[1].lower() == wanted else "(max-width: 0)", html
    )
    for content_id, address in pictures.items():
        shown = shown.replace(f"cid:{content_id}", address)
    ours = f'<base target="_blank"><style>:root {{ color-scheme: {wanted} !important }}</style>'
    # Behind the doctype at least: anything before it would switch the browser to its old layout rules.
    place = HEAD.search(shown) or DOCTYPE.match(shown)
    at = place.end() if place else 0
    return f"{shown[:at]}{ours}{shown[at:]}"
