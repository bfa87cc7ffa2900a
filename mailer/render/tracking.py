"""A message's templates with its author's links counted: made once for a message, not for each mail."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from html import unescape
from typing import NamedTuple

from mailer.content.links import AUTHORS_LINK
from mailer.render.personalize import Templates

OPEN_PICTURE = "open.gif"
"""What the address of the open pixel ends in."""
START = "{{ links.click }}/"
"""What a counted link begins with: BASE/l/<token of the delivery>/."""
_BODY_END = re.compile(r"</body>", re.IGNORECASE)
_PIXEL = f'<img src="{START}{OPEN_PICTURE}" width="1" height="1" alt="" style="display:block;border:0" />'
# Out of sight, out of the tab order, and nothing to be read aloud.
_DECOY = '<a href="{href}" aria-hidden="true" tabindex="-1" style="display:none"></a>'


class Tracking(NamedTuple):
    """What a sender wants to know of its mails."""

    clicks: bool = False
    opens: bool = False
    decoy: bool = False


NO_TRACKING = Tracking()


def tracking_of(clicks: bool, opens: bool, decoy: bool) -> Tracking:
    """A sender's settings; `NO_TRACKING` itself when nothing is on. A decoy is part of counting clicks."""
    return Tracking(clicks, opens, decoy and clicks) if clicks or opens else NO_TRACKING


@lru_cache(maxsize=256)
def tracked(templates: Templates, links: tuple[str, ...], tracking: Tracking) -> Templates:
    """The templates for a sender that tracks. `links` are the message's, as `links_in` found them.

    The decoy's number is the one after the last link's.
    """
    html, text = templates.html, templates.text
    if tracking.clicks and links:
        numbers = {url: number for number, url in enumerate(links)}
        html, text = _in_html(html, numbers), _in_text(text, numbers)
    end = _DECOY.format(href=f"{START}{len(links)}") if tracking.decoy and links else ""
    end += _PIXEL if tracking.opens else ""
    return replace(templates, html=_before_the_end(html, end) if end else html, text=text)


def _in_html(html: str, numbers: Mapping[str, int]) -> str:
    def counted(found: re.Match[str]) -> str:
        number = numbers.get(unescape(found[2]))
        return found[0] if number is None else f"{found[1]}{START}{number}{found[3]}"

    return AUTHORS_LINK.sub(counted, html)


def _in_text(text: str, numbers: Mapping[str, int]) -> str:
    """The text part writes a link as `words <address>`, or as the address alone."""
    longest_first = sorted(numbers, key=len, reverse=True)
    # Whole addresses only: not the beginning of a longer one, nor of one that goes on with a variable.
    address = re.compile(
        rf"(?<![^\s<(*_])({'|'.join(map(re.escape, longest_first))})(?=[>)*_.,;:!?]*(?:\s|\Z))"
    )
    return address.sub(lambda found: f"{START}{numbers[found[1]]}", text)


def _before_the_end(html: str, added: str) -> str:
    ends = list(_BODY_END.finditer(html))
    place = ends[-1].start() if ends else len(html)
    return html[:place] + added + html[place:]
