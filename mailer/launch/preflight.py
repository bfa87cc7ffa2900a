"""Before anything goes out: what would go wrong for its real readers, found at once.

Every mail is made by the delivery's own composer, for people of the audience and for awkward ones. An error
stops; a warning asks. Nothing is written.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urldefrag, urlsplit

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.audience.aim import narrowing
from mailer.content.course_source import Problem
from mailer.content.newest import Newest
from mailer.delivery.compose import Composer
from mailer.launch.check import sorted_problems
from mailer.launch.link_checks import Links, link_problems
from mailer.launch.mailing import Draft, Mailing
from mailer.launch.rendered import Page, findings_of_mail, findings_of_text, read_page, subject_findings
from mailer.links import Signer
from mailer.models import MailingList, Subscriber, Subscription, SubscriptionState
from mailer.render.context import mail_links
from mailer.render.personalize import CannotRender

SAMPLE = 50
"""So many people from each end of the audience: those who came first, and those who came last."""


@dataclass(frozen=True)
class Reader:
    """Somebody a mail is made for. `who` is how they are called here, never their address."""

    who: str
    email: str
    name: str = ""
    language: str | None = None
    zone: str | None = None
    fields: dict[str, Any] = field(default_factory=dict)
    is_invented: bool = False


LONG_NAME = "Wolfeschlegelsteinhausenbergerdorff-Featherstonehaugh " * 3
AWKWARD = (
    Reader("somebody without a name", "nobody@example.com", is_invented=True),
    Reader("somebody with a very long name", "long@example.com", LONG_NAME.strip(), is_invented=True),
    Reader("somebody whose name runs right to left", "rtl@example.com", "ليلى حداد", is_invented=True),
    Reader("somebody with quotes in the name", "quotes@example.com", 'O\'Hara "Bo" Smith', is_invented=True),
    Reader("somebody with markup in the name", "markup@example.com", "<b>Ada</b> & Co", is_invented=True),
)


@dataclass(frozen=True)
class Looked:
    """What was found so far, in so many of the mails; `links` are the web addresses that these lead to."""

    problems: list[Problem]
    mails: int
    of: int
    links: Links

    @property
    def is_done(self) -> bool:
        return self.mails == self.of


@dataclass(frozen=True)
class _Found:
    problems: list[Problem]
    links: tuple[str, ...]


_found: Newest[str, _Found] = Newest(5000)
"""What was found in each mail; more than a course has steps, or looking at all of them would never end."""


def preflight(
    session: Session, mailing: Mailing, signer: Signer, base_url: str, now: datetime
) -> list[Problem]:
    """Everything that can be found without asking another machine; of links what they last answered."""
    return look(session, mailing, signer, base_url, now, math.inf).problems


def first_error(
    session: Session, mailing: Mailing, signer: Signer, base_url: str, now: datetime
) -> Problem | None:
    """What stands in the way of making these mails, whatever their links once answered; None, nothing."""
    found = look(session, mailing, signer, base_url, now, math.inf, with_links=False).problems
    return next((one for one in found if not one.is_warning), None)


def look(
    session: Session,
    mailing: Mailing,
    signer: Signer,
    base_url: str,
    now: datetime,
    seconds: float,
    *,
    with_links: bool = True,
) -> Looked:
    """The same as far as `seconds` go, at least one mail further than before; ask again until it is done."""
    ends = time.monotonic() + seconds
    composer = mailing.composer(signer, base_url)
    people = [*AWKWARD, *audience(session, mailing, now)]
    setting = repr((mailing.list_title, mailing.sender, mailing.course, people, base_url, now.date()))
    problems: list[Problem] = []
    links: dict[str, tuple[Draft, int]] = {}

    def looked(mails: int) -> Looked:
        answered = link_problems(session, links) if with_links else ()
        found = sorted_problems([*problems, *answered])
        return Looked(found, mails, len(mailing.drafts), links)

    is_over = False
    for number, draft in enumerate(mailing.drafts):
        key = hashlib.sha256(f"{draft!r}\0{setting}".encode()).hexdigest()
        found = _found.find(key)
        if found is None:
            if is_over:
                return looked(number)
            found = _of_mail(mailing, composer, number, people, now)
            _found.keep(key, found)
            is_over = time.monotonic() > ends
        problems += found.problems
        for link in found.links:
            links.setdefault(link, (draft, draft.line_of(link)))
    return looked(len(mailing.drafts))


def _of_mail(
    mailing: Mailing, composer: Composer, number: int, people: Sequence[Reader], now: datetime
) -> _Found:
    """What is wrong with one mail, for any of these people."""
    found = list(findings_of_text(mailing.drafts[number]))
    told: set[tuple[int, str]] = set()
    for person in people:
        for problem in _for_reader(mailing, composer, number, person, now):
            # The same for the next reader is the same thing to mend.
            key = (problem.line, problem.what.replace(person.who, ""))
            if key not in told:
                told.add(key)
                found.append(problem)
    return _Found(found, _links(mailing, composer, number, now))


def _links(mailing: Mailing, composer: Composer, number: int, now: datetime) -> tuple[str, ...]:
    """The web addresses of other sites in one mail, as an invented reader would get it: nobody's own values
    are told to other people's servers."""
    try:
        page = _page(mailing, composer, number, AWKWARD[0], now)
    except CannotRender:
        return ()
    own = urlsplit(composer.base_url).netloc
    return tuple(
        urldefrag(link).url
        for link in page.links
        if (parts := urlsplit(link)).scheme in {"http", "https"} and parts.netloc != own
    )


