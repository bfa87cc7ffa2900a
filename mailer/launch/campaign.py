"""A campaign's life as people decide it: drafted, scheduled, cancelled. The rest is `campaign_tick`'s."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from mailer import tally
from mailer.audience.aim import Aim, narrowing
from mailer.audience.lists import keep_lists
from mailer.audience.recipients import Reach, count_by_zone, count_recipients, list_ids_of
from mailer.clock import refuse_far
from mailer.content.campaign_file import CampaignSource
from mailer.content.campaign_text import CampaignText
from mailer.content.canary import Canary
from mailer.content.course_source import SenderSource
from mailer.content.trial import Trial
from mailer.delivery.holds import forget_canary
from mailer.delivery.states import ENDS
from mailer.errors import Refused
from mailer.launch.campaign_check import CompiledCampaign, aim_of
from mailer.launch.campaign_source import keep_source, put_pictures, refuse_unfinished
from mailer.launch.campaign_variants import refuse_undecidable, trial_of
from mailer.launch.messages import lock_publishing, put_message
from mailer.launch.surprises import Surprise, Surprising, surprises
from mailer.models import Action, Campaign, CampaignState, Course, MailingList, Sender
from mailer.outbox import campaign_source
from mailer.schedule.campaigns import find_campaign, get_campaign
from mailer.schedule.local_time import LocalTime, Spread, spread
from mailer.seen import seen_of

NOT_SENT_YET = (CampaignState.DRAFT, CampaignState.SCHEDULED)


@dataclass(frozen=True)
class Drafted:
    """What became of a draft. `was_scheduled`: its time was taken back, because it is another one now."""

    campaign: Campaign
    is_new: bool
    is_changed: bool
    was_scheduled: bool


def put_draft(
    session: Session,
    compiled: CompiledCampaign,
    now: datetime,
    *,
    who: str,
    text: CampaignText | None = None,
) -> Drafted:
    """Make the draft, or bring it up to date. The same files again change nothing.

    `text` is what it was compiled of, to be kept with it; what a series makes is kept with the series.

    One that was scheduled is a draft again when it changes: nobody has agreed to send what it says now.
    Raises Refused when it has been sent or cancelled: a campaign is sent once.
    """
    lock_publishing(session)
    source = compiled.source
    campaign = find_campaign(session, source.slug)
    is_new = campaign is None
    if campaign is None:
        campaign = Campaign(slug=source.slug, state=CampaignState.DRAFT, created_at=now, canary={})
    else:
        campaign = _locked(session, campaign.id)  # or the tick could begin to send it meanwhile
    if campaign.state not in NOT_SENT_YET:
        raise Refused(
            f"{source.slug} is {campaign.state}, and a campaign is sent once; give the file another slug."
        )
    was = _content(campaign)
    list_ids = keep_lists(session, source.lists)
    campaign.sender_id = _sender_id(session, source, list_ids)
    # Its people could not be asked to confirm otherwise: those mails come from the list's sender.
    session.execute(
        update(MailingList)
        .where(MailingList.id.in_(list_ids), MailingList.sender_id.is_(None))
        .values(sender_id=campaign.sender_id)
    )
    put_pictures(session, compiled.media)
    if text is not None:
        keep_source(session, source.slug, text, now, who=who, is_made=True)
    campaign.messages = {
        message.language: put_message(session, f"campaign/{source.slug}", message)
        for message in compiled.messages
    }
    trial = trial_of(session, source, compiled.variants, campaign.messages)
    campaign.trial = trial.as_values() if trial else {}
    asked = {name: value for name, value in campaign.canary.items() if name != "written"}
    campaign.canary = {**asked, "written": source.canary.as_values()} if source.canary else asked
    campaign.subject, campaign.language, campaign.list_ids = source.subject, source.language, list_ids
    # A draft to send another again stays one when its text is changed.
    campaign.aim = aim_of(source).again_as(Aim.of(campaign.aim or {})).as_values()
    campaign.is_public = source.is_public
    campaign.no_room = source.no_room or ""
    is_changed = is_new or _content(campaign) != was
    was_scheduled = is_changed and campaign.state == CampaignState.SCHEDULED
    if is_changed:
        _as_draft(campaign)
        session.add(campaign)
        _note(session, "campaign create", campaign, now, who)
    session.flush()
    return Drafted(campaign, is_new, is_changed, was_scheduled)


def _as_draft(campaign: Campaign) -> None:
    """Without its time, and without anybody's approval: both were of something else."""
    campaign.state, campaign.starts_at, campaign.local = CampaignState.DRAFT, None, {}
    campaign.canary = _of_file(campaign)
    campaign.scheduled_by, campaign.scheduled_by_id = "", None
    campaign.awaits_approval, campaign.approved_by = False, None


