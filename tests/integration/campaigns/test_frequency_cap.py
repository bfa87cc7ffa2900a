"""One person gets so many mails at most: lessons win, and a campaign waits or is dropped."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, time, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from mailer.audience.segments import remove_segment, save_segment
from mailer.db import session_scope
from mailer.delivery.batch import deliver_batch
from mailer.delivery.holds import pause, resume
from mailer.errors import Refused
from mailer.launch.campaign_tick import materialise
from mailer.models import Course, Delivery, Enrollment, HoldScope, Losing, Step
from mailer.reports.statement import courses_statement
from mailer.reports.why import why
from mailer.schedule.campaigns import get_campaign
from mailer.schedule.cap import Cap, set_cap
from mailer.schedule.courses import get_course
from mailer.schedule.enroll import enroll
from mailer.schedule.plan import plan_due
from mailer.tally import mend
from tests.support.campaigns import SPRING, draft, set_going, write_campaign
from tests.support.cast import ADA, BEN, join, publish_folder, write_course
from tests.support.house import House


def cap(house: House, **limits: object) -> None:
    with session_scope(house.sessions) as session:
        set_cap(session, Cap(**limits))  # type: ignore[arg-type]


def of_campaign(house: House) -> tuple[str, str]:
    with session_scope(house.sessions) as session:
        row = session.execute(
            select(Delivery.state, Delivery.reason).where(Delivery.kind == "campaign")
        ).one()
    return row.state, row.reason


def test_a_campaign_waits_while_a_lesson_is_due_later_that_day_and_why_says_so(spring: House) -> None:
    cap(spring, per_day=1)
    spring.enroll(ADA)
    spring.send()  # the welcome
    # The first lesson is due tomorrow at 08:00 in London; the campaign is sent tomorrow at five.
    tomorrow = (spring.at + timedelta(days=1)).replace(hour=5, minute=0)
    spring.go_to(tomorrow)
    set_going(spring)
    spring.send()
    assert of_campaign(spring) == ("planned", "waits for room: at most 1 a day")
    with session_scope(spring.sessions) as session:
        told = [decision.what for decision in why(session, ADA, SPRING).decisions]
    assert any("waits for room: at most 1 a day" in words for words in told), told
    # On day 2 a lesson again; the first day without one is day 3.
    for hours in range(1, 4 * 24):
        spring.go_to(tomorrow + timedelta(hours=hours))
        spring.send()
        if of_campaign(spring)[0] == "accepted":
            break
    assert spring.at == tomorrow + timedelta(days=2)


def test_a_campaign_without_room_is_dropped_where_that_was_chosen(spring: House) -> None:
    cap(spring, per_day=1, losing=Losing.DROP)
    spring.enroll(ADA)
    spring.go_to((spring.at + timedelta(days=1)).replace(hour=5))
    set_going(spring)
    spring.send()
    assert of_campaign(spring) == ("skipped", "no room for it: at most 1 a day")


@pytest.mark.parametrize(
    ("of_house", "own", "state"),
    [
        (Losing.MOVE, "drop", "skipped"),
        (Losing.DROP, "move", "planned"),
        (Losing.DROP, "", "skipped"),
        (Losing.MOVE, "", "planned"),
    ],
)
def test_its_author_says_whether_a_campaign_waits_or_is_dropped(
    spring: House, tmp_path: Path, of_house: Losing, own: str, state: str
) -> None:
    path = write_campaign(tmp_path)
    said = f"slug: {SPRING}\nno_room: {own}\n" if own else f"slug: {SPRING}\n"
    path.write_text(path.read_text().replace(f"slug: {SPRING}\n", said))
    with session_scope(spring.sessions) as session:
        draft(session, [path], spring.at)
    cap(spring, per_day=1, losing=of_house)
    spring.enroll(ADA)
    spring.go_to((spring.at + timedelta(days=1)).replace(hour=5))
    set_going(spring)
    spring.send()
    assert of_campaign(spring)[0] == state


def test_a_zone_that_nobody_knows_any_more_keeps_no_campaign_back(spring: House) -> None:
    cap(spring, per_day=1, quiet_from=time(22), quiet_until=time(5))
    with session_scope(spring.sessions) as session:
        join(session, ADA, spring.at).zone = "Old/Zone"
        join(session, BEN, spring.at)
    set_going(spring)
    # Hers is set aside, with its reason; his does not wait for that.
    assert spring.send() == {"accepted": 1, "quarantined": 1}


def test_without_lessons_a_campaign_leaves_at_once(spring: House) -> None:
    cap(spring, per_day=1, per_week=5)
    with session_scope(spring.sessions) as session:
        join(session, ADA, spring.at)
    set_going(spring)
    spring.send()
    assert of_campaign(spring)[0] == "accepted"


def written_at_five(house: House, days: int = 1) -> None:
    """The campaign's rows are written on a morning at five, and not dispatched yet."""
    house.go_to((house.at + timedelta(days=days)).replace(hour=5, minute=0))
    set_going(house)
    with session_scope(house.sessions) as session:
        materialise(session, house.at)


