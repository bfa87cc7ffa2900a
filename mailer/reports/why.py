"""Why somebody got a mail, or did not: everything that was decided about them, in order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mailer.audience.subscribers import get_subscriber
from mailer.audience.suppression import last_suppression
from mailer.clock import zone
from mailer.delivery.set_aside import WAITS
from mailer.delivery.states import ENDS
from mailer.feedback.verdicts import DECOY, OPEN
from mailer.models import (
    Attempt,
    Campaign,
    CampaignState,
    Click,
    Consent,
    Course,
    Delivery,
    DeliveryState,
    Enrollment,
    Event,
    MailingList,
    PaceChange,
    Step,
    Subscriber,
    Subscription,
)
from mailer.schedule.campaigns import find_campaign
from mailer.schedule.pace_words import sentence


@dataclass(frozen=True)
class Decision:
    """One moment of somebody's story. `mail` is the step's key, the campaign's slug, or else the kind."""

    at: datetime
    mail: str
    what: str

    def local(self, zone_name: str) -> str:
        """The moment by a clock in `zone_name`."""
        return self.at.astimezone(zone(zone_name)).strftime("%Y-%m-%d %H:%M:%S %Z")


@dataclass(frozen=True)
class Story:
    """What was decided about one person; `zone` is theirs, for showing the moments."""

    email: str
    zone: str
    decisions: tuple[Decision, ...]


def why(session: Session, email: str, mail: str | None = None) -> Story:
    """Everything that was decided about this person, or about one of their mails, oldest first.

    Raises NotFound or BadAddress.
    """
    who = get_subscriber(session, email)
    decisions = []
    if mail is None:
        decisions += [*_consents(session, who), *_courses(session, who), *_paces(session, who)]
    decisions += _mails(session, who, mail)
    if mail is None:
        decisions += [*_events(session, who), *_suppression(session, who)]
    # What happened at one moment stays in the order of causes above.
    in_order = sorted(decisions, key=lambda decision: decision.at)
    return Story(who.email, who.zone or "Etc/UTC", tuple(in_order))


NOT_SENT = (DeliveryState.SUPPRESSED, DeliveryState.SKIPPED, DeliveryState.CANCELLED)


def _mails(session: Session, who: Subscriber, mail: str | None) -> Iterator[Decision]:
    rows = session.execute(
        select(Delivery, func.coalesce(Step.key, Campaign.slug, Delivery.kind))
        .outerjoin(Step, Step.id == Delivery.step_id)
        .outerjoin(Campaign, Campaign.id == Delivery.campaign_id)
        .where(Delivery.subscriber_id == who.id)
        .order_by(Delivery.id)
    ).all()
    chosen = {delivery.id: (delivery, name) for delivery, name in rows if mail in (None, name)}
    if mail is not None and not chosen:
        yield from _not_reached(session, mail)
    for delivery, name in chosen.values():
        yield Decision(delivery.due_at, name, "was due")
    attempts = session.execute(
        select(Attempt).where(Attempt.delivery_id.in_(chosen)).order_by(Attempt.id)
    ).scalars()
    for attempt in attempts:
        yield Decision(attempt.at, chosen[attempt.delivery_id][1], _attempt(attempt))
    for delivery, name in chosen.values():
        yield from _place_now(delivery, name)
    yield from _clicks(session, {number: name for number, (_, name) in chosen.items()})


def _clicks(session: Session, mails: dict[int, str]) -> Iterator[Decision]:
    """Who followed the links of these mails, a person or a machine, and by which rules we think so."""
    clicks = session.scalars(select(Click).where(Click.delivery_id.in_(mails)).order_by(Click.at, Click.id))
    for click in clicks:
        what = {OPEN: "opened", DECOY: "followed the decoy"}.get(click.link, f"followed {click.url}")
        rules = f" ({', '.join(click.rules)})" if click.rules else ""
        yield Decision(click.at, mails[click.delivery_id], f"{what}: {click.verdict}{rules}")


