"""A campaign sent again, as a new one: to those whom the first did not reach, or who did not click in it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from mailer.audience.aim import Again, Aim, narrowing
from mailer.audience.recipients import count_recipients, list_ids_of
from mailer.content.campaign_text import as_variant, copied
from mailer.content.course_words import SLUG
from mailer.content.trial import FIRST, Trial, Variant
from mailer.errors import NotFound, Refused
from mailer.launch.campaign_source import find_source, keep_source, text_of
from mailer.models import Action, Campaign, CampaignPhase, CampaignState, Click, Verdict
from mailer.outbox import campaign_source
from mailer.schedule.campaigns import find_campaign, get_campaign


def draft_again(
    session: Session, slug: str, to: Again, new_slug: str, now: datetime, *, who: str
) -> Campaign:
    """A draft of the same message for the same lists, of whose people it is for those whom `to` names.

    Whom the first left out stays left out. Of a campaign whose variants were tested it is the one that won.
    Who the people are is asked when it is sent; consent and suppression count as always. Raises NotFound, or
    Refused while the first has not ended, when the new slug is not to be had, when nobody could tell who
    clicked, or when a segment that the first went by is gone.
    """
    first = get_campaign(session, slug)
    if first.finished_at is None:
        raise Refused(f"{slug} is {first.state}, not ended: who did not get it is known when it has.")
    if not SLUG.fullmatch(new_slug):
        raise Refused(f"{new_slug!r} is no slug; use small letters, digits and hyphens.")
    if find_campaign(session, new_slug) is not None or find_source(session, new_slug) is not None:
        raise Refused(f"There is a campaign {new_slug} already; take another --slug.")
    if to == Again.NOT_CLICKED and not _any_click(session, first):
        raise Refused(
            f"No click of a person in {slug} is recorded, so everybody would get it again; were its links "
            "tracked? Use --to missed, or write a new campaign."
        )
    won = _winner(first)
    campaign = Campaign(
        slug=new_slug,
        subject=won.subject if won else first.subject,
        language=first.language,
        messages=won.messages if won else first.messages,
        list_ids=first.list_ids,
        sender_id=(won.sender_id if won else None) or first.sender_id,
        state=CampaignState.DRAFT,
        aim=_aim(session, first, to, now).as_values(),
        no_room=first.no_room,
        created_at=now,
    )
    session.add(campaign)
    _keep_source(session, first, won, new_slug, now, who)
    named = {"campaign": new_slug, "again": slug, "to": to}
    session.add(Action(at=now, who=who, what="campaign again", detail=named, rows=0))
    session.flush()
    return campaign


def count_again(session: Session, first: Campaign, to: Again, now: datetime) -> int:
    """How many people such a campaign would reach at `now`; reads everybody on its lists.

    Raises Refused when a segment that the first went by is gone.
    """
    narrowed = narrowing(session, _aim(session, first, to, now), now)
    lists = list_ids_of(session, first.list_ids)
    reach = count_recipients(session, lists, now, narrowed.inside, narrowed.excluded)
    return reach.people - reach.suppressed


def _aim(session: Session, first: Campaign, to: Again, now: datetime) -> Aim:
    """Whom the first was for, of these those whom `to` names; raises Refused when that cannot be asked."""
    was, earlier = Aim.of(first.aim), _earlier(session, first.slug, to)
    left_out = tuple(dict.fromkeys((*was.not_if_sent, *earlier)))
    aim = replace(was, again_of=first.slug, again_to=to, not_if_sent=left_out)
    try:
        narrowing(session, aim, now)
    except NotFound as error:
        raise Refused(
            f"{error} {first.slug} went by it; save it once more, or write a new campaign."
        ) from None
    return aim


def _keep_source(
    session: Session, first: Campaign, won: Variant | None, slug: str, now: datetime, who: str
) -> None:
    """What the first was written as, as what it tested was won by, for whoever changes this one."""
    kept = find_source(session, first.slug)
    if kept is not None and kept.digest == kept.made_of:
        text = as_variant(copied(text_of(kept), slug), won.name if won else FIRST)
        keep_source(session, slug, text, now, who=who, is_made=True)


def _earlier(session: Session, slug: str, to: Again) -> tuple[str, ...]:
    """Campaigns that brought this one to those it missed before: whoever got one of them did get it."""
    if to != Again.MISSED:
        return ()
    earlier = (Campaign.aim["again_of"].astext == slug) & (Campaign.aim["again_to"].astext == to)
    return tuple(session.execute(select(Campaign.slug).where(earlier).order_by(Campaign.id)).scalars())


def _winner(first: Campaign) -> Variant | None:
    """The variant that won its test; None when there was none."""
    trial, found = Trial.of(first.trial), first.findings.get(CampaignPhase.TEST, {})
    return trial.get(found.get("winner", FIRST)) if trial else None


def _any_click(session: Session, campaign: Campaign) -> bool:
    clicked = exists().where(Click.source == campaign_source(campaign.id), Click.verdict == Verdict.PERSON)
    return bool(session.execute(select(clicked)).scalar_one())
