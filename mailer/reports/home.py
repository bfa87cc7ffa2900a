"""What home tells of the last sends, and of what is there at all, however much is sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import exists, func, select, text
from sqlalchemy.orm import Session

from mailer import tally
from mailer.db import clock_now
from mailer.models import (
    Campaign,
    CampaignDraft,
    CampaignState,
    CheckedKind,
    Course,
    DeliveryState,
    DraftCheck,
    Import,
    LaneSample,
    MailingList,
    Sender,
    SigningKey,
    SignUpForm,
    Span,
    Step,
    Subscriber,
)
from mailer.outbox import campaign_source
from mailer.reports.course_list import MOST_COUNTED, coming_lessons

SHOWN = 5
_S = DeliveryState
_BAD = (_S.BOUNCED, _S.FAILED, _S.QUARANTINED, _S.UNCERTAIN)


@dataclass(frozen=True)
class There:
    """What this house has already: what a new one does first."""

    sender: bool
    signing: bool
    people: bool
    course: bool
    form: bool
    campaign: bool

    @property
    def is_new(self) -> bool:
        """Whether there is nobody to write to, or nothing that is written to them."""
        return not (self.people and (self.course or self.campaign))


@dataclass(frozen=True)
class Scheduled:
    """A campaign whose time comes; it leaves in local times when `is_local`."""

    slug: str
    subject: str
    starts_at: datetime
    is_local: bool


@dataclass(frozen=True)
class Sent:
    """A campaign that has begun, and what became of its mails so far: `waiting` have not reached an end."""

    slug: str
    subject: str
    state: str
    begun_at: datetime
    audience: int
    accepted: int
    bad: int
    waiting: int


@dataclass(frozen=True)
class CourseDay:
    """What left of a course within a day."""

    slug: str
    title: str
    accepted: int
    bad: int


@dataclass(frozen=True)
class Due:
    """A course's next lessons until a moment, one for each reader; `is_more`: not all were counted."""

    slug: str
    title: str
    mails: int
    is_more: bool


def what_is_there(session: Session) -> There:
    """Asked by the first row of each, however many there are."""
    asked = (
        *(
            exists(select(Sender.id)),
            exists(select(SigningKey.id).where(SigningKey.activated_at.is_not(None))),
        ),
        *(exists(select(Subscriber.id)), exists(select(Course.id))),
        *(exists(select(SignUpForm.id)), exists(select(Campaign.id))),
    )
    return There(*session.execute(select(*asked)).one())


def scheduled(session: Session, until: datetime) -> list[Scheduled]:
    """The campaigns that begin before `until`, in their order."""
    rows = session.execute(
        select(Campaign.slug, Campaign.subject, Campaign.starts_at, Campaign.local)
        .where(Campaign.state == CampaignState.SCHEDULED, Campaign.starts_at < until)
        .order_by(Campaign.starts_at, Campaign.id)
    )
    return [Scheduled(slug, subject, starts_at, bool(local)) for slug, subject, starts_at, local in rows]


def under_way(session: Session) -> dict[str, str]:
    """The campaigns that are being sent: their subjects by their slugs."""
    rows = select(Campaign.slug, Campaign.subject).where(Campaign.state == CampaignState.SENDING)
    return dict(session.execute(rows).all())


def awaiting_approval(session: Session, limit: int = 20) -> list[tuple[str, str, str]]:
    """Campaigns that wait for a second person: slug, subject, and who has scheduled each."""
    rows = session.execute(
        select(Campaign.slug, Campaign.subject, Campaign.scheduled_by)
        .where(Campaign.state == CampaignState.SCHEDULED, Campaign.awaits_approval)
        .order_by(Campaign.starts_at, Campaign.id)
        .limit(limit)
    )
    return [(slug, subject, who) for slug, subject, who in rows]


@dataclass(frozen=True)
class Failing:
    """A campaign that is scheduled, or a draft of a course, whose last check found `errors`."""

    slug: str
    subject: str
    digest: str
    errors: int
    first: str


def failing_campaigns(session: Session, limit: int = 10) -> list[Failing]:
    """Those that are scheduled and, as they are written now, had errors when they were checked last."""
    check = DraftCheck
    rows = session.execute(
        select(Campaign.slug, Campaign.subject, check.digest, check.errors, check.first)
        .join(check, (check.slug == Campaign.slug) & (check.kind == CheckedKind.CAMPAIGN))
        .outerjoin(CampaignDraft, CampaignDraft.slug == Campaign.slug)
        .where(
            Campaign.state == CampaignState.SCHEDULED,
            check.errors > 0,
            check.digest == func.coalesce(CampaignDraft.digest, ""),
        )
        .order_by(Campaign.starts_at, Campaign.id)
        .limit(limit)
    )
    return [Failing(*row) for row in rows]


