"""Series by the calendar: each occurrence becomes a campaign, once."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from threading import Thread

import pytest
from sqlalchemy import delete, select, update

from mailer.audience.segments import remove_segment, save_segment
from mailer.db import session_scope
from mailer.errors import Refused
from mailer.launch.forecast import forecast
from mailer.launch.series import pause_series, remove_series, resume_series
from mailer.launch.series_make import LEASE, Made, due_now
from mailer.models import Campaign, CampaignState, Outcome, Segment, Series, SeriesState
from tests.support.campaigns import put_people
from tests.support.cast import ADA, BEN, join
from tests.support.feeds import (
    add,
    days_on,
    due,
    make_all,
    make_one,
    occurrences,
    report,
    series_of,
    write_series,
)
from tests.support.house import House
from tests.support.scripted_smtp import ScriptedSmtp

WEEK = timedelta(days=7)


@pytest.fixture
def reading(house: House) -> House:
    """Ada and Ben are on the list calm. It is Monday, 2026-03-02, 08:00 in Berlin."""
    with session_scope(house.sessions) as session:
        join(session, ADA, house.at)
        join(session, BEN, house.at)
    return house


def campaigns(house: House) -> dict[str, str]:
    with session_scope(house.sessions) as session:
        return dict(session.execute(select(Campaign.slug, Campaign.state).order_by(Campaign.id)).all())


def test_each_monday_a_campaign_is_made_and_everybody_gets_it_once(
    reading: House, server: ScriptedSmtp, tmp_path: Path
) -> None:
    added = add(reading, write_series(tmp_path))
    assert (added.is_new, added.is_changed) == (True, True)
    assert make_all(reading) == []  # 08:00 in Berlin, and it comes at 09:00
    nine = reading.at + timedelta(hours=1)
    for week in range(3):
        reading.go_to(nine + week * WEEK)
        assert [made.outcome for made in make_all(reading)] == [Outcome.MADE]
        assert make_all(reading) == []
        reading.send()
    assert sorted(server.recipients) == sorted([ADA, BEN] * 3)
    reading.plan()
    assert campaigns(reading) == {
        "letter-2026-03-02": "finished",
        "letter-2026-03-09": "finished",
        "letter-2026-03-16": "finished",
    }
    assert [str(mail["Subject"]) for mail in server.mails[::2]] == [
        f"A letter, number {number}" for number in (1, 2, 3)
    ]
    body = server.mails[-1].get_body(("plain",))
    assert body is not None
    assert "A letter of Monday, March 16, 2026" in " ".join(str(body.get_content()).split())
    assert series_of(reading, "letter").made == 3


def test_the_same_files_again_change_nothing_and_a_new_hour_moves_what_is_to_come(
    reading: House, tmp_path: Path
) -> None:
    add(reading, write_series(tmp_path))
    assert not add(reading, write_series(tmp_path)).is_changed
    moved = add(reading, write_series(tmp_path, at='"17:30"', on="[thursday]"))
    assert (moved.is_new, moved.is_changed) == (False, True)
    # Thursday the 5th at 17:30 in Berlin is 16:30 UTC.
    assert [f"{at:%a %d %H:%M}" for _, at in report(reading, "letter", 2).coming] == [
        "Thu 05 16:30",
        "Thu 12 16:30",
    ]


def test_two_workers_at_once_make_one(reading: House, tmp_path: Path) -> None:
    add(reading, write_series(tmp_path))
    reading.go_to(reading.at + timedelta(hours=1))
    (one,) = due(reading)
    made: list[Made] = []
    workers = [Thread(target=lambda: made.append(make_one(reading, one))) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(str(each.outcome) for each in made) == ["None", "made"]
    assert list(campaigns(reading)) == ["letter-2026-03-02"]


def test_one_that_is_killed_in_the_middle_has_made_nothing(
    reading: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(reading, write_series(tmp_path))
    reading.go_to(reading.at + timedelta(hours=1))
    with monkeypatch.context() as patched:
        patched.setattr("mailer.launch.series_make.set_next", lambda *_: (_ for _ in ()).throw(SystemExit))
        with pytest.raises(SystemExit):
            make_all(reading)
    assert (campaigns(reading), occurrences(reading)) == ({}, [])
    assert make_all(reading) == []  # it may still be at it
    reading.go_to(reading.at + LEASE)
    assert [made.outcome for made in make_all(reading)] == [Outcome.MADE]
    assert list(campaigns(reading)) == ["letter-2026-03-02"]


def test_one_that_is_moved_to_a_later_hour_while_a_worker_has_it_waits_for_that_hour(
    reading: House, tmp_path: Path
) -> None:
    add(reading, write_series(tmp_path))
    reading.go_to(reading.at + timedelta(hours=1))
    (one,) = due(reading)
    add(reading, write_series(tmp_path, at='"11:00"'))
    assert make_one(reading, one).outcome is None
    assert make_all(reading) == []
    reading.go_to(reading.at + timedelta(hours=2))
    assert [made.campaign for made in make_all(reading)] == ["letter-2026-03-02"]


def test_an_hour_worked_out_by_old_rules_of_its_zone_is_worked_out_again(
    reading: House, tmp_path: Path
) -> None:
    add(reading, write_series(tmp_path))
    nine = reading.at + timedelta(hours=1)
    with session_scope(reading.sessions) as session:
        # As if Berlin had still been an hour ahead when this was written.
        session.execute(update(Series).values(wakes_at=nine - timedelta(hours=1)))
    assert make_all(reading) == []
    assert series_of(reading, "letter").wakes_at == nine
    reading.go_to(nine)
    assert [made.campaign for made in make_all(reading)] == ["letter-2026-03-02"]


def test_after_an_outage_only_the_latest_is_made_and_it_says_how_many_were_missed(
    reading: House, tmp_path: Path
) -> None:
    add(reading, write_series(tmp_path))
    # Down until Wednesday the 25th: the 2nd, 9th and 16th are missed, the 23rd is late.
    reading.go_to(reading.at + timedelta(days=23))
    (made,) = make_all(reading)
    assert (made.campaign, made.words) == (
        "letter-2026-03-23",
        "3 before it, from 2026-03-02 on, missed and not made up for.",
    )
    assert f"{series_of(reading, 'letter').next_on}" == "2026-03-30"


def test_a_list_without_anybody_is_recorded_and_skipped(house: House, tmp_path: Path) -> None:
    add(house, write_series(tmp_path))
    house.go_to(house.at + timedelta(hours=1))
    (made,) = make_all(house)
    assert made.outcome == Outcome.NOBODY
    assert "Nobody is active on calm" in made.words
    assert campaigns(house) == {}
    assert occurrences(house) == [("2026-03-02", "nobody")]
    assert report(house, "letter").past[0].words == made.words


def test_ten_times_as_many_people_wait_as_a_draft_for_somebody_to_agree(
    reading: House, tmp_path: Path
) -> None:
    add(reading, write_series(tmp_path))
    nine = reading.at + timedelta(hours=1)
    days_on(reading, nine, 1)
    reading.send()
    with session_scope(reading.sessions) as session:
        put_people(session, range(1, 31), "calm", reading.at)
    reading.go_to(nine + WEEK)
    (made,) = make_all(reading)
    assert made.outcome == Outcome.ASKS
    assert made.words.startswith("32 people are 16 times the 2 of letter-2026-03-02")
    assert "`steadypost campaign send letter-2026-03-09` asks about it" in made.words
    assert campaigns(reading)["letter-2026-03-09"] == CampaignState.DRAFT
    # The same message as last week is no surprise in a series, and the next one comes all the same.
    assert f"{series_of(reading, 'letter').next_on}" == "2026-03-16"


def test_a_message_that_never_changes_is_no_surprise_in_a_series(reading: House, tmp_path: Path) -> None:
    path = write_series(tmp_path, every="day", on="", subject='"The same"')
    path.write_text(path.read_text(encoding="utf-8").replace(" of {{ series.date }}", ""), encoding="utf-8")
    add(reading, path)
    made = days_on(reading, reading.at + timedelta(hours=1), 3)
    assert [one.outcome for one in made] == [Outcome.MADE] * 3


def test_a_pause_is_not_made_up_for(reading: House, tmp_path: Path) -> None:
    add(reading, write_series(tmp_path))
    with session_scope(reading.sessions) as session:
        assert pause_series(session, "letter", reading.at, who="ann")
        assert not pause_series(session, "letter", reading.at, who="ann")
    assert days_on(reading, reading.at + timedelta(hours=1), 10) == []
    with session_scope(reading.sessions) as session:
        # Thursday the 12th: the Mondays 2 and 9 fell into the pause.
        assert f"{resume_series(session, 'letter', reading.at, who='ann')}" == "2026-03-16"


def test_a_series_ends_after_its_times_or_its_last_day(reading: House, tmp_path: Path) -> None:
    add(reading, write_series(tmp_path, every="day", on="", times="2"))
    made = days_on(reading, reading.at + timedelta(hours=1), 4)
    assert [one.campaign for one in made] == ["letter-2026-03-02", "letter-2026-03-03"]
    assert series_of(reading, "letter").state == SeriesState.ENDED
    add(reading, write_series(tmp_path, every="day", on="", until="2026-03-07"))
    assert series_of(reading, "letter").state == SeriesState.ACTIVE
    days_on(reading, reading.at + timedelta(days=1), 3)
    assert series_of(reading, "letter").state == SeriesState.ENDED
    assert [day for day, _ in occurrences(reading)][-1] == "2026-03-07"


def test_one_made_by_hand_takes_the_place_of_the_next(reading: House, tmp_path: Path) -> None:
    add(reading, write_series(tmp_path))
    with session_scope(reading.sessions) as session:
        early = due_now(session, "letter", reading.at)
    assert make_one(reading, early).campaign == "letter-2026-03-02"
    assert days_on(reading, reading.at + timedelta(hours=1), 7) == []
    # A new calendar does not make that day once more either.
    add(reading, write_series(tmp_path, at='"23:00"'))
    assert [made.campaign for made in days_on(reading, reading.at + timedelta(days=2), 1)] == [
        "letter-2026-03-09"
    ]


def test_a_series_by_readers_own_clocks_leaves_at_their_hour(
    house: House, server: ScriptedSmtp, tmp_path: Path
) -> None:
    with session_scope(house.sessions) as session:
        join(session, ADA, house.at, zone="Asia/Tokyo")
        join(session, BEN, house.at, zone="America/New_York")
    add(house, write_series(tmp_path, local="yes"))
    # Made on Sunday at 19:00 UTC, when Kiritimati has Monday 09:00. Tokyo has it at 00:00 UTC, New York
    # (on summer time since that Sunday) at 13:00.
    house.go_to(datetime.fromisoformat("2026-03-08T19:00+00:00"))
    assert [made.campaign for made in make_all(house)] == ["letter-2026-03-09"]
    house.send()
    assert server.recipients == []
    house.go_to(datetime.fromisoformat("2026-03-09T00:00+00:00"))
    house.send()
    assert server.recipients == [ADA]
    house.go_to(datetime.fromisoformat("2026-03-09T13:00+00:00"))
    house.send()
    assert server.recipients == [ADA, BEN]


def test_what_it_names_and_is_gone_is_told_and_looked_for_again(reading: House, tmp_path: Path) -> None:
    with session_scope(reading.sessions) as session:
        save_segment(session, "keen", 'zone is "Europe/London"', "Keen", reading.at)
    add(reading, write_series(tmp_path, segment="keen"))
    with (
        session_scope(reading.sessions) as session,
        pytest.raises(Refused, match="The series letter is for keen"),
    ):
        remove_segment(session, "keen")
    with session_scope(reading.sessions) as session:
        session.execute(delete(Segment))  # as by somebody with another program
    reading.go_to(reading.at + timedelta(hours=1))
    (made,) = make_all(reading)
    assert "There is no segment 'keen'." in made.trouble
    assert (campaigns(reading), occurrences(reading)) == ({}, [])
    assert report(reading, "letter").row.trouble == made.trouble
    assert make_all(reading) == []  # an hour later, and not every few seconds
    add(reading, write_series(tmp_path))  # without the segment
    assert [one.campaign for one in make_all(reading)] == ["letter-2026-03-02"]
    assert report(reading, "letter").row.trouble == ""


def test_a_series_that_was_removed_and_added_again_does_not_send_a_day_twice(
    reading: House, tmp_path: Path
) -> None:
    add(reading, write_series(tmp_path))
    with session_scope(reading.sessions) as session:
        early = due_now(session, "letter", reading.at)
    make_one(reading, early)
    with session_scope(reading.sessions) as session:
        remove_series(session, "letter", reading.at, who="ann")
    add(reading, write_series(tmp_path))
    (made,) = days_on(reading, reading.at + timedelta(hours=1), 1)
    assert (made.outcome, made.campaign) == (Outcome.TAKEN, "")
    assert list(campaigns(reading)) == ["letter-2026-03-02"]


def test_the_forecast_knows_what_series_will_send(reading: House, tmp_path: Path) -> None:
    add(reading, write_series(tmp_path))
    with session_scope(reading.sessions) as session:
        found = forecast(session, reading.at, 14)
    assert [(f"{hour.begins_at:%m-%d %H}", dict(hour.mails)) for hour in found.hours] == [
        ("03-02 08", {"series letter": 2}),
        ("03-09 08", {"series letter": 2}),
    ]


def test_a_translation_and_a_picture_come_along(reading: House, server: ScriptedSmtp, tmp_path: Path) -> None:
    (tmp_path / "media").mkdir()
    gif = b"GIF89a\x01\x00\x01\x00\x80\x00\x00" + bytes(24)
    (tmp_path / "media" / "neck.gif").write_bytes(gif)
    first = write_series(tmp_path)
    first.write_text(first.read_text(encoding="utf-8") + "\n![a neck](media/neck.gif)\n", encoding="utf-8")
    german = tmp_path / "series.de.md"
    german.write_text(
        "---\nslug: letter\nlanguage: de\nsubject: Ein Brief\n---\n# Brief vom {{ series.date }}\n\nText.\n",
        encoding="utf-8",
    )
    add(reading, first, german)
    (tmp_path / "media" / "neck.gif").unlink()
    days_on(reading, reading.at + timedelta(hours=1), 1)
    with session_scope(reading.sessions) as session:
        campaign = session.execute(select(Campaign)).scalar_one()
        assert set(campaign.messages) == {"en", "de"}
    reading.send()
    html = server.mails[0].get_body(("html",))
    assert html is not None
    assert "/media/" in str(html.get_content())
