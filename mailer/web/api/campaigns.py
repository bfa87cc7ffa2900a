"""Campaigns: drafted from Markdown, looked at, scheduled, stopped, and what became of them."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from pydantic import AwareDatetime, BaseModel, Field, NaiveDatetime
from sqlalchemy.orm import Session

from mailer.clock import zone
from mailer.delivery.signing import Keyring
from mailer.desk import campaigns as desk
from mailer.desk.archive import set_public
from mailer.desk.campaign_plans import unasked_links, write_tests
from mailer.launch.campaign import Launch
from mailer.models import CampaignState
from mailer.reports import statement as statements
from mailer.reports.campaigns import CampaignRow
from mailer.schedule.local_time import Past
from mailer.web.api.caller import See, Send, Write
from mailer.web.api.canary import CanaryAsked
from mailer.web.api.once import OnceDep
from mailer.web.api.paging import Page, PagingDep
from mailer.web.api.problems import BadRequest
from mailer.web.api.sent_tests import Tested, Testing, send_each
from mailer.web.api.told import Changed, Told, Why
from mailer.web.deps import PartsDep

router = APIRouter(prefix="/campaigns", tags=["Campaigns"])

Slug = Annotated[str, Path(examples=["spring"], max_length=100)]
TEXT = """---
slug: spring
subject: "Spring walks"
lists: [news]
---
# Spring walks

{{ greeting }}

The garden is open again.
"""


class Campaign(BaseModel):
    """A campaign. `audience` counts the mails that are written of it so far, fixed once it is sent."""

    slug: str = Field(examples=["spring"])
    subject: str = Field(examples=["Spring walks"])
    state: CampaignState
    is_paused: bool
    lists: list[str] = Field(examples=[["news"]])
    aim: dict[str, Any] = Field(examples=[{}], description="Who of the lists it is for.")
    local: dict[str, Any] | None = Field(examples=[None], description="At which hour of readers' own clocks.")
    audience: int
    passed_over: int
    starts_at: datetime | None
    materialised_at: datetime | None
    finished_at: datetime | None
    awaits_approval: bool = Field(description="It is scheduled, and a second person has to approve it.")

    @classmethod
    def of(cls, row: CampaignRow) -> Campaign:
        return cls.model_validate(row.as_values())


class Statement(BaseModel):
    """Every mail of it accounted for: `audience` is the sum of all states and of what is forgotten."""

    audience: int
    states: dict[str, int] = Field(examples=[{"accepted": 2}])
    reasons: dict[str, int] = Field(examples=[{"suppressed: hard-bounce": 1}])
    forgotten: int
    open: int
    missing: int
    duplicates: int
    is_complete: bool
    is_balanced: bool

    @classmethod
    def of(cls, statement: statements.Statement) -> Statement:
        return cls.model_validate(statement, from_attributes=True)


class CampaignWhole(Campaign):
    """A campaign with who it is from, and its languages."""

    sender: str = Field(examples=["The Reading Room <news@steadypost.example>"])
    languages: list[str] = Field(examples=[["en"]])


class Drafting(Told):
    """A campaign's file, and its translations: Markdown with front matter, as docs/campaigns.md has it."""

    markdown: str = Field(max_length=200_000, examples=[TEXT])
    translations: list[Annotated[str, Field(max_length=200_000)]] = Field(
        default_factory=list, max_length=30, examples=[[]]
    )
    seen: str = Field(
        default="",
        max_length=64,
        examples=[""],
        description="The `digest` of the source that this replaces; empty: what this token saved last.",
    )


class Draft(BaseModel):
    """What became of it. `was_scheduled`: its time was taken back, because it is another one now."""

    slug: str = Field(examples=["spring"])
    is_new: bool
    is_changed: bool
    was_scheduled: bool
    warnings: list[dict[str, Any]] = Field(examples=[[]])


class SurpriseShown(BaseModel):
    """What has to be agreed to by name."""

    what: str = Field(examples=["much-larger"])
    words: str


class Audience(BaseModel):
    """Whom it would reach now, and who of its lists is left out."""

    people: int
    suppressed: int = Field(description="Of these people; they will get nothing.")
    pending: int
    unsubscribed: int
    outside: int = Field(description="Not whom it is for.")
    excluded: int
    surprising: list[SurpriseShown]
    digest: str = Field(
        description="Of the campaign as it is now: what it says, to whom, and when it leaves."
    )

    @classmethod
    def of(cls, seen: Launch) -> Audience:
        told = [SurpriseShown(what=one.what, words=one.words) for one in seen.surprising]
        return cls(**asdict(seen.reach), surprising=told, digest=seen.digest)