def audience(session: Session, mailing: Mailing, now: datetime, sample: int = SAMPLE) -> list[Reader]:
    """Active people whom the mailing is for: the first and the last, so that old and new fields are seen.

    Raises as `narrowing` does, when what the mailing is aimed by is not there.
    """
    found: dict[int, Reader] = {}
    is_chosen = narrowing(session, mailing.aim, now).chosen
    lists = select(MailingList.id).where(MailingList.slug.in_(mailing.list_slugs))
    list_ids = session.execute(lists).scalars().all()
    for order in (Subscription.subscriber_id.asc(), Subscription.subscriber_id.desc()):
        for list_id in list_ids:
            is_active = (Subscription.list_id == list_id, Subscription.state == SubscriptionState.ACTIVE)
            rows = session.execute(
                select(Subscriber)
                .join(Subscription, Subscription.subscriber_id == Subscriber.id)
                .where(*is_active, is_chosen, Subscriber.email.is_not(None))
                .order_by(order)
                .limit(sample)
            )
            for one in rows.scalars():
                found[one.id] = Reader(
                    f"subscriber {one.id}",
                    one.email or "",
                    one.name or "",
                    one.language,
                    one.zone,
                    dict(one.fields or {}),
                )
    return list(found.values())


def _for_reader(
    mailing: Mailing, composer: Composer, number: int, person: Reader, now: datetime
) -> Iterable[Problem]:
    draft = mailing.drafts[number]
    try:
        page = _page(mailing, composer, number, person, now)
    except CannotRender as error:
        fix = "Pick a variable that everybody has, or give it a default()."
        yield Problem(draft.place, 0, f"For {person.who} the mail cannot be made ({error.what}).", fix)
        return
    unsubscribe = mail_links(composer.base_url, composer.signer, 0).unsubscribe
    yield from findings_of_mail(draft, page, unsubscribe, person.who)
    is_long = person.is_invented and len(person.name) > 60
    yield from subject_findings(draft, page.mail.subject, person.who, may_be_long=is_long)


def _page(mailing: Mailing, composer: Composer, number: int, person: Reader, now: datetime) -> Page:
    row = mailing.row(
        number,
        now,
        email=person.email,
        name=person.name,
        language=person.language,
        zone=person.zone,
        fields=person.fields or None,
    )
    # Composed as well, for what only the wire would show: headers that cannot be written.
    composer.compose(row, now)
    return read_page(composer.render(row))
