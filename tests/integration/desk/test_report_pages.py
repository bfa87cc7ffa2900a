"""A course's report on the desk: cohorts as far back as there are any."""

from __future__ import annotations

import csv
import re
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from mailer.db import Sessions, business_now, session_scope
from mailer.models import Enrollment
from mailer.reports import course_list
from mailer.schedule.courses import get_course
from mailer.schedule.enroll import enroll_list, stop
from mailer.web.marketer import reports
from tests.support.campaigns import put_people
from tests.support.course_desk import publishes
from tests.support.staff import Person

FIRST = datetime(2026, 1, 5, 9, tzinfo=UTC)
"""A Monday."""
PATH = "/desk/reports/courses/calm"


def weeks_of(page: str) -> list[str]:
    return re.findall(r'<tr><th scope="row">(\d\d \w{3} 2026)</th><td class="num" data-label="Began">', page)


def test_cohorts_go_on_below_the_newest_twelve(marc: Person, sessions: Sessions, calm: str) -> None:
    publishes(marc, calm)
    with session_scope(sessions) as session:
        put_people(session, range(1, 15), "calm", business_now(session))
        enroll_list(session, get_course(session, "calm"), business_now(session))
        rows = session.scalars(select(Enrollment).order_by(Enrollment.id)).all()
        assert len(rows) == 14
        for number, row in enumerate(rows):
            row.created_at = FIRST + timedelta(weeks=number)
    page = marc.get(PATH).text
    # Weeks of 5 January to 6 April; the newest twelve end with that of 19 January.
    assert (weeks_of(page)[0], weeks_of(page)[-1], len(weeks_of(page))) == ("06 Apr 2026", "19 Jan 2026", 12)
    assert f'href="{PATH}?before=2026-01-19#cohorts"' in page
    older = marc.get(PATH, before="2026-01-19").text
    assert weeks_of(older) == ["12 Jan 2026", "05 Jan 2026"]
    assert "Older" not in older
    # In the middle of a week none is cut in two; before all there is nobody.
    assert weeks_of(marc.get(PATH, before="2026-01-21").text) == weeks_of(older)
    assert "Nobody had begun it by then" in marc.get(PATH, before="2026-01-05").text
    assert len(marc.get(f"{PATH}/cohorts.csv").text.splitlines()) == 15


def test_the_files_say_what_their_pages_say_of_many_readers_and_of_those_who_left_at_once(
    marc: Person, sessions: Sessions, calm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    publishes(marc, calm)
    with session_scope(sessions) as session:
        now = business_now(session)
        put_people(session, range(1, 4), "calm", now)
        enroll_list(session, get_course(session, "calm"), now)
        # The third is stopped before the first lesson has left.
        last = session.scalars(select(Enrollment).order_by(Enrollment.id.desc()).limit(1)).one()
        stop(session, last.subscriber_id, "test", now)
    rows = list(csv.reader(marc.get(f"{PATH}/steps.csv").text.lstrip("\ufeff").splitlines()))
    before = dict(zip(rows[0], rows[-1], strict=True))
    assert (before["subject"], before["left"], before["stopped"]) == ("before the first step", "0", "1")
    assert marc.get("/desk/reports/courses.csv").text.splitlines()[1].split(",")[2] == "2"
    for module in (course_list, reports):
        monkeypatch.setattr(module, "MOST_COUNTED", 2)
    assert marc.get("/desk/reports/courses.csv").text.splitlines()[1].split(",")[2] == "2 or more"
