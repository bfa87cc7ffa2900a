"""What many addresses of the API are told, and answer."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field

RowId = Annotated[int, Path(ge=1, lt=2**63)]
"""The number of a row; no larger one is any."""


class Told(BaseModel):
    """What is sent: nothing that we do not know, so that a slip of the pen is told."""

    model_config = ConfigDict(extra="forbid")


class Why(Told):
    """The reason, for whoever looks next."""

    reason: str = Field(default="", max_length=500)


class Changed(BaseModel):
    """Whether anything changed."""

    changed: bool
