"""Campaigns as they are being written: begun, checked, saved with or without errors, taken away again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, exists, select
from sqlalchemy.orm import Session

from mailer.content.campaign_file import AIM
from mailer.content.campaign_text import CampaignText
from mailer.content.course_source import Problem
from mailer.content.course_words import SLUG
from mailer.content.file_edit import Value, changed_file, settings_of
from mailer.delivery.holds import in_force
from mailer.errors import Refused
from mailer.launch.campaign import NOT_SENT_YET, put_draft, unschedule
from mailer.launch.campaign_check import CompiledCampaign, check_campaign
from mailer.launch.campaign_source import find_source, get_source, keep_source, laid_out, text_of
from mailer.launch.checked import keep_check
from mailer.launch.messages import lock_publishing
from mailer.models import (
    Action,
    Campaign,
    CampaignDraft,
    CampaignState,
    CampaignTyping,
    CheckedKind,
    Series,
    SeriesOccurrence,
)
from mailer.schedule.campaigns import find_campaign
from mailer.seen import ChangedMeanwhile

OF_THE_FIRST = (*("lists", "sender", "test", "canary", "public", "variants"), *AIM)
"""Settings that the first file says for all."""
MINE = (
    "Somebody else has saved {slug} meanwhile, so nothing was saved. Look at theirs, then save yours again."
)


@dataclass(frozen=True)
class Saved:
    """What became of a text, with all that is wrong with it. `was_scheduled`: it is a draft again."""

    digest: str
    problems: tuple[Problem, ...]
    was_scheduled: bool = False

    @property
    def errors(self) -> int:
        return sum(not one.is_warning for one in self.problems)


@dataclass(frozen=True)
class Checked:
    """A text that was compiled: ready to be a draft when `compiled` is there."""

    compiled: CompiledCampaign | None
    problems: tuple[Problem, ...]


def check_text(session: Session, slug: str, text: CampaignText) -> Checked:
    """Everything that is wrong with a campaign's text, in the order of its files and lines."""
    with laid_out(session, text) as paths:
        compiled, problems = check_campaign(session, paths)
    said = str(text.settings.get("slug", slug))
    if said != slug:
        fix = f"Write `slug: {slug}`, or make a copy of it under another one."
        problems.append(Problem(text.first.name, 1, "The slug of a campaign stays.", fix))
        compiled = None
    return Checked(compiled, tuple(problems))


def create_draft(session: Session, slug: str, text: CampaignText, now: datetime, *, who: str) -> Saved:
    """Begin a campaign; raises Refused when there is one of this slug, or it is none."""
    if not SLUG.fullmatch(slug) or len(slug) > 80:
        raise Refused(f"{slug[:80]!r} is no slug; use small letters, digits and hyphens.")
    lock_publishing(session)
    if find_campaign(session, slug) is not None or find_source(session, slug) is not None:
        raise Refused(f"There is a campaign {slug} already, and a slug is never used twice; take another.")
    if session.execute(select(exists().where(Series.slug == slug))).scalar_one():
        raise Refused(f"There is a series {slug}; take another slug.")
    keep_source(session, slug, text, now, who=who, is_made=False)
    _note(session, "campaign draft", slug, now, who)
    return _made(session, slug, text, now, who)


def save_draft(
    session: Session, slug: str, text: CampaignText, now: datetime, *, before: str, who: str
) -> Saved:
    """Save a text over the one of the digest `before`, errors and all; what is sent is made of it when it has
    none. One that was scheduled is a draft again when it changes.

    Raises NotFound, or Refused when somebody else saved it meanwhile, or it has been sent.
    """
    lock_publishing(session)
    kept = get_source(session, slug)
    if kept.digest != before:
        raise ChangedMeanwhile(MINE.format(slug=slug))
    campaign = find_campaign(session, slug)
    if campaign is not None and campaign.state not in NOT_SENT_YET:
        raise Refused(f"{slug} is {campaign.state}, and a campaign is sent once; make a copy of it instead.")
    keep_source(session, slug, text, now, who=who, is_made=False)
    return _made(session, slug, text, now, who)


