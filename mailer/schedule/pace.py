"""The pace of a course in its reader's hands: each change is recorded with its moment, and can be undone.

A change moves the reader's place and their anchor; a lesson to come has no row yet that would have to be
changed. A lesson that was planned and has not left waits while its reader pauses (see
`claim`), and is passed over when they go back to an earlier one.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer import outbox
from mailer.audience.lists import find_subscription
from mailer.audience.suppression import find_suppression
from mailer.clock import instant_of, zone
from mailer.errors import MailerError
from mailer.models import (
    Course,
    DeliveryKind,
    DeliveryState,
    Enrollment,
    EnrollmentState,
    PaceChange,
    Step,
    SubscriptionState,
)
from mailer.schedule.campaigns import move_to_zone
from mailer.schedule.enroll import look_anew, start
from mailer.schedule.pace_case import Asker, Case, What, open_case, put_back
from mailer.schedule.place import StepPlan
from mailer.schedule.timing import EVERY_DAY

GAPS = (1, 2, 7)
"""Days from mail to mail that a reader can choose: daily, every other day, weekly."""

LONGEST_PAUSE = timedelta(days=366)
DAY = timedelta(days=1)
STOPPED_BY_READER = "stopped by the reader"
WENT_BACK = "the reader went back to an earlier lesson"


class PaceRefused(MailerError):
    """This change of pace cannot be made."""


class NotRunning(PaceRefused):
    """This course is not running for this reader; they can start it over."""


class NothingToCome(PaceRefused):
    """Nothing of this course is left to come; it can be started over."""


class NoWeekYet(PaceRefused):
    """No week of the protocol has come yet, so there is none to repeat."""


class BadDate(PaceRefused):
    """Choose a day after today, and within a year."""


class BadChoice(PaceRefused):
    """This is not one of the choices: gaps of 1, 2 or 7 days, an hour of the day, at least one weekday."""


class NoConsent(PaceRefused):
    """The reader has left the list of this course, or is not mailed any more; they can sign up again."""


class OnItsWay(PaceRefused):
    """A mail of this course is on its way at this moment; try again in a minute."""


class TooLate(PaceRefused):
    """This cannot be undone any more: a lesson was planned or something else was changed since."""


def next_now(session: Session, enrollment_id: int, asker: Asker, now: datetime) -> PaceChange | None:
    """Have the next step leave at the next tick, whatever its day and hour; a pause ends with it.

    While a lesson is still on its way, that one is the next: nothing more is asked for. Raises OnItsWay then,
    and NothingToCome behind the last one.
    """
    case = _running(session, enrollment_id, asker, now)
    if case.is_said_already(What.NEXT) or case.enrollment.asked_at is not None:
        return case.newest
    if case.place.is_last_open and not _has_last_mail(case):
        if case.paused_days:
            return _resume(case, What.NEXT)
        raise OnItsWay
    if case.is_at_end:
        raise NothingToCome
    if case.paused_days:
        _unpause(case)
    case.enrollment.asked_at = now
    return case.record(What.NEXT)


def set_gap(
    session: Session, enrollment_id: int, gap: int | None, asker: Asker, now: datetime
) -> PaceChange | None:
    """A mail every `gap` days (None: as its author wrote it), counted from the last one that left."""
    if gap is not None and gap not in GAPS:
        raise BadChoice
    case = _running(session, enrollment_id, asker, now)
    if case.enrollment.gap == gap:
        return None
    step = case.next_step()
    if step is not None:
        case.put(step, _after_gap(case, step, gap))
    case.enrollment.gap = gap
    return case.record(What.GAP)


def pause_until(
    session: Session, enrollment_id: int, until: date, asker: Asker, now: datetime
) -> PaceChange | None:
    """Nothing of the course before `until`, a day in the reader's zone; all that follows moves with it.

    Nothing is passed over. Pausing again changes the date. Raises BadDate or NothingToCome.
    """
    case = _running(session, enrollment_id, asker, now)
    if not case.today < until <= case.today + LONGEST_PAUSE:
        raise BadDate
    if case.enrollment.paused_until == until:
        return None
    if case.is_at_end:
        raise NothingToCome
    step = case.next_step()
    if step is not None:
        case.put(step, case.next_date(step) + (until - case.today) - case.paused_days * DAY)
    case.enrollment.paused_until, case.enrollment.asked_at = until, None
    change = case.record(What.PAUSE)
    _hold_back(case)
    return change


def resume(session: Session, enrollment_id: int, asker: Asker, now: datetime) -> PaceChange | None:
    """Go on now: what is left of the pause is taken back from all that follows."""
    case = _running(session, enrollment_id, asker, now)
    return _resume(case, What.RESUME) if case.paused_days else None


def set_hour(
    session: Session, enrollment_id: int, hour: time | None, asker: Asker, now: datetime
) -> PaceChange | None:
    """The reader's own hour for the mails of this course; None: as written."""
    case = _running(session, enrollment_id, asker, now)
    case.enrollment.send_time = hour.replace(second=0, microsecond=0) if hour else None
    return case.record(What.HOUR)


