"""A campaign at nine in the morning wherever its readers are: one ledger, each zone at its own instant."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, update

from mailer.db import session_scope
from mailer.feedback.record import change_details
from mailer.launch.forecast import forecast
from mailer.launch.zone_rules import heed_zone_rules
from mailer.models import Campaign, Delivery, Enrollment, Instance, Subscriber
from mailer.reports.campaigns import describe_campaign
from mailer.reports.why import why
from mailer.schedule import pace
from mailer.schedule.pace_case import Asker
from mailer.schedule.plan import plan_due
from tests.integration.cli_delivery.conftest import Run
from tests.support.campaigns import SPRING
from tests.support.cast import ADA, join
from tests.support.house import House
from tests.support.scripted_smtp import ScriptedSmtp

ZONES = {
    "ada": "Europe/London",
    "ben": "Asia/Tokyo",
    "cleo": "America/Los_Angeles",
    "dan": None,
}


@pytest.fixture
def abroad(spring: House) -> House:
    """Four people; the house's now is 2 March 2026, 07:00 UTC, when Tokyo's clocks show 16:00."""
    with session_scope(spring.sessions) as session:
        for name, zone in ZONES.items():
            join(session, f"{name}@reader.example", spring.at)
            who = session.execute(
                select(Subscriber).where(Subscriber.email_key == f"{name}@reader.example")
            ).scalar_one()
            who.zone = zone
    return spring


def due(house: House) -> dict[str, str]:
    """When whose mail is due, by the UTC clock."""
    with session_scope(house.sessions) as session:
        rows = session.execute(
            select(Subscriber.name, Delivery.due_at).join(Delivery, Delivery.subscriber_id == Subscriber.id)
        )
        return {name.lower(): f"{due_at:%d %H:%M}" for name, due_at in rows}


def test_everybody_gets_it_at_nine_by_their_own_clock(
    abroad: House, server: ScriptedSmtp, steadypost: Run, now: datetime
) -> None:
    told = steadypost(
        "campaign", "schedule", SPRING, "--local", "2026-03-03 09:00", "--zone", "Europe/Berlin", "--yes"
    ).stdout
    assert "in each reader's zone, the first at 2026-03-03 00:00 UTC" in told
    shown = steadypost("campaign", "show", SPRING).stdout
    assert "at 2026-03-03 09:00 in each reader's zone (Europe/Berlin for people without one)" in shown
    abroad.go_to(datetime.fromisoformat("2026-03-02T23:59Z"))
    assert abroad.send() == {}
    abroad.go_to(datetime.fromisoformat("2026-03-03T00:00Z"))
    assert abroad.send() == {"accepted": 1}
    assert due(abroad) == {"ben": "03 00:00", "dan": "03 08:00", "ada": "03 09:00", "cleo": "03 17:00"}
    for hour in (8, 9, 17):
        abroad.go_to(datetime.fromisoformat(f"2026-03-03T{hour:02}:00Z"))
        assert abroad.send() == {"accepted": 1}
    assert [address.partition("@")[0] for address in server.recipients] == ["ben", "dan", "ada", "cleo"]
    abroad.plan()
    with session_scope(abroad.sessions) as session:
        report = describe_campaign(session, SPRING)
        assert (report.row.state, report.row.audience) == ("finished", 4)
        assert report.statement.is_balanced
        assert why(session, "dan@reader.example", SPRING).decisions[0].what == (
            "was due (2026-03-03 09:00 in Europe/Berlin, as they have no zone)"
        )


def test_whose_time_is_past_has_to_be_chosen(abroad: House, steadypost: Run) -> None:
    typed = ("campaign", "schedule", SPRING, "--local", "2026-03-02 09:00", "--yes")
    refused = steadypost(*typed, ends=1)
    assert refused.stderr.startswith("For 1 person of them 2026-03-02 09:00 is past. Say --past send")
    asked = steadypost(*typed, answer="skip")
    assert "the first at 2026-03-02 09:00 UTC" in asked.stdout


@pytest.mark.parametrize(
    ("past", "ends", "tokyo"),
    [
        ("send", {"accepted": 4}, "02 07:00"),  # at once
        ("skip", {"accepted": 3, "skipped": 1}, "02 00:00"),
        ("next-day", {"accepted": 4}, "03 00:00"),
    ],
)
def test_people_past_it_are_part_of_the_same_ledger(
    abroad: House, steadypost: Run, now: datetime, past: str, ends: dict[str, int], tokyo: str
) -> None:
    steadypost("campaign", "schedule", SPRING, "--local", "2026-03-02 09:00", "--past", past, "--yes")
    for hours in (0, 1, 9, 17):
        abroad.go_to(now + timedelta(hours=hours))
        abroad.send()
    abroad.plan()
    assert due(abroad)["ben"] == tokyo
    assert abroad.states() == ends
    assert abroad.miscounts() == []
    with session_scope(abroad.sessions) as session:
        report = describe_campaign(session, SPRING)
        assert (report.row.state, report.row.audience, report.statement.is_balanced) == ("finished", 4, True)
        told = [decision.what for decision in why(session, "ben@reader.example", SPRING).decisions]
    assert "2026-03-02 09:00 in Asia/Tokyo, which was past" in told[0]
    if past == "skip":
        assert report.statement.reasons == {"skipped: local time was past": 1}
        assert "not sent: skipped (local time was past)" in told


def test_the_forecast_knows_its_hours(abroad: House, steadypost: Run) -> None:
    steadypost("campaign", "schedule", SPRING, "--local", "2026-03-03 09:00", "--yes")
    with session_scope(abroad.sessions) as session:
        hours = forecast(session, abroad.at, 3).hours
    # Dan has no zone, and gets it at 09:00 UTC as Ada does
    assert [(f"{hour.begins_at:%H}", hour.mails) for hour in hours] == [
        ("00", {"campaign spring": 1}),
        ("09", {"campaign spring": 2}),
        ("17", {"campaign spring": 1}),
    ]


def test_a_tick_that_comes_late_skips_nobody(abroad: House, steadypost: Run) -> None:
    steadypost("campaign", "schedule", SPRING, "--local", "2026-03-03 09:00", "--past", "skip", "--yes")
    abroad.go_to(datetime.fromisoformat("2026-03-03T20:00Z"))
    assert abroad.send() == {"accepted": 4}


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (("--local", "soon"), "'soon' is not a time"),
        (("--local", "2026-03-03T09:00+01:00"), "2026-03-03T09:00+01:00 has an offset"),
        (("--local", "2026-03-03 09:00", "--zone", "Mars/Base"), "'Mars/Base'"),
        (("--local", "2026-02-01 09:00", "--past", "skip"), "2026-02-01 09:00 is past wherever"),
    ],
)
def test_a_time_that_cannot_be_is_refused(
    abroad: House, steadypost: Run, typed: tuple[str, ...], said: str
) -> None:
    assert said in steadypost("campaign", "schedule", SPRING, *typed, "--yes", ends=1).stderr
    steadypost("campaign", "schedule", SPRING, "--local", "2026-03-03 09:00", "--at", "2026-03-03", ends=2)


def test_a_test_mail_goes_to_an_address_of_ones_own_and_is_not_counted(
    abroad: House, server: ScriptedSmtp, steadypost: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEADYPOST_SMTP_URL", server.url)
    told = steadypost("campaign", "test", SPRING, "--to", "me@author.example", "--as", "ada@reader.example")
    assert told.stdout == "Sent spring to me@author.example.\n"
    assert server.recipients == ["me@author.example"]
    [mail] = server.mails
    assert mail["Subject"] == "Spring at the Reading Room"
    assert abroad.states() == {}
    refused = steadypost("campaign", "test", SPRING, "--to", "me@author.example", "--language", "de", ends=1)
    assert refused.stderr.startswith("spring is written in en, not in 'de'.")


@pytest.mark.parametrize(
    ("zone", "hours"),
    [
        ("America/New_York", [8, 14, 17]),  # nine in New York is 14:00 UTC
        ("Asia/Dubai", [5, 8, 17]),  # and in Dubai 05:00
        ("Pacific/Auckland", [1, 8, 17]),  # where nine is past by then: at once
    ],
)
def test_who_moves_before_it_leaves_gets_it_at_nine_by_their_new_clock(
    abroad: House, steadypost: Run, zone: str, hours: list[int]
) -> None:
    steadypost(
        "campaign", "schedule", SPRING, "--local", "2026-03-03 09:00", "--zone", "Europe/Berlin", "--yes"
    )
    abroad.go_to(datetime.fromisoformat("2026-03-03T00:00Z"))
    abroad.send()
    with session_scope(abroad.sessions) as session:
        ada = session.execute(select(Subscriber).where(Subscriber.email_key == ADA)).scalar_one()
        change_details(session, ada.id, name="Ada", language="en", zone_name=zone, now=abroad.at)
    left = []
    for hour in range(1, 18):
        abroad.go_to(datetime.fromisoformat(f"2026-03-03T{hour:02}:00Z"))
        left += [hour] * abroad.send().get("accepted", 0)
    # Dan, who has no zone, goes by Berlin (08:00 UTC); Cleo is in Los Angeles (17:00 UTC).
    assert left == hours


def test_who_takes_a_move_back_gets_it_by_the_clock_of_people_without_a_zone(
    abroad: House, steadypost: Run
) -> None:
    steadypost(
        "campaign", "schedule", SPRING, "--local", "2026-03-03 09:00", "--zone", "Europe/Berlin", "--yes"
    )
    abroad.go_to(datetime.fromisoformat("2026-03-03T00:00Z"))
    dan = abroad.enroll("dan@reader.example")
    with session_scope(abroad.sessions) as session:
        session.get_one(Subscriber, dan).zone = None
    abroad.send()
    with session_scope(abroad.sessions) as session:
        enrolled = session.execute(select(Enrollment.id)).scalar_one()
        moved = pace.set_zone(session, enrolled, "America/New_York", Asker("the pace page"), abroad.at)
        assert moved is not None
        pace.undo(session, moved.id, Asker("the pace page"), abroad.at)
        of_dan = select(Delivery.next_attempt_at).where(
            Delivery.kind == "campaign", Delivery.subscriber_id == dan
        )
        assert session.execute(of_dan).scalar_one() == datetime.fromisoformat("2026-03-03T08:00Z")


def by_older_rules(house: House) -> None:
    """As if all was worked out by rules after which clocks showed an hour less."""
    an_hour = timedelta(hours=1)
    with session_scope(house.sessions) as session:
        session.execute(update(Instance).values(zone_rules="2000a"))
        session.execute(update(Delivery).values(next_attempt_at=Delivery.next_attempt_at + an_hour))
        session.execute(update(Campaign).values(starts_at=Campaign.starts_at + an_hour))


def attempts(house: House) -> dict[str, str]:
    with session_scope(house.sessions) as session:
        rows = session.execute(
            select(Subscriber.name, Delivery.next_attempt_at).join(
                Delivery, Delivery.subscriber_id == Subscriber.id
            )
        )
        return {name.lower(): f"{at:%d %H:%M}" for name, at in rows if at is not None}


def test_new_zone_rules_move_what_has_not_left(abroad: House, steadypost: Run) -> None:
    steadypost(
        "campaign", "schedule", SPRING, "--local", "2026-03-03 09:00", "--zone", "Europe/Berlin", "--yes"
    )
    by_older_rules(abroad)
    with session_scope(abroad.sessions) as session:
        assert heed_zone_rules(session, abroad.at)
        # Another process has seen to it meanwhile.
        assert not heed_zone_rules(session, abroad.at)
        starts_at = session.execute(select(Campaign.starts_at)).scalar_one()
    assert starts_at == datetime.fromisoformat("2026-03-03T00:00Z")
    abroad.go_to(starts_at)
    abroad.send()
    by_older_rules(abroad)
    with session_scope(abroad.sessions) as session:
        heed_zone_rules(session, abroad.at)
    at_their_hour = {"dan": "03 08:00", "ada": "03 09:00", "cleo": "03 17:00"}
    assert {name: at for name, at in attempts(abroad).items() if name != "ben"} == at_their_hour


def test_new_zone_rules_have_lessons_decided_anew_and_old_ones_nothing(
    spring: House, steadypost: Run
) -> None:
    spring.enroll(ADA, "Europe/London")
    spring.send()
    with session_scope(spring.sessions) as session:
        session.execute(update(Instance).values(zone_rules="2999a"))
        due_at = session.execute(select(Enrollment.next_due_at)).scalar_one()
        assert not heed_zone_rules(session, spring.at)
        session.execute(update(Instance).values(zone_rules="2000a"))
        session.execute(update(Enrollment).values(next_due_at=Enrollment.next_due_at + timedelta(hours=1)))
        assert heed_zone_rules(session, spring.at)
        plan_due(session, spring.at)
        assert session.execute(select(Enrollment.next_due_at)).scalar_one() == due_at