def failing_courses(session: Session, limit: int = 10) -> list[Failing]:
    """Drafts of courses that had errors when they were checked last; they may be another text by now."""
    check = DraftCheck
    rows = session.execute(
        select(check.slug, check.slug, check.digest, check.errors, check.first)
        .where(check.kind == CheckedKind.COURSE, check.errors > 0)
        .order_by(check.at.desc())
        .limit(limit)
    )
    return [Failing(*row) for row in rows]


def last_campaigns(session: Session) -> list[Sent]:
    """The newest that have begun, by the counts that are kept as mails move."""
    campaigns = session.scalars(
        select(Campaign)
        .where(Campaign.begun_at.is_not(None))
        .order_by(Campaign.begun_at.desc(), Campaign.id.desc())
        .limit(SHOWN)
    ).all()
    if not campaigns:
        return []
    states = tally.by_source(session, [campaign_source(one.id) for one in campaigns])
    return [_sent(one, states[campaign_source(one.id)]) for one in campaigns]


def _sent(campaign: Campaign, states: Mapping[str, int]) -> Sent:
    return Sent(
        *(campaign.slug, campaign.subject, campaign.state, campaign.begun_at or campaign.created_at),
        campaign.audience,
        states.get(DeliveryState.ACCEPTED, 0),
        sum(states.get(state, 0) for state in _BAD),
        states.get(DeliveryState.PLANNED, 0) + states.get(DeliveryState.HELD, 0),
    )


_LAST_DAY = text("""
    SELECT source, new_state AS state, sum(mails)::bigint AS mails FROM moves
    WHERE at > clock_timestamp() - interval '1 day'
      AND new_state IN ('accepted', 'bounced', 'failed', 'quarantined', 'uncertain')
      AND old_state IS DISTINCT FROM new_state
    GROUP BY 1, 2
    """)


@dataclass(frozen=True)
class LastDay:
    """What ended within a day: by course, the most first, and how many mails were given up in all."""

    courses: Sequence[CourseDay]
    failed: int


def last_day(session: Session) -> LastDay:
    """By the moves, which are a few for each batch."""
    states: dict[str, Counter[str]] = {}
    for source, state, mails in session.execute(_LAST_DAY):
        states.setdefault(source, Counter())[state] += mails
    failed = sum(found[DeliveryState.FAILED] for found in states.values())
    most = sorted(
        (source for source in states if source.startswith("course:")),
        key=lambda source: -states[source].total(),
    )[:SHOWN]
    ids = {int(source.partition(":")[2]): states[source] for source in most}
    rows = session.execute(select(Course.id, Course.slug, Course.title).where(Course.id.in_(ids))).all()
    courses = [
        CourseDay(
            *(row.slug, row.title, ids[row.id][DeliveryState.ACCEPTED]),
            sum(ids[row.id][state] for state in _BAD),
        )
        for row in rows
    ]
    return LastDay(sorted(courses, key=lambda one: -one.accepted), failed)


def due_lessons(session: Session, until: datetime) -> list[Due]:
    """The next lessons of each course until then, by the index of what is due."""
    due = {id_: mails for id_, (_, mails) in coming_lessons(session, until).items() if mails}
    is_more = sum(due.values()) >= MOST_COUNTED
    courses = session.execute(select(Course.id, Course.slug, Course.title).where(Course.id.in_(due)))
    found = [Due(slug, title, due[id_], is_more) for id_, slug, title in courses]
    return sorted(found, key=lambda one: (-one.mails, one.title))


def course_titles(session: Session, slugs: Sequence[str]) -> dict[str, str]:
    """The titles of published courses."""
    rows = session.execute(select(Course.slug, Course.title).where(Course.slug.in_(slugs)))
    return {slug: title for slug, title in rows}  # noqa: C416  (a row is not a pair for mypy)


def step_subjects(session: Session, slugs: Sequence[str]) -> dict[tuple[str, str], str]:
    """The subjects of these courses' steps, by the course's slug and the step's key."""
    rows = session.execute(
        select(Course.slug, Step.key, Step.subject)
        .join(Step, Step.course_id == Course.id)
        .where(Course.slug.in_(slugs))
    )
    return {(slug, key): subject for slug, key, subject in rows}


def sent_since(session: Session, begins_at: datetime) -> int:
    """How many mails left since then, by the samples of minutes."""
    sent = select(func.coalesce(func.sum(LaneSample.sent), 0)).where(
        LaneSample.span == Span.MINUTE, LaneSample.at >= begins_at
    )
    return int(session.scalar(sent) or 0)


def unfinished_imports(session: Session) -> Sequence[tuple[str, datetime]]:
    """Imports that nobody has ended: the list's slug, and when each was begun."""
    rows = session.execute(
        select(MailingList.slug, Import.started_at)
        .join(MailingList, MailingList.id == Import.list_id)
        .where(Import.finished_at.is_(None), Import.started_at < clock_now(session) - timedelta(minutes=10))
        .order_by(Import.started_at.desc())
        .limit(SHOWN)
    )
    return [(slug, at) for slug, at in rows]
