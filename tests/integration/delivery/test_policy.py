"""What an operator may decide about sending: mails in doubt, soft bounces, when a suppression ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, update

from mailer.audience.lists import add_list, get_list
from mailer.audience.soft_bounces import SoftBounces
from mailer.audience.subscribers import Person
from mailer.audience.suppression import find_suppression, suppress
from mailer.db import session_scope
from mailer.delivery.policy import AFTER_CUT, AfterCut, Policy, policy_of
from mailer.feedback.record import confirm_subscription
from mailer.models import Delivery, Enrollment, Lane, OptIn, SoftBounce, SuppressionReason
from mailer.schedule.signup import sign_up
from mailer.settings import load_settings
from tests.support.cast import ADA, BEN, CLEO, CONSENT
from tests.support.house import House
from tests.support.scripted_smtp import CUT, ScriptedSmtp

DAY = timedelta(days=1)
FULL = "552 5.2.2 mailbox full"


def decide(house: House, policy: Policy) -> None:
    house.post = replace(house.post, policy=policy)


def refuse(server: ScriptedSmtp, reply: str, email: str = CLEO) -> None:
    """Every mail to this address is refused from now on."""
    server.about["RCPT", email] = [reply] * 100


def counted(house: House) -> Mapping[int, int]:
    with session_scope(house.sessions) as session:
        return dict(session.execute(select(SoftBounce.subscriber_id, SoftBounce.bounces)).all())


def suppressed(house: House, email: str = CLEO) -> tuple[str, datetime | None] | None:
    with session_scope(house.sessions) as session:
        found = find_suppression(session, email, house.at)
        return (found.reason, found.until) if found else None


def test_the_settings_say_what_happens_and_have_sane_defaults() -> None:
    assert policy_of(load_settings({})) == Policy()
    chosen = load_settings(
        {
            "STEADYPOST_AFTER_CUT": "course=hold",
            "STEADYPOST_SOFT_BOUNCES": "5",
            "STEADYPOST_SOFT_BOUNCE_DAYS": "14",
            "STEADYPOST_SUPPRESSION_DAYS": "soft-bounce=never,hard-bounce=365",
        }
    )
    assert policy_of(chosen) == Policy(
        AFTER_CUT | {Lane.COURSE: AfterCut.HOLD},
        SoftBounces(most=5, over=14 * DAY, ends=None),
        hard_bounce_ends=365 * DAY,
    )


def test_a_lesson_in_doubt_is_held_where_the_operator_wants_it_so(house: House, server: ScriptedSmtp) -> None:
    decide(house, Policy(AFTER_CUT | {Lane.COURSE: AfterCut.HOLD}))
    house.enroll(ADA)
    server.replies["DOT"] = [CUT]
    assert house.send() == {"uncertain": 1}
    house.go_to(house.at + timedelta(minutes=5))
    assert house.send() == {}
    assert len(server.mails) == 1


def test_three_soft_bounces_in_a_row_over_a_week_stop_an_address_for_a_month(
    house: House, server: ScriptedSmtp, now: datetime
) -> None:
    decide(house, Policy(soft_bounces=SoftBounces(over=3 * DAY)))
    cleo = house.enroll(CLEO)
    refuse(server, FULL)
    assert house.send() == {"failed": 1}  # the welcome, on day 0
    for day in (1, 2):
        house.go_to(now.replace(hour=8) + day * DAY)
        assert house.send() == {"failed": 1}
    # Three in a row, but over two days: a full mailbox at the weekend is not a dead one.
    assert (counted(house), suppressed(house)) == ({cleo: 3}, None)
    fourth = now.replace(hour=8) + 4 * DAY
    house.go_to(fourth)
    assert house.send() == {"failed": 1}
    assert suppressed(house) == ("soft-bounce", fourth + 30 * DAY)
    assert counted(house) == {}


def test_a_course_waits_for_its_reader_until_the_suppression_ends_and_no_lesson_is_passed_over(
    house: House, server: ScriptedSmtp, now: datetime
) -> None:
    decide(house, Policy(soft_bounces=SoftBounces(most=2, over=DAY)))
    house.enroll(CLEO)
    refuse(server, FULL)
    house.send()
    house.go_to(now.replace(hour=8) + DAY)
    assert house.send() == {"failed": 1}
    server.about.clear()
    for day in (2, 4, 20):
        house.go_to(now.replace(hour=8) + day * DAY)
        assert house.send() == {}
    house.go_to(now.replace(hour=8) + 31 * DAY)
    assert house.send() == {"accepted": 1}
    assert server.mails[-1]["Subject"] == "About rest"
    # The last lesson keeps its distance of two days from it.
    house.go_to(now.replace(hour=8) + 33 * DAY)
    assert house.send() == {"accepted": 1}
    with session_scope(house.sessions) as session:
        assert session.execute(select(Enrollment.state)).scalar_one() == "finished"


def test_a_mail_that_is_taken_sets_the_count_back(house: House, server: ScriptedSmtp, now: datetime) -> None:
    decide(house, Policy(soft_bounces=SoftBounces(most=2, over=timedelta(0))))
    cleo, _ = house.enroll(CLEO), house.enroll(ADA)
    server.about["RCPT", CLEO] = [FULL]
    assert house.send() == {"failed": 1, "accepted": 1}
    assert counted(house) == {cleo: 1}
    house.go_to(now.replace(hour=8) + DAY)
    assert house.send() == {"accepted": 2}
    assert counted(house) == {}
    server.about["RCPT", CLEO] = [FULL]
    house.go_to(now.replace(hour=8) + 2 * DAY)
    house.send()
    assert (counted(house), suppressed(house)) == ({cleo: 1}, None)


@pytest.mark.parametrize(
    "reply",
    [
        "450 4.2.1 mailbox disabled",
        "452 4.2.2 mailbox full",
        "450 4.1.2 Domain not found",
        "450 host not found",
    ],
)
def test_a_mail_deferred_for_its_mailbox_until_it_is_too_old_is_one_soft_bounce(
    house: House, server: ScriptedSmtp, now: datetime, reply: str
) -> None:
    cleo = house.enroll(CLEO)
    house.go_to(now + timedelta(minutes=1))
    refuse(server, reply)
    for hours in (0, 5, 10, 20, 73):
        house.go_to(now + timedelta(hours=hours))
        house.send()
    with session_scope(house.sessions) as session:
        welcome = session.execute(select(Delivery).where(Delivery.kind == "welcome")).scalar_one()
        assert (welcome.state, welcome.reason[:7]) == ("failed", "mailbox")
    assert counted(house) == {cleo: 1}


@pytest.mark.parametrize("reply", ["450 4.7.1 greylisted", "451 4.3.0 later", "450 4.1.8 sender not found"])
def test_what_is_not_the_mailboxs_doing_is_never_counted_against_it(
    house: House, server: ScriptedSmtp, now: datetime, reply: str
) -> None:
    house.enroll(CLEO)
    refuse(server, reply)
    for hours in (0, 5, 10, 20, 73):
        house.go_to(now + timedelta(hours=hours))
        house.send()
    assert house.states()["failed"] == 1
    assert counted(house) == {}


def test_nothing_is_counted_where_soft_bounces_are_switched_off(house: House, server: ScriptedSmtp) -> None:
    decide(house, Policy(soft_bounces=SoftBounces(most=0)))
    house.enroll(CLEO)
    refuse(server, FULL)
    assert house.send() == {"failed": 1}
    assert (counted(house), suppressed(house)) == ({}, None)


def test_somebody_is_mailed_again_at_the_moment_their_suppression_ends(
    house: House, server: ScriptedSmtp, now: datetime
) -> None:
    house.enroll(BEN)
    with session_scope(house.sessions) as session:
        suppress(session, BEN, SuppressionReason.SOFT_BOUNCE, now, until=now + DAY)
    assert house.send() == {"suppressed": 1}
    house.go_to(now + DAY)  # 07:00; the lesson leaves at 08:00
    house.go_to(now.replace(hour=8) + DAY)
    assert house.send() == {"accepted": 1}


def test_a_hard_bounce_ends_where_the_operator_wants_it_so(
    house: House, server: ScriptedSmtp, now: datetime
) -> None:
    decide(house, Policy(hard_bounce_ends=365 * DAY))
    house.enroll(CLEO)
    refuse(server, "550 5.1.1 no such user")
    assert house.send() == {"bounced": 1}
    assert suppressed(house) == ("hard-bounce", now + 365 * DAY)
    house.go_to(now + 365 * DAY)
    assert suppressed(house) is None


def test_publishing_anew_costs_somebody_who_waits_one_lesson_at_most(
    house: House, server: ScriptedSmtp, now: datetime
) -> None:
    house.enroll(CLEO)
    assert house.send() == {"accepted": 1}
    until = now + 30 * DAY
    with session_scope(house.sessions) as session:
        suppress(session, CLEO, SuppressionReason.SOFT_BOUNCE, now, until=until)
        session.execute(update(Enrollment).values(next_due_at=now))  # as publishing does
    house.go_to(now.replace(hour=8) + DAY)
    assert house.send() == {"suppressed": 1}
    with session_scope(house.sessions) as session:
        assert session.execute(select(Enrollment.next_due_at)).scalar_one() == until


def test_who_confirms_anew_after_soft_bounces_is_asked_and_then_mailed_and_their_course_goes_on(
    house: House, server: ScriptedSmtp, now: datetime
) -> None:
    decide(house, Policy(soft_bounces=SoftBounces(most=1, over=timedelta(0))))
    house.enroll(CLEO)
    server.about["RCPT", CLEO] = [FULL]
    assert house.send() == {"failed": 1}
    assert suppressed(house) is not None
    with session_scope(house.sessions) as session:
        list_ = add_list(session, "letters", "Letters", OptIn.DOUBLE, get_list(session, "calm").sender_id)
        subscription = sign_up(session, Person(CLEO), list_, CONSENT, now)
        number = subscription.id
    assert house.send() == {"accepted": 1}  # the question whether she wants the letters
    assert suppressed(house) is not None
    with session_scope(house.sessions) as session:
        confirm_subscription(session, number, "page", now)
    assert suppressed(house) is None
    house.go_to(now.replace(hour=8) + DAY)
    assert house.send() == {"accepted": 1}
