"""Going on after an outage: what each policy does to real rows, and that all of it is accounted for."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import select, update

from mailer.clock import local_date
from mailer.db import session_scope
from mailer.delivery.claim import claim_batch
from mailer.delivery.holds import guarded, put_on_hold
from mailer.delivery.ledger import Filter, act
from mailer.delivery.ledger import choose as choose_mails
from mailer.delivery.verbs import HOLD
from mailer.errors import Refused
from mailer.launch.backlog import Backlog, backlog
from mailer.launch.carry_out import carry_out
from mailer.launch.release import (
    begin,
    choose,
    finish,
    go_on,
    overdue_readers,
    pass_over_mails,
    pass_over_readers,
)
from mailer.models import (
    Action,
    Delivery,
    DeliveryKind,
    DeliveryState,
    Enrollment,
    Hold,
    HoldCause,
    HoldScope,
    Lane,
    Subscriber,
)
from mailer.reports.statement import course_statement
from mailer.reports.why import why
from mailer.schedule.catchup import STALE_AFTER, Policy
from mailer.schedule.courses import get_course
from mailer.schedule.pace import pause_until
from mailer.schedule.pace_case import Asker
from tests.support.cast import ADA, BEN, publish_folder, step_file, write_course
from tests.support.house import House
from tests.support.place import Place

WEEK = timedelta(days=7)
LESSONS = 14
DEE = "dee@reader.example"
POLICIES = list(Policy)


@pytest.fixture
def place(house: House, tmp_path: Path) -> Place:
    """The course "calm" has a lesson on each of fourteen days; Ada is in London and Dee in Auckland."""
    folder = write_course(
        tmp_path / "calm", {f"{n:02}-day.md": step_file(f"day-{n}", n) for n in range(1, LESSONS + 1)}
    )
    toml = folder / "course.toml"
    toml.write_text(toml.read_text(encoding="utf-8").replace("days = 7", "days = 14"), encoding="utf-8")
    with session_scope(house.sessions) as session:
        publish_folder(session, folder, house.at)
    place = Place(house, tmp_path / "here")
    place.look()
    house.enroll(ADA)
    house.enroll(DEE, "Pacific/Auckland")
    return place


def outage(place: Place) -> None:
    """Monday to Thursday morning as planned, then a week of silence: day 10 is Thursday the 12th, 10:00 UTC.

    Ada has had days 1 to 3, Dee, for whom it is 23:00 then, has too. Overdue are 4 to 10.
    """
    place.live_to(place.house.at.replace(hour=10) + timedelta(days=3))
    place.silence(WEEK)
    assert not place.look().may_plan


def what_is_overdue(place: Place, stale_after: timedelta = STALE_AFTER) -> Backlog:
    with session_scope(place.house.sessions) as session:
        return backlog(session, place.house.at, (Lane.COURSE, Lane.CAMPAIGN), stale_after)


def release(place: Place, policy: Policy, lane: Lane | None = None) -> int:
    """The whole of it, as the command does; how many mails were passed over."""
    now, sessions = place.house.at, place.house.sessions
    with session_scope(sessions) as session:
        choice = choose(session, policy, lane)
        action_id = begin(session, choice, now, who="ann")
        groups = overdue_readers(session, choice, now)
    mails = 0
    for ids in groups:
        with session_scope(sessions) as session:
            mails += pass_over_readers(session, choice, ids, now)
    with session_scope(sessions) as session:
        mails += pass_over_mails(session, choice, now)
    with session_scope(sessions) as session:
        mark = finish(session, choice, place.here, now, action_id=action_id, mails=mails)
    place.here.note(mark)
    return mails


def arrivals(place: Place, email: str, zone: str) -> list[tuple[str, object]]:
    """(step, local day on which it was taken) of what a reader got, in the order in which it left."""
    with session_scope(place.house.sessions) as session:
        rows = session.execute(
            select(Delivery.dedup_key, Delivery.settled_at)
            .join(Subscriber, Subscriber.id == Delivery.subscriber_id)
            .where(
                Subscriber.email == email,
                Delivery.state == DeliveryState.ACCEPTED,
                Delivery.kind == DeliveryKind.STEP,
            )
            .order_by(Delivery.settled_at)
        ).all()
    return [(row.dedup_key.split(":")[2], local_date(row.settled_at, zone)) for row in rows]


@pytest.mark.parametrize("policy", POLICIES)
def test_whoever_paused_before_the_outage_has_missed_nothing(place: Place, policy: Policy) -> None:
    """Day 4's lesson is planned on Thursday at eight; Ada pauses before it leaves, until Sunday the 15th."""
    place.live_to(place.house.at.replace(hour=10) + timedelta(days=2))
    place.house.go_to(place.house.at.replace(hour=8) + timedelta(days=1))
    place.house.plan()
    with session_scope(place.house.sessions) as session:
        of_ada = Enrollment.subscriber_id == Subscriber.id, Subscriber.email == ADA
        enrollment = session.execute(select(Enrollment.id).where(*of_ada)).scalar_one()
        pause_until(session, enrollment, date(2026, 3, 15), Asker("the pace page"), place.house.at)
    place.silence(WEEK)
    place.look()
    release(place, policy)
    place.live_to(place.house.at + timedelta(days=14))
    names = [int(name.removeprefix("day-")) for name, _ in arrivals(place, ADA, "Europe/London")]
    assert names == list(range(1, LESSONS + 1))


