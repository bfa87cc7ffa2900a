"""The guard against a real database: what puts mail on hold, what does not, and that nobody is quicker."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from mailer.db import session_scope
from mailer.delivery.holds import in_force, pause, resume
from mailer.errors import Refused
from mailer.models import Delivery, DeliveryState, HoldScope, Instance
from tests.support.cast import ADA, BEN
from tests.support.house import House
from tests.support.place import Place

WEEK = timedelta(days=7)
HELD_AFTER_AN_OUTAGE = [("outage", "lane", "course"), ("outage", "lane", "campaign")]
HELD_IN_A_COPY = [("fence", "everything", "")]


def test_the_first_start_adopts_the_database_and_leaves_a_sign_of_life(place: Place) -> None:
    found = place.instance()
    assert found.token_hash == place.here.token_hash()
    assert found.seen_at is not None
    known = place.here.known()
    assert known is not None
    assert (known.database_id, known.fence) == (found.database_id, found.fence)
    assert place.holds() == []


def test_no_worker_sends_before_the_first_look_at_a_database(elsewhere: Place) -> None:
    assert not elsewhere.may_send()
    elsewhere.look()
    assert elsewhere.may_send()


def test_after_an_outage_no_worker_sends_before_the_guard_has_looked(place: Place) -> None:
    place.house.enroll(ADA)
    place.silence(WEEK)
    assert not place.may_send()
    place.look()
    assert place.may_send()  # the transactional lane goes on; the others are on hold
    assert place.holds() == HELD_AFTER_AN_OUTAGE


def test_after_an_outage_course_and_campaign_mail_waits_and_nothing_is_planned(place: Place) -> None:
    place.house.enroll(ADA)
    place.tick()
    place.silence(WEEK)
    assert not place.look().may_plan
    with session_scope(place.house.sessions) as session:
        assert in_force(session).lanes == {"course", "campaign"}
    assert place.mails_of(ADA) == []
    assert place.reasons() == {"no sign of life for 7 days, and mail is overdue by 6 days"}


def test_an_outage_of_a_night_with_nothing_overdue_by_more_than_the_setting_holds_nothing(
    place: Place,
) -> None:
    # 07:00 on Monday; the welcome left, and the first lesson is due on Tuesday at 08:00.
    place.house.enroll(ADA)
    place.tick()
    place.silence(timedelta(hours=30))  # Tuesday 13:00: overdue by five hours
    assert place.look().may_plan
    assert place.holds() == []


def test_a_lane_that_a_person_paused_for_a_week_is_not_an_outage(place: Place) -> None:
    place.house.enroll(ADA)
    with session_scope(place.house.sessions) as session:
        pause(session, HoldScope.LANE, "course", place.house.at, who="ann")
    for _ in range(7 * 4):
        # The stack runs all the while: the tick looks, and leaves its sign of life.
        place.house.go_to(place.house.at + timedelta(hours=6))
        assert place.look().may_plan
    assert place.holds() == []


def test_a_relay_that_is_slow_for_two_days_is_not_an_outage(place: Place) -> None:
    place.house.enroll(ADA)
    place.house.plan()
    place.house.go_to(place.house.at + timedelta(days=2))
    assert place.look().may_plan
    assert place.holds() == []


def test_a_clock_that_jumps_ahead_as_in_the_demo_is_not_an_outage(place: Place) -> None:
    place.house.enroll(ADA)
    place.house.go_to(place.house.at + timedelta(days=34))
    assert place.look().may_plan
    assert place.holds() == []


def test_what_a_person_paused_and_what_the_guard_holds_end_each_in_its_own_way(place: Place) -> None:
    place.house.enroll(ADA)
    place.silence(WEEK)
    place.look()
    with session_scope(place.house.sessions) as session:
        assert pause(session, HoldScope.LANE, "course", place.house.at, who="ann") is not None
        assert resume(session, HoldScope.LANE, "course", place.house.at, who="ann") is not None
        assert in_force(session).lanes == {"course", "campaign"}
        with pytest.raises(Refused, match=r"Nobody paused lane course: .*hold release"):
            resume(session, HoldScope.LANE, "course", place.house.at, who="ann")


def test_a_copy_on_another_machine_sends_nothing_until_somebody_says_so(
    place: Place, elsewhere: Place
) -> None:
    """Field research's row "Snapshot/clone re-sends": LM#1801, a snapshot that mailed everybody again."""
    place.house.enroll(ADA)
    assert not elsewhere.may_send()
    standing = elsewhere.look()
    assert (standing.may_settle, standing.may_plan, standing.mark) == (False, False, None)
    assert elsewhere.holds() == HELD_IN_A_COPY
    assert not elsewhere.may_send()
    assert elsewhere.tick() == {}
    with session_scope(place.house.sessions) as session:
        assert in_force(session).everything


def test_a_database_set_back_on_the_same_machine_sends_nothing(place: Place) -> None:
    """Field research's row "Snapshot/clone re-sends": here the token is the same, and the fence tells."""
    place.house.enroll(ADA)
    before = place.instance()
    for _ in range(3):
        place.forget_sign(timedelta(seconds=11))
        place.look()
    with session_scope(place.house.sessions) as session:
        session.execute(update(Instance).values(fence=before.fence, seen_at=before.seen_at))
    assert not place.may_send()
    assert not place.look().may_plan
    assert place.holds() == HELD_IN_A_COPY
    assert place.reasons() == {"the database is in an older state than this installation has seen"}


def test_a_database_from_before_it_was_adopted_does_not_pass_for_a_new_one(place: Place) -> None:
    place.house.enroll(ADA)
    with session_scope(place.house.sessions) as session:
        session.execute(update(Instance).values(fence=0, seen_at=None, token_hash=None, database_id=None))
    assert not place.look().may_plan
    assert place.holds() == HELD_IN_A_COPY


def test_a_copy_with_a_copied_token_is_told_by_its_silence(house: House, tmp_path: Path) -> None:
    """A file of settings that was copied along gives the same token; the data folder is what is missing."""
    token = "the token of a file of settings"
    Place(house, tmp_path / "here", token).look()
    staging = Place(house, tmp_path / "staging", token)
    staging.look()
    assert staging.holds() == []  # within minutes it may as well be the same one in a new container
    staging.silence(timedelta(hours=1))
    staging.look()
    assert staging.holds() == HELD_IN_A_COPY


def test_a_data_folder_that_was_copied_with_its_database_sends_nothing(place: Place, tmp_path: Path) -> None:
    place.forget_sign(timedelta(seconds=11))
    place.look()
    shutil.copytree(place.data_dir, tmp_path / "copied-folder")
    copied = Place(place.house, tmp_path / "copied-folder")
    assert not copied.may_send()
    assert not copied.look().may_plan
    assert copied.holds() == HELD_IN_A_COPY


def test_in_a_copy_mails_on_their_way_are_not_planned_again(place: Place, elsewhere: Place) -> None:
    place.house.enroll(BEN)
    with session_scope(place.house.sessions) as session:
        session.execute(update(Delivery).values(state=DeliveryState.SENDING))
    assert not elsewhere.look().may_settle


def test_looking_twice_at_the_same_moment_leaves_one_sign(place: Place) -> None:
    before = place.instance().fence
    assert place.look().mark is None
    assert place.instance().fence == before