def set_weekdays(
    session: Session, enrollment_id: int, weekdays: int | None, asker: Asker, now: datetime
) -> PaceChange | None:
    """The days on which mails of this course may come (bit 0 is Monday); None: as written."""
    if weekdays is not None and not 0 < weekdays <= EVERY_DAY:
        raise BadChoice
    case = _running(session, enrollment_id, asker, now)
    case.enrollment.weekdays = weekdays
    return case.record(What.WEEKDAYS)


def set_zone(
    session: Session, enrollment_id: int, zone_name: str, asker: Asker, now: datetime
) -> PaceChange | None:
    """The reader's time zone, in all that they get. Raises UnknownZone."""
    zone(zone_name)
    case = open_case(session, enrollment_id, asker, now)
    case.subscriber.zone = zone_name
    change = case.record(What.ZONE)
    if change is not None:
        _decide_all_anew(case)
    return change


def repeat_week(session: Session, enrollment_id: int, asker: Asker, now: datetime) -> PaceChange | None:
    """The newest week of the protocol once more, from tomorrow on, and all that follows it again.

    Raises OnItsWay while a worker has an extra: of a round that is over, it would not be tried again.
    """
    case = _running(session, enrollment_id, asker, now)
    if case.is_said_already(What.REPEAT):
        return case.newest
    passed = [
        step
        for step in case.plan.steps
        if step.week is not None and not step.instead_of and step.day <= case.place.last_day
    ]
    if not passed:
        raise NoWeekYet
    week = passed[-1]
    if case.is_being_sent() and _last_extra(case, week.day - 1) and not _has_last_mail(case):
        raise OnItsWay
    _go_back(case, week.day - 1)
    case.put(week, case.today + DAY)
    enrollment = case.enrollment
    enrollment.answers = {key: value for key, value in enrollment.answers.items() if key != str(week.week)}
    return case.record(What.REPEAT)


def start_over(session: Session, enrollment_id: int, asker: Asker, now: datetime) -> PaceChange | None:
    """The course from its first step, day 1 tomorrow; also for those who finished or stopped it.

    Raises NoConsent for somebody who left its list or is not mailed any more.
    """
    _lock_subscription(session, enrollment_id)
    case = open_case(session, enrollment_id, asker, now)
    if case.is_said_already(What.START_OVER):
        return case.newest
    enrollment = case.enrollment
    if enrollment.state == EnrollmentState.WAITING:
        raise NotRunning
    _check_consent(case)
    first = next((step for step in case.plan.steps if not step.instead_of), None)
    if first is None:
        raise NothingToCome
    _go_back(case, 0)
    case.put(first, case.today + first.day * DAY if enrollment.gap is None else case.today + DAY)
    enrollment.state, enrollment.reason, enrollment.ended_at = EnrollmentState.ACTIVE, "", None
    enrollment.begun_at, enrollment.answers, enrollment.repeats = case.now, {}, {}
    enrollment.begins_again = False
    enrollment.extras, enrollment.last_extras = [], []
    return case.record(What.START_OVER)


