"""Where there is room for one more mail, worked by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from types import SimpleNamespace

import pytest

from mailer.models import Losing
from mailer.schedule.cap import Cap, Full, Look, free_from, look_at, room_for
from mailer.schedule.place import Place, StepPlan
from mailer.schedule.timing import Anchor

NOW = datetime(2026, 3, 10, 9, tzinfo=UTC)  # a Tuesday


def days_ago(*days: int) -> list[datetime]:
    return [NOW - timedelta(days=number) for number in days]


def test_without_mails_there_is_room_today() -> None:
    assert free_from(Cap(per_day=1, per_week=5), "Etc/UTC", [], NOW) == NOW.date()


def test_after_todays_mail_there_is_room_tomorrow() -> None:
    assert free_from(Cap(per_day=1), "Etc/UTC", days_ago(0), NOW) == date(2026, 3, 11)


def test_a_week_is_a_day_and_the_six_before_it() -> None:
    # Five mails on the 5th to the 9th; on the 11th all five still count, on the 12th the 5th does not.
    assert free_from(Cap(per_week=5), "Etc/UTC", days_ago(1, 2, 3, 4, 5), NOW) == date(2026, 3, 12)


def test_a_day_is_the_readers_own() -> None:
    # 23:30 on the 9th in UTC is the 10th in Tokyo, where it is the 10th now.
    late = [datetime(2026, 3, 9, 23, 30, tzinfo=UTC)]
    assert free_from(Cap(per_day=1), "Asia/Tokyo", late, NOW) == date(2026, 3, 11)
    assert free_from(Cap(per_day=1), "Etc/UTC", late, NOW) == date(2026, 3, 10)


def test_a_campaign_waits_for_its_own_hour_on_the_next_day_with_room() -> None:
    due_at = NOW.replace(hour=8)
    full = room_for(Cap(per_day=1), "Etc/UTC", days_ago(0), Look(due_at, NOW))
    assert full == Full(
        datetime(2026, 3, 11, 8, tzinfo=UTC),
        "waits for room: at most 1 a day",
        "put off to a day with room, at most 1 a day",
        NOW,
    )


def test_a_campaign_is_dropped_where_that_was_chosen_or_after_a_week_of_looking_for_room() -> None:
    dropped = room_for(Cap(per_day=1, losing=Losing.DROP), "Etc/UTC", days_ago(0), Look(NOW, NOW))
    assert dropped == Full(None, "no room for it: at most 1 a day")
    week_ago = NOW - timedelta(days=7)
    looked = room_for(Cap(per_day=1), "Etc/UTC", days_ago(0), Look(week_ago, NOW, since=week_ago))
    assert looked == Full(None, "no room for it within a week: at most 1 a day")
    # It was due as long ago, and looks for the first time now: a pause lay between.
    paused = room_for(Cap(per_day=1), "Etc/UTC", days_ago(0), Look(week_ago, NOW))
    assert paused is not None
    assert paused.until == NOW + timedelta(days=1)


@pytest.mark.parametrize(
    ("has_looked", "hours", "goes_on"),
    [
        (True, 1, True),  # also where a limit of its server's group kept it meanwhile
        (True, 24, False),  # paused for a day and more
        (False, 1, False),  # it had room, or a person held it: what else became of it has forgotten the week
    ],
)
def test_patience_begins_anew_after_a_pause(has_looked: bool, hours: int, goes_on: bool) -> None:
    since = NOW - timedelta(days=3)
    row = SimpleNamespace(
        next_attempt_at=NOW - timedelta(hours=hours), no_room_since=since if has_looked else None
    )
    assert look_at(row, since, NOW) == Look(since, NOW, since if goes_on else None)


def test_a_campaign_makes_room_for_the_lessons_of_every_week_that_it_would_be_in() -> None:
    # Lessons tomorrow and on the day after: with today's campaign three in three days.
    lessons = [NOW + timedelta(days=1), NOW + timedelta(days=2)]
    full = room_for(Cap(per_week=2), "Etc/UTC", lessons, Look(NOW, NOW))
    # No week without both before the one of the 12th to the 18th; after seven days it is asked once more.
    assert full is not None
    assert full.until == NOW + timedelta(days=7)
    assert room_for(Cap(per_week=3), "Etc/UTC", lessons, Look(NOW, NOW)) is None
    # One seven days from now is in no week with today.
    assert room_for(Cap(per_week=1), "Etc/UTC", [NOW + timedelta(days=7)], Look(NOW, NOW)) is None


@pytest.mark.parametrize(
    ("hour", "until"),
    [
        (23, datetime(2026, 3, 11, 7, tzinfo=UTC)),
        (3, datetime(2026, 3, 10, 7, tzinfo=UTC)),
        (7, None),
        (12, None),
    ],
)
def test_nothing_leaves_in_quiet_hours(hour: int, until: datetime | None) -> None:
    now = NOW.replace(hour=hour)
    full = room_for(Cap(quiet_from=time(22), quiet_until=time(7)), "Etc/UTC", [], Look(now, now))
    assert (full.until if full else None) == until


def test_a_lesson_in_quiet_hours_moves_to_their_end_unless_the_reader_chose_its_hour() -> None:
    late = StepPlan(1, "late", 1, time(23), 11)
    place = Place("Etc/UTC", Anchor(NOW.date(), 0), 0, quiet=(time(22), time(7)))
    assert place.window_of(late, NOW.date()).opens_at == datetime(2026, 3, 11, 7, tzinfo=UTC)
    own = Place("Etc/UTC", Anchor(NOW.date(), 0), 0, quiet=(time(22), time(7)), send_time=time(5))
    assert own.window_of(late, NOW.date()).opens_at == NOW.replace(hour=5)