def unschedule(session: Session, slug: str, now: datetime, *, who: str, reason: str = "") -> bool:
    """Make a draft of it again, as long as nothing of it has left; False when it was one.

    Raises NotFound, or Refused when its time has come.
    """
    campaign = _locked(session, get_campaign(session, slug).id)
    _refuse_sent(campaign)
    was_scheduled = campaign.state == CampaignState.SCHEDULED
    if was_scheduled:
        _as_draft(campaign)
        _note(session, "campaign unschedule", campaign, now, who, reason=reason)
        session.flush()
    return was_scheduled


def _content(campaign: Campaign) -> tuple[object, ...]:
    """What readers would get, which readers, and who of them first."""
    said = campaign.messages, campaign.language, campaign.trial, _of_file(campaign)
    return *said, campaign.list_ids, campaign.sender_id, campaign.aim, campaign.no_room


def digest_of(campaign: Campaign) -> str:
    """What tells whether it would still bring what somebody looked at: the same, to whom and when."""
    leaves = campaign.starts_at and campaign.starts_at.astimezone(UTC).isoformat()
    # As JSON: what was just made has tuples and another order of keys than the same that was read again.
    return seen_of(json.dumps([*_content(campaign), leaves, campaign.local, campaign.canary], sort_keys=True))


def _of_file(campaign: Campaign) -> dict[str, Any]:
    """The canary that its file says, without one that was asked for when it was scheduled."""
    return {name: value for name, value in campaign.canary.items() if name == "written"}


def _sender_id(session: Session, source: CampaignSource, list_ids: list[int]) -> int:
    """The sender that is named or written out, or that of the first list; the check has found one."""
    if isinstance(source.sender, SenderSource):
        return _put_sender(session, source.slug, source.sender)
    if source.sender:
        return session.execute(select(Sender.id).where(Sender.slug == source.sender)).scalar_one()
    sender_id = session.get_one(MailingList, list_ids[0]).sender_id
    assert sender_id is not None  # noqa: S101
    return sender_id


def _put_sender(session: Session, slug: str, source: SenderSource) -> int:
    """The sender of a block: one that is known already, or one of the campaign's own."""
    values = {name: getattr(source, name) for name in ("name", "email", "reply_to", "postal_address")}
    same = session.execute(select(Sender.id).filter_by(**values).order_by(Sender.id).limit(1)).scalar()
    if same is not None:
        return same
    own = f"campaign-{slug}"
    if session.execute(select(Course.id).where(Course.slug == own)).first():
        raise Refused(f"A course has the slug {own}, which the campaign's sender would need; take another.")
    put = insert(Sender).values(slug=own, **values)
    put = put.on_conflict_do_update(index_elements=["slug"], set_=values)
    return session.execute(put.returning(Sender.id)).scalar_one()


@dataclass(frozen=True)
class Approval:
    """Whether a second person has to approve what is scheduled, and which operator is the first."""

    is_needed: bool = False
    operator_id: int | None = None


NO_APPROVAL = Approval()


class Nobody(Refused):
    """It would reach nobody; `what` says where they all went."""


@dataclass(frozen=True)
class Launch:
    """What sending a campaign would mean at this moment: asked before, and held to afterwards.

    No `lists` means every list. `surprising` is what has to be agreed to by name. `canary` is what goes
    first, `trial` what is tested. `digest` is that of the campaign then: the row itself may be read again.
    """

    campaign: Campaign
    digest: str
    lists: tuple[str, ...]
    aim: Aim
    reach: Reach
    surprising: tuple[Surprising, ...]
    canary: Canary | None = None
    trial: Trial | None = None


def get_sendable(session: Session, slug: str) -> Campaign:
    """A campaign that may be sent, whomever it would reach; raises NotFound, or Refused when it may not."""
    campaign = get_campaign(session, slug)
    _refuse_sent(campaign)
    refuse_unfinished(session, slug)
    refuse_undecidable(session, campaign)
    return campaign


