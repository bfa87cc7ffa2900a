"""The archive: campaigns that are public, as anybody may read them, with nobody's values in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Row, Select, and_, or_, select
from sqlalchemy.orm import Session

from mailer.content.trial import FIRST, Trial, Variant
from mailer.content.variables import CANNOT_RENDER
from mailer.db import written_out
from mailer.delivery.messages import Published, published
from mailer.errors import NotFound
from mailer.models import Campaign, CampaignPhase, CampaignState, MailingList, Sender
from mailer.render.context import About, MailLinks, Reader, build_context
from mailer.render.personalize import CannotRender, Rendered, compiled, render
from mailer.schedule.campaigns import find_campaign

PAGE = 50
SHOWN = (CampaignState.SENDING, CampaignState.FINISHED)
"""A campaign is read in the archive from when it begins to leave; a cancelled one is not."""


@dataclass(frozen=True)
class Issue:
    """A campaign in the archive. `languages` begin with its own; `begun_at` is when it began to leave.

    One that is `undecided` is not in it before its test has chosen a winner.
    """

    id: int
    slug: str
    subject: str
    sender_name: str
    language: str
    languages: tuple[str, ...]
    begun_at: datetime
    is_public: bool = True
    undecided: bool = False


@dataclass(frozen=True)
class Issues:
    """Some of them, the newest first; `older` is the id to ask on with, None when these are the last."""

    issues: tuple[Issue, ...]
    older: int | None


def list_issues(session: Session, before: int | None = None) -> Issues:
    """Public campaigns, the newest first, those older than the campaign with the id `before`."""
    is_decided = or_(Campaign.trial == {}, Campaign.findings[CampaignPhase.TEST]["winner"].is_not(None))
    return _page(session, _sent().where(Campaign.is_public.is_(True), is_decided), before)


def list_sent(session: Session, before: int | None = None) -> Issues:
    """The same for those who choose what is public: every campaign that may be."""
    return _page(session, _sent(), before)


def _sent() -> Select[Campaign, str]:
    return (
        select(Campaign, Sender.name)
        .join(Sender, Sender.id == Campaign.sender_id)
        .where(Campaign.state.in_([written_out(state) for state in SHOWN]), Campaign.begun_at.is_not(None))
        .order_by(Campaign.begun_at.desc(), Campaign.id.desc())
        .limit(PAGE + 1)
    )


def _page(session: Session, chosen: Select[Campaign, str], before: int | None) -> Issues:
    last = session.get(Campaign, before) if before is not None else None
    if last is not None and last.begun_at is not None:
        same = and_(Campaign.begun_at == last.begun_at, Campaign.id < last.id)
        chosen = chosen.where(or_(Campaign.begun_at < last.begun_at, same))
    rows = session.execute(chosen).all()
    return Issues(tuple(_issues(session, rows[:PAGE])), rows[PAGE - 1][0].id if len(rows) > PAGE else None)


def editions_of(campaign: Campaign) -> tuple[Variant, ...]:
    """What the archive may show of a campaign: its variants while its test is undecided, else one alone.

    The winner is what most of its readers got. Before there is one nothing is shown: a page that anybody may
    read would give the other half of the test's readers the variant that they are not to know.
    """
    trial = Trial.of(campaign.trial)
    if trial is None:
        return (Variant(FIRST, campaign.subject, campaign.messages),)
    winner = trial.get(campaign.findings.get(CampaignPhase.TEST, {}).get("winner") or "")
    return trial.variants if winner is None else (winner,)


def _issues(session: Session, rows: Sequence[Row[Campaign, str]]) -> list[Issue]:
    editions = {campaign.id: editions_of(campaign) for campaign, _ in rows}
    first = {id_: one[0] for id_, one in editions.items()}
    messages = published(
        session, {int(first[campaign.id].messages[campaign.language]) for campaign, _ in rows}
    )
    ids = {one.sender_id for one in first.values() if one.sender_id is not None}
    senders = dict(session.execute(select(Sender.id, Sender.name).where(Sender.id.in_(ids))).all())
    found = []
    for campaign, campaigns_sender in rows:
        edition = first[campaign.id]
        sender_name = senders.get(edition.sender_id or 0, campaigns_sender)
        message = messages[int(edition.messages[campaign.language])]
        found.append(
            Issue(
                id=campaign.id,
                slug=campaign.slug,
                subject=_subject(message, edition.subject, sender_name),
                sender_name=sender_name,
                language=campaign.language,
                languages=tuple(sorted(campaign.messages, key=lambda tag: (tag != campaign.language, tag))),
                begun_at=campaign.begun_at or campaign.created_at,
                is_public=campaign.is_public,
                undecided=len(editions[campaign.id]) > 1,
            )
        )
    return found


def _subject(message: Published, written: str, sender_name: str) -> str:
    """The subject line as nobody in particular would get it; as it is written when that cannot be made."""
    context = _nobodys(message.language, "", About("", sender_name, ""))
    try:
        return " ".join(compiled(message.templates.subject, is_html=False).render(context).split())
    except CANNOT_RENDER:
        return written


def read_issue(session: Session, slug: str, language: str, base_url: str) -> Rendered:
    """A public campaign in `language` (in its own when it has not that); raises NotFound."""
    campaign = find_campaign(session, slug)
    is_there = campaign is not None and campaign.is_public and campaign.begun_at is not None
    if campaign is None or not is_there or campaign.state not in SHOWN:
        raise NotFound(f"There is no issue {slug!r} in the archive.")
    edition, *others = editions_of(campaign)
    if others:
        raise NotFound(f"{slug} is not in the archive before its test is decided.")
    try:
        return render_for_nobody(session, campaign, edition, language, base_url)
    except CannotRender:
        raise NotFound(f"The issue {slug} cannot be shown without a reader.") from None


def render_for_nobody(
    session: Session, campaign: Campaign, edition: Variant, language: str, base_url: str
) -> Rendered:
    """The campaign's mail for no reader: no name, no address, no fields, and links that are nobody's.

    Raises CannotRender for one that says something only with a reader's own values.
    """
    message_id = int(edition.messages.get(language) or edition.messages[campaign.language])
    message = published(session, {message_id})[message_id]
    sender = session.get_one(Sender, edition.sender_id or campaign.sender_id)
    title = session.execute(
        select(MailingList.title).where(MailingList.id.in_(campaign.list_ids[:1]))
    ).scalar_one_or_none()
    about = About(title or sender.name, sender.name, sender.postal_address)
    return render(message.templates, _nobodys(message.language, base_url, about, campaign.slug))


def _nobodys(language: str, base_url: str, about: About, slug: str = "") -> dict[str, object]:
    mine = f"{base_url}/archive"
    own = f"{mine}/links-in-mails"
    links = MailLinks(
        view=f"{mine}/{slug}",
        manage=own,
        unsubscribe=own,
        pace=own,
        check_in=own,
        progress=own,
        confirm=own,
        data=own,
        click=own,
    )
    return build_context(Reader("", "", language, {}), about, links, language=language, base_url=base_url)
