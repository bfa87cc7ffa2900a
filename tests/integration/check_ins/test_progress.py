"""A reader's own page, its calendar, and the closing mail that sums up."""

from __future__ import annotations

import re
from datetime import date, datetime
from email.message import EmailMessage

from icalendar import Calendar
from sqlalchemy import event, select

from mailer.db import session_scope
from mailer.models import Enrollment, Subscriber
from mailer.rules import as_sql, parse
from mailer.schedule.pace import start_over, undo
from mailer.schedule.pace_case import Asker
from tests.integration.check_ins.test_check_ins import at, live_to, text_of
from tests.support.house import House
from tests.support.scripted_smtp import ScriptedSmtp
from tests.support.weeks import Pages


def test_the_page_shows_weeks_letters_had_and_letters_to_come(house: House, pages: Pages) -> None:
    live_to(house, 6)
    pages.tell("week-1", "done")
    page = pages.look("rest", "progress")
    assert "Next comes About week-2 Tuesday, March 10, 2026" in page
    assert "Week 1 Done Change Week 2 Still to come" in page
    to_come = page.partition("Still to come Tuesday")[2].partition("What you have had")[0]
    assert "March 10, 2026 About week-2 Tuesday, March 17, 2026 About closing" in to_come
    had = page.partition("What you have had")[2]
    assert "Friday, March 6, 2026 About rest Tuesday, March 3, 2026 About week-1" in had


def test_a_week_that_comes_once_more_moves_all_dates_after_it(house: House, pages: Pages) -> None:
    live_to(house, 6)
    pages.tell("week-1", "not-yet")
    page = pages.look("rest", "progress")
    # Week 1 once more on the 10th in place of week 2, which comes seven days later, and so does the closing.
    assert (
        "March 10, 2026 About week-1 once more Tuesday, March 17, 2026 About week-2 "
        "Tuesday, March 24, 2026 About closing" in page
    )


def test_a_course_begun_anew_has_no_past(house: House, pages: Pages) -> None:
    live_to(house, 6)
    pages.tell("week-1", "too-hard")
    house.go_to(at(6, 9))
    with session_scope(house.sessions) as session:
        enrollment_id = session.scalars(select(Enrollment.id)).one()
        change = start_over(session, enrollment_id, Asker("test"), house.at)
    rule = parse('answered "too-hard" to week 1', "calm")
    page = pages.look("rest", "progress")
    assert "Week 1 Still to come Week 2 Still to come" in page
    assert "About rest Friday, March 6" not in page
    with session_scope(house.sessions) as session:
        assert session.scalars(select(Subscriber.id).where(as_sql(rule, house.at))).all() == []
    # Thought better of, all of it counts again.
    with session_scope(house.sessions) as session:
        assert change is not None
        undo(session, change.id, Asker("test"), house.at)
        assert len(session.scalars(select(Subscriber.id).where(as_sql(rule, house.at))).all()) == 1
    assert "Week 1 Too hard Change" in pages.look("rest", "progress")


def test_the_page_is_private_and_speaks_the_readers_language(house: House, pages: Pages) -> None:
    with session_scope(house.sessions) as session:
        session.scalars(select(Subscriber)).one().language = "de"
    live_to(house, 3)
    answer = pages.client.get(pages.address + pages.path("week-1", "progress"))
    assert answer.headers["x-robots-tag"] == "noindex"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "no-store" in answer.headers["cache-control"]
    assert "Als Nächstes kommt" in answer.text
    assert "Dienstag, 10. März 2026" in answer.text
    assert "Geschafft" in pages.look("week-1", "check-in")
    assert "Gut gemacht." in pages.tell("week-1", "done")


def test_the_calendar_tells_when_letters_come_and_not_what_they_are_about(house: House, pages: Pages) -> None:
    live_to(house, 6)
    answer = pages.client.get(pages.address + pages.path("rest", "course.ics"))
    assert answer.headers["content-type"].startswith("text/calendar")
    assert answer.headers["x-robots-tag"] == "noindex"
    events = Calendar.from_ical(answer.content).events
    assert [one["SUMMARY"] for one in events] == ["A letter from The Reading Room"] * 2
    starts = [one.start for one in events]
    assert starts == [at(10), at(17)]
    assert not re.search("calm|week|about|ada", answer.text, re.I)
    # The same appointments in a newer file: a calendar moves them, and does not double them.
    newer = pages.client.get(pages.address + pages.path("week-1", "course.ics"))
    assert [one.uid for one in Calendar.from_ical(newer.content).events] == [one.uid for one in events]


def test_a_pause_moves_every_date_and_the_end_says_so(house: House, pages: Pages) -> None:
    live_to(house, 6)
    with session_scope(house.sessions) as session:
        enrollment = session.scalars(select(Enrollment)).one()
        enrollment.paused_until = date(2026, 3, 20)
    # Week 2 on the day the pause ends, the closing as many days after it as ever: seven.
    page = pages.look("rest", "progress")
    assert "Friday, March 20, 2026 About week-2 Friday, March 27, 2026 About closing" in page
    with session_scope(house.sessions) as session:
        session.scalars(select(Enrollment)).one().paused_until = None
    live_to(house, 17)
    assert "You have had every letter." in pages.look("closing", "progress")


def closing_mail(house: House, server: ScriptedSmtp) -> EmailMessage:
    live_to(house, 17)
    return server.mails[-1]


def test_the_closing_sums_up_what_was_said(house: House, pages: Pages, server: ScriptedSmtp) -> None:
    live_to(house, 3)
    pages.tell("week-1", "done")
    mail = closing_mail(house, server)
    for part in (text_of(mail), re.sub(r"<[^>]+>", " ", text_of(mail, "html"))):
        assert "You told us of 1 of 2 weeks." in part
    assert "Your weeks\n----------\n\nWeek 1: Done\nWeek 2: –\n" in text_of(mail)
    assert re.search(r"Week 1</td><td[^>]*>Done</td>", text_of(mail, "html"))
    # Shown again in the browser, it says what is so by then.
    pages.tell("week-2", "too-hard")
    shown = pages.client.get(pages.address + pages.path("closing", "").rstrip("/")).text
    assert re.search(r"Week 2</td><td[^>]*>Too hard</td>", shown)


def test_answers_are_read_once_a_batch_and_only_for_mails_that_tell_them(house: House) -> None:
    for number in range(3):
        house.enroll(f"reader{number}@reader.example")
    house.send()
    asked: list[datetime] = []
    engine = house.sessions.kw["bind"]

    def note(_c: object, _cursor: object, statement: str, *_: object) -> None:
        if "FROM check_ins" in statement:
            asked.append(house.at)

    event.listen(engine, "before_cursor_execute", note)
    live_to(house, 17)
    event.remove(engine, "before_cursor_execute", note)
    # Four closings of one domain leave in one batch; no other mail asks.
    assert asked == [at(17)]