def _made(session: Session, slug: str, text: CampaignText, now: datetime, who: str) -> Saved:
    """Make the campaign's messages of its text, if nothing stands in the way of that."""
    checked = check_text(session, slug, text)
    keep_check(session, CheckedKind.CAMPAIGN, slug, text.digest, checked.problems)
    if checked.compiled is not None:
        made = put_draft(session, checked.compiled, now, who=who, text=text)
        return Saved(text.digest, checked.problems, made.was_scheduled)
    was_scheduled = False
    if find_campaign(session, slug) is not None:
        was_scheduled = unschedule(session, slug, now, who=who, reason="its text was changed")
    return Saved(text.digest, checked.problems, was_scheduled)


def remove_draft(session: Session, slug: str, now: datetime, *, who: str) -> None:
    """Forget a campaign of which nothing was ever sent; its slug is free again.

    Raises NotFound, or Refused when it was sent, is scheduled, or is one of a series.
    """
    lock_publishing(session)
    campaign = find_campaign(session, slug)
    if campaign is None:
        get_source(session, slug)
    else:
        _refuse_kept(session, campaign)
        session.delete(campaign)
    session.execute(delete(CampaignDraft).where(CampaignDraft.slug == slug))
    _note(session, "campaign remove", slug, now, who)
    session.flush()


def _refuse_kept(session: Session, campaign: Campaign) -> None:
    if campaign.state != CampaignState.DRAFT or campaign.begun_at is not None:
        raise Refused(f"{campaign.slug} is {campaign.state}; only a draft can be removed.")
    if campaign.id in in_force(session).campaign_ids:
        raise Refused(f"{campaign.slug} is paused; resume it, then remove it.")
    of_series = exists().where(SeriesOccurrence.campaign_id == campaign.id)
    if session.execute(select(of_series)).scalar_one():
        raise Refused(f"{campaign.slug} was made by a series, whose record names it; cancel it instead.")


def typed_by(session: Session, kept: CampaignDraft, operator_id: int, file: str) -> CampaignTyping | None:
    """What an operator has typed into a file and not saved."""
    return session.execute(
        select(CampaignTyping).where(
            CampaignTyping.draft_id == kept.id,
            CampaignTyping.operator_id == operator_id,
            CampaignTyping.file == file,
        )
    ).scalar_one_or_none()


def keep_typing(
    session: Session,
    kept: CampaignDraft,
    operator_id: int,
    file: str,
    text: str,
    now: datetime,
    *,
    base: str,
    as_subscriber_id: int | None,
) -> None:
    """Keep what an operator types into a file, in place of what they typed before."""
    row = typed_by(session, kept, operator_id, file)
    if row is None:
        row = CampaignTyping(draft_id=kept.id, operator_id=operator_id, file=file)
        session.add(row)
    row.text, row.base, row.as_subscriber_id, row.typed_at = text, base, as_subscriber_id, now
    session.flush()


def forget_typing(session: Session, kept: CampaignDraft, operator_id: int, file: str) -> None:
    """What was typed into a file is saved, or not wanted any more."""
    session.execute(
        delete(CampaignTyping).where(
            CampaignTyping.draft_id == kept.id,
            CampaignTyping.operator_id == operator_id,
            CampaignTyping.file == file,
        )
    )


def with_translation(text: CampaignText, slug: str, language: str) -> CampaignText:
    """With a file for another language, which begins as the first file's text."""
    known = {(settings_of(one.text) or {}).get("language", "en") for one in text.mails}
    if language in known:
        raise Refused(f"It is written in {language} already.")
    first = text.first
    suffix = first.name.rpartition(".")[2]
    settings: dict[str, Value] = {"language": language, **dict.fromkeys(OF_THE_FIRST)}
    return text.with_file(f"{slug}.{language}.{suffix}", changed_file(first.text, settings))


def copy_of(session: Session, slug: str) -> CampaignText:
    """What an earlier campaign was written as; raises NotFound when that is not kept."""
    return text_of(get_source(session, slug))


def _note(session: Session, what: str, slug: str, now: datetime, who: str) -> None:
    session.add(Action(at=now, who=who, what=what, detail={"campaign": slug}, rows=0))
