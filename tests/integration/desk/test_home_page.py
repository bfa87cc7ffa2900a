"""Home: what goes out, what needs attention, what the last sends did."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from mailer.db import Sessions, business_now, session_scope
from mailer.delivery.holds import pause
from mailer.desk import home
from mailer.launch import outlook
from mailer.launch.campaign import look_ahead, schedule
from mailer.launch.campaign_tick import materialise
from mailer.models import HoldScope
from mailer.schedule.courses import get_course
from tests.support.campaigns import SPRING, add_letters, draft, write_campaign
from tests.support.cast import ADA, BEN, join_course, publish_folder, write_course
from tests.support.staff import Person


def week_worked_out(sessions: Sessions) -> bool:
    with session_scope(sessions) as session:
        return outlook.work_out(session)


@pytest.fixture
def calm(sessions: Sessions, tmp_path: Path) -> datetime:
    """The course of lessons on days 1, 2 and 4, in which Ada and Ben are since this moment."""
    with session_scope(sessions) as session:
        now = business_now(session)
        publish_folder(session, write_course(tmp_path / "calm"), now)
        for email in (ADA, BEN):
            join_course(session, get_course(session, "calm"), email, now)
        session.execute(text("UPDATE deliveries SET state = 'accepted', settled_at = due_at"))
    return now


def test_an_empty_house_says_what_to_do_first(marc: Person, rea: Person) -> None:
    page = marc.get("/desk").text
    assert "What to do first" in page
    for path in ("/desk/imports", "/desk/new-course", "/desk/forms"):
        assert f'href="{path}"' in page
    assert "There is no sender yet, so no mail can leave." in page
    # Rea may look, and not do it.
    assert 'href="/desk/new-course"' not in rea.get("/desk").text


def test_before_the_first_look_ahead_each_readers_next_lesson_is_counted(
    calm: datetime, rea: Person, sessions: Sessions
) -> None:
    with session_scope(sessions) as session:
        session.execute(text("UPDATE enrollments SET next_due_at = clock_timestamp()"))
    page = rea.get("/desk").text
    assert "The week’s counts are being worked out" in page
    assert ">A calm week</a>: 2" in page


def test_the_week_tells_every_lesson_that_is_to_come_and_how_old_that_is(
    calm: datetime, marc: Person, sessions: Sessions
) -> None:
    assert week_worked_out(sessions)
    page = marc.get("/desk").text
    # Two readers, and lessons on days 1, 2 and 4 from today: three days with two mails.
    assert page.count(">A calm week</a>: 2") == 3
    assert page.count(">About hello</span>") == page.count(">About walk</span>") == 1
    assert "Expected counts of 0 s ago" in page
    assert not week_worked_out(sessions)  # it is fresh
    answer = marc.post("/desk/outlook")
    assert "new ones are being worked out" in answer.text
    assert week_worked_out(sessions)
    assert "new ones are being worked out" not in marc.get("/desk").text


def test_what_a_campaign_under_way_has_still_to_send_goes_out_today(
    calm: datetime, rea: Person, sessions: Sessions, tmp_path: Path
) -> None:
    with session_scope(sessions) as session:
        add_letters(session)
        draft(session, [write_campaign(tmp_path)], calm)
        schedule(session, look_ahead(session, SPRING, calm), calm, calm, who="ann")
        materialise(session, calm)
        state = session.execute(text("SELECT state FROM campaigns")).scalar_one()
        assert state == "sending"
    week_worked_out(sessions)
    line = '>Spring at the Reading Room</a> <span class="text-secondary">(campaign)</span>: 2<'
    assert line in rea.get("/desk").text
    with session_scope(sessions) as session:
        session.execute(text("UPDATE campaigns SET state = 'cancelled'"))
    assert line not in rea.get("/desk").text


def test_a_day_with_more_than_may_leave_says_so(calm: datetime, rea: Person, sessions: Sessions) -> None:
    with session_scope(sessions) as session:
        session.execute(
            text(
                "INSERT INTO send_limits (transport_id, period, most, filled_at, since) "
                "SELECT id, 'day', 1, now(), now() FROM transports"
            )
        )
    week_worked_out(sessions)
    page = rea.get("/desk").text
    assert page.count("more than may leave in a day") == 3
    assert "Your transports may send 1 a day" in page


def test_what_is_paused_and_what_was_given_up_needs_attention(
    calm: datetime, rea: Person, sessions: Sessions
) -> None:
    with session_scope(sessions) as session:
        pause(session, HoldScope.COURSE, "calm", calm, who="opal@example.org", reason="a typo")
        session.execute(
            text(
                "INSERT INTO moves (lane, source, kind, old_state, new_state, mails) "
                "SELECT 'course', 'course:' || id, 'step', 'planned', s.state, s.mails "
                "FROM courses, (VALUES ('failed', 3), ('accepted', 40)) AS s (state, mails)"
            )
        )
    page = rea.get("/desk").text
    assert "Course calm is paused (a typo)." in page
    assert "3 mails were given up within a day." in page
    assert '<td class="num" data-label="Accepted">40</td>' in page


def test_a_course_that_cannot_be_foretold_does_not_hide_the_others(
    calm: datetime, sessions: Sessions
) -> None:
    with session_scope(sessions) as session:
        session.execute(text("UPDATE steps SET condition = 'in segment \"gone\"' WHERE key = 'rest'"))
    week_worked_out(sessions)
    with session_scope(sessions) as session:
        found = outlook.see_week(session)
        assert "There is no segment" in found.undecided["calm"]
        assert not any(day.parts for day in found.days(calm, "Europe/London"))


def test_an_hour_belongs_to_the_day_on_the_clock_of_who_looks() -> None:
    noon = datetime.fromisoformat("2026-03-02T12:00:00+00:00")
    late = noon + timedelta(hours=11)  # 23:00 in London, the next day in Berlin
    week = outlook.Week(1.0, False, "", 0.1, [(late, {"course calm": 5})], None, None, (), {})
    assert [day.total for day in week.days(noon, "Europe/London")][:2] == [5, 0]
    assert [day.total for day in week.days(noon, "Europe/Berlin")][:2] == [0, 5]
    # What an older look foretold for an hour that is over has left by now.
    assert sum(day.total for day in week.days(noon + timedelta(hours=12), "Europe/London")) == 0


def test_a_day_with_much_on_it_names_some_and_counts_the_rest(
    calm: datetime, marc: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [home.Line("series", f"s{at}", f"Letter {at}", 2, calm) for at in range(9)]
    lines.append(home.Line("campaign", "july", "July", None, calm))
    see = home._days

    def busy(*asked: Any) -> list[home.CalendarDay]:
        return [replace(day, lines=lines if at == 0 else day.lines) for at, day in enumerate(see(*asked))]

    monkeypatch.setattr(home, "_days", busy)
    page = marc.get("/desk").text
    assert "and 2 more, 2 mails or more" in page