@pytest.mark.parametrize("policy", POLICIES)
def test_an_outage_of_a_week_floods_nobody(place: Place, policy: Policy) -> None:
    """Field research's row "Flood after pause/outage": every vendor picks a different silent rule."""
    outage(place)
    release(place, policy)
    place.live_to(place.house.at + timedelta(days=14))
    for email, zone in ((ADA, "Europe/London"), (DEE, "Pacific/Auckland")):
        mails = arrivals(place, email, zone)
        days = [day for _, day in mails]
        assert all(earlier < later for earlier, later in pairwise(days)), mails  # type: ignore[operator]
        names = [int(name.removeprefix("day-")) for name, _ in mails]
        assert names == sorted(set(names))
    with session_scope(place.house.sessions) as session:
        statement = course_statement(session, get_course(session, "calm"), place.house.at)
    assert statement.is_balanced
    # Each lesson of each reader, and the two welcomes: sent, or passed over with its reason.
    assert statement.audience == 2 * LESSONS + 2


@pytest.mark.parametrize(
    ("policy", "late", "passed_over", "delay"),
    [
        # Days 4 to 10 of both; day 4 leaves on the day of day 10.
        (Policy.SHIFT, 14, 0, 6),
        # Ada has room for one mail on the 12th before day 11 on the 13th, and so has Dee.
        (Policy.RHYTHM, 2, 12, 0),
        # At 10:00 UTC days 8, 9 and 10 are 50, 26 and 2 hours late in London, 63, 39 and 15 in Auckland.
        (Policy.SKIP_STALE, 4, 10, 1),
    ],
)
def test_what_is_shown_before_is_what_happens(
    place: Place, policy: Policy, late: int, passed_over: int, delay: int
) -> None:
    outage(place)
    found = what_is_overdue(place)
    (entry,) = found.overdue
    assert (entry.lane, entry.name, entry.people, entry.mails) == ("course", "calm", 2, 14)
    effect = found.total(policy)
    assert (effect.late, effect.passed_over, effect.delay) == (late, passed_over, delay)
    assert release(place, policy) == passed_over
    states = Counter(state for email in (ADA, DEE) for _, state in place.mails_of(email))
    assert states["skipped"] == passed_over


