"""Whoever is given a zone gets what waits for them by that clock, whichever way the zone came."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from mailer.audience.importing import ImportOrder
from mailer.audience.lists import get_list
from mailer.audience.subscribers import Person
from mailer.db import session_scope
from mailer.models import Delivery, Enrollment
from mailer.schedule.courses import get_course
from mailer.schedule.importing import import_to_list
from mailer.schedule.moving import add_person
from mailer.schedule.signup import sign_up
from tests.integration.cli_delivery.conftest import Run
from tests.support.campaigns import SPRING
from tests.support.cast import BEN, CLEO, CONSENT, join, join_course
from tests.support.house import House

NEW_YORK = "America/New_York"
Way = Callable[[House, Path], None]


def added(house: House, _: Path) -> None:
    with session_scope(house.sessions) as session:
        add_person(session, Person(BEN, zone=NEW_YORK), house.at)


def signed_up(house: House, _: Path) -> None:
    with session_scope(house.sessions) as session:
        sign_up(session, Person(BEN, zone=NEW_YORK), get_list(session, "calm"), CONSENT, house.at)


def imported(house: House, folder: Path) -> None:
    file = folder / "people.csv"
    file.write_text(f"email,zone\n{BEN},{NEW_YORK}\nada@reader.example,{NEW_YORK}\n", encoding="utf-8")
    with session_scope(house.sessions) as session:
        order = ImportOrder.to(get_list(session, "calm"), file, CONSENT)
    import_to_list(lambda: session_scope(house.sessions), order, house.at)


def of_ben(house: House) -> tuple[str, str]:
    """When his campaign's mail and his next lesson leave, by the UTC clock."""
    waits = select(Delivery.next_attempt_at).where(Delivery.state == "planned", Delivery.kind == "campaign")
    with session_scope(house.sessions) as session:
        mail, lesson = session.scalars(waits).one(), session.scalars(select(Enrollment.next_due_at)).one()
    return f"{mail:%d %H:%M}", f"{lesson:%d %H:%M}"


@pytest.mark.parametrize("way", [added, signed_up, imported])
def test_their_local_mail_and_their_lessons_go_by_the_new_zone(
    spring: House, steadypost: Run, tmp_path: Path, way: Way
) -> None:
    with session_scope(spring.sessions) as session:
        join_course(session, get_course(session, "calm"), BEN, spring.at, zone="")
        join(session, CLEO, spring.at, "Asia/Tokyo")
    steadypost("campaign", "schedule", SPRING, "--local", "2026-03-03 09:00", "--zone", "Etc/UTC", "--yes")
    # When it is nine in Tokyo the audience is written.
    spring.go_to(datetime.fromisoformat("2026-03-03T00:00Z"))
    assert spring.send() == {"accepted": 2}  # the welcome, and Cleo's
    assert of_ben(spring) == ("03 09:00", "03 08:00")
    way(spring, tmp_path)
    spring.plan()
    # Nine in New York, and eight for the lesson.
    assert of_ben(spring) == ("03 14:00", "03 13:00")


def test_what_is_said_again_moves_nothing(spring: House, tmp_path: Path) -> None:
    with session_scope(spring.sessions) as session:
        join_course(session, get_course(session, "calm"), BEN, spring.at, NEW_YORK)
        due_at = session.scalars(select(Enrollment.next_due_at)).one()
    for way in (added, signed_up, imported):
        way(spring, tmp_path)
        with session_scope(spring.sessions) as session:
            assert session.scalars(select(Enrollment.next_due_at)).one() == due_at
