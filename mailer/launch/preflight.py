"""Before anything goes out: what would go wrong for its real readers, found at once.

Every mail is made by the delivery's own composer, for people of the audience and for awkward ones. An error
stops; a warning asks. Nothing is written.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import time
from collections.abc import Callable, Iterable, Sequence
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
from mailer.fetch import CannotFetch, Fetcher, Forbidden
from mailer.launch.check import sorted_problems
from mailer.launch.mailing import Draft, Mailing
from mailer.launch.rendered import Page, findings_of_mail, findings_of_text, read_page, subject_findings
from mailer.links import Signer
from mailer.models import MailingList, Subscriber, Subscription, SubscriptionState
from mailer.render.context import mail_links
from mailer.render.personalize import CannotRender

SAMPLE = 50
"""So many people from each end of the audience: those who came first, and those who came last."""
AT_A_TIME = 4
SLOW = 4.0
"""Seconds after which a reader has gone elsewhere."""
GONE = frozenset({404, 410})


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
    """What was found so far, in so many of the mails."""

    problems: list[Problem]
    mails: int
    of: int

    @property
    def is_done(self) -> bool:
        return self.mails == self.of


_found: Newest[str, list[Problem]] = Newest(5000)
"""What was found in each mail; more than a course has steps, or looking at all of them would never end."""


def preflight(
    session: Session, mailing: Mailing, signer: Signer, base_url: str, now: datetime
) -> list[Problem]:
    """Everything that can be found without asking another machine."""
    return look(session, mailing, signer, base_url, now, math.inf).problems


def look(
    session: Session, mailing: Mailing, signer: Signer, base_url: str, now: datetime, seconds: float
) -> Looked:
    """The same as far as `seconds` go, at least one mail further than before; ask again until it is done."""
    ends = time.monotonic() + seconds
    composer = mailing.composer(signer, base_url)
    people = [*AWKWARD, *audience(session, mailing, now)]
    setting = repr((mailing.list_title, mailing.sender, mailing.course, people, base_url, now.date()))
    problems: list[Problem] = []
    is_over = False
    for number, draft in enumerate(mailing.drafts):
        key = hashlib.sha256(f"{draft!r}\0{setting}".encode()).hexdigest()
        found = _found.find(key)
        if found is None:
            if is_over:
                return Looked(sorted_problems(problems), number, len(mailing.drafts))
            found = _of_mail(mailing, composer, number, people, now)
            _found.keep(key, found)
            is_over = time.monotonic() > ends
        problems += found
    return Looked(sorted_problems(problems), len(mailing.drafts), len(mailing.drafts))


def _of_mail(
    mailing: Mailing, composer: Composer, number: int, people: Sequence[Reader], now: datetime
) -> list[Problem]:
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
    return found


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


def links_of(mailing: Mailing, signer: Signer, base_url: str, now: datetime) -> dict[str, tuple[Draft, int]]:
    """Each web address of the mails, once, with the first mail and line that it stands in.

    As an invented reader would get them: nobody's own values are told to other people's servers.
    """
    composer = mailing.composer(signer, base_url)
    found: dict[str, tuple[Draft, int]] = {}
    own = urlsplit(base_url).netloc
    for number, draft in enumerate(mailing.drafts):
        try:
            page = _page(mailing, composer, number, AWKWARD[0], now)
        except CannotRender:
            continue
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme in {"http", "https"} and parts.netloc != own:
                found.setdefault(urldefrag(link).url, (draft, draft.line_of(link)))
    return found


def check_links(
    links: dict[str, tuple[Draft, int]], fetcher: Fetcher, progress: Callable[[int, int], None]
) -> list[Problem]:
    """The links that are broken or slow; a few are asked at a time. `progress` hears (asked, all)."""
    return sorted_problems(asyncio.run(_ask_all(links, fetcher, progress)))


async def _ask_all(
    links: dict[str, tuple[Draft, int]], fetcher: Fetcher, progress: Callable[[int, int], None]
) -> list[Problem]:
    gate, found, asked = asyncio.Semaphore(AT_A_TIME), [], 0

    async def ask(url: str, draft: Draft, line: int) -> None:
        nonlocal asked
        async with gate:
            verdict = await _ask(url, fetcher)
        asked += 1
        progress(asked, len(links))
        if verdict is not None:
            what, fix, is_warning = verdict
            found.append(Problem(draft.place, line, what, fix, is_warning=is_warning))

    await asyncio.gather(*(ask(url, *place) for url, place in links.items()))
    return found


async def _ask(url: str, fetcher: Fetcher) -> tuple[str, str, bool] | None:
    """(what, fix, whether it is a warning) for a link that readers would be unhappy with."""
    try:
        answer = await fetcher.ask(url, with_content=False)
    except Forbidden as error:
        return f"Readers cannot open a link. {error.what}", "Link to a public address.", False
    except CannotFetch as error:
        # It may be their server's bad minute: a person looks.
        return f"A link does not answer. {error.what}", "Open it yourself, and mend it.", True
    if answer.status in GONE:
        return f"The link {url} leads nowhere ({answer.status}).", "Mend the address.", False
    if answer.status >= 400:
        # Many sites refuse programs that they let people in past.
        return f"The link {url} answered {answer.status}.", "Open it yourself, and mend it.", True
    if answer.seconds > SLOW:
        return f"The link {url} took {answer.seconds:.0f} seconds.", "Look whether it always does.", True
    return None