def test_the_oldest_is_told_with_its_moment(place: Place) -> None:
    outage(place)
    (entry,) = what_is_overdue(place).overdue
    # Dee's fourth day: Friday the 6th, 08:00 in Auckland, thirteen hours ahead of UTC.
    assert entry.oldest == datetime.fromisoformat("2026-03-05T19:00+00:00")


def test_the_time_to_drain_is_known_from_the_busiest_minute(place: Place) -> None:
    assert what_is_overdue(place).drain_minutes is None
    outage(place)
    minutes = what_is_overdue(place).drain_minutes
    assert minutes is not None
    assert minutes > 0


def test_while_a_reader_catches_up_nothing_counts_as_missing(house: House, tmp_path: Path) -> None:
    """The course "calm" as it is: lessons on days 1, 2 and 4, so that day 3 is free."""
    place = Place(house, tmp_path / "here")
    place.look()
    house.enroll(ADA)
    place.tick()
    place.silence(timedelta(days=2, hours=3))  # day 2, 10:00: days 1 and 2 are overdue
    place.look()
    assert release(place, Policy.RHYTHM) == 0
    seen = []
    for hours in (0, 22, 1, 23, 1):  # day 2 at 10:00, day 3 before and after 08:00, day 4 as well
        house.go_to(house.at + timedelta(hours=hours))
        place.tick()
        with session_scope(house.sessions) as session:
            statement = course_statement(session, get_course(session, "calm"), house.at)
        seen.append((len(arrivals(place, ADA, "Europe/London")), statement.missing))
    assert seen == [(1, 0), (2, 0), (2, 0), (3, 0), (3, 0)]


def test_why_says_what_was_passed_over_and_for_what_reason(place: Place) -> None:
    outage(place)
    release(place, Policy.RHYTHM)
    with session_scope(place.house.sessions) as session:
        told = [decision.what for decision in why(session, ADA, "day-5").decisions]
    assert told == [
        "was due",
        "not sent: skipped (passed over after an outage: the course is back at its own dates)",
    ]


def test_the_choice_is_in_the_action_log(place: Place) -> None:
    outage(place)
    release(place, Policy.SKIP_STALE)
    with session_scope(place.house.sessions) as session:
        action = session.execute(select(Action).where(Action.what == "hold release")).scalar_one()
    assert (action.who, action.rows) == ("ann", 10)
    assert action.detail == {
        "policy": "skip-stale",
        "lanes": ["course", "campaign"],
        "stale_after_hours": 48,
    }


def test_what_was_released_is_not_put_on_hold_again_for_the_same_outage(place: Place) -> None:
    outage(place)
    release(place, Policy.SHIFT)
    for _ in range(3):
        place.house.go_to(place.house.at + timedelta(hours=5))
        place.forget_sign(timedelta(seconds=11))
        assert place.look().may_plan
    assert place.holds() == []


def test_one_lane_can_be_released_alone(place: Place) -> None:
    outage(place)
    release(place, Policy.SHIFT, Lane.CAMPAIGN)
    assert place.holds() == [("outage", "lane", "course")]
    with (
        session_scope(place.house.sessions) as session,
        pytest.raises(Refused, match="not on hold by itself"),
    ):
        choose(session, Policy.SHIFT, Lane.CAMPAIGN)


def test_nothing_on_hold_is_refused_with_what_to_do(place: Place) -> None:
    with session_scope(place.house.sessions) as session, pytest.raises(Refused, match="queue resume"):
        choose(session, Policy.SHIFT)


def test_a_release_that_was_cut_short_is_gone_on_with(place: Place) -> None:
    outage(place)
    with session_scope(place.house.sessions) as session:
        choice = choose(session, Policy.RHYTHM)
        first = overdue_readers(session, choice, place.house.at)[0][:1]
        assert pass_over_readers(session, choice, first, place.house.at) == 6
    assert place.holds() != []
    assert release(place, Policy.RHYTHM) == 6
    assert place.holds() == []