def look_ahead(session: Session, slug: str, now: datetime, canary: Canary | None = None) -> Launch:
    """Whom the campaign would reach now, changing nothing; with this `canary`, or its file's.

    Raises NotFound, or Refused when it cannot be sent.
    """
    campaign = get_sendable(session, slug)
    digest = digest_of(campaign)
    aim = Aim.of(campaign.aim)
    narrowed = narrowing(session, aim, now)
    list_ids = list_ids_of(session, campaign.list_ids)
    reach = count_recipients(session, list_ids, now, narrowed.inside, narrowed.excluded)
    slugs = dict(
        session.execute(select(MailingList.id, MailingList.slug).where(MailingList.id.in_(list_ids))).all()
    )
    lists = tuple(slugs[id_] for id_ in campaign.list_ids)
    _refuse_nobody(slug, lists, aim, reach)
    first = canary or Canary.of(campaign.canary.get("written", {}))
    found = surprises(session, campaign, reach.people, now)
    return Launch(campaign, digest, lists, aim, reach, found, first, Trial.of(campaign.trial))


def look_at_scheduled(session: Session, slug: str, now: datetime) -> Launch:
    """The same of one that is scheduled, with the canary that was asked for then."""
    seen = look_ahead(session, slug, now)
    return replace(seen, canary=Canary.chosen(seen.campaign.canary))


def _refuse_nobody(slug: str, lists: tuple[str, ...], aim: Aim, reach: Reach) -> None:
    """Raises Nobody when nobody would get it, and says where they all went."""
    where = f"on {', '.join(lists) or 'any list'}"
    if reach.people + reach.outside + reach.excluded == 0:
        raise Nobody(f"Nobody is active {where}, so {slug} would reach nobody; `steadypost list list`.")
    if reach.people == 0:
        told = [f"{reach.outside:,} are not {aim.within()}"] if reach.outside else []
        told += [f"{reach.excluded:,} are left out ({aim.without()})"] if reach.excluded else []
        raise Nobody(f"Of those active {where} {' and '.join(told)}, so {slug} would reach nobody.")
    if reach.people == reach.suppressed:
        raise Nobody(
            f"Everybody whom {slug} is for is suppressed, so it would reach nobody; "
            "`steadypost suppression list`."
        )


def look_at_zones(session: Session, seen: Launch, local: LocalTime, now: datetime) -> Spread:
    """How a local time falls on the people whom the campaign would reach; raises Refused if on nobody."""
    narrowed = narrowing(session, seen.aim, now)
    list_ids = list_ids_of(session, seen.campaign.list_ids)
    return spread(local, count_by_zone(session, list_ids, narrowed.chosen))


def schedule_local(
    session: Session,
    seen: Launch,
    local: LocalTime,
    now: datetime,
    *,
    who: str,
    agreed: Collection[Surprise] = (),
    approval: Approval = NO_APPROVAL,
) -> Campaign:
    """Have it sent when clocks show a time in each reader's zone; its rows are written at the first of them.

    Raises Refused as `schedule` does, when the time is past for some and nobody chose what then, and for one
    that goes out in phases: everybody's hour comes once, and would be past when the rest is let go.
    """
    refuse_phases(seen)
    found = look_at_zones(session, seen, local, now)
    if found.past and local.past is None:
        raise Refused(
            f"For {found.past:,} people {local.at:%Y-%m-%d %H:%M} is past; "
            "say --past send, --past skip or --past next-day."
        )
    campaign = schedule(session, seen, found.first, now, who=who, agreed=agreed, approval=approval)
    campaign.local = local.as_values()
    session.flush()
    return campaign


def schedule(
    session: Session,
    seen: Launch,
    starts_at: datetime,
    now: datetime,
    *,
    who: str,
    agreed: Collection[Surprise] = (),
    canary: Canary | None = None,
    approval: Approval = NO_APPROVAL,
) -> Campaign:
    """Have it sent at `starts_at`, or at the next tick when that is past; with this `canary`, or its file's.

    Where `approval` is needed nothing leaves before somebody else gave it. Raises Refused when it is not
    what was `seen` any more, or surprising in a way nobody has `agreed` to; and FarOff.
    """
    refuse_far(starts_at)
    campaign = _as_seen(session, seen, agreed)
    campaign.state, campaign.starts_at, campaign.local = CampaignState.SCHEDULED, starts_at, {}
    campaign.scheduled_by, campaign.scheduled_by_id = who, approval.operator_id
    campaign.awaits_approval, campaign.approved_by = approval.is_needed, None
    asked = {"asked": canary.as_values()} if canary else {}
    campaign.canary = {**_of_file(campaign), **asked}
    what = "campaign send" if starts_at <= now else "campaign schedule"
    _note(session, what, campaign, now, who, rows=seen.reach.people, starts_at=starts_at.isoformat())
    session.flush()
    return campaign


