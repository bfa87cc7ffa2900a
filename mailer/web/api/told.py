"""What many addresses of the API are told, and answer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field

from mailer.content.course_source import Problem

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


class Checked(BaseModel):
    """Everything that is wrong, each with its file, line and fix; errors keep it from being sent."""

    errors: int
    problems: list[dict[str, Any]] = Field(examples=[[]])

    @classmethod
    def of(cls, problems: Iterable[Problem]) -> Checked:
        told = [asdict(one) for one in problems]
        return cls(errors=sum(not one["is_warning"] for one in told), problems=told)
