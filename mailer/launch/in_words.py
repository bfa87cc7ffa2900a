"""A step's hours and readers in the few words that a plan has room for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import time
from typing import Any

from mailer.content.timing_words import shown_weekdays


def shown_hours(day: int, send_time: time, timing: Mapping[str, Any]) -> str:
    """ "day 4 08:00", or "day 4 08:00-10:00 (mon-fri, from 2027-01-04, not on 12-25)"."""
    until = f"-{timing['until']}" if "until" in timing else ""
    narrowed = ", ".join(_narrowed(timing))
    return f"day {day} {send_time:%H:%M}{until}" + (f" ({narrowed})" if narrowed else "")


def _narrowed(timing: Mapping[str, Any]) -> Iterator[str]:
    if "weekdays" in timing:
        yield shown_weekdays(timing["weekdays"])
    if "not_before" in timing:
        yield f"from {timing['not_before']}"
    if quiet := timing.get("quiet"):
        yield f"not on {quiet[0]}" + (f" and {len(quiet) - 1} more" if len(quiet) > 1 else "")


def shown_whom(condition: str, instead_of: str, easier_than: str) -> str:
    """Who gets a step: "everybody", "those with tag "vip"", or whom it stands beside another step for."""
    if easier_than:
        return f"who finds {easier_than} too hard"
    whom = f"who meets {condition}" if condition else "everybody"
    return f"{whom}, instead of {instead_of}" if instead_of else whom
