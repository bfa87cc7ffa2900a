"""Forms in which several things are said by one field, such as the lists of a campaign."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import Depends, Request
from starlette.exceptions import HTTPException

from mailer.errors import Refused

MOST_CHOSEN = 1000
"""More lists, or warnings, than anybody has."""


async def _chosen(request: Request) -> dict[str, list[str]]:
    """Every value of each field, in the order of the form."""
    try:
        form = await request.form(max_files=0, max_fields=MOST_CHOSEN)
    except HTTPException as error:
        if error.status_code != 400:
            raise
        raise Refused("The form could not be read; go back and try again.") from None
    found: dict[str, list[str]] = {}
    for name, value in form.multi_items():
        if isinstance(value, str):
            found.setdefault(name, []).append(value)
    return found


ChosenFields = Annotated[dict[str, list[str]], Depends(_chosen)]


def addresses_of(typed: str) -> list[str]:
    """The addresses that somebody typed, with spaces, commas or semicolons between them."""
    return [one for one in re.split(r"[\s,;]+", typed) if one]
