"""`steadypost campaign` as somebody types it: from a file to a balanced statement."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from mailer.db import session_scope
from mailer.delivery import batch
from mailer.delivery.batch import deliver_batch
from mailer.delivery.transports.server import SmtpServer
from mailer.launch.campaign import cancel
from mailer.models import Action, SubscriptionState
from tests.integration.cli_delivery.conftest import Run
from tests.integration.delivery.test_dispatch import Interrupted
from tests.support.campaigns import SPRING, put_people, write_campaign
from tests.support.cast import ADA, BEN, join
from tests.support.house import House
from tests.support.scripted_smtp import ScriptedSmtp


@pytest.fixture
def ten(spring: House) -> House:
    """Ten people on both lists, and two who are not to be mailed."""
    with session_scope(spring.sessions) as session:
        put_people(session, range(1, 11), "calm", spring.at)
        put_people(session, range(6, 11), "letters", spring.at)
        put_people(session, [11], "calm", spring.at, SubscriptionState.PENDING)
        put_people(session, [12], "calm", spring.at, SubscriptionState.ENDED)
    return spring


def shown(steadypost: Run) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(steadypost("campaign", "show", SPRING, "--json").stdout)
    return found


def actions(house: House) -> list[tuple[str, int]]:
    with session_scope(house.sessions) as session:
        log = session.execute(select(Action).order_by(Action.id)).scalars()
        return [(each.what, each.rows) for each in log]


def test_an_empty_house_says_what_to_do_next(steadypost: Run, house: House) -> None:
    assert "`steadypost campaign create FILE` makes one" in steadypost("campaign", "list").stdout
    assert json.loads(steadypost("campaign", "list", "--json").stdout) == []
    refused = steadypost("campaign", "show", "sprig", ends=1)
    assert refused.stderr == "There is no campaign 'sprig'; `steadypost campaign list` shows them all\n"


def test_a_file_becomes_a_draft_once_and_nothing_is_sent(
    steadypost: Run, house: House, tmp_path: Path
) -> None:
    path = write_campaign(tmp_path)
    path.write_text(path.read_text(encoding="utf-8").replace("[calm, letters]", "calm"), encoding="utf-8")
    assert steadypost("campaign", "check", path).stdout.startswith("spring is in order: 1 language.")
    told = steadypost("campaign", "create", path).stdout
    assert told.startswith("spring is a draft.\nNext: `steadypost campaign send spring`")
    assert steadypost("campaign", "create", path).stdout.startswith("spring is a draft campaign as it is")
    assert shown(steadypost)["state"] == "draft"
    assert "draft" in steadypost("campaign", "list").stdout
    assert "Nothing of it is due yet." in steadypost("campaign", "show", SPRING).stdout
    house.plan()
    assert house.states() == {}
    assert actions(house) == [("campaign create", 0)]


def test_nothing_is_sent_before_somebody_agrees_who_was_told_to_how_many(steadypost: Run, ten: House) -> None:
    refused = steadypost("campaign", "send", SPRING, ends=1)
    assert refused.stderr == (
        "Send “Spring at the Reading Room” (spring) to 10 people on calm, letters? "
        "Left out: 1 not confirmed, 1 unsubscribed. There is no terminal to ask on; say --yes.\n"
    )
    steadypost("campaign", "send", SPRING, answer="n", ends=1)
    assert shown(steadypost)["state"] == "draft"
    steadypost("campaign", "send", SPRING, answer="y")
    assert shown(steadypost)["state"] == "scheduled"
    assert actions(ten)[-1] == ("campaign send", 10)


def test_its_progress_and_its_statement_are_shown_until_it_balances(
    steadypost: Run, ten: House, server: ScriptedSmtp
) -> None:
    steadypost("campaign", "send", SPRING, "--yes")
    refused = steadypost("delivery", "statement", "--campaign", SPRING, ends=1)
    assert refused.stderr.startswith("The audience of spring is not written yet")
    ten.plan()
    told = shown(steadypost)
    assert (told["state"], told["audience"]) == ("sending", 10)
    assert told["statement"]["states"]["planned"] == 10
    assert "It is still under way." in steadypost("campaign", "show", SPRING).stdout
    refused = steadypost("delivery", "statement", "--campaign", SPRING, ends=1)
    assert "does not balance: 10 open, 0 missing, 0 duplicates" in refused.stderr
    ten.send()
    ten.plan()
    printed = steadypost("delivery", "statement", "--campaign", SPRING).stdout
    assert "The statement balances." in printed
    assert steadypost("delivery", "statement", "--campaign", SPRING, "--csv").stdout.splitlines() == [
        "state,reason,mails",
        "accepted,,10",
    ]
    assert "finished" in steadypost("campaign", "show", SPRING).stdout
    assert "The statement balances." in steadypost("campaign", "show", SPRING).stdout
    refused = steadypost("campaign", "send", SPRING, "--yes", ends=1)
    assert refused.stderr.startswith("spring is finished, and a campaign is sent once")


def test_a_courses_statement_does_not_count_a_campaign_to_its_list(steadypost: Run, ten: House) -> None:
    ten.enroll(ADA)
    steadypost("campaign", "send", SPRING, "--yes")
    ten.send()
    told = json.loads(steadypost("delivery", "statement", "--course", "calm", "--json").stdout)
    assert told["audience"] == 1  # Ada's welcome
    assert steadypost("delivery", "statement", "--course", "calm", "--campaign", SPRING, ends=2)
    assert steadypost("delivery", "statement", ends=2)


def test_it_is_scheduled_by_a_clock_that_is_named(steadypost: Run, ten: House, now: datetime) -> None:
    refused = steadypost("campaign", "schedule", SPRING, "--at", "2026-03-03 09:00", "--yes", ends=1)
    assert refused.stderr.startswith("Whose clock shows 2026-03-03 09:00?")
    refused = steadypost("campaign", "schedule", SPRING, "--at", "2026-03-01T09:00Z", "--yes", ends=1)
    assert refused.stderr.startswith("2026-03-01T09:00Z is past")
    refused = steadypost("campaign", "schedule", SPRING, "--at", "9999-12-31T23:00-08:00", "--yes", ends=1)
    assert refused.stderr.startswith("9999-12-31: This day is too far off")
    refused = steadypost("campaign", "schedule", SPRING, "--local", "0001-01-01 09:00", "--yes", ends=1)
    assert refused.stderr.startswith("0001-01-01: This day is too far off")
    refused = steadypost("campaign", "schedule", SPRING, "--at", "tomorrow", "--yes", ends=1)
    assert refused.stderr.startswith("'tomorrow' is not a moment")
    moment = ("--at", "2026-03-03 09:00", "--zone", "Europe/Berlin")
    told = steadypost("campaign", "schedule", SPRING, *moment, "--yes").stdout
    assert told.startswith("spring is scheduled for 2026-03-03 08:00 UTC")
    ten.go_to(now + timedelta(hours=24, minutes=59))
    assert ten.send() == {}
    ten.go_to(now + timedelta(hours=25))
    assert ten.send() == {"accepted": 10}


def test_one_that_was_scheduled_and_changes_is_a_draft_again(
    steadypost: Run, ten: House, tmp_path: Path
) -> None:
    steadypost("campaign", "schedule", SPRING, "--at", "2026-03-03T09:00Z", "--yes")
    assert "scheduled" in steadypost("campaign", "create", write_campaign(tmp_path)).stdout
    assert shown(steadypost)["state"] == "scheduled"
    told = steadypost("campaign", "create", write_campaign(tmp_path, body="Closed again.")).stdout
    assert "It was scheduled, and is not any more: schedule it anew." in told
    assert (shown(steadypost)["state"], shown(steadypost)["starts_at"]) == ("draft", None)


def test_cancelled_in_the_middle_it_balances_and_nothing_more_of_it_leaves(
    steadypost: Run, ten: House, server: ScriptedSmtp
) -> None:
    steadypost("campaign", "send", SPRING, "--yes")
    server.replies["RCPT"] = ["451 4.7.1 later"] * 4
    assert ten.send() == {"accepted": 6, "planned": 4}
    refused = steadypost("campaign", "cancel", SPRING, ends=1)
    assert refused.stderr.startswith(
        "Cancel spring for good? 6 mails of it are out or ended, 4 mails are still open."
    )
    steadypost("delivery", "hold", "--campaign", SPRING, "--yes")
    told = steadypost("campaign", "cancel", SPRING, "--yes", "--reason", "a wrong date").stdout
    assert told.startswith("spring is cancelled; 4 mails taken back.")
    found = shown(steadypost)
    assert (found["state"], found["audience"], found["statement"]["balanced"]) == ("cancelled", 10, True)
    assert found["statement"]["states"]["cancelled"] == 4
    assert found["finished_at"] is not None
    ten.go_to(ten.at + timedelta(days=1))
    assert ten.send() == {}
    assert steadypost("campaign", "cancel", SPRING, "--yes", ends=1).stderr.startswith("spring is cancelled")
    assert actions(ten)[1:] == [("campaign send", 10), ("delivery hold", 4), ("campaign cancel", 4)]


def test_what_a_worker_has_when_it_is_cancelled_is_not_planned_again(
    steadypost: Run, ten: House, server: ScriptedSmtp
) -> None:
    steadypost("campaign", "send", SPRING, "--yes")
    ten.plan()
    [chunk] = ten.offers()
    with session_scope(ten.sessions) as session:
        cancel(session, SPRING, ten.at, who="ann")
    # The chunk is at a worker, and no row of it has been cancelled yet.
    assert deliver_batch(chunk, ten.post).counts() == {"cancelled": 10}
    ten.plan()
    assert shown(steadypost)["statement"]["balanced"]
    assert server.mails == []


def test_a_batch_that_is_under_way_when_it_is_cancelled_stops_and_every_row_ends(
    steadypost: Run, spring: House, server: ScriptedSmtp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "FLUSH_SECONDS", 0.0)
    with session_scope(spring.sessions) as session:
        put_people(session, range(1, 41), "calm", spring.at)
    steadypost("campaign", "send", SPRING, "--yes")
    spring.plan()
    [chunk] = spring.offers()
    server.replies["RCPT"] = ["451 4.7.1 later"]

    def cancel_it() -> None:
        with session_scope(spring.sessions) as session:
            cancel(session, SPRING, spring.at, who="ann")

    pool = Interrupted(SmtpServer.from_url(server.url), 10, cancel_it)
    counts = deliver_batch(chunk, spring.use(pool)).counts()
    pool.close()
    # One waits to be tried again, nine were taken, and what was announced already is finished.
    assert (counts["planned"], 9 <= counts["accepted"] <= 11) == (1, True)
    assert counts["cancelled"] == 39 - counts["accepted"]
    assert len(server.mails) == counts["accepted"]
    # The one that waits is taken back by the tick, and the campaign has ended.
    spring.plan()
    found = shown(steadypost)
    assert found["statement"]["states"]["cancelled"] == 40 - counts["accepted"]
    assert (found["statement"]["balanced"], spring.miscounts()) == (True, [])
    assert found["finished_at"] is not None
    spring.go_to(spring.at + timedelta(days=1))
    assert spring.send() == {}


def test_why_says_what_became_of_it_for_one_person(steadypost: Run, ten: House) -> None:
    with session_scope(ten.sessions) as session:
        join(session, ADA, ten.at)
    assert "a draft, of which nothing was sent" in steadypost("why", ADA, SPRING).stdout
    steadypost("campaign", "send", SPRING, "--yes")
    ten.send()
    told = steadypost("why", ADA, SPRING).stdout
    assert "was due" in told
    assert "accepted by the server: 250" in told
    assert " spring " in steadypost("why", ADA).stdout
    with session_scope(ten.sessions) as session:
        join(session, BEN, ten.at)
    assert "not sent: active on none of its lists when its audience was written" in (
        steadypost("why", BEN, SPRING).stdout
    )
    assert "spring" in steadypost("subscriber", "show", ADA).stdout


def test_mails_of_a_campaign_are_named_by_it(steadypost: Run, ten: House, server: ScriptedSmtp) -> None:
    steadypost("campaign", "send", SPRING, "--yes")
    server.replies["DOT"] = ["554 5.7.1 not today"] * 10
    assert ten.send() == {"failed": 10}
    ten.plan()
    assert shown(steadypost)["state"] == "finished"
    assert len(json.loads(steadypost("delivery", "list", "--campaign", SPRING, "--json").stdout)) == 10
    refused = steadypost("delivery", "list", "--campaign", SPRING, "--step", "hello", ends=1)
    assert refused.stderr.startswith("A campaign's mails belong to no course and no step")
    steadypost("delivery", "retry", "--campaign", SPRING, "--yes")
    assert shown(steadypost)["state"] == "sending"
    assert ten.send() == {"accepted": 10}
    ten.plan()
    assert shown(steadypost)["state"] == "finished"


def test_pausing_and_resuming_leave_every_row_where_it_is(steadypost: Run, ten: House) -> None:
    steadypost("campaign", "send", SPRING, "--yes")
    ten.plan()
    assert steadypost("campaign", "pause", SPRING).stdout.startswith("Paused: spring.")
    assert steadypost("queue", "pause", "campaign", SPRING).stdout.startswith("Paused already")
    assert "sending, paused" in steadypost("campaign", "show", SPRING).stdout
    assert ten.send() == {}
    assert ten.states() == {"planned": 10}
    assert steadypost("campaign", "resume", SPRING).stdout == "Resumed: spring.\n"
    assert ten.send() == {"accepted": 10}
    ten.plan()
    assert steadypost("campaign", "pause", SPRING, ends=1).stderr.startswith("spring is finished already")
