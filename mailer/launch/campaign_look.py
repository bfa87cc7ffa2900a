"""A campaign as it is being typed: what is wrong with one of its files, and the mail that it becomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select, true
from sqlalchemy.orm import Session

from mailer.audience.aim import why_not
from mailer.audience.suppression import find_suppression
from mailer.content.campaign_file import CampaignSource, read_campaign, read_variant
from mailer.content.campaign_text import CampaignText
from mailer.content.compile import CompiledMessage
from mailer.content.course_source import Problem, SenderSource
from mailer.content.media import MediaFile, course_media
from mailer.delivery.claim import SenderFacts
from mailer.errors import MailerError, NotFound
from mailer.launch.campaign_check import aim_of, check_campaign
from mailer.launch.campaign_source import laid_out
from mailer.launch.campaign_variants import compile_one
from mailer.launch.check import sorted_problems
from mailer.launch.mailing import NUMBER, Draft, Mailing
from mailer.launch.send_test import nearest
from mailer.launch.shown import Shown, reader_for, with_pictures
from mailer.links import Signer
from mailer.models import MailingList, Sender, Subscription, SubscriptionState
from mailer.render.personalize import Templates

NO_SENDER = SenderFacts(NUMBER, "No sender yet", "nobody@example.org", "", "No postal address yet")
"""Who a mail is shown to be from while nothing says it."""


@dataclass(frozen=True)
class CampaignLook:
    """One file of a campaign, read among the others. `message` is None while an error stands in the way.

    `problems` are those of this file, `elsewhere` those of the others. `first` is what the leading file says,
    `languages` those it is written in.
    """

    message: CompiledMessage | None
    problems: tuple[Problem, ...]
    elsewhere: tuple[Problem, ...]
    pictures: tuple[MediaFile, ...]
    sender: SenderFacts
    list_title: str
    first: CampaignSource | None = None
    languages: tuple[str, ...] = ()


def look_at_campaign(session: Session, text: CampaignText, name: str, variant: str = "") -> CampaignLook:
    """What the file `name` becomes among those of `text`; as a `variant` that it says, if one is named."""
    file = text.get(name)
    with laid_out(session, text) as paths:
        _, problems = check_campaign(session, paths)
        unheard: list[Problem] = []
        path = paths[0] if file.is_part else paths[0].parent / name
        source = read_campaign(path, unheard, is_translation=path != paths[0])
        first = read_campaign(paths[0], unheard, is_translation=False)
        others = [read_campaign(one, unheard, is_translation=True) for one in paths[1:]]
        languages = [one.language for one in (first, *others) if one is not None]
        message, pictures = None, course_media(paths[0].parent).files
        if source is not None:
            source = _as_variant(source, file.name if file.is_part else "", variant)
            message, _ = compile_one(source, unheard)
    own = tuple(sorted_problems([one for one in problems if one.path == name]))
    other = tuple(sorted_problems([one for one in problems if one.path != name]))
    list_ = _list_of(session, first)
    sender = _sender_of(session, first, source, list_)
    title = list_.title if list_ is not None else "your list"
    return CampaignLook(message, own, other, pictures, sender, title, first, tuple(languages))


def show_campaign(
    session: Session,
    look: CampaignLook,
    now: datetime,
    *,
    as_subscriber: int | None,
    signer: Signer,
    base_url: str,
) -> Shown:
    """The mail as a subscriber would get it, by the composer of real mails; raises NotFound, CannotRender."""
    if look.message is None:
        raise NotFound("There is no mail to show before the errors named above are mended.")
    who, person = reader_for(session, as_subscriber)
    said = look.message
    draft = Draft("", said.language, Templates(said.subject, said.html, said.text))
    mailing = Mailing((draft,), (), look.list_title, look.sender)
    mail = mailing.composer(signer, base_url).render(mailing.row(0, now, **person))
    shown = replace(mail, html=with_pictures(mail.html, look.pictures, base_url))
    aside = "" if as_subscriber is None else _aside(session, look, as_subscriber, person, now)
    return Shown(who, shown, said.preheader, aside)


def _aside(
    session: Session, look: CampaignLook, subscriber_id: int, person: Mapping[str, Any], now: datetime
) -> str:
    """That this subscriber would not get it, or in another language."""
    first = look.first
    if first is None or look.message is None:
        return ""
    if find_suppression(session, person["email"], now) is not None:
        return "whose address is not mailed"
    on_list = (
        select(Subscription.id)
        .join(MailingList, MailingList.id == Subscription.list_id)
        .where(
            Subscription.subscriber_id == subscriber_id,
            Subscription.state == SubscriptionState.ACTIVE,
            MailingList.slug.in_(first.lists) if first.lists else true(),
        )
    )
    if session.execute(on_list.limit(1)).first() is None:
        return "who is on none of its lists"
    try:
        if why := why_not(session, aim_of(first), subscriber_id, now):
            return f"whom it is not for ({why})"
    except MailerError:
        return ""  # it names what is not there yet: the check tells of it
    theirs = nearest(person["language"], look.languages, first.language)
    return f"who gets it in {theirs}" if theirs != look.message.language else ""


def _as_variant(source: CampaignSource, part: str, letter: str) -> CampaignSource:
    """The source as the variant of this letter, or as the one whose text this part is."""
    for variant in source.variants:
        if variant.name == letter or (part and variant.file == part):
            return read_variant(source, variant, [])
    return source


def _list_of(session: Session, first: CampaignSource | None) -> MailingList | None:
    named = first.lists[:1] if first is not None else ()
    is_there = MailingList.removed_at.is_(None)
    chosen = select(MailingList).where(MailingList.slug.in_(named) if named else true(), is_there)
    return session.execute(chosen.order_by(MailingList.id).limit(1)).scalar_one_or_none()


def _sender_of(
    session: Session, first: CampaignSource | None, shown: CampaignSource | None, list_: MailingList | None
) -> SenderFacts:
    """Who the mail is from, as far as it is known yet."""
    own = shown.sender if shown is not None and shown.sender else first.sender if first is not None else ""
    if isinstance(own, SenderSource):
        return SenderFacts(NUMBER, own.name or "?", own.email or "?", own.reply_to, own.postal_address or "?")
    if own:
        found = session.execute(select(Sender).where(Sender.slug == own)).scalar_one_or_none()
    else:
        found = session.get(Sender, list_.sender_id) if list_ is not None and list_.sender_id else None
    if found is None:
        return NO_SENDER
    return SenderFacts(NUMBER, found.name, found.email, found.reply_to, found.postal_address)