def stop(session: Session, enrollment_id: int, asker: Asker, now: datetime) -> PaceChange | None:
    """End this course; the reader stays on its list."""
    case = open_case(session, enrollment_id, asker, now)
    enrollment = case.enrollment
    if enrollment.state not in (EnrollmentState.WAITING, EnrollmentState.ACTIVE):
        return None
    enrollment.state, enrollment.reason, enrollment.ended_at = EnrollmentState.STOPPED, STOPPED_BY_READER, now
    enrollment.asked_at = None
    return case.record(What.STOP)


def undo(session: Session, change_id: int, asker: Asker, now: datetime) -> PaceChange:
    """Put back what was before a change, if it is the newest and nothing was planned since; else TooLate.

    Undoing it twice changes nothing. A lesson that was passed over because of the change comes after all.
    """
    change = session.get_one(PaceChange, change_id)
    _lock_subscription(session, change.enrollment_id)
    case = open_case(session, change.enrollment_id, asker, now)
    session.refresh(change)
    if change.undone_at is not None:
        return change
    if case.newest is None or case.newest.id != change.id or _has_moved_on(case, change):
        raise TooLate
    if case.is_being_sent() and change.what in (What.REPEAT, What.START_OVER, What.STOP):
        raise OnItsWay
    enrollment, round_now = case.enrollment, case.enrollment.round
    put_back(enrollment, change)
    # A round is never used again: mails of it may have been passed over.
    enrollment.round = round_now
    if enrollment.state in (EnrollmentState.ACTIVE, EnrollmentState.WAITING):
        is_on_list = _check_consent(case) == SubscriptionState.ACTIVE
        if enrollment.state == EnrollmentState.WAITING and is_on_list:
            # They confirmed meanwhile, and nobody will tell this enrollment of it any more.
            start(session, enrollment, case.subscriber, case.plan, now)
    _bring_back_passed_over(case, change)
    if change.what == What.ZONE:
        case.subscriber.zone = change.before["zone"]
    change.undone_at = now
    if enrollment.round != change.before["round"]:
        # Where the round begins: what is before that was had in an earlier one.
        change.after = {
            **change.after,
            "undone": {"round": enrollment.round, "last_day": enrollment.last_day},
        }
    case.look_again()
    _hold_back(case)
    if change.what == What.ZONE:
        _decide_all_anew(case)
    session.flush()
    return change


def _running(session: Session, enrollment_id: int, asker: Asker, now: datetime) -> Case:
    case = open_case(session, enrollment_id, asker, now)
    if not case.is_running:
        raise NotRunning
    return case


def _after_gap(case: Case, step: StepPlan, gap: int | None) -> date:
    """When `step` comes by another gap. The first lesson keeps its day: there is none before it."""
    on = case.next_date(step)
    if case.place.last_day > 0:
        last_on = case.place.last_left_on or min(case.today, on - DAY)
        on = last_on + timedelta(days=gap or step.day - case.place.last_day)
    return max(on, case.first_free, case.enrollment.paused_until or on)


def _resume(case: Case, what: What) -> PaceChange | None:
    _unpause(case)
    change = case.record(what)
    _hold_back(case)
    return change


def _unpause(case: Case) -> None:
    step = case.next_step()
    if step is not None:
        case.put(step, max(case.next_date(step) - case.paused_days * DAY, case.first_free))
    case.enrollment.paused_until = None


def _hold_back(case: Case) -> None:
    """Have a mail that was planned already wait until the pause is over, or let it go on."""
    number, until = case.enrollment.last_delivery_id, case.enrollment.paused_until
    if number is None:
        return
    outbox.hold_back(case.session, number, case.now, case.now)
    if until is not None and until > case.today:
        outbox.hold_back(case.session, number, instant_of(until, time(), case.place.zone), case.now)


