"""Why somebody got a mail, or did not: everything that was decided about them, in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import exists, func, or_, select
from sqlalchemy.orm import Session

from mailer.audience.aim import Aim, why_not
from mailer.audience.lists import shown_slug
from mailer.audience.recipients import list_ids_of
from mailer.audience.subscribers import get_subscriber
from mailer.audience.suppression import last_suppression
from mailer.clock import zone
from mailer.delivery.set_aside import WAITS
from mailer.delivery.states import ENDS
from mailer.errors import MailerError
from mailer.feedback.verdicts import DECOY, OPEN
from mailer.models import (
    Attempt,
    Campaign,
    CampaignState,
    CheckIn,
    Click,
    Consent,
    Course,
    Delivery,
    DeliveryState,
    Enrollment,
    Event,
    Firing,
    MailingList,
    PaceChange,
    Step,
    Subscriber,
    Subscription,
    SubscriptionState,
)
from mailer.reports.moved import lessons_moved
from mailer.reports.phase_words import story_of, variant_words
from mailer.schedule.campaigns import find_campaign
from mailer.schedule.follow import trigger_words
from mailer.schedule.local_time import LocalTime
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
        decisions += [*_consents(session, who), *_courses(session, who)]
        decisions += [*_fired(session, who), *_paces(session, who), *_answers(session, who)]
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
        yield from _not_reached(session, who, mail)
    local = _local_times(session, [delivery for delivery, _ in chosen.values()])
    phased = _phased(session, [delivery for delivery, _ in chosen.values()])
    for moved in lessons_moved(session, who, [(delivery, name) for delivery, name in rows]):
        if mail in (None, moved.step):
            yield Decision(moved.own_at, moved.step, str(moved))
    for delivery, name in chosen.values():
        hour = local.get(delivery.campaign_id or 0)
        by_clock = f" ({hour.words_for(who.zone)})" if hour else ""
        # One that is held may still become another variant, and is not due before it is let go.
        if delivery.state != DeliveryState.HELD:
            campaign = phased.get(delivery.campaign_id or 0)
            because = f": {delivery.because}" if delivery.because else ""
            variant = variant_words(campaign, delivery.message_id) if campaign else ""
            yield Decision(delivery.due_at, name, f"was due{by_clock}{variant}{because}")
    for campaign in phased.values():
        for at, what in story_of(campaign):
            yield Decision(at, campaign.slug, what)
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


def _local_times(session: Session, deliveries: Sequence[Delivery]) -> dict[int, LocalTime]:
    """The local times of the campaigns that these mails are of, where they have one."""
    ids = {delivery.campaign_id for delivery in deliveries if delivery.campaign_id}
    rows = session.execute(select(Campaign.id, Campaign.local).where(Campaign.id.in_(ids)))
    read = {id_: LocalTime.of(values) for id_, values in rows}
    return {id_: local for id_, local in read.items() if local is not None}


def _phased(session: Session, deliveries: Sequence[Delivery]) -> dict[int, Campaign]:
    """The campaigns of these mails that go out in phases."""
    ids = {delivery.campaign_id for delivery in deliveries if delivery.campaign_id}
    in_phases = or_(Campaign.trial != {}, Campaign.canary != {})
    found = session.execute(select(Campaign).where(Campaign.id.in_(ids), in_phases)).scalars()
    return {campaign.id: campaign for campaign in found}


def _not_reached(session: Session, who: Subscriber, slug: str) -> Iterator[Decision]:
    """Why there is no row of this campaign, if it is one."""
    campaign = find_campaign(session, slug)
    if campaign is None:
        return
    if campaign.materialised_at is not None:
        yield Decision(campaign.materialised_at, slug, f"not sent: {_left_out(session, who, campaign)}")
    elif campaign.starts_at is not None:
        yield Decision(campaign.starts_at, slug, "its audience is written then")
    else:
        yield Decision(campaign.created_at, slug, "a draft, of which nothing was sent")


def _left_out(session: Session, who: Subscriber, campaign: Campaign) -> str:
    """What kept somebody out of an audience; what it was for is asked anew, as things are now."""
    if campaign.state == CampaignState.CANCELLED:
        return "not in its audience when the campaign was cancelled"
    is_active = exists().where(
        Subscription.subscriber_id == who.id,
        Subscription.list_id.in_(list_ids_of(session, campaign.list_ids)),
        Subscription.state == SubscriptionState.ACTIVE,
    )
    aim = Aim.of(campaign.aim)
    if campaign.aim and session.execute(select(is_active)).scalar_one():
        try:
            found = why_not(session, aim, who.id, campaign.begun_at or campaign.created_at)
        except MailerError as error:
            return str(error)
        if found is not None:
            return f"{found}, as far as is known now"
    return "active on none of its lists when its audience was written"


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
        yield Decision(consent.at, "-", f"consent to {shown_slug(slug)} {consent.kind}, by {consent.source}")


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
            looked = f"next look at {slug}, day {enrollment.last_day} behind{reason}"
            yield Decision(enrollment.next_due_at, "-", looked)


def _fired(session: Session, who: Subscriber) -> Iterator[Decision]:
    """The triggers and follow-ups that met them, and what became of that."""
    rows = session.execute(
        select(Firing, Course.slug)
        .join(Course, Course.id == Firing.course_id)
        .where(Firing.subscriber_id == who.id)
        .order_by(Firing.at, Firing.course_id)
    )
    for firing, slug in rows:
        yield Decision(firing.at, "-", f"{slug}, {trigger_words(firing.trigger)}: {firing.result}")


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


def _answers(session: Session, who: Subscriber) -> Iterator[Decision]:
    rows: Any = session.execute(
        select(CheckIn, Course.slug)
        .join(Course, Course.id == CheckIn.course_id)
        .where(CheckIn.subscriber_id == who.id)
        .order_by(CheckIn.id)
    )
    for said, slug in rows:
        again = f", sent {said.times + 1} times" if said.times else ""
        yield Decision(said.at, "-", f"answered “{said.answer}” to week {said.week} of {slug}{again}")


def _events(session: Session, who: Subscriber) -> Iterator[Decision]:
    for event in session.execute(select(Event).where(Event.subscriber_id == who.id)).scalars():
        yield Decision(event.at, "-", f"{event.kind} {event.detail}".strip())


def _suppression(session: Session, who: Subscriber) -> list[Decision]:
    found = last_suppression(session, who.email)
    if found is None:
        return []
    how_long = "any more" if found.until is None else f"until {found.until:%Y-%m-%d %H:%M} UTC"
    return [Decision(found.at, "-", f"not mailed {how_long}: {found.reason} {found.detail}".strip())]