class Local(Told):
    """A time on readers' own clocks; `zone` is that of people who have none."""

    at: NaiveDatetime = Field(examples=["2027-03-01T09:00:00"])
    zone: str = Field(default="Etc/UTC", max_length=64)
    past: Past | None = Field(default=None, description="What becomes of people for whom it is past.")


class Approving(Told):
    """What somebody says yes to."""

    agreed: list[str] = Field(
        default_factory=list,
        max_length=10,
        examples=[[]],
        description="The names of surprises, and `warnings`, that are meant so.",
    )
    people_at_most: int | None = Field(
        default=None, ge=0, examples=[5000], description="Refuse when it would reach more people."
    )
    digest: str | None = Field(
        default=None,
        max_length=64,
        examples=[None],
        description="That of its audience when it was looked at: refuse when it was changed since.",
    )


class Scheduling(Approving):
    """When: now (neither `at` nor `local`), at an instant, or by readers' clocks."""

    at: AwareDatetime | None = Field(default=None, examples=["2027-03-01T09:00:00+00:00"])
    local: Local | None = Field(default=None, examples=[None])
    canary: CanaryAsked | None = Field(
        default=None, examples=[None], description="In place of what its file says; not with `local`."
    )


class CampaignTesting(Testing):
    """To whom a test goes, and as whom (a subscriber's address), in which language, of which variant."""

    language: str = Field(default="", max_length=35)
    variant: str = Field(default="", max_length=1)


class Publicity(Told):
    """Whether anybody may read it."""

    is_public: bool


@router.get("")
def list_campaigns(parts: PartsDep, actor: See, paging: PagingDep) -> Page[Campaign]:
    """Campaigns, the newest first."""
    before = paging.after("campaigns", str)
    with parts.session() as session:
        rows = desk.list_campaigns(session, actor, before, paging.limit + 1)
    return paging.page(rows, "campaigns", lambda row: str(row.slug), Campaign.of)


@router.post("", response_model=Draft)
def draft_campaign(actor: Write, once: OnceDep, asked: Drafting) -> Response:
    """Make a draft, or bring it up to date; nothing is sent. The same files again change nothing.

    What is wrong with the files is a problem that lists each error with its line and fix. What somebody else
    has saved meanwhile is not replaced (`changed-meanwhile`): look at its source first.
    """

    def act(session: Any) -> Draft:
        texts = [asked.markdown, *asked.translations]
        made, warnings = desk.draft_campaign(session, actor, texts, asked.seen)
        return Draft(
            slug=made.campaign.slug,
            is_new=made.is_new,
            is_changed=made.is_changed,
            was_scheduled=made.was_scheduled,
            warnings=[asdict(one) for one in warnings],
        )

    return once.answer(actor, act)


@router.get("/{slug}")
def show_campaign(parts: PartsDep, actor: See, slug: Slug) -> CampaignWhole:
    """One campaign."""
    with parts.session() as session:
        found = desk.show_campaign(session, actor, slug)
    whole = Campaign.of(found.row).model_dump()
    return CampaignWhole(**whole, sender=found.sender, languages=list(found.languages))


@router.get("/{slug}/statement")
def show_statement(parts: PartsDep, actor: See, slug: Slug) -> Statement:
    """The balanced statement of a campaign."""
    with parts.session() as session:
        return Statement.of(desk.show_campaign(session, actor, slug).statement)


@router.get("/{slug}/audience")
def look_at_audience(parts: PartsDep, actor: See, slug: Slug) -> Audience:
    """Whom it would reach if it were sent now, and what is surprising about that."""
    with parts.session() as session:
        return Audience.of(desk.look_at_audience(session, actor, slug))


@router.post("/{slug}/schedule", response_model=Audience)
def schedule_campaign(parts: PartsDep, actor: Send, once: OnceDep, slug: Slug, asked: Scheduling) -> Response:
    """Have a campaign sent, now or later; answered with whom it reaches as of now.

    What is surprising, and every warning, is the problem `not-agreed`: `agree` lists it. When it is meant
    so, ask again with those names in `agreed`.
    """
    moment = _moment(asked)
    _ask_links(parts, actor, slug)
    return once.answer(
        actor,
        lambda session: Audience.of(
            desk.schedule_campaign(
                session,
                actor,
                slug,
                moment,
                parts.signer,
                parts.base_url,
                agreed=asked.agreed,
                people_at_most=asked.people_at_most,
                digest=asked.digest,
                canary=asked.canary.read() if asked.canary else None,
                needs_approval=parts.settings.needs_approval,
            )
        ),
    )