def test_a_campaign_waits_for_a_lesson_that_a_worker_has_at_this_moment(spring: House) -> None:
    cap(spring, per_day=1)
    spring.enroll(ADA)
    spring.send()  # the welcome
    written_at_five(spring)
    spring.go_to(spring.at.replace(hour=8))  # the first lesson's hour
    spring.plan()
    *_, of_course, of_mailing = spring.offers()
    deliver_batch(of_mailing, spring.post)
    assert of_campaign(spring) == ("planned", "waits for room: at most 1 a day")
    assert deliver_batch(of_course, spring.post).counts() == {"accepted": 1}


def test_a_campaign_waits_for_a_lesson_that_an_outage_has_left_behind(spring: House) -> None:
    cap(spring, per_day=1)
    spring.enroll(ADA)
    spring.send()
    # Yesterday's lesson was not planned yet; it will be today.
    written_at_five(spring, days=2)
    for batch_id in spring.offers():
        deliver_batch(batch_id, spring.post)
    assert of_campaign(spring) == ("planned", "waits for room: at most 1 a day")


@pytest.mark.parametrize("state", ["held", "quarantined"])
def test_a_lesson_that_was_set_aside_takes_no_room_from_a_campaign(spring: House, state: str) -> None:
    cap(spring, per_day=1)
    spring.enroll(ADA)
    spring.send()
    spring.go_to((spring.at + timedelta(days=1)).replace(hour=8, minute=0))
    spring.plan()
    with session_scope(spring.sessions) as session:
        session.execute(update(Delivery).where(Delivery.kind == "step").values(state=state))
        mend(session)
    # Tomorrow's lesson waits for it, and is asked about every five minutes.
    spring.go_to(spring.at + timedelta(days=1))
    spring.send()
    set_going(spring)
    assert spring.send() == {"accepted": 1}


def test_a_lesson_that_may_have_arrived_takes_room(spring: House) -> None:
    cap(spring, per_day=1)
    spring.enroll(ADA)
    spring.send()
    spring.go_to((spring.at + timedelta(days=1)).replace(hour=8, minute=0))
    spring.plan()
    with session_scope(spring.sessions) as session:
        in_doubt = {"state": "uncertain", "settled_at": spring.at}
        session.execute(update(Delivery).where(Delivery.kind == "step").values(in_doubt))
        mend(session)
    set_going(spring)
    spring.send()
    assert of_campaign(spring) == ("planned", "waits for room: at most 1 a day")


@pytest.fixture
def second(spring: House, tmp_path: Path) -> Course:
    """A second course, whose lessons leave at the same hours."""
    folder = write_course(tmp_path / "more")
    text = (folder / "course.toml").read_text(encoding="utf-8")
    (folder / "course.toml").write_text(text.replace('"calm"', '"more"'), encoding="utf-8")
    with session_scope(spring.sessions) as session:
        publish_folder(session, folder, spring.at)
        return get_course(session, "more")


