"""What a program is told where a person would be asked: files that have errors, and what takes a yes."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence

from mailer.content.course_source import Problem
from mailer.errors import Refused
from mailer.launch.surprises import Surprising

WARNINGS = "warnings"
"""What is agreed to, by that name, when warnings shall not stop it."""


class FaultyFiles(Refused):
    """Something is wrong with the author's files; `problems` says all of it, with file, line and fix."""

    def __init__(self, what: str, problems: Sequence[Problem]) -> None:
        super().__init__(what)
        self.problems = tuple(problems)


class NotAgreed(Refused):
    """It takes somebody's yes by name: to each surprise, or to warnings."""

    def __init__(self, surprising: Sequence[tuple[str, str]]) -> None:
        names = ", ".join(f'"{what}"' for what, _ in surprising)
        words = " ".join(words for _, words in surprising)
        super().__init__(f"{words} If that is meant, ask again with agreed: [{names}].")
        self.surprising = tuple(surprising)


def refuse_faulty(what: str, problems: Sequence[Problem]) -> None:
    """Raise FaultyFiles when any of these problems is an error."""
    errors = sum(not one.is_warning for one in problems)
    if errors:
        count = "one error" if errors == 1 else f"{errors:,} errors"
        raise FaultyFiles(f"{what} has {count}; mend what `problems` names.", problems)


def warning_key(warning: Problem) -> str:
    """The name by which one warning, and none that comes after it, is agreed to."""
    return f"warning-{hashlib.sha256(str(warning).encode()).hexdigest()[:16]}"


def ask_for_yes(
    surprising: Sequence[Surprising], warnings: Sequence[Problem], agreed: Collection[str]
) -> None:
    """Raise NotAgreed unless `agreed` names each surprise and each warning, or WARNINGS for all of them."""
    open_ = [(str(one.what), one.words) for one in surprising if one.what not in agreed]
    unheard = [] if WARNINGS in agreed else [one for one in warnings if warning_key(one) not in agreed]
    if unheard:
        told = " ".join(str(one) for one in unheard[:5])
        more = f" And {len(unheard) - 5:,} more." if len(unheard) > 5 else ""
        open_.append((WARNINGS, f"Warnings: {told}{more}"))
    if open_:
        raise NotAgreed(open_)
