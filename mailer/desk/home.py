"""Home: what goes out today and this week, what needs attention, and what the last sends did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from sqlalchemy.orm import Session

from mailer.accounts.record import record
from mailer.accounts.rights import Actor, Right, needs
from mailer.content.draft_store import Drafts
from mailer.db import business_now
from mailer.delivery.bulk import open_acts
from mailer.launch import outlook
from mailer.launch.list_acts import open_acts as open_list_acts
from mailer.launch.outlook import Day, Part, Week
from mailer.models import ListActKind
from mailer.reports import home
from mailer.reports.board import Standing, standing
from mailer.reports.findings import FindingKind, Headline

WORST = (
    FindingKind.ON_HOLD,
    FindingKind.BROKER_AWAY,
    FindingKind.NO_WORKER,
    FindingKind.TRANSPORT_OUT,
    FindingKind.NOT_DRAINING,
)
"""While one of these is there, mail does not leave."""
URGENCY = ("bad", "wait", "quiet")
"""Tones of what needs attention, the most urgent first."""


@dataclass(frozen=True)
class Need:
    """One thing that somebody should look at: a sentence, and where. `tone` as in the pages' states."""

    words: str
    path: str
    link: str
    tone: str = "wait"


@dataclass(frozen=True)
class Line:
    """What leaves on a day of one course, campaign or series; `mails` is None while nobody has counted.

    `steps` are those of a course by subject, with how many get each, most first.
    """

    kind: str
    slug: str
    title: str
    mails: int | None
    first_at: datetime | None
    is_at_least: bool = False
    if_news: bool = False
    steps: Sequence[tuple[str, int]] = ()


@dataclass(frozen=True)
class CalendarDay:
    """One day of the calendar. `most` leave in the hour that begins at `busiest`."""

    begins_at: datetime
    lines: Sequence[Line]
    busiest: datetime | None
    most: int

    @property
    def total(self) -> int:
        return sum(line.mails or 0 for line in self.lines)

    @property
    def is_at_least(self) -> bool:
        """Whether there is more than was counted."""
        return any(line.is_at_least or line.mails is None for line in self.lines)


@dataclass(frozen=True)
class Home:
    """All of the page. `week` tells how old the expected counts are; `days` are on the actor's clock."""

    there: home.There
    headline: Headline
    needs: Sequence[Need]
    days: Sequence[CalendarDay]
    week: Week
    sent_today: int
    campaigns: Sequence[home.Sent]
    courses: Sequence[home.CourseDay]

    @property
    def most(self) -> int:
        """What a day's bar is held against: what may leave in a day, or else the fullest day."""
        return self.week.per_day or max((day.total for day in self.days), default=0)


@needs(Right.SEE)
def see_home(
    session: Session, actor: Actor, depths: Mapping[str, int | None], base_url: str, drafts: Drafts
) -> Home:
    """All of it now; `depths` as for the board, `drafts` are those of courses."""
    now = business_now(session)
    stands = standing(session, now, depths)
    week = outlook.see_week(session)
    there, last_day = home.what_is_there(session), home.last_day(session)
    days = _days(session, week, now, actor.zone)
    found = [
        *_watch(stands),
        *_failing(session, drafts),
        *_to_approve(session),
        *_ahead(week),
        *_left_over(session, last_day.failed),
        *_set_up(there, base_url),
    ]
    return Home(
        there=there,
        headline=stands.headline,
        needs=sorted(found, key=lambda need: URGENCY.index(need.tone)),
        days=days,
        week=week,
        sent_today=home.sent_since(session, days[0].begins_at),
        campaigns=home.last_campaigns(session),
        courses=last_day.courses,
    )


@needs(Right.SEE)
def ask_anew(session: Session, actor: Actor) -> None:
    """Have the week worked out anew in the background."""
    outlook.ask(session)
    record(session, actor, "outlook ask")


def _days(session: Session, week: Week, now: datetime, zone_name: str) -> list[CalendarDay]:
    days = week.days(now, zone_name)
    ends = days[-1].begins_at + timedelta(days=1)
    coming = {one.slug: one for one in home.scheduled(session, ends)}
    begun = home.under_way(session)
    slugs = {part.slug for day in days for part in day.parts if part.kind == "course"}
    titles = home.course_titles(session, sorted(slugs)) | begun
    titles |= {slug: one.subject for slug, one in coming.items()}
    subjects = home.step_subjects(session, sorted(slugs))
    made = []
    campaigns = {*coming, *begun}
    counted: set[str] = set()
    for day in days:
        # One that was cancelled, put off or sent since is told by the campaigns, not by an older look.
        parts = [
            _known(part, coming) for part in day.parts if part.kind != "campaign" or part.slug in campaigns
        ]
        counted |= {part.slug for part in parts if part.kind == "campaign"}
        made.append((day, [_line(part, titles, subjects) for part in parts]))
    for one in coming.values():
        if one.slug not in counted:
            lines = _day_of(made, max(one.starts_at, now))
            lines.append(Line("campaign", one.slug, one.subject, None, one.starts_at))
    if week.age is None:
        made[0][1].extend(_due_today(session, days[0].begins_at + timedelta(days=1)))
    return [CalendarDay(day.begins_at, lines, day.busiest, day.most) for day, lines in made]