def test_a_mail_that_waited_since_before_the_outage_is_part_of_the_backlog(place: Place) -> None:
    place.live_to(place.house.at.replace(hour=7) + timedelta(days=4))
    place.house.go_to(place.house.at.replace(hour=8))
    place.house.plan()  # Ada's day 4 is a row, and nothing takes it
    place.silence(WEEK)
    place.look()
    assert release(place, Policy.RHYTHM) > 0
    assert dict(place.mails_of(ADA))["day-4"] == "skipped"
    place.live_to(place.house.at + timedelta(days=2))
    assert [name for name, _ in arrivals(place, ADA, "Europe/London")][-3:] == ["day-11", "day-12", "day-13"]


def pause(place: Place, email: str, until: date) -> None:
    with session_scope(place.house.sessions) as session:
        number = session.scalars(
            select(Enrollment.id)
            .join(Subscriber, Subscriber.id == Enrollment.subscriber_id)
            .where(Subscriber.email == email)
        ).one()
        pause_until(session, number, until, Asker("the pace page"), place.house.at)


@pytest.mark.parametrize("days", [1, 9])  # in the pause; the day after it
def test_what_waits_for_the_end_of_a_readers_pause_is_not_stale(place: Place, days: int) -> None:
    place.live_to(place.house.at.replace(hour=7) + timedelta(days=4))
    place.house.go_to(place.house.at.replace(hour=8))
    place.house.plan()  # Ada's day 4, on Friday the 6th, is a row, and nothing takes it
    place.silence(timedelta(days=4))
    pause(place, ADA, place.house.at.date() + timedelta(days=8))  # on the 10th, until the 18th
    place.silence(timedelta(days=days))
    place.look()
    shown = what_is_overdue(place).total(Policy.SKIP_STALE).passed_over
    assert release(place, Policy.SKIP_STALE) == shown > 0  # Dee's
    assert "skipped" not in [state for _, state in place.mails_of(ADA)]
    place.live_to(datetime(2026, 3, 19, 12, tzinfo=place.house.at.tzinfo) + timedelta(days=2))
    on = local_date(datetime(2026, 3, 18 if days == 1 else 19, 12, tzinfo=place.house.at.tzinfo), "UTC")
    assert arrivals(place, ADA, "Europe/London")[3] == ("day-4", on)


def test_after_a_restore_a_welcome_that_a_pause_holds_back_is_not_passed_over(
    place: Place, tmp_path: Path
) -> None:
    pause(place, ADA, place.house.at.date() + timedelta(days=8))
    place.house.go_to(place.house.at + timedelta(days=3))
    copy = Place(place.house, tmp_path / "copy")
    copy.look()
    release(copy, Policy.SKIP_STALE)
    with session_scope(place.house.sessions) as session:
        rows = session.execute(
            select(Subscriber.email, Delivery.state).where(Delivery.subscriber_id == Subscriber.id)
        )
        assert {email: str(state) for email, state in rows} == {ADA: "planned", DEE: "skipped"}


def test_a_reader_whose_mail_was_set_aside_is_left_alone(place: Place) -> None:
    place.live_to(place.house.at.replace(hour=7) + timedelta(days=4))
    place.house.go_to(place.house.at.replace(hour=8))
    place.house.plan()
    with session_scope(place.house.sessions) as session:
        assert act(session, choose_mails(session, HOLD, Filter(email=ADA)), place.house.at, who="ann") == 1
    place.silence(WEEK)
    place.look()
    release(place, Policy.SKIP_STALE)
    assert dict(place.mails_of(ADA))["day-4"] == "held"
    assert "skipped" not in [state for _, state in place.mails_of(ADA)]
    assert "skipped" in [state for _, state in place.mails_of(DEE)]


