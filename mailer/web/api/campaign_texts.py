"""Campaigns as they are written: their files as they were saved last."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, Field

from mailer.desk import campaign_drafts as writing
from mailer.models import CampaignDraft
from mailer.web.api.caller import Write
from mailer.web.api.campaigns import Slug
from mailer.web.deps import PartsDep

router = APIRouter(prefix="/campaigns", tags=["Campaigns"])


class SourceFile(BaseModel):
    """One of its files, the leading one first; `is_part`: the text of a variant, which is no mail alone."""

    name: str = Field(examples=["campaign.md"])
    text: str
    is_part: bool


class Source(BaseModel):
    """What a campaign is written as. `digest` is what `seen` says when it is replaced.

    `is_ready`: its mails are made of just this; what was saved with errors is not sent.
    """

    slug: str = Field(examples=["spring"])
    files: list[SourceFile]
    pictures: list[str] = Field(examples=[["media/garden.png"]], description="As its texts name them.")
    digest: str
    saved_at: datetime
    saved_by: str = Field(examples=["marc@example.org"])
    is_ready: bool

    @classmethod
    def of(cls, kept: CampaignDraft) -> Source:
        return cls(
            slug=kept.slug,
            files=[SourceFile(**{"is_part": False, **one}) for one in kept.files],
            pictures=sorted(kept.pictures),
            digest=kept.digest,
            saved_at=kept.saved_at,
            saved_by=kept.saved_by,
            is_ready=kept.digest == kept.made_of,
        )


@router.get("/{slug}/source")
def show_source(parts: PartsDep, actor: Write, slug: Slug) -> Source:
    """A campaign's files as they were saved last, at the desk or by a program."""
    with parts.session() as session:
        return Source.of(writing.show_source(session, actor, slug))
