"""The record of what was done by whom; and the cap, which holds for everybody."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from mailer.desk import actions as desk
from mailer.desk import settings
from mailer.models import Losing
from mailer.schedule.cap import wished_cap
from mailer.web.api.caller import Manage, See
from mailer.web.api.paging import Page, PagingDep
from mailer.web.api.told import Changed, Told
from mailer.web.deps import PartsDep

router = APIRouter(tags=["Watch"])


class ActionShown(BaseModel):
    """One act: who did what to how many rows. `detail` has no secret and no answer of a reader."""

    id: int
    at: datetime
    who: str = Field(examples=["olive@example.org"])
    what: str = Field(examples=["campaign schedule"])
    rows: int
    detail: dict[str, Any] = Field(examples=[{"campaign": "spring"}])


class CapWritten(Told):
    """How many mails one person gets at most, over all courses and campaigns, and when none; lessons win."""

    per_day: int | None = Field(default=None, ge=1, le=50, examples=[2])
    per_week: int | None = Field(default=None, ge=1, le=200, examples=[7])
    quiet_from: time | None = Field(default=None, examples=["22:00"])
    quiet_until: time | None = Field(default=None, examples=["07:00"])
    losing: Losing = Field(default=Losing.MOVE, description="What becomes of a campaign's mail without room.")


class CapShown(CapWritten):
    """The cap that is set; all null when there is none."""


@router.get("/actions")
def list_actions(
    parts: PartsDep,
    actor: See,
    paging: PagingDep,
    who: Annotated[str, Query(max_length=400, description="Exactly so.")] = "",
    what: Annotated[str, Query(max_length=100, description="How the act begins.")] = "",
    day: Annotated[date | None, Query(description="On the clock of whoever made the token.")] = None,
) -> Page[ActionShown]:
    """Every act that sent, deleted, changed or exposed something, the newest first."""
    before = paging.after("actions", int)
    with parts.session() as session:
        found = desk.list_actions(
            session, actor, who=who, what=what, day=day, before=before, most=paging.limit
        )
        return paging.page_until(
            found.actions,
            "actions",
            found.before,
            lambda row: ActionShown.model_validate(row, from_attributes=True),
        )


@router.get("/cap")
def show_cap(parts: PartsDep, actor: See) -> CapShown:
    """How many mails one person gets at most."""
    with parts.session() as session:
        found = settings.see_settings(session, actor, parts.settings).cap
    return CapShown() if found is None else CapShown.model_validate(found, from_attributes=True)


@router.put("/cap")
def set_cap(parts: PartsDep, actor: Manage, asked: CapWritten) -> Changed:
    """Set the cap; mail that has not left keeps to it. One that limits nothing is none."""
    begins, ends = (f"{at:%H:%M}" if at else "" for at in (asked.quiet_from, asked.quiet_until))
    wished = wished_cap(asked.per_day, asked.per_week, begins, ends, asked.losing)
    with parts.session() as session:
        return Changed(changed=settings.set_cap(session, actor, wished))


@router.delete("/cap")
def lift_cap(parts: PartsDep, actor: Manage) -> Changed:
    """Lift the cap: each course and campaign sends as it is due."""
    with parts.session() as session:
        return Changed(changed=settings.set_cap(session, actor, None))