def test_releasing_a_copy_makes_this_installation_the_one_that_sends(place: Place, tmp_path: Path) -> None:
    place.house.enroll(BEN)
    for batch_id in place.house.offers():
        with session_scope(place.house.sessions) as session:
            claim_batch(session, batch_id, place.house.at)  # a worker had these as the copy was made
    copy = Place(place.house, tmp_path / "copy")
    copy.look()
    with session_scope(place.house.sessions) as session, pytest.raises(Refused, match="leave --lane out"):
        choose(session, Policy.SHIFT, Lane.COURSE)
    release(copy, Policy.SHIFT)
    assert copy.holds() == []
    assert copy.look().may_plan
    assert copy.may_send()
    assert not place.may_send()  # and the one that it was copied from is not
    # The welcomes of Ada, Dee and Ben: they may have arrived, so nobody sends them a second time unasked.
    assert place.house.states() == {"uncertain": 3}
    assert copy.tick() == {}


def test_after_a_restore_all_that_was_due_can_be_passed_over(place: Place, tmp_path: Path) -> None:
    place.house.enroll(BEN)  # the welcome is due, and may have left since the backup
    place.house.go_to(place.house.at + timedelta(minutes=5))
    copy = Place(place.house, tmp_path / "copy")
    copy.look()
    now = place.house.at
    with session_scope(place.house.sessions) as session:
        choice = choose(session, Policy.SKIP_STALE, stale_after=timedelta())
        assert {hold.cause for hold in guarded(session)} == {"fence"}
        assert pass_over_mails(session, choice, now) == 3
        finish(session, choice, copy.here, now, action_id=begin(session, choice, now, who="ann"), mails=3)
    assert place.house.states() == {"skipped": 3}


def test_of_two_releases_that_are_begun_the_later_one_goes_on_and_nothing_is_doubted_twice(
    place: Place,
) -> None:
    sessions, now = place.house.sessions, place.house.at
    with session_scope(sessions) as session:
        put_on_hold(session, HoldCause.FENCE, HoldScope.EVERYTHING, "", now, "an older state")
    with session_scope(sessions) as session:
        first, second = choose(session, Policy.SHIFT), choose(session, Policy.SHIFT)
        action_id = begin(session, first, now, who="ann")
    carry_out(lambda: session_scope(sessions), second, place.here, now, who="ben")
    # Their welcomes are with a worker when the first one would come to its end.
    with session_scope(sessions) as session:
        session.execute(update(Delivery).values(state=DeliveryState.SENDING))
    with session_scope(sessions) as session, pytest.raises(Refused, match="let some of it go on"):
        finish(session, first, place.here, now, action_id=action_id, mails=0)
    with pytest.raises(Refused, match="Somebody else has let some of it go on"):
        carry_out(lambda: session_scope(sessions), first, place.here, now, who="ann")
    with session_scope(sessions) as session:
        states = session.execute(select(Delivery.state)).scalars().all()
    assert set(states) == {DeliveryState.SENDING}


def test_a_release_of_all_stops_when_another_one_takes_a_lane_of_it(place: Place) -> None:
    sessions, now = place.house.sessions, place.house.at
    with session_scope(sessions) as session:
        for lane in (Lane.COURSE, Lane.CAMPAIGN):
            put_on_hold(session, HoldCause.OUTAGE, HoldScope.LANE, lane, now, "an outage")
    with session_scope(sessions) as session:
        whole, one = choose(session, Policy.SKIP_STALE), choose(session, Policy.SHIFT, Lane.CAMPAIGN)
        action_id = begin(session, whole, now, who="ann")
        begin(session, one, now, who="ben")
    # It has the course's hold still, and would pass over the campaign's mails by its own choice.
    with session_scope(sessions) as session, pytest.raises(Refused, match="let some of it go on"):
        go_on(session, whole, action_id)
    with session_scope(sessions) as session:
        session.execute(update(Hold).where(Hold.target == Lane.CAMPAIGN).values(released_at=now))
    with session_scope(sessions) as session, pytest.raises(Refused, match="let some of it go on"):
        begin(session, whole, now, who="ann")