def _as_seen(session: Session, seen: Launch, agreed: Collection[Surprise]) -> Campaign:
    """The campaign, locked; raises Refused when it changed meanwhile, or for a surprise nobody agreed to."""
    for one in seen.surprising:
        if one.what not in agreed:
            raise Refused(f"{one.words} Say --{one.what} if it is meant.")
    campaign = _locked(session, seen.campaign.id)
    _refuse_sent(campaign)
    refuse_changed(campaign, seen.digest)
    return campaign


def refuse_changed(campaign: Campaign, digest: str) -> None:
    """Raises Refused when it is not what somebody looked at, who was told this `digest`."""
    if digest_of(campaign) != digest:
        raise Refused(f"{campaign.slug} was changed a moment ago; look at it and ask again.")


def approve(
    session: Session,
    seen: Launch,
    now: datetime,
    *,
    who: str,
    operator_id: int | None,
    agreed: Collection[Surprise] = (),
) -> Campaign:
    """Say as a second person that it may leave; when its time is past by now, it leaves at once.

    Raises Refused for whoever scheduled it, when nothing waits for an approval, and as `schedule` does.
    """
    campaign = _as_seen(session, seen, agreed)
    if not campaign.awaits_approval:
        raise Refused(f"{campaign.slug} does not wait for an approval; it is {campaign.state}.")
    if scheduled_it(campaign, who, operator_id):
        raise Refused(f"{campaign.slug} was scheduled by you, and a second person has to approve it.")
    if not campaign.local:
        campaign.starts_at = max(now, campaign.starts_at or now)
    campaign.awaits_approval, campaign.approved_by = False, who
    _note(session, "campaign approve", campaign, now, who, rows=seen.reach.people)
    session.flush()
    return campaign


def scheduled_it(campaign: Campaign, who: str, operator_id: int | None) -> bool:
    """Whether this is the one who scheduled it: by their login, which their tokens have too, or by name."""
    if campaign.scheduled_by_id is not None and operator_id is not None:
        return campaign.scheduled_by_id == operator_id
    return campaign.scheduled_by == who


def refuse_phases(seen: Launch) -> None:
    """Raises Refused when it goes out in phases, which somebody wants to have at each reader's own hour."""
    if seen.canary is not None or seen.trial is not None:
        what = "a canary" if seen.canary is not None else "variants to test"
        raise Refused(
            f"{seen.campaign.slug} has {what}, and each reader's own hour comes only once: it would be "
            "past when the rest is let go. Use --at, or leave the canary and the variants out."
        )


def _refuse_sent(campaign: Campaign) -> None:
    if campaign.state not in NOT_SENT_YET:
        raise Refused(
            f"{campaign.slug} is {campaign.state}, and a campaign is sent once; "
            f"`steadypost campaign show {campaign.slug}`."
        )


def refuse_ended(campaign: Campaign) -> None:
    """Raises Refused when the campaign has reached its end, so that there is nothing to stop."""
    if campaign.state in (CampaignState.FINISHED, CampaignState.CANCELLED):
        raise Refused(f"{campaign.slug} is {campaign.state} already; nothing of it will leave any more.")


def cancel(session: Session, slug: str, now: datetime, *, who: str, reason: str = "") -> Campaign:
    """End the campaign for good; from the commit on nothing more of it is claimed.

    Its open rows are cancelled by `campaign_tick.wind_up`, what is out is out. Raises NotFound or Refused.
    """
    campaign = _locked(session, get_campaign(session, slug).id)
    refuse_ended(campaign)
    campaign.state = CampaignState.CANCELLED
    forget_canary(session, slug, now)
    if campaign.materialised_at is None:
        # What is written of it by now is all there will ever be.
        campaign.materialised_at = now
    _note(session, "campaign cancel", campaign, now, who, rows=_open_mails(session, campaign), reason=reason)
    session.flush()
    return campaign


def _open_mails(session: Session, campaign: Campaign) -> int:
    """How many of its mails have not reached an end."""
    ended = (*ENDS, tally.FORGOTTEN)
    counted = tally.counts(session, [campaign_source(campaign.id)])
    return sum(mails for (_, state), mails in counted.items() if state not in ended)


def _locked(session: Session, campaign_id: int) -> Campaign:
    """The campaign as it is now; whoever else would change it waits."""
    chosen = select(Campaign).where(Campaign.id == campaign_id).with_for_update()
    return session.execute(chosen.execution_options(populate_existing=True)).scalar_one()


def _note(
    session: Session, what: str, campaign: Campaign, now: datetime, who: str, rows: int = 0, **detail: str
) -> None:
    named = {"campaign": campaign.slug, **{name: value for name, value in detail.items() if value}}
    session.add(Action(at=now, who=who, what=what, detail=named, rows=rows))
