"""Campaigns as they are written: their files, what is wrong with them, their mails; brought and removed."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Body, Path, Query, Response
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from mailer.desk import campaign_drafts as writing
from mailer.desk import campaigns as desk
from mailer.desk.campaign_plans import check_campaign
from mailer.models import CampaignDraft
from mailer.web.api.caller import See, Write
from mailer.web.api.campaigns import Slug
from mailer.web.api.once import OnceDep
from mailer.web.api.told import Changed, Checked
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
            files=[SourceFile.model_validate({"is_part": False, **one}) for one in kept.files],
            pictures=sorted(kept.pictures),
            digest=kept.digest,
            saved_at=kept.saved_at,
            saved_by=kept.saved_by,
            is_ready=kept.digest == kept.made_of,
        )


class Brought(Checked):
    """What became of a file that was brought: saved, with or without errors.

    `was_scheduled`: its time was taken back, because it is another one now.
    """

    slug: str = Field(examples=["spring"])
    digest: str
    was_scheduled: bool


class CampaignMail(BaseModel):
    """One of its mails as a made-up reader would get it. `mails` are all there are: languages, variants."""

    mails: list[str] = Field(examples=[["campaign.md"]])
    subject: str
    text: str
    html: str


Zip = Annotated[
    bytes,
    Body(
        media_type="application/zip",
        description="A campaign's .md or .mjml file; or a zip of it with its translations, the texts of its "
        "variants, and its pictures in media/.",
    ),
]


@router.post("/file", response_model=Brought, max_body_size=writing.MOST_UPLOAD)
def bring_campaign(
    actor: Write,
    once: OnceDep,
    content: Zip,
    file: Annotated[str, Query(max_length=200, description="What it is called.")] = "campaign.zip",
    onto: Annotated[
        str, Query(max_length=100, description="The campaign that it replaces; empty: it is a new one.")
    ] = "",
    seen: Annotated[
        str, Query(max_length=64, description="The `digest` of that one's source; needed with `onto`.")
    ] = "",
) -> Response:
    """Bring a campaign whole, with pictures and variants. It is saved, errors and all; nothing is sent."""

    def act(session: Session) -> Brought:
        slug, saved = writing.bring_campaign(session, actor, file, content, onto=onto, before=seen)
        checked = Checked.of(saved.problems)
        return Brought(
            **checked.model_dump(), slug=slug, digest=saved.digest, was_scheduled=saved.was_scheduled
        )

    return once.answer(actor, act)


@router.delete("/{slug}")
def remove_draft(parts: PartsDep, actor: Write, slug: Slug) -> Changed:
    """Forget a draft of which nothing was sent; its slug is free again."""
    with parts.session() as session:
        writing.remove_draft(session, actor, slug)
    return Changed(changed=True)


@router.get("/{slug}/check")
def check(parts: PartsDep, actor: See, slug: Slug) -> Checked:
    """What would go wrong for its readers: each mail is made for a sample of them. Takes seconds."""
    with parts.session() as session:
        found = check_campaign(session, actor, slug, parts.signer, parts.base_url, is_asked=True)
    return Checked.of(found or [])


@router.get("/{slug}/mails/{number}")
def show_mail(
    parts: PartsDep, actor: See, slug: Slug, number: Annotated[int, Path(ge=0, le=1000, examples=[0])]
) -> CampaignMail:
    """One of its mails as it would leave; the first one is number 0."""
    with parts.session() as session:
        shown, mails = desk.show_mail(session, actor, slug, number, parts.signer, parts.base_url)
    mail = shown.mail
    return CampaignMail(mails=mails, subject=mail.subject, text=mail.text, html=mail.html)


@router.get("/{slug}/source")
def show_source(parts: PartsDep, actor: Write, slug: Slug) -> Source:
    """A campaign's files as they were saved last, at the desk or by a program."""
    with parts.session() as session:
        return Source.of(writing.show_source(session, actor, slug))
