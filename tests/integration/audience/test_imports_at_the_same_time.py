"""Two imports at once, and an import beside other work: both end well, and everybody is there once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select

from mailer.audience.importing import ImportOrder, ImportReport
from mailer.audience.lists import Evidence, get_list
from mailer.audience.subscribers import Person
from mailer.db import Sessions, session_scope
from mailer.feedback.record import leave
from mailer.models import Consent, Delivery, Subscriber, Subscription
from mailer.schedule.importing import import_to_list
from mailer.schedule.signup import sign_up
from tests.support.cast import publish_folder, write_course

EVIDENCE = Evidence("They ticked the box.", "import")
PEOPLE = [f"reader{number}@reader.example" for number in range(300)]


@pytest.fixture(autouse=True)
def course(sessions: Sessions, tmp_path: Path, now: datetime) -> None:
    with session_scope(sessions) as session:
        publish_folder(session, write_course(tmp_path / "calm", opt_in="double"), now)


def bring_in(sessions: Sessions, file: Path, now: datetime) -> ImportReport:
    with session_scope(sessions) as session:
        order = ImportOrder.to(get_list(session, "calm"), file, EVIDENCE)
    return import_to_list(lambda: session_scope(sessions), order, now, at_once=100)


def everybody_is_there_once(sessions: Sessions) -> None:
    with session_scope(sessions) as session:
        for table in (Subscriber, Subscription, Consent, Delivery):
            assert session.scalar(select(func.count()).select_from(table)) == len(PEOPLE)


def test_the_same_people_in_another_order_at_the_same_time(
    sessions: Sessions, tmp_path: Path, now: datetime
) -> None:
    files = [tmp_path / name for name in ("up.csv", "down.csv", "up_again.csv")]
    for file, people in zip(files, (PEOPLE, PEOPLE[::-1], PEOPLE), strict=True):
        file.write_text("email\n" + "\n".join(people))
    with ThreadPoolExecutor() as pool:
        reports = list(pool.map(lambda file: bring_in(sessions, file, now), files))
    # Whichever adds a part first has added its people; the parts may be shared out among the three.
    assert sum(report.joined for report in reports) == len(PEOPLE)
    everybody_is_there_once(sessions)


def test_people_sign_up_and_leave_while_they_are_imported(
    sessions: Sessions, tmp_path: Path, now: datetime
) -> None:
    files = [tmp_path / "people.csv", tmp_path / "the same people.csv"]
    for file in files:
        file.write_text("email\n" + "\n".join(PEOPLE))

    def sign_up_and_leave(email: str) -> None:
        with session_scope(sessions) as session:
            who = sign_up(session, Person(email), get_list(session, "calm"), EVIDENCE, now)
        with session_scope(sessions) as session:
            leave(session, who.subscriber_id, None, source="page", now=now)

    with ThreadPoolExecutor(6) as pool:
        imports = [pool.submit(bring_in, sessions, file, now) for file in files]
        list(pool.map(sign_up_and_leave, PEOPLE[::-30]))
        reports = [one.result() for one in imports]
    assert not any(report.refused for report in reports)
    with session_scope(sessions) as session:
        states = session.scalars(select(Subscription.state)).all()
    assert (states.count("pending"), states.count("ended")) == (290, 10)
