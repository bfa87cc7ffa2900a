"""Lessons around quiet hours: none is put off for ever, and a daily course stays daily."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from hypothesis import given
from hypothesis import strategies as st

from mailer.clock import local_date, zone_names
from mailer.delivery.verdict import its_hour
from mailer.models import Answer
from mailer.schedule.cap import Cap, Lesson, Limited
from mailer.schedule.decide import Place, Send, StepPlan, Wait, after, decide
from mailer.schedule.timing import ANY_DAY, Anchor, Timing

MONDAY = date(2026, 3, 2)
NIGHT = (time(22), time(7))
LATE = tuple(StepPlan(day, f"day-{day}", day, time(23), day) for day in (1, 2, 3))
HOURS = st.times().map(lambda at: at.replace(microsecond=0))
QUIET = st.tuples(HOURS, HOURS).filter(lambda hours: hours[0] != hours[1])
ZONES = st.sampled_from(sorted(zone_names()))


def lived(somebody: Place, steps: tuple[StepPlan, ...], now: datetime) -> list[tuple[str, datetime]]:
    """When each step leaves for a reader whose tick is always on time."""
    sent = []
    for _ in range(20 * len(steps)):
        decision = decide(somebody, steps, now)
        if isinstance(decision, Wait):
            assert decision.until > now
            now = decision.until
        elif isinstance(decision, Send):
            sent.append((decision.step.key, now))
            today = local_date(now, somebody.zone)
            somebody = after(somebody, decision, steps, today)
        else:
            return sent
    raise AssertionError(f"put off again and again: {sent}")


def test_an_evening_in_the_quiet_hours_leaves_on_the_next_morning_and_keeps_the_course_daily() -> None:
    somebody = Place("Etc/UTC", Anchor(MONDAY, 0), 0, quiet=NIGHT)
    assert lived(somebody, LATE, datetime(2026, 3, 2, 12, tzinfo=UTC)) == [
        ("day-1", datetime(2026, 3, 4, 7, tzinfo=UTC)),
        ("day-2", datetime(2026, 3, 5, 7, tzinfo=UTC)),
        ("day-3", datetime(2026, 3, 6, 7, tzinfo=UTC)),
    ]


def test_an_evening_lesson_that_left_a_day_late_shifts_the_course_by_one_day() -> None:
    somebody = Place("Etc/UTC", Anchor(MONDAY, 0), 1, last_left_on=date(2026, 3, 5), quiet=NIGHT)
    decision = decide(somebody, LATE, datetime(2026, 3, 5, 8, tzinfo=UTC))
    assert isinstance(decision, Wait)
    assert decision.until == datetime(2026, 3, 6, 7, tzinfo=UTC)
    assert decision.anchor == Anchor(date(2026, 3, 4), 1)


def test_a_week_repeated_in_the_evening_takes_a_week() -> None:
    weeks = (
        StepPlan(1, "week-1", 1, time(23), 1, week=1),
        StepPlan(2, "week-2", 8, time(23), 2, week=2),
    )
    somebody = Place("Etc/UTC", Anchor(MONDAY, 0), 0, answers=((1, Answer.NOT_YET),), quiet=NIGHT)
    left = [(key, at.date().day) for key, at in lived(somebody, weeks, datetime(2026, 3, 2, tzinfo=UTC))]
    assert left == [("week-1", 4), ("week-1", 11), ("week-2", 18)]


def test_weekdays_are_those_on_which_it_leaves() -> None:
    mondays = (StepPlan(1, "one", 1, time(23), 1, Timing(weekdays=1)),)
    somebody = Place("Etc/UTC", Anchor(date(2026, 3, 5), 0), 0, quiet=NIGHT)
    sent = lived(somebody, mondays, datetime(2026, 3, 5, tzinfo=UTC))
    assert sent == [("one", datetime(2026, 3, 9, 7, tzinfo=UTC))]


def test_looking_back_a_day_that_was_full_moves_it_by_one_morning() -> None:
    cap = Cap(per_day=1, quiet_from=NIGHT[0], quiet_until=NIGHT[1])
    taken = datetime(2026, 3, 4, 6, tzinfo=UTC)
    limited = Limited(cap, (Lesson(2, taken, taken),))
    turn = limited.turn_of(Place("Etc/UTC", Anchor(MONDAY, 0), 0), LATE[0], date(2026, 3, 3), 1)
    assert turn.opens_at == datetime(2026, 3, 5, 7, tzinfo=UTC)


@given(
    zone_name=ZONES,
    quiet=QUIET,
    hour=HOURS,
    until=st.none() | HOURS,
    begun=st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)),
)
def test_each_lesson_leaves_within_a_day_of_its_hour_and_on_a_day_of_its_own(
    zone_name: str, quiet: tuple[time, time], hour: time, until: time | None, begun: datetime
) -> None:
    timing = Timing(until=until) if until and until > hour else ANY_DAY
    steps = tuple(StepPlan(day, f"day-{day}", day, hour, day, timing) for day in (1, 2, 3))
    begun = begun.replace(microsecond=0)
    first = local_date(begun, zone_name)
    sent = lived(Place(zone_name, Anchor(first, 0), 0, quiet=quiet), steps, begun)
    assert [key for key, _ in sent] == ["day-1", "day-2", "day-3"]
    days = [local_date(at, zone_name) for _, at in sent]
    assert days == sorted(set(days))
    assert all((day - first).days - number in (0, 1, 2) for number, day in enumerate(days, start=1))


@given(
    zone_name=ZONES,
    quiet=QUIET,
    hour=HOURS,
    due=st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)),
    late=st.timedeltas(timedelta(0), timedelta(days=9)),
)
def test_one_that_was_left_over_leaves_within_two_days(
    zone_name: str, quiet: tuple[time, time], hour: time, due: datetime, late: timedelta
) -> None:
    due = due.replace(microsecond=0)
    now = due + timedelta(seconds=round(late.total_seconds()))
    found = now
    for _ in range(4):
        until = its_hour(due, hour, ANY_DAY, zone_name, found, quiet)
        if until is None:
            break
        assert until > found
        found = until
    else:
        raise AssertionError(f"put off again and again: {now} {found}")
    assert found - now <= timedelta(days=2, hours=2)
