"""Lessons that once stood still, were passed over though nothing was late, or came as another one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import pytest

from mailer.clock import local_date
from mailer.rules import parse
from mailer.rules.model import is_about_a_day
from mailer.schedule.cap import Cap
from mailer.schedule.catchup import Policy
from mailer.schedule.conditions import Met
from mailer.schedule.courses import CoursePlan
from mailer.schedule.decide import Finish, Send, Skip, Wait, Ways, after, decide, past
from mailer.schedule.place import Place, StepPlan
from mailer.schedule.simulate import Mail, Reading, live
from mailer.schedule.timing import Anchor, Timing

MONDAY = date(2026, 3, 2)
DAILY = tuple(StepPlan(day, f"s{day}", day, time(8), day) for day in range(1, 13))
VIP = 'tag "vip"'


def at(day: int, hour: int = 8, minute: int = 0) -> datetime:
    """An hour of a day of March 2026, in UTC, where this reader lives."""
    return datetime(2026, 3, 1, hour, minute, tzinfo=UTC) + timedelta(days=day - 1)


def reader(last_day: int = 0, **facts: object) -> Place:
    """Somebody who had everything up to `last_day` on time; day 1 is Tuesday 3 March."""
    left_on = MONDAY + timedelta(days=last_day) if last_day else None
    return Place("Etc/UTC", Anchor(MONDAY, 0), last_day, **{"last_left_on": left_on, **facts})  # type: ignore[arg-type]


def lived(
    place: Place,
    steps: tuple[StepPlan, ...] = DAILY,
    ways: Ways | None = None,
    *,
    cap: Cap | None = None,
    holds: frozenset[str] = frozenset(),
    start: datetime | None = None,
) -> list[Mail]:
    """What is sent and what is passed over until the end."""
    plan = CoursePlan(1, "calm", 1, "Etc/UTC", "en", steps, ways or Ways())
    reading = Reading(plan, place, start or at(2, 12), meets=lambda *_: Met(holds))
    return list(live(reading, at(300), cap=cap))


def keys(mails: list[Mail], *, are_sent: bool = True) -> list[str]:
    return [mail.step.key for mail in mails if mail.is_sent == are_sent]


@pytest.mark.parametrize("extras", [{"extras": (2,)}, {"last_extras": (2,)}])
def test_an_extra_of_the_evening_leaves_when_the_quiet_hours_end(extras: dict[str, tuple[int, ...]]) -> None:
    late = tuple(replace(step, send_time=time(22, 30)) for step in DAILY[:6])
    cap = Cap(quiet_from=time(22), quiet_until=time(7))
    mails = lived(reader(3, **extras), late, cap=cap, start=at(6, 6))
    assert sorted(keys(mails)) == ["s2", "s4", "s5", "s6"]
    assert {mail.due_at.time() for mail in mails} == {time(7)}
    # One a day, and the extra where it was asked for: before all others, or behind them.
    assert keys(mails)[0 if "extras" in extras else -1] == "s2"


@pytest.mark.parametrize("policy", list(Policy))
@pytest.mark.parametrize("weekdays", [0b0000101, 0b0011111, 0b1000000])
def test_no_policy_takes_a_lesson_for_late_that_waits_for_its_weekday(policy: Policy, weekdays: int) -> None:
    mails = lived(reader(weekdays=weekdays), ways=Ways(policy=policy, stale_after=timedelta(days=30)))
    assert keys(mails) == [step.key for step in DAILY]
    assert {weekdays >> mail.due_at.weekday() & 1 for mail in mails} == {1}


@pytest.mark.parametrize("policy", list(Policy))
@pytest.mark.parametrize("cap", [Cap(per_week=3), Cap(per_week=1), Cap(per_day=1, per_week=2)], ids=str)
def test_no_policy_takes_a_lesson_for_late_that_the_cap_leaves_no_room_for(policy: Policy, cap: Cap) -> None:
    mails = lived(reader(), ways=Ways(policy=policy), cap=cap)
    assert keys(mails) == [step.key for step in DAILY]
    days = [mail.due_at.date() for mail in mails]
    fullest = max(sum(day - timedelta(days=7) < other <= day for other in days) for day in days)
    assert fullest == cap.per_week


def test_what_comes_behind_a_step_of_saturdays_is_not_late_by_that() -> None:
    # Step 2 waits for Saturday the 7th or 14th, when steps 3 and more would be days late by their own dates.
    saturdays = replace(DAILY[1], timing=Timing(weekdays=0b0100000))
    steps = (DAILY[0], saturdays, *DAILY[2:])
    for policy in Policy:
        assert keys(lived(reader(), steps, Ways(policy=policy))) == [step.key for step in DAILY]


def test_an_outage_is_still_passed_over_under_a_cap() -> None:
    # Ten days without a tick, and then no room today: what is stale is passed over, the rest waits for room.
    place = replace(reader(1), room_from=date(2026, 3, 15))
    found = decide(place, DAILY, at(14), Ways(policy=Policy.SKIP_STALE))
    assert isinstance(found, Skip)
    assert [step.key for step in found.steps][:2] == ["s2", "s3"]


WEEKS = (
    StepPlan(1, "week-1", 1, time(8), 1, week=1),
    StepPlan(2, "why", 4, time(8), 2),
    StepPlan(3, "week-2", 8, time(8), 3, week=2),
    StepPlan(4, "end", 12, time(8), 4),
)


@pytest.mark.parametrize("late", [0, 1, 6])
def test_the_week_after_a_repeated_one_is_a_week_behind_the_day_on_which_that_left(late: int) -> None:
    place, now = reader(4, answers=((1, "not-yet"),)), at(10)
    again = decide(place, WEEKS, now)
    assert isinstance(again, Send)
    assert (again.step.key, again.repeats) == ("week-1", 1)
    then = after(place, again, WEEKS, local_date(now, "Etc/UTC"))
    left = replace(then, last_left_on=date(2026, 3, 10 + late))
    following = decide(left, WEEKS, at(11 + late))
    assert isinstance(following, Wait)
    # Planned on the 10th, so week 2 is due on the 17th, or as many days later as the repeat left.
    assert following.until == at(17 + late)
    # Asked again, it is the same day.
    assert decide(replace(left, anchor=following.anchor), WEEKS, at(12 + late)) == following


def test_skipping_what_is_stale_keeps_a_week_behind_a_repeat_that_left_late() -> None:
    place, now = reader(4, answers=((1, "not-yet"),)), at(10)
    again = decide(place, WEEKS, now)
    assert isinstance(again, Send)
    left = replace(after(place, again, WEEKS, date(2026, 3, 10)), last_left_on=date(2026, 3, 17))
    following = decide(left, WEEKS, at(18), Ways(policy=Policy.SKIP_STALE))
    assert isinstance(following, Wait)
    assert following.until == at(24)


def test_who_asks_for_a_repeated_week_again_gets_it_on_the_day_they_asked_for() -> None:
    # Week 2 came once more on the 9th; on the 11th its reader goes back to it, from tomorrow on.
    asked = replace(
        reader(7), last_left_on=date(2026, 3, 9), repeated_week=2, anchor=Anchor(date(2026, 3, 12), 8)
    )
    found = decide(asked, WEEKS, at(11))
    assert isinstance(found, Wait)
    assert found.until == at(12)


def test_a_mail_is_a_weeks_repeat_by_its_kind_or_as_its_gentler_version() -> None:
    variant = StepPlan(5, "vip-1", 1, time(8), 5, condition=VIP, instead_of="week-1")
    gentle = StepPlan(6, "gentle", 1, time(8), 6, easier_than="week-1", week=9)
    weeks = CoursePlan(1, "calm", 1, "Etc/UTC", "en", (variant, *WEEKS), Ways((gentle,))).weeks
    assert [weeks.repeated_by(one, is_repeat=True) for one in (1, 5, 6, 2, None)] == [1, 1, 1, None, None]
    assert [weeks.repeated_by(one, is_repeat=False) for one in (1, 5, 6)] == [None, None, 1]


def test_a_variant_is_what_its_reader_gets_once_more() -> None:
    steps = (StepPlan(5, "vip-1", 1, time(8), 5, condition=VIP, instead_of="week-1", week=1), *WEEKS)
    for holds, key in ((frozenset({VIP}), "vip-1"), (frozenset(), "week-1")):
        again = decide(reader(4, answers=((1, "not-yet"),), holds=holds), steps, at(10))
        assert isinstance(again, Send)
        assert (again.step.key, again.repeats) == (key, 1)


def test_a_gentler_version_that_says_another_week_stops_nobody() -> None:
    gentle = StepPlan(6, "gentle", 1, time(8), 6, easier_than="week-1", week=9)
    ways = Ways((gentle,))
    place = reader(4, answers=((1, "too-hard"),))
    sent = decide(place, WEEKS, at(10), ways)
    assert isinstance(sent, Send)
    assert (sent.step.key, sent.repeats) == ("gentle", 1)
    assert dict(after(place, sent, WEEKS, date(2026, 3, 10)).repeats) == {1: 1}


def test_an_extra_is_the_variant_that_is_its_readers_and_nothing_for_whom_its_rule_leaves_out() -> None:
    new = StepPlan(21, "new", 2, time(8), 21)
    variant = StepPlan(22, "new-vip", 2, time(8), 22, condition=VIP, instead_of="new")
    steps = (DAILY[0], variant, new, *DAILY[2:])
    for holds, key in ((frozenset({VIP}), "new-vip"), (frozenset(), "new")):
        mails = lived(reader(5, extras=(21,)), steps, holds=holds, start=at(8, 6))
        assert keys(mails)[0] == key
        assert len(keys(mails)) == 8
    ruled = (DAILY[0], replace(new, condition=VIP), *DAILY[2:])
    for name in ("extras", "last_extras"):
        place = reader(5, **{name: (21,)})
        mails = lived(place, ruled, start=at(8, 6))
        assert keys(mails, are_sent=False) == ["new"]
        assert keys(mails) == [step.key for step in DAILY[5:]]
        skip = Skip((new,), at(8), place.anchor, "", 21)
        assert past(place, skip) == replace(place, extras=(), last_extras=())


def test_a_readers_own_days_from_mail_to_mail_leave_out_what_is_passed_over() -> None:
    steps = (DAILY[0], replace(DAILY[1], condition=VIP), *DAILY[2:4])
    mails = [mail for mail in lived(reader(gap=7), steps) if mail.is_sent]
    assert keys(mails) == ["s1", "s3", "s4"]
    # A week after joining on the 2nd, and then each week.
    assert [mail.due_at.day for mail in mails] == [9, 16, 23]


def test_a_course_that_is_followed_ends_when_its_last_mail_has_left() -> None:
    place, ways = reader(12, is_last_open=True), Ways(is_followed=True)
    assert isinstance(decide(place, DAILY, at(15), ways), Wait)
    assert decide(replace(place, is_last_open=False), DAILY, at(15), ways) == Finish()
    assert decide(place, DAILY, at(15)) == Finish()


def test_a_date_that_is_one_of_two_reasons_is_asked_for_the_days_before_too() -> None:
    assert is_about_a_day(parse('field renewal is today or tag "vip"'))
    assert not is_about_a_day(parse('tag "a" or tag "b"'))