def _not_reached(session: Session, slug: str) -> Iterator[Decision]:
    """Why there is no row of this campaign, if it is one."""
    campaign = find_campaign(session, slug)
    if campaign is None:
        return
    if campaign.materialised_at is not None:
        why_not = "not sent: active on none of its lists when its audience was written"
        if campaign.state == CampaignState.CANCELLED:
            why_not = "not sent: not in its audience when the campaign was cancelled"
        yield Decision(campaign.materialised_at, slug, why_not)
    elif campaign.starts_at is not None:
        yield Decision(campaign.starts_at, slug, "its audience is written then")
    else:
        yield Decision(campaign.created_at, slug, "a draft, of which nothing was sent")


def _place_now(delivery: Delivery, name: str) -> Iterator[Decision]:
    """What a row says of itself beyond its attempts: ended without one, or still waiting."""
    state, reason = delivery.state, f" ({delivery.reason})" if delivery.reason else ""
    if state == DeliveryState.ACCEPTED and delivery.settled_at is not None:
        said = f": {delivery.code} {delivery.reply}" if delivery.code else reason
        yield Decision(delivery.settled_at, name, f"accepted by the server{said}")
    elif delivery.settled_at is not None and state in NOT_SENT:
        yield Decision(delivery.settled_at, name, f"not sent: {state}{reason}")
    elif state == DeliveryState.PLANNED:
        # A row that waits for a limit says so itself: "waits: 120 an hour to outlook".
        waits = delivery.reason if delivery.reason.startswith(WAITS) else f"waits for its next try{reason}"
        yield Decision(delivery.next_attempt_at, name, waits)
    elif state not in ENDS:
        yield Decision(delivery.next_attempt_at, name, f"{state}{reason}")


def _attempt(attempt: Attempt) -> str:
    answer = f"{attempt.code} {attempt.reply}" if attempt.code else attempt.reply
    words = {DeliveryState.ACCEPTED: "accepted by the server", DeliveryState.PLANNED: "put off"}
    return f"{words.get(DeliveryState(attempt.outcome), attempt.outcome)}: {answer}"


def _consents(session: Session, who: Subscriber) -> Iterator[Decision]:
    rows: Any = session.execute(
        select(Consent, MailingList.slug)
        .join(Subscription, Subscription.id == Consent.subscription_id)
        .join(MailingList, MailingList.id == Subscription.list_id)
        .where(Subscription.subscriber_id == who.id)
    )
    for consent, slug in rows:
        yield Decision(consent.at, "-", f"consent to {slug} {consent.kind}, by {consent.source}")


def _courses(session: Session, who: Subscriber) -> Iterator[Decision]:
    rows: Any = session.execute(
        select(Enrollment, Course.slug)
        .join(Course, Course.id == Enrollment.course_id)
        .where(Enrollment.subscriber_id == who.id)
    )
    for enrollment, slug in rows:
        yield Decision(enrollment.created_at, "-", f"enrolled in {slug}")
        reason = f" ({enrollment.reason})" if enrollment.reason else ""
        if enrollment.ended_at is not None:
            yield Decision(enrollment.ended_at, "-", f"{slug} {enrollment.state}{reason}")
        if enrollment.next_due_at is not None:
            yield Decision(
                enrollment.next_due_at, "-", f"next look at {slug}, day {enrollment.last_day} behind"
            )


def _paces(session: Session, who: Subscriber) -> Iterator[Decision]:
    """What they asked of a course's pace."""
    rows: Any = session.execute(
        select(PaceChange, Course.slug)
        .join(Enrollment, Enrollment.id == PaceChange.enrollment_id)
        .join(Course, Course.id == Enrollment.course_id)
        .where(Enrollment.subscriber_id == who.id)
        .order_by(PaceChange.id)
    )
    for change, slug in rows:
        yield Decision(change.at, "-", f"{slug}: {sentence(change)}")
        if change.undone_at is not None:
            yield Decision(change.undone_at, "-", f"{slug}: undone: {sentence(change)}")


def _events(session: Session, who: Subscriber) -> Iterator[Decision]:
    for event in session.execute(select(Event).where(Event.subscriber_id == who.id)).scalars():
        yield Decision(event.at, "-", f"{event.kind} {event.detail}".strip())


def _suppression(session: Session, who: Subscriber) -> list[Decision]:
    found = last_suppression(session, who.email)
    if found is None:
        return []
    how_long = "any more" if found.until is None else f"until {found.until:%Y-%m-%d %H:%M} UTC"
    return [Decision(found.at, "-", f"not mailed {how_long}: {found.reason} {found.detail}".strip())]