@router.post("/{slug}/test", response_model=Tested)
def test_campaign(
    parts: PartsDep, actor: Send, once: OnceDep, slug: Slug, asked: CampaignTesting
) -> Response:
    """Send a draft as a mail to some addresses of yours, outside every count, and tell which were refused."""
    return once.carry_out(
        actor,
        lambda session: write_tests(
            *(session, actor, slug, asked.to),
            as_email=asked.as_email,
            language=asked.language,
            variant=asked.variant,
            signer=parts.signer,
            base_url=parts.base_url,
            keyring=Keyring(parts.seal),
        ),
        lambda mails: send_each(parts, mails),
    )


@router.post("/{slug}/public", response_model=Changed)
def show_campaign_in_archive(
    parts: PartsDep, actor: Send, once: OnceDep, slug: Slug, asked: Publicity
) -> Response:
    """Let anybody read a campaign that has left in the archive, or nobody any more."""

    def act(session: Session) -> Changed:
        set_public(session, actor, slug, parts.base_url.rstrip("/"), is_public=asked.is_public)
        return Changed(changed=True)

    return once.answer(actor, act)


@router.post("/{slug}/approve", response_model=Audience)
def approve_campaign(parts: PartsDep, actor: Send, once: OnceDep, slug: Slug, asked: Approving) -> Response:
    """Approve as a second person what somebody else has scheduled; answered with whom it reaches as of now.

    Refused for whoever scheduled it, also by another token of theirs. Asks as scheduling does.
    """
    _ask_links(parts, actor, slug)
    return once.answer(
        actor,
        lambda session: Audience.of(
            desk.approve_campaign(
                session,
                actor,
                slug,
                parts.signer,
                parts.base_url,
                agreed=asked.agreed,
                people_at_most=asked.people_at_most,
                digest=asked.digest,
            )
        ),
    )


def _ask_links(parts: PartsDep, actor: Send, slug: Slug) -> None:
    """Ask about its links before, so that those that lead nowhere are among what is wrong."""
    parts.ask_links(lambda session: unasked_links(session, actor, slug, parts.signer, parts.base_url))


@router.post("/{slug}/unschedule", response_model=Changed)
def unschedule_campaign(actor: Send, once: OnceDep, slug: Slug, asked: Why) -> Response:
    """Make a draft again of a campaign that is scheduled and has not begun."""
    return once.answer(
        actor,
        lambda session: Changed(changed=desk.unschedule_campaign(session, actor, slug, asked.reason.strip())),
    )


def _moment(asked: Scheduling) -> desk.Moment:
    """When it is asked for; raises BadRequest or UnknownZone."""
    if asked.local is None:
        return desk.Moment(at=asked.at)
    if asked.at is not None:
        raise BadRequest("Name `at` or `local`, not both.")
    zone(asked.local.zone)
    return desk.Moment(local_at=asked.local.at, zone=asked.local.zone, past=asked.local.past)


@router.post("/{slug}/pause", response_model=Changed)
def pause_campaign(actor: Send, once: OnceDep, slug: Slug, asked: Why) -> Response:
    """Stop sending a campaign, at once; what is due waits."""
    return once.answer(
        actor,
        lambda session: Changed(changed=desk.pause_campaign(session, actor, slug, asked.reason.strip())),
    )


@router.post("/{slug}/resume", response_model=Changed)
def resume_campaign(actor: Send, once: OnceDep, slug: Slug, asked: Why) -> Response:
    """Go on sending a paused campaign."""
    return once.answer(
        actor,
        lambda session: Changed(changed=desk.resume_campaign(session, actor, slug, asked.reason.strip())),
    )


@router.post("/{slug}/cancel", response_model=Changed)
def cancel_campaign(actor: Send, once: OnceDep, slug: Slug, asked: Why) -> Response:
    """End a campaign for good: what has not left is taken back. What a worker has may still arrive."""

    def act(session: Any) -> Changed:
        desk.cancel_campaign(session, actor, slug, asked.reason.strip())
        return Changed(changed=True)

    return once.answer(actor, act)
