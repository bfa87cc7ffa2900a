"""The beginning of the API: what there is, and what the token that asks may do."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from mailer.accounts.rights import Right
from mailer.web.api.caller import Anybody
from mailer.web.api.specification import specification_of
from mailer.web.deps import PartsDep

router = APIRouter(tags=["Start"])


class Start(BaseModel):
    """Where to read on."""

    documentation: str
    specification: str


class Me(BaseModel):
    """The token that asks."""

    token: str = Field(description="Its name.", examples=["the shop"])
    rights: list[Right] = Field(description="What it may do now.", examples=[["see", "audience"]])


@router.get("/")
def start(parts: PartsDep) -> Start:
    """Where the documentation and the specification are. Takes no token."""
    return Start(
        documentation=f"{parts.base_url}/api/docs", specification=f"{parts.base_url}/api/v1/openapi.json"
    )


@router.get("/openapi.json", response_model=dict[str, Any])
def openapi(request: Request) -> Any:
    """This specification (OpenAPI 3.1). Takes no token."""
    return specification_of(request.app)


@router.get("/me")
def me(actor: Anybody) -> Me:
    """What the token that asks may do."""
    return Me(token=actor.name, rights=[right for right in Right if actor.may(right)])
