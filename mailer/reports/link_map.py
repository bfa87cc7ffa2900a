"""A campaign's mail with a number at each of its links: who followed it, people and machines."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape, unescape

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mailer.content.links import AUTHORS_LINK
from mailer.content.trial import FIRST, Trial, Variant
from mailer.content.variables import sample_context
from mailer.delivery.messages import published
from mailer.errors import NotFound
from mailer.feedback.verdicts import OPEN
from mailer.models import Campaign, Click, Verdict
from mailer.outbox import campaign_source
from mailer.render.personalize import Rendered, render

WHOLE_TAG = re.compile(AUTHORS_LINK.pattern + r"[^>]*>", re.IGNORECASE)
"""An author's link with all of its opening tag: the number stands right behind it."""

BADGE = (
    '<span style="display:inline-block;margin:0 4px 0 0;padding:1px 7px;border-radius:9px;background:#2f6b5e;'
    'color:#ffffff;font:bold 13px/18px Helvetica,Arial,sans-serif;text-decoration:none">{words}</span>'
)


@dataclass(frozen=True)
class Followed:
    """One address in the mails of a variant. `people` counts each person once; the others are requests."""

    url: str
    people: int = 0
    machines: int = 0
    requests: int = 0


@dataclass(frozen=True)
class LinkFigures:
    """One variant. `people` followed at least one link, `opened` had the pixel loaded, mostly by a program.

    `links` are all that its mails have, in their order, and behind them any that were followed besides.
    """

    people: int
    machines: int
    requests: int
    opened: int
    links: tuple[Followed, ...]


@dataclass(frozen=True)
class Written:
    """What there is of a campaign to look at: its variants (one, if it has no test) and its languages."""

    variants: tuple[Variant, ...]
    languages: tuple[str, ...]

    def get(self, name: str) -> Variant:
        """The variant of this letter, the first without one; raises NotFound."""
        wanted = name.strip().lower() or FIRST
        for one in self.variants:
            if one.name == wanted:
                return one
        raise NotFound(f"It has no variant {name!r}; there are {', '.join(v.letter for v in self.variants)}.")


def written(campaign: Campaign) -> Written:
    """The variants and languages of a campaign; languages begin with everybody else's."""
    trial = Trial.of(campaign.trial)
    alone = Variant(FIRST, campaign.subject, campaign.messages)
    languages = sorted(campaign.messages, key=lambda tag: (tag != campaign.language, tag))
    return Written(trial.variants if trial else (alone,), tuple(languages))


def link_figures(session: Session, campaign: Campaign, variant: Variant) -> LinkFigures:
    """Who followed which link of this variant; reads every request for a link of it."""
    messages = [int(id_) for id_ in variant.messages.values()]
    ours = (Click.source == campaign_source(campaign.id), Click.message_id.in_(messages))
    person = func.count(Click.subscriber_id.distinct()).filter(Click.verdict == Verdict.PERSON)
    columns = person, func.count().filter(Click.verdict == Verdict.MACHINE), func.count()
    whole = session.execute(select(*columns).where(*ours, Click.link >= 0)).one()
    opened = session.execute(
        select(func.count(Click.subscriber_id.distinct())).where(*ours, Click.link == OPEN)
    ).scalar_one()
    by_link = {
        row[0]: Followed(*row)
        for row in session.execute(
            select(Click.url, *columns).where(*ours, Click.link >= 0).group_by(Click.url).order_by(Click.url)
        )
    }
    there = dict.fromkeys(url for one in published(session, messages).values() for url in one.links)
    links = [by_link.pop(url, Followed(url)) for url in there]
    return LinkFigures(*whole, opened, (*links, *by_link.values()))


def mail_with_figures(
    session: Session,
    campaign: Campaign,
    variant: Variant,
    language: str,
    figures: LinkFigures | None,
    root: str,
) -> Rendered:
    """The mail for a sample reader with the figures at its links (None: without); raises CannotRender.

    Its pictures are looked for at `root`.
    """
    message_id = int(variant.messages.get(language) or variant.messages[campaign.language])
    context = {**sample_context(), "base_url": root}
    mail = render(published(session, {message_id})[message_id].templates, context)
    if figures is None:
        return mail
    people = {one.url: one.people for one in figures.links}
    return Rendered(mail.subject, _marked(mail.html, people), mail.text)


def _marked(html: str, people: Mapping[str, int]) -> str:
    def with_badge(found: re.Match[str]) -> str:
        number = people.get(unescape(found[2]))
        return found[0] if number is None else found[0] + BADGE.format(words=escape(f"{number:,}"))

    return WHOLE_TAG.sub(with_badge, html)
