"""Whether a person followed a link: named rules over what is known of all requests of one mail. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from types import MappingProxyType

from mailer.models import Verdict

OPEN = -1
"""The link number of the open pixel."""
DECOY = -2
"""The link number of the decoy."""

TOO_SOON = timedelta(seconds=10)
"""A scanner looks before it lets a mail through; nobody reads a mail and follows a link sooner than this."""
BURST = timedelta(seconds=5)
"""Nobody follows all links of a mail within this time."""

KNOWN_SCANNERS = re.compile(
    r"(?<!cu)bot\b|crawler|spider|scanner|curl/|wget/|python-|aiohttp|go-http-client|libwww-perl|java/"
    r"|okhttp|headlesschrome|phantomjs|barracuda|proofpoint|mimecast|safelinks|urldefense|symantec"
    r"|trendmicro|fortinet|facebookexternalhit|bingpreview|link-?preview|googleimageproxy|yahoomailproxy",
    re.IGNORECASE,
)
"""Words that scanners, previews and programs name themselves by. A Cubot is a telephone."""


@dataclass(frozen=True)
class Request:
    """One request for one link. `link` is its number in the message, or OPEN or DECOY."""

    at: datetime
    link: int
    method: str
    user_agent: str


@dataclass(frozen=True)
class Visits:
    """All requests for the links of one mail.

    `accepted_at` is when its server took it, None where that is not known; `links` is how many it has.
    `is_on_its_way`: no server has taken it, as far as is written down.
    """

    accepted_at: datetime | None
    links: int
    requests: tuple[Request, ...]
    is_on_its_way: bool = False

    @cached_property
    def bursts(self) -> tuple[tuple[datetime, datetime], ...]:
        """The stretches of at most BURST in which all links were followed; a mail of one link has none."""
        if self.links < 2:
            return ()
        found, last_at = [], dict[int, datetime]()
        for request in sorted(self.requests, key=lambda one: one.at):
            if 0 <= request.link < self.links:
                last_at[request.link] = request.at
                begin = min(last_at.values())
                if len(last_at) == self.links and request.at - begin <= BURST:
                    # What was asked for twice on the way is part of it as well.
                    found.append((request.at - BURST, request.at))
        return tuple(found)


def _head(request: Request, _: Visits) -> bool:
    return request.method == "HEAD"


def _too_soon(request: Request, visits: Visits) -> bool:
    if visits.accepted_at is None:
        return visits.is_on_its_way
    return request.at - visits.accepted_at < TOO_SOON


def _all_links(request: Request, visits: Visits) -> bool:
    return request.link >= 0 and any(begin <= request.at <= end for begin, end in visits.bursts)


def _scanner(request: Request, _: Visits) -> bool:
    return not request.user_agent.strip() or KNOWN_SCANNERS.search(request.user_agent) is not None


def _decoy(request: Request, visits: Visits) -> bool:
    return any(one.link == DECOY and abs(one.at - request.at) <= BURST for one in visits.requests)


def _open(request: Request, _: Visits) -> bool:
    return request.link == OPEN


RULES: Mapping[str, Callable[[Request, Visits], bool]] = MappingProxyType(
    {
        "head": _head,
        "too-soon": _too_soon,
        "all-links": _all_links,
        "scanner": _scanner,
        "decoy": _decoy,
        # Mail programs load pictures by themselves, whether or not somebody reads the mail.
        "open": _open,
    }
)
"""What speaks for a machine, by the name that is stored with the request; docs/tracking.md explains each."""


def rules_of(request: Request, visits: Visits) -> tuple[str, ...]:
    """The names of the rules that `request`, one of `visits`, falls under."""
    return tuple(name for name, holds in RULES.items() if holds(request, visits))


def verdict_of(rules: tuple[str, ...]) -> Verdict:
    """A machine when any rule says so; what no rule speaks against was a person."""
    return Verdict.MACHINE if rules else Verdict.PERSON
