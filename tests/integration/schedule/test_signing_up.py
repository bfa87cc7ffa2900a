"""Signing up, confirming, leaving and coming back: what is asked, and the evidence that is kept."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.audience.lists import Evidence, add_list, get_list
from mailer.audience.subscribers import Person, get_subscriber
from mailer.audience.suppression import find_suppression, lift_own_stop, suppress
from mailer.errors import NotFound, Refused
from mailer.feedback.record import change_details, confirm_subscription, leave
from mailer.models import (
    Consent,
    Course,
    Delivery,
    DeliveryKind,
    Enrollment,
    Event,
    OptIn,
    Subscriber,
    Subscription,
    SuppressionReason,
)
from mailer.outbox import PERIOD_BITS
from mailer.reports.overview import courses_overview, lists_overview
from mailer.schedule.enroll import enroll
from mailer.schedule.signup import sign_up
from tests.support.cast import ADA, BEN, CLEO, CONSENT, join, publish_folder, subscription_of, write_course

HOUR = timedelta(hours=1)


@pytest.fixture
def course(session: Session, tmp_path: Path, now: datetime) -> Course:
    """The course "calm", whose readers confirm."""
    return publish_folder(session, write_course(tmp_path / "calm", opt_in="double"), now)


@pytest.fixture
def letters(session: Session, course: Course) -> None:
    """A list whose people are on it at once."""
    add_list(session, "letters", "Letters", OptIn.SINGLE, course.sender_id)


AS_WRITTEN = Delivery.id % 2**PERIOD_BITS
"""The order in which deliveries were written: their ids begin with the month that they belong to."""


def evidence(session: Session, subscription: Subscription) -> list[str]:
    return list(
        session.scalars(
            select(Consent.kind).where(Consent.subscription_id == subscription.id).order_by(Consent.id)
        )
    )


def mails(session: Session, subscriber: Subscriber) -> list[str]:
    return list(
        session.scalars(
            select(Delivery.kind).where(Delivery.subscriber_id == subscriber.id).order_by(AS_WRITTEN)
        )
    )


def enrollment_of(session: Session, subscriber: Subscriber) -> Enrollment:
    return session.scalars(select(Enrollment).where(Enrollment.subscriber_id == subscriber.id)).one()


def test_ada_is_asked_and_her_course_begins_when_she_confirms(
    session: Session, course: Course, now: datetime
) -> None:
    ada = join(session, ADA, now)
    subscription = subscription_of(session, ada)
    enroll(session, course, ada, now)
    assert (subscription.state, mails(session, ada)) == ("pending", ["confirm"])
    assert enrollment_of(session, ada).state == "waiting"

    seen = confirm_subscription(session, subscription.id, "confirm page", now + HOUR)
    assert (seen.is_new, seen.is_active, seen.course_title) == (True, True, "A calm week")
    assert (subscription.state, subscription.changed_at) == ("active", now + HOUR)
    assert mails(session, ada) == ["confirm", "welcome"]
    rows = session.scalars(select(Consent).order_by(Consent.id)).all()
    assert [(row.kind, row.at, row.wording, row.source) for row in rows] == [
        ("asked", now, "Send me the course.", "test"),
        ("given", now + HOUR, "Send me the course.", "confirm page"),
    ]


def test_confirming_twice_changes_nothing(session: Session, course: Course, now: datetime) -> None:
    ada = join(session, ADA, now)
    enroll(session, course, ada, now)
    subscription = subscription_of(session, ada)
    confirm_subscription(session, subscription.id, "page", now)
    again = confirm_subscription(session, subscription.id, "page", now + HOUR)
    assert (again.is_new, again.is_active) == (False, True)
    assert evidence(session, subscription) == ["asked", "given"]
    assert mails(session, ada) == ["confirm", "welcome"]
    assert len(session.scalars(select(Event)).all()) == 1


def test_signing_up_twice_asks_twice_and_on_the_list_asks_no_more(
    session: Session, course: Course, now: datetime
) -> None:
    ada = join(session, ADA, now)
    join(session, ADA.upper(), now + HOUR)
    subscription = subscription_of(session, ada)
    assert mails(session, ada) == ["confirm", "confirm"]
    confirm_subscription(session, subscription.id, "page", now + HOUR)
    join(session, ADA, now + 2 * HOUR)
    assert mails(session, ada) == ["confirm", "confirm"]
    assert evidence(session, subscription) == ["asked", "asked", "given"]


def test_an_old_link_does_not_bring_ben_back_but_signing_up_again_does_in_a_new_round(
    session: Session, course: Course, now: datetime
) -> None:
    ben = join(session, BEN, now)
    enroll(session, course, ben, now)
    subscription = subscription_of(session, ben)
    confirm_subscription(session, subscription.id, "page", now)
    leave(session, ben.id, course.list_id, source="page", now=now + HOUR)
    assert enrollment_of(session, ben).state == "stopped"
    assert confirm_subscription(session, subscription.id, "page", now + HOUR).is_ended

    join(session, BEN, now + 2 * HOUR)
    enroll(session, course, ben, now + 2 * HOUR)
    # Whoever asked may have been somebody else: it is as it ended until Ben confirms.
    waiting = enrollment_of(session, ben)
    assert (waiting.state, waiting.round, waiting.waits) == ("stopped", 1, True)
    assert subscription.state == "pending"
    assert mails(session, ben) == ["confirm", "welcome", "confirm"]
    confirm_subscription(session, subscription.id, "page", now + 3 * HOUR)
    again = enrollment_of(session, ben)
    assert (again.state, again.round, again.last_day, again.reason) == ("active", 2, 0, "")
    assert mails(session, ben) == ["confirm", "welcome", "confirm", "welcome"]
    assert evidence(session, subscription) == ["asked", "given", "withdrawn", "asked", "given"]


def test_who_is_asked_again_and_says_no_keeps_the_course_as_it_ended(
    session: Session, course: Course, now: datetime
) -> None:
    ben = join(session, BEN, now)
    enroll(session, course, ben, now)
    subscription = subscription_of(session, ben)
    confirm_subscription(session, subscription.id, "page", now)
    enrollment_of(session, ben).answers = {"1": "done"}
    leave(session, ben.id, course.list_id, source="page", now=now + HOUR)
    join(session, BEN, now + 2 * HOUR)
    enroll(session, course, ben, now + 2 * HOUR)
    leave(session, ben.id, course.list_id, source="page", now=now + 3 * HOUR)
    kept = enrollment_of(session, ben)
    assert (kept.state, kept.ended_at, kept.answers) == ("stopped", now + HOUR, {"1": "done"})
    assert not kept.waits
    # A later yes to the list, of another day, is no yes to the course.
    join(session, BEN, now + 4 * HOUR)
    confirm_subscription(session, subscription.id, "page", now + 5 * HOUR)
    assert enrollment_of(session, ben).state == "stopped"


def test_leaving_before_confirming_ends_it_as_well(session: Session, course: Course, now: datetime) -> None:
    ben = join(session, BEN, now)
    enroll(session, course, ben, now)
    assert leave(session, ben.id, course.list_id, source="page", now=now)
    assert not leave(session, ben.id, course.list_id, source="page", now=now)
    subscription = subscription_of(session, ben)
    assert evidence(session, subscription) == ["asked", "withdrawn"]
    assert confirm_subscription(session, subscription.id, "page", now).is_ended
    assert enrollment_of(session, ben).state == "stopped"


def test_who_left_comes_back_to_a_single_opt_in_list_only_by_confirming(
    session: Session, letters: None, now: datetime
) -> None:
    ben = join(session, BEN, now, list_="letters")
    subscription = subscription_of(session, ben)
    assert (subscription.state, mails(session, ben)) == ("active", [])
    leave(session, ben.id, subscription.list_id, source="page", now=now)
    join(session, BEN, now, list_="letters")
    assert (subscription.state, mails(session, ben)) == ("pending", ["confirm"])


def test_everything_is_lifted_by_signing_up_anew_and_confirming_not_before(
    session: Session, course: Course, now: datetime
) -> None:
    ben = join(session, BEN, now)
    leave(session, ben.id, None, source="page", now=now)
    join(session, BEN, now + HOUR)
    stop = find_suppression(session, BEN, now)
    assert stop is not None
    assert stop.reason == SuppressionReason.EVERYTHING
    confirm_subscription(session, subscription_of(session, ben).id, "page", now + HOUR)
    assert find_suppression(session, BEN, now) is None


def test_who_left_everything_is_asked_also_by_a_list_that_asks_nobody(
    session: Session, course: Course, letters: None, now: datetime
) -> None:
    ben = join(session, BEN, now)
    leave(session, ben.id, None, source="page", now=now)
    list_ = get_list(session, "letters")
    subscription = sign_up(session, Person(BEN), list_, CONSENT, now + HOUR)
    assert (subscription.state, mails(session, ben)) == ("pending", ["confirm", "confirm"])
    confirm_subscription(session, subscription.id, "page", now + HOUR)
    assert (subscription.state, find_suppression(session, BEN, now)) == ("active", None)


def test_a_hard_bounce_is_lifted_neither_by_signing_up_nor_by_an_old_link(
    session: Session, course: Course, now: datetime
) -> None:
    cleo = join(session, CLEO, now)
    assert suppress(session, CLEO, SuppressionReason.HARD_BOUNCE, now)
    join(session, CLEO, now + HOUR)
    confirm_subscription(session, subscription_of(session, cleo).id, "page", now + HOUR)
    stop = find_suppression(session, CLEO, now)
    assert stop is not None
    assert stop.reason == SuppressionReason.HARD_BOUNCE


def test_a_graver_reason_takes_the_place_of_the_readers_own_and_no_other(
    session: Session, now: datetime
) -> None:
    assert suppress(session, CLEO, SuppressionReason.EVERYTHING, now)
    assert not suppress(session, CLEO, SuppressionReason.EVERYTHING, now)
    assert suppress(session, CLEO, SuppressionReason.HARD_BOUNCE, now + HOUR, detail="550 5.1.1")
    assert not suppress(session, CLEO, SuppressionReason.COMPLAINT, now)
    assert not suppress(session, CLEO, SuppressionReason.EVERYTHING, now)
    lift_own_stop(session, CLEO)
    stop = find_suppression(session, CLEO, now)
    assert stop is not None
    assert (stop.reason, stop.at, stop.detail) == ("hard-bounce", now + HOUR, "550 5.1.1")


def test_leaving_everything_ends_every_list_and_course(
    session: Session, course: Course, letters: None, now: datetime
) -> None:
    ben = join(session, BEN, now)
    enroll(session, course, ben, now)
    join(session, BEN, now, list_="letters")
    assert leave(session, ben.id, None, source="page", now=now)
    assert not leave(session, ben.id, None, source="page", now=now)
    assert set(session.scalars(select(Subscription.state))) == {"ended"}
    assert enrollment_of(session, ben).state == "stopped"
    assert [(row.kind, row.detail) for row in session.scalars(select(Event))] == [
        ("unsubscribed", "everything")
    ]


def test_the_confirmation_mail_speaks_the_readers_language_or_the_courses(
    session: Session, course: Course, now: datetime
) -> None:
    course.language = "de"
    for email, language in ((ADA, None), (BEN, "en"), (CLEO, "pt-BR")):
        sign_up(session, Person(email, language=language), get_list(session, "calm"), CONSENT, now)
    spoken = session.execute(
        select(Delivery.message_id).where(Delivery.kind == DeliveryKind.CONFIRM).order_by(AS_WRITTEN)
    ).scalars()
    ada, ben, cleo = spoken
    assert ada != ben
    assert cleo == ben  # nobody wrote it in Portuguese


def test_what_a_reader_changes_moves_the_next_lesson_to_the_new_zone(
    session: Session, course: Course, now: datetime
) -> None:
    ada = join(session, ADA, now)
    enroll(session, course, ada, now)
    confirm_subscription(session, subscription_of(session, ada).id, "page", now)
    change_details(session, ada.id, name=" Ada\nL ", language="de_at", zone_name="Asia/Tokyo", now=now)
    session.refresh(enrollment_of(session, ada))
    assert (ada.name, ada.language, ada.zone) == ("Ada L", "de-AT", "Asia/Tokyo")
    assert enrollment_of(session, ada).next_due_at == now


def test_lists_and_courses_at_a_glance(
    session: Session, course: Course, letters: None, now: datetime
) -> None:
    for email in (ADA, BEN, CLEO):
        person = join(session, email, now)
        enroll(session, course, person, now)
    confirm_subscription(session, subscription_of(session, get_subscriber(session, ADA)).id, "page", now)
    leave(session, get_subscriber(session, BEN).id, course.list_id, source="page", now=now)
    calm, other = lists_overview(session)
    assert (calm.slug, calm.opt_in, calm.active, calm.pending, calm.ended) == ("calm", "double", 1, 1, 1)
    assert (other.slug, other.active, other.pending, other.ended) == ("letters", 0, 0, 0)
    (row,) = courses_overview(session)
    assert (row.slug, row.list, row.steps, row.waiting, row.active, row.finished, row.stopped) == (
        *("calm", "calm", 3),
        *(1, 1, 0, 1),
    )


def test_a_list_has_a_plain_name_and_a_title(session: Session) -> None:
    for slug in ("My List", "", "a/b", "Calm", "-a"):
        with pytest.raises(Refused, match="cannot name a list"):
            add_list(session, slug, "Title", OptIn.DOUBLE)
    with pytest.raises(Refused, match="needs a title"):
        add_list(session, "fine", " \n", OptIn.DOUBLE)
    with pytest.raises(NotFound):
        get_list(session, "fine")


def test_a_list_without_a_sender_cannot_ask(session: Session, now: datetime) -> None:
    list_ = add_list(session, "new", "New", OptIn.DOUBLE)
    with pytest.raises(Refused, match="has no sender yet"):
        sign_up(session, Person(ADA), list_, Evidence("Yes.", "test"), now)