def test_lessons_of_two_courses_share_the_days(spring: House, second: Course) -> None:
    cap(spring, per_day=1)
    in_both(spring)
    days: list[int] = []
    start = spring.at
    for hours in range(1, 9 * 24):
        spring.go_to(start + timedelta(hours=hours))
        sent = spring.send().get("accepted", 0)
        if hours > 23:
            days += [hours // 24] * sent
    # Six lessons, two a day on days 1, 2 and 4 without the cap; with it each has a day of its own.
    assert len(days) == 6
    assert len(set(days)) == 6


def test_two_ticks_at_once_keep_to_the_cap(spring: House, second: Course) -> None:
    cap(spring, per_day=1)
    in_both(spring)
    spring.send()
    spring.go_to((spring.at + timedelta(days=1)).replace(hour=9, minute=0))
    with session_scope(spring.sessions) as first, ThreadPoolExecutor() as pool:
        assert plan_due(first, spring.at, limit=1) == 1
        other = pool.submit(spring.plan)
        with pytest.raises(TimeoutError):
            other.result(timeout=0.3)  # it waits for the first
        first.commit()
        other.result(timeout=5)
    with session_scope(spring.sessions) as session:
        assert session.scalars(select(Delivery.kind).where(Delivery.state == "planned")).all() == ["step"]


def in_both(house: House) -> None:
    """Ada is in both courses: six lessons, two of them on each of days 1, 2 and 4."""
    house.enroll(ADA)
    with session_scope(house.sessions) as session:
        enroll(session, get_course(session, "more"), join(session, ADA, house.at, list_="more"), house.at)


def missing(house: House) -> int:
    with session_scope(house.sessions) as session:
        courses = [get_course(session, slug) for slug in ("calm", "more")]
        return courses_statement(session, courses, house.at).missing


def live_to(house: House, until: datetime) -> None:
    while house.at < until:
        house.go_to(house.at + timedelta(hours=1))
        house.send()


def moves_told(house: House, mail: str | None = None) -> list[tuple[str, str, str]]:
    """What `why` says of Ada's lessons that the cap moved: own day, step, words."""
    with session_scope(house.sessions) as session:
        told = why(session, ADA, mail).decisions
    return [(f"{one.at:%a %H}", one.mail, one.what) for one in told if one.what.startswith("moved")]


def test_why_says_that_a_lesson_moves_because_of_the_cap_and_afterwards_that_it_did(
    spring: House, second: Course
) -> None:
    cap(spring, per_day=1)
    in_both(spring)
    day1 = (spring.at + timedelta(days=1)).replace(hour=9, minute=0)
    live_to(spring, day1)
    # Both first lessons belonged on day 1 at eight; one of the two left, the other has day 2.
    day2 = day1 + timedelta(days=1)
    said = f"moved to {day2:%Y-%m-%d}, the first day with room: at most 1 a day"
    assert moves_told(spring) == [(f"{day1:%a} 08", "hello", said)]
    assert moves_told(spring, "rest") == []
    live_to(spring, day1 + timedelta(days=8))
    with session_scope(spring.sessions) as session:
        lessons = select(Delivery.due_at, Step.key, Delivery.settled_at).join(
            Step, Step.id == Delivery.step_id
        )
        left = {(f"{due:%a} {key}", f"{at:%Y-%m-%d}") for due, key, at in session.execute(lessons)}
    # What was told of each is the day on which it left.
    told = {(f"{own[:3]} {step}", words.split()[2].rstrip(",")) for own, step, words in moves_told(spring)}
    assert told
    assert told <= left


def test_a_lesson_that_the_cap_moved_is_not_missing_and_one_that_was_forgotten_is(
    spring: House, second: Course
) -> None:
    cap(spring, per_day=1)
    in_both(spring)
    day1 = (spring.at + timedelta(days=1)).replace(hour=9, minute=0)
    live_to(spring, day1)
    assert missing(spring) == 0
    with session_scope(spring.sessions) as session:
        # The tick is told to look a week too late, at everything.
        session.execute(update(Enrollment).values(next_due_at=day1 + timedelta(days=7)))
    spring.go_to(day1 + timedelta(hours=22))  # 07:00 on day 2: its turn has not come
    assert missing(spring) == 0
    # From eight on: the first lesson that was moved to day 2, and both courses' second ones, which belong
    # there. None stands in another's way, since none has left.
    spring.go_to(day1 + timedelta(hours=24))
    assert missing(spring) == 3


def test_a_segment_that_a_campaign_is_for_is_not_removed(spring: House) -> None:
    with session_scope(spring.sessions) as session:
        save_segment(session, "keen", 'tag "keen"', "", spring.at)
        get_campaign(session, SPRING).aim = {"segment": "keen"}
    with session_scope(spring.sessions) as session, pytest.raises(Refused, match="campaign spring"):
        remove_segment(session, "keen")


def test_a_campaign_waits_for_a_younger_one_that_a_worker_has_at_this_moment(
    spring: House, tmp_path: Path
) -> None:
    cap(spring, per_day=1)
    (tmp_path / "second").mkdir()
    path = write_campaign(tmp_path / "second", subject="Summer", body="The doors are open too.")
    path.write_text(
        path.read_text(encoding="utf-8").replace("slug: spring", "slug: second"), encoding="utf-8"
    )
    with session_scope(spring.sessions) as session:
        join(session, ADA, spring.at)
        draft(session, [path], spring.at)
    set_going(spring)
    spring.plan()
    with session_scope(spring.sessions) as session:
        pause(session, HoldScope.CAMPAIGN, SPRING, now=spring.at, who="ann", reason="a look")
    set_going(spring, slug="second")
    spring.plan()
    (younger,) = spring.offers()
    spring.lose_worker(younger)  # it has the mail in hand, and asked before there was another
    with session_scope(spring.sessions) as session:
        resume(session, HoldScope.CAMPAIGN, SPRING, now=spring.at, who="ann")
    (older,) = spring.offers()
    deliver_batch(older, spring.post)
    assert spring.states() == {"sending": 1, "planned": 1}
    spring.forget_offers_and_leases()
    spring.go_to(spring.at + timedelta(minutes=2))
    spring.send()
    assert spring.states() == {"accepted": 1, "planned": 1}
    spring.go_to(spring.at + timedelta(days=1))
    spring.send()
    assert spring.states() == {"accepted": 2}


def test_a_course_at_its_end_takes_no_room_while_it_waits_for_its_last_mail(spring: House) -> None:
    cap(spring, per_day=2, losing=Losing.DROP)
    spring.enroll(ADA)
    with session_scope(spring.sessions) as session:
        session.execute(update(Course).values(flow={"then": [{"course": "more", "when": ""}]}))
    spring.send()
    for days in (1, 2, 4):  # hello, rest and walk
        spring.go_to((datetime(2026, 3, 2, 8, tzinfo=spring.at.tzinfo)) + timedelta(days=days))
        spring.send()
    with session_scope(spring.sessions) as session:
        assert session.scalars(select(Enrollment.state)).one() == "active"
    set_going(spring)
    spring.send()
    assert of_campaign(spring)[0] == "accepted"


def test_a_mail_waits_until_the_tick_has_looked_and_is_not_lost_to_a_lesson_that_does_not_come(
    spring: House,
) -> None:
    cap(spring, per_day=1, losing=Losing.DROP)
    spring.enroll(ADA)
    spring.send()
    start = spring.at
    for days in (1, 2):
        spring.go_to((start + timedelta(days=days)).replace(hour=8, minute=0))
        spring.send()
    # On the third day there is no lesson; the course has just been published, and everybody is due.
    written_at_five(spring)
    with session_scope(spring.sessions) as session:
        session.execute(update(Enrollment).values(next_due_at=spring.at))
    for batch_id in spring.offers():
        deliver_batch(batch_id, spring.post)
    assert of_campaign(spring) == ("planned", "waits until it is known whether another mail leaves")
    spring.plan()
    spring.go_to(spring.at + timedelta(minutes=2))
    spring.send()
    assert of_campaign(spring)[0] == "accepted"
