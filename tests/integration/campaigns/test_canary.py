"""A canary: a small slice over all domains goes first, and stops the campaign by itself if it goes badly."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import select

from mailer.audience.subscribers import get_subscriber
from mailer.audience.suppression import suppress
from mailer.db import session_scope
from mailer.delivery.holds import list_holds, resume
from mailer.errors import Refused
from mailer.launch.campaign import cancel
from mailer.models import (
    Campaign,
    Delivery,
    DeliveryState,
    Event,
    EventKind,
    HoldScope,
    Subscriber,
    SuppressionReason,
)
from mailer.reports.why import why
from tests.integration.campaigns.phased import (
    by,
    click,
    count_clicks,
    later,
    phase,
    put_at,
    redraft,
    report,
    send_all,
    subjects,
)
from tests.integration.cli_delivery.conftest import Run
from tests.support.campaigns import SPRING, set_going
from tests.support.house import House
from tests.support.scripted_smtp import ScriptedSmtp

TWENTY = "canary: 20\n"


@pytest.fixture
def wide(spring: House) -> House:
    """200 people: 120 at one mailbox house under two names, 60 at another, 18 at small places, 2 at GMX."""
    put_at(spring, gmail_com=100, googlemail_com=20, outlook_com=60, gmx_de=2)
    put_at(spring, **{f"place{number}_example": 1 for number in range(18)})
    return spring


def domains(server: ScriptedSmtp) -> Counter[str]:
    names = {"googlemail.com": "gmail.com"}
    found = [address.rpartition("@")[2] for address in server.recipients]
    return Counter(names.get(name, "place" if name.endswith(".example") else name) for name in found)


def refuse(house: House, server: ScriptedSmtp, people: int, reply: str) -> None:
    """The server answers so about so many of those who go first."""
    with session_scope(house.sessions) as session:
        emails = session.execute(
            select(Subscriber.email)
            .join(Delivery, Delivery.subscriber_id == Subscriber.id)
            .where(Delivery.state == "planned")
            .order_by(Delivery.id)
            .limit(people)
        )
        for email in emails.scalars():
            server.about["RCPT", email] = [reply] * 50


def test_a_few_of_each_large_domain_go_first_and_the_rest_by_itself(
    wide: House, server: ScriptedSmtp, tmp_path: Path, steadypost: Run
) -> None:
    redraft(wide, tmp_path, TWENTY)
    set_going(wide)
    assert send_all(wide) == {"accepted": 20}
    # 10 % of 120, 60, 18 and 2 are 12, 6, 1.8 and 0.2; GMX has one all the same, and the small ones one.
    assert domains(server) == {"gmail.com": 12, "outlook.com": 6, "place": 1, "gmx.de": 1}
    found = report(wide)
    assert found.statement.reasons == {"held: waits for the canary": 180}
    shown = steadypost("campaign", "show", SPRING).stdout
    assert "Canary of 20: 20 accepted, 0 bounces (limit 5 %)" in shown
    assert "Next: the rest follows at 2026-03-02 08:00 UTC, unless a limit is passed." in shown
    assert later(wide, minutes=59) == {}
    assert later(wide, minutes=1) == {"accepted": 180}
    assert len(set(server.recipients)) == len(server.recipients) == 200
    ended = report(wide)
    assert ended.statement.is_balanced
    assert ended.row.state == "finished"


def test_the_command_line_asks_for_one_as_well(wide: House, tmp_path: Path, steadypost: Run) -> None:
    redraft(wide, tmp_path, "")
    canary = ("--canary", "5 %", "--canary-wait", "30 minutes")
    asked = steadypost("campaign", "send", SPRING, *canary, "--no-links", ends=1)
    assert "5 % first, the rest 30 minutes later if all is well." in asked.stderr
    wrong = steadypost("campaign", "send", SPRING, "--canary", "some", "--yes", ends=1)
    assert wrong.stderr == "The canary's size is 'some'. Write a number of people, 500, or a share, 2 %.\n"
    wrong = steadypost("campaign", "send", SPRING, "--canary", "5", "--canary-limit", "rain=3 %", ends=1)
    assert wrong.stderr.startswith("`rain` is nothing that a canary is watched for.")
    local = ("--local", "2027-03-01 09:00", "--canary", "5", "--yes")
    refused = steadypost("campaign", "schedule", SPRING, *local, ends=1)
    assert refused.stderr.startswith("spring has a canary, and each reader's own hour comes only once")
    limit = ("--canary-wait", "30 minutes", "--canary-limit", "bounces=40 %", "--yes")
    steadypost("campaign", "send", SPRING, "--canary", "5 %", *limit)
    assert send_all(wide) == {"accepted": 10}
    assert later(wide, minutes=30) == {"accepted": 190}


def test_bounces_stop_it_and_somebody_may_go_on_in_spite_of_them(
    wide: House, server: ScriptedSmtp, tmp_path: Path, steadypost: Run
) -> None:
    redraft(wide, tmp_path, TWENTY)
    set_going(wide)
    wide.plan()
    refuse(wide, server, 2, "550 5.1.1 no such user")
    # 2 of 20 are 10 %.
    assert send_all(wide) == {"accepted": 18, "bounced": 2}
    assert later(wide, hours=9) == {}
    words = "The canary of spring stopped it: bounces 10 % (2 of 20), more than 5 %"
    with session_scope(wide.sessions) as session:
        assert [(hold.cause, hold.reason) for hold in list_holds(session)] == [("canary", words)]
        email = session.execute(
            select(Subscriber.email)
            .join(Delivery, Delivery.subscriber_id == Subscriber.id)
            .where(Delivery.state == "held")
            .limit(1)
        ).scalar_one()
        told = [decision.what for decision in why(session, email, SPRING).decisions]
        assert "the canary stopped the campaign: bounces 10 % (2 of 20), more than 5 %" in told
        with pytest.raises(Refused, match="campaign resume spring"):
            resume(session, HoldScope.CAMPAIGN, SPRING, wide.at, who="ann")
    shown = steadypost("campaign", "show", SPRING).stdout
    assert "spring): sending (canary), paused" in shown
    assert "It stopped the campaign: bounces 10 % (2 of 20), more than 5 %." in shown
    assert "`steadypost campaign resume spring` goes on in spite of it, `campaign cancel` ends it." in shown
    status = " ".join(steadypost("queue", "status").stdout.split())
    assert f"! {words} (`steadypost campaign show spring`)." in status
    assert "Stopped by its canary: campaign spring since" in status
    assert report(wide).statement.open == 180
    asked = steadypost("campaign", "resume", SPRING, ends=1)
    assert asked.stderr.startswith(f"{words}. Go on in spite of it?")
    assert send_all(wide) == {}
    steadypost("campaign", "resume", SPRING, "--yes")
    assert send_all(wide) == {"accepted": 180}
    assert "went on in spite of it." in steadypost("campaign", "show", SPRING).stdout
    assert report(wide).statement.is_balanced


def test_a_canary_that_stopped_can_be_ended(wide: House, server: ScriptedSmtp, tmp_path: Path) -> None:
    redraft(wide, tmp_path, TWENTY)
    set_going(wide)
    wide.plan()
    refuse(wide, server, 5, "554 5.7.1 looks like spam")
    assert send_all(wide) == {"accepted": 15, "failed": 5}
    with session_scope(wide.sessions) as session:
        cancel(session, SPRING, wide.at, who="ann")
    assert send_all(wide) == {}
    assert wide.states() == {"accepted": 15, "failed": 5, "cancelled": 180}
    with session_scope(wide.sessions) as session:
        assert list_holds(session) == []
    assert report(wide).statement.is_balanced


def test_what_is_put_off_counts_when_the_time_is_over_and_greylisting_does_not(
    wide: House, server: ScriptedSmtp, tmp_path: Path
) -> None:
    redraft(wide, tmp_path, TWENTY)
    set_going(wide)
    wide.plan()
    refuse(wide, server, 4, "451 4.7.1 come back later")
    assert send_all(wide) == {"accepted": 16, "planned": 4}
    assert phase(wide) == "canary"
    server.about.clear()
    # They are tried again within the hour, and taken.
    assert later(wide, minutes=59)["accepted"] == 4
    assert later(wide, minutes=1)["accepted"] == 180


def test_what_is_still_put_off_after_the_waiting_time_stops_it(
    wide: House, server: ScriptedSmtp, tmp_path: Path
) -> None:
    redraft(wide, tmp_path, TWENTY)
    set_going(wide)
    wide.plan()
    refuse(wide, server, 4, "451 4.7.1 come back later")
    send_all(wide)
    later(wide, minutes=60)
    found = report(wide)
    assert found.row.is_paused
    assert found.phases is not None
    # 4 of 20 are 20 %.
    assert any("deferrals 20 % (4 of 20), more than 15 %" in line for line in found.phases.lines)


@pytest.mark.parametrize("what", ["complaints", "later bounces"])
def test_complaints_and_mails_that_come_back_later_stop_it(wide: House, tmp_path: Path, what: str) -> None:
    redraft(wide, tmp_path, TWENTY)
    set_going(wide)
    send_all(wide)
    with session_scope(wide.sessions) as session:
        first = session.execute(select(Delivery).where(Delivery.state == "accepted").limit(2)).scalars()
        for mail in first.all():
            who = session.get_one(Subscriber, mail.subscriber_id)
            if what == "complaints":
                suppress(session, who.email, SuppressionReason.COMPLAINT, wide.at)
            else:
                event = {"kind": EventKind.BOUNCED, "subscriber_id": who.id, "delivery_id": mail.id}
                session.add(Event(at=wide.at, **event))
    assert later(wide, minutes=1) == {}
    found = report(wide)
    assert found.row.is_paused
    name = "complaints" if what == "complaints" else "bounces"
    assert found.phases is not None
    assert any(f"{name} 10 % (2 of 20)" in line for line in found.phases.lines)


def test_a_mail_that_cannot_be_made_stops_it(wide: House, tmp_path: Path) -> None:
    path = redraft(wide, tmp_path, TWENTY)
    with session_scope(wide.sessions) as session:
        campaign = session.execute(select(Campaign)).scalar_one()
        campaign.messages = {"en": 10**9}  # nobody has such a message
    assert path.exists()
    set_going(wide)
    send_all(wide)
    found = report(wide)
    assert found.row.is_paused
    assert found.statement.states[DeliveryState.QUARANTINED] == 20


def test_the_canary_goes_before_the_test_and_takes_part_in_it(
    wide: House, server: ScriptedSmtp, tmp_path: Path
) -> None:
    count_clicks(wide)
    redraft(wide, tmp_path, TWENTY + by("clicks"))
    set_going(wide)
    assert send_all(wide) == {"accepted": 20}
    assert len(subjects(wide)) == 2  # both variants are tried out
    assert report(wide).statement.reasons == {"held: waits for the canary and the A/B test": 180}
    # Then 50 % of the 180 that are left.
    assert later(wide, hours=1) == {"accepted": 90}
    assert phase(wide) == "test"
    click(wide, "Windows open", 15)
    before = subjects(wide)
    assert later(wide, hours=2) == {"accepted": 90}
    assert subjects(wide)["Windows open"] == before["Windows open"] + 90
    assert len(set(server.recipients)) == len(server.recipients) == 200
    assert report(wide).statement.is_balanced


def test_somebody_who_leaves_while_the_canary_flies_gets_nothing(
    wide: House, server: ScriptedSmtp, tmp_path: Path, steadypost: Run
) -> None:
    redraft(wide, tmp_path, TWENTY)
    set_going(wide)
    send_all(wide)
    with session_scope(wide.sessions) as session:
        waiting = session.execute(
            select(Subscriber.email)
            .join(Delivery, Delivery.subscriber_id == Subscriber.id)
            .where(Delivery.state == "held")
            .limit(2)
        ).scalars()
        left, erased = waiting.all()
        suppress(session, left, SuppressionReason.MANUAL, wide.at)
        session.delete(get_subscriber(session, erased))
    assert later(wide, hours=1) == {"accepted": 178, "suppressed": 1}
    assert left not in server.recipients
    found = report(wide)
    assert (found.statement.is_balanced, found.statement.forgotten) == (True, 1)
    assert json.loads(steadypost("campaign", "show", SPRING, "--json").stdout)["phases"]["phase"] == "rest"


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ("canary: few\n", "spring.md:7: error: The canary's size is 'few'."),
        ("canary:\n  size: 0\n", "spring.md:8: error: The canary's size is '0'."),
        ("canary:\n  size: 5\n  rain: 3 %\n", "spring.md:9: error: `rain` is nothing that a canary"),
        ("canary:\n  size: 5\n  bounces: 3\n", "spring.md:9: error: `bounces` is '3'. Write a share"),
        ("canary:\n  size: 5\n  wait: 30\n", "spring.md:9: error: The canary's wait is '30'."),
    ],
)
def test_bad_settings_are_told_with_line_and_fix(
    spring: House, tmp_path: Path, steadypost: Run, settings: str, problem: str
) -> None:
    path = tmp_path / "spring.md"
    text = path.read_text(encoding="utf-8").replace("disclaimer", f"{settings}disclaimer")
    path.write_text(text, encoding="utf-8")
    told = steadypost("campaign", "check", path, ends=1).stdout
    assert problem in told.replace("\n", " "), told
