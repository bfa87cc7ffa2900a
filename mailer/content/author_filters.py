"""The filters whose arguments could cost a machine its time or memory, with bounds on what they may do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from jinja2 import Environment, pass_environment
from jinja2.exceptions import FilterArgumentError
from jinja2.filters import do_round, do_truncate

MOST_DIGITS = 10
"""Digits to round to, on either side of the point: Jinja2 itself would raise 10 to any power."""
MOST_CHARACTERS = 10_000
"""The longest text that replace() gives: in a row, each could make its text ten times as long."""


def round_within_reason(value: Any, precision: Any = 0, method: Any = "common") -> Any:
    """Jinja2's round; raises FilterArgumentError for more digits than a number has."""
    if not isinstance(precision, int) or abs(precision) > MOST_DIGITS:
        raise FilterArgumentError(f"round() takes a whole number of digits, at most {MOST_DIGITS}")
    return do_round(value, precision, method)


def replace_within_reason(value: Any, old: Any, new: Any, count: int | None = None) -> str:
    """`value` with `new` for `old`; raises FilterArgumentError before it makes too long a text.

    An empty `old` is refused: it stands between any two letters.
    """
    text, old, new = str(value), str(old), str(new)
    if not old:
        raise FilterArgumentError("replace() needs a text to look for")
    most = -1 if count is None else count
    found = text.count(old) if most < 0 else min(text.count(old), most)
    if len(text) + found * (len(new) - len(old)) > MOST_CHARACTERS:
        raise FilterArgumentError(f"replace() gives more than {MOST_CHARACTERS} characters")
    return text.replace(old, new, most)


@pass_environment
def truncate_or_say_why(environment: Environment, value: Any, *how: Any, **named: Any) -> str:
    """Jinja2's truncate; raises FilterArgumentError where that would fail an assertion."""
    try:
        return do_truncate(environment, value, *how, **named)
    except AssertionError as error:
        raise FilterArgumentError(f"truncate() cannot cut so short ({error})") from error


BOUNDED: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {"round": round_within_reason, "replace": replace_within_reason, "truncate": truncate_or_say_why}
)
"""In place of Jinja2's own of these names."""
