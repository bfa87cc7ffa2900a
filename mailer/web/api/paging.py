"""Long lists in parts: each part names the place after its last row, and the next one begins there."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Depends, Query
from pydantic import BaseModel, Field

from mailer.web.api.problems import BadRequest

T = TypeVar("T")
R = TypeVar("R")

USUAL = 50
MOST = 200
LONGEST = 2000
"""Letters of a cursor: a tag of 200 letters in its worst spelling (six bytes each) takes some 1,620."""


class Page(BaseModel, Generic[T]):
    """A part of a list."""

    items: list[T]
    next: str | None = Field(
        default=None, description="What to ask on with as `cursor`; null at the end of the list."
    )


@dataclass(frozen=True)
class Paging:
    """Which part is asked for. A cursor is ours to read and nobody else's; it may change its form."""

    limit: int
    cursor: str | None

    def after(self, name: str, kind: type[R]) -> R | None:
        """The place to begin after in the list `name`, None at its beginning; raises BadRequest."""
        if self.cursor is None:
            return None
        try:
            padded = self.cursor + "=" * (-len(self.cursor) % 4)
            of, place = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        except (ValueError, TypeError, binascii.Error, RecursionError):
            of, place = "", None
        if of != name or type(place) is not kind or not _is_storable(place):
            raise BadRequest("This cursor is not one of this list; take `next` of the part before it.")
        return place

    def page(
        self, rows: Sequence[Any], name: str, place: Callable[[Any], int | str], shown: Callable[[Any], T]
    ) -> Page[T]:
        """The answer made of one more row than `limit`, if there are so many."""
        more = len(rows) > self.limit
        next_ = _cursor(name, place(rows[self.limit - 1])) if more else None
        return Page[Any](items=[shown(row) for row in rows[: self.limit]], next=next_)

    def part(self, rows: Sequence[Any], name: str, shown: Callable[[Any], T]) -> Page[T]:
        """The answer made of a list that is whole: what is asked for begins after so many rows."""
        begin = max(0, self.after(name, int) or 0)
        end = begin + self.limit
        return self.page_until(rows[begin:end], name, end if end < len(rows) else None, shown)

    def page_until(
        self, rows: Sequence[Any], name: str, place: int | str | None, shown: Callable[[Any], T]
    ) -> Page[T]:
        """The answer made of these rows; `place` is where the next part begins after, None at the end."""
        next_ = None if place is None else _cursor(name, place)
        return Page[Any](items=[shown(row) for row in rows], next=next_)


def _is_storable(place: object) -> bool:
    """Whether a column could hold it: whoever makes a cursor up is told so, and nothing breaks."""
    if isinstance(place, str):
        return "\0" not in place and place == place.encode(errors="replace").decode()
    return isinstance(place, int) and -(2**63) <= place < 2**63


def _cursor(name: str, place: int | str) -> str:
    return (
        base64.urlsafe_b64encode(json.dumps([name, place], ensure_ascii=False).encode()).decode().rstrip("=")
    )


def _paging(
    limit: Annotated[int, Query(ge=1, le=MOST, description="How many at most.")] = USUAL,
    cursor: Annotated[
        str | None,
        Query(max_length=LONGEST, description="`next` of the part before; none for the first part."),
    ] = None,
) -> Paging:
    return Paging(limit, cursor)


PagingDep = Annotated[Paging, Depends(_paging)]