def _known(part: Part, coming: Mapping[str, home.Scheduled]) -> Part:
    """A campaign's moment is known better than by its hour, unless it leaves in local times."""
    one = coming.get(part.slug) if part.kind == "campaign" else None
    return part if one is None or one.is_local else replace(part, first_at=one.starts_at)


def _day_of(made: Sequence[tuple[Day, list[Line]]], moment: datetime) -> list[Line]:
    return next((lines for day, lines in reversed(made) if day.begins_at <= moment), made[0][1])


def _line(part: Part, titles: Mapping[str, str], subjects: Mapping[tuple[str, str], str]) -> Line:
    title = titles.get(part.slug, part.slug)
    steps = [(subjects.get((part.slug, key), key), mails) for key, mails in part.steps]
    return Line(part.kind, part.slug, title, part.mails, part.first_at, if_news=part.if_news, steps=steps)


def _due_today(session: Session, until: datetime) -> Iterator[Line]:
    """While nothing was worked out yet: each reader's next lesson, which is cheap to count."""
    for due in home.due_lessons(session, until):
        yield Line("course", due.slug, due.title, due.mails, None, is_at_least=due.is_more)


def _watch(stands: Standing) -> Iterator[Need]:
    for finding in stands.found:
        tone = "bad" if finding.kind in WORST else "wait"
        yield Need(finding.words, finding.path, "What to do", tone)
    for hold in stands.status.holds:
        if hold.by_person:
            why = f" ({hold.reason})" if hold.reason else ""
            yield Need(f"{hold.name.capitalize()} is paused{why}.", "/desk/holds", "Look, or resume")
    held = sum(lane.held for lane in stands.status.lanes)
    if held:
        words = f"{held:,} {'mail is' if held == 1 else 'mails are'} set aside until somebody releases them."
        yield Need(words, "/desk/deliveries?state=held", "Show them", "quiet")


def _failing(session: Session, drafts: Drafts) -> Iterator[Need]:
    """What its last check found, which is kept: nothing is compiled for this page."""
    for one in home.failing_campaigns(session):
        words = f"“{one.subject or one.slug}” is scheduled, and its check finds {_errors(one)}"
        yield Need(words, f"/desk/campaigns/{one.slug}/check", "See what to mend", "bad")
    for one in home.failing_courses(session):
        # A draft that was changed or removed since is not the one that was checked.
        if drafts.has(one.slug) and drafts.digest(one.slug) == one.digest:
            words = f"The draft of the course {one.slug} cannot be published: it has {_errors(one)}"
            yield Need(words, f"/desk/courses/{one.slug}", "See what to mend")


def _errors(one: home.Failing) -> str:
    return f"an error: {one.first}" if one.errors == 1 else f"{one.errors:,} errors, such as: {one.first}"


def _to_approve(session: Session) -> Iterator[Need]:
    for slug, subject, who in home.awaiting_approval(session):
        words = f"“{subject}”, scheduled by {who}, waits for a second person’s approval."
        yield Need(words, f"/desk/campaigns/{slug}", "Look at it")


def _ahead(week: Week) -> Iterator[Need]:
    for one in week.collisions:
        words = f"On the day on which campaign {one.campaign} leaves, {one.words()}."
        yield Need(words, f"/desk/campaigns/{one.campaign}", "Look at it", "quiet")
    for slug, why in week.undecided.items():
        yield Need(
            f"Course {slug} waits, its rules cannot be asked: {why}", f"/desk/courses/{slug}", "Mend it"
        )


def _left_over(session: Session, failed: int) -> Iterator[Need]:
    if failed:
        words = f"{failed:,} {'mail was' if failed == 1 else 'mails were'} given up within a day."
        yield Need(words, "/desk/deliveries?state=failed", "See why")
    for act in open_acts(session):
        words = f"{act.changed:,} of {act.seen:,} mails are changed so far, as {act.who} asked ({act.verb})."
        yield Need(words, f"/desk/deliveries/acts/{act.id}", "See how far it is", "quiet")
    for one, title in open_list_acts(session):
        what = "leave" if one.kind == ListActKind.REMOVE else "join a course of"
        words = f"{one.changed:,} of {one.seen:,} people {what} the list {title} so far, as {one.who} asked."
        yield Need(words, f"/desk/lists/acts/{one.id}", "See how far it is", "quiet")
    for slug, _ in home.unfinished_imports(session):
        yield Need(f"An import into the list {slug} was not finished.", "/desk/imports", "Go on with it")


def _set_up(there: home.There, base_url: str) -> Iterator[Need]:
    if not there.sender:
        yield Need("There is no sender yet, so no mail can leave.", "/desk/senders", "Add a sender", "bad")
    elif not there.signing:
        words = "No mail is signed (DKIM), which large mail providers ask for."
        yield Need(words, "/desk/senders", "Make a key")
    if urlsplit(base_url).hostname in {"localhost", "127.0.0.1", "::1"}:
        words = f"Links in mails lead to {base_url}, which only this machine can open."
        yield Need(words, "/desk/settings#base_url", "Set the public address")