def _go_back(case: Case, last_day: int) -> None:
    """To an earlier place, in a new round; a lesson that was planned and has not left is passed over."""
    enrollment = case.enrollment
    # It may wait long, and nothing comes while it does.
    if enrollment.last_delivery_id is not None and outbox.skip(
        case.session, [enrollment.last_delivery_id], WENT_BACK, case.now
    ):
        _keep_extra(case, last_day)
    enrollment.round += 1
    enrollment.last_day = last_day
    enrollment.paused_until = enrollment.asked_at = None


def _keep_extra(case: Case, last_day: int) -> None:
    """What was passed over is an extra once more if it was one: no way on from `last_day` leads there."""
    extra = _last_extra(case, last_day)
    if extra is not None:
        case.enrollment.extras = [extra, *case.enrollment.extras]


def _last_extra(case: Case, last_day: int) -> int | None:
    """The step of the mail planned last, if no way on from `last_day` leads to it."""
    mail = case.last_mail()
    if mail is None or mail.kind != DeliveryKind.STEP or mail.step_id is None:
        return None
    step = case.session.get_one(Step, mail.step_id)
    return step.id if step.day <= last_day and not step.easier_than else None


def _has_last_mail(case: Case) -> bool:
    """Whether who asks has the mail planned last: they follow its link, though its acceptance is not
    written down yet."""
    mail = case.last_mail()
    return mail is not None and mail.id == case.asker.delivery_id


def _has_moved_on(case: Case, change: PaceChange) -> bool:
    """Whether the tick, or somebody else, has done something since that undoing would undo too."""
    watched = ("last_delivery_id", "last_day", "round", "state")
    return any(case.before[name] != change.after[name] for name in watched)


def _bring_back_passed_over(case: Case, change: PaceChange) -> None:
    """When the lesson planned last was passed over because of the change, it is the next one again."""
    enrollment = case.enrollment
    if change.what in (What.REPEAT, What.START_OVER) and enrollment.last_delivery_id is not None:
        # A worker had it, and has given it back: of a round that is over, it would be passed over when due.
        outbox.skip(case.session, [enrollment.last_delivery_id], WENT_BACK, case.now)
    mail = case.last_mail()
    if mail is None or mail.state != DeliveryState.SKIPPED or mail.step_id is None:
        return
    if mail.settled_at is None or mail.settled_at < change.at:
        return
    # In a round of its own, or its key would say that it was planned already.
    enrollment.round += 1
    if enrollment.state == EnrollmentState.FINISHED:
        enrollment.state, enrollment.ended_at = EnrollmentState.ACTIVE, None  # it was their last one
    step = case.session.get_one(Step, mail.step_id)
    if mail.kind == DeliveryKind.STEP and step.day == enrollment.last_day and not step.easier_than:
        enrollment.last_day = step.day - 1
    else:  # a week once more, or an extra
        enrollment.extras = [step.id, *enrollment.extras]


def _lock_subscription(session: Session, enrollment_id: int) -> None:
    """First the subscription, then the enrollment, as everybody does who needs both."""
    row = session.execute(
        select(Enrollment.subscriber_id, Course.list_id)
        .join(Course, Course.id == Enrollment.course_id)
        .where(Enrollment.id == enrollment_id)
    ).one()
    find_subscription(session, row.subscriber_id, row.list_id)


def _check_consent(case: Case) -> SubscriptionState:
    """How this reader is on the course's list; raises NoConsent."""
    subscription = find_subscription(case.session, case.subscriber.id, case.plan.list_id)
    is_pending = case.enrollment.state == EnrollmentState.WAITING
    allowed = (
        (SubscriptionState.ACTIVE, SubscriptionState.PENDING) if is_pending else (SubscriptionState.ACTIVE,)
    )
    if subscription is None or subscription.state not in allowed:
        raise NoConsent
    if find_suppression(case.session, case.subscriber.email, case.now) is not None:
        raise NoConsent
    return SubscriptionState(subscription.state)


def _decide_all_anew(case: Case) -> None:
    """The zone counts in all courses of this reader, and in campaigns that go by it."""
    look_anew(case.session, Enrollment.subscriber_id == case.subscriber.id, case.now)
    move_to_zone(case.session, case.subscriber.id, case.subscriber.zone, case.now)
