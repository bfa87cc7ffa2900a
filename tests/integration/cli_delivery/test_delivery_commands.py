"""`steadypost delivery`: exactly the mails that are named, by the table of states, and logged."""

from __future__ import annotations

import csv
import io
import json
import os
import pwd
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from mailer import tally
from mailer.db import session_scope
from mailer.delivery.ledger import Filter, act, choose
from mailer.delivery.states import NEXT
from mailer.delivery.verbs import CANCEL, HOLD, RELEASE, RETRY, SETTLE, Verb
from mailer.models import Action, Delivery, DeliveryState, Subscriber
from mailer.schedule.courses import get_course
from tests.integration.cli_delivery.conftest import Run
from tests.support.cast import ADA, BEN, CLEO, join_course
from tests.support.house import House
from tests.support.scripted_smtp import ScriptedSmtp

FRANK = "frank@elsewhere.example"
CALM = ("--course", "calm")


def put(house: House, email: str, state: str, reason: str = "") -> int:
    """This person's mails are in this state; the id of one."""
    with session_scope(house.sessions) as session:
        person = select(Subscriber.id).where(Subscriber.email_key == email).scalar_subquery()
        values = {"state": state, "reason": reason, "settled_at": house.at}
        done = session.execute(
            update(Delivery).where(Delivery.subscriber_id == person).values(values).returning(Delivery.id)
        )
        number = list(done.scalars())[-1]
        tally.mend(session)
        return number


def row(house: House, id_: int) -> Delivery:
    with session_scope(house.sessions) as session:
        return session.get_one(Delivery, id_)


def actions(house: House) -> list[Action]:
    with session_scope(house.sessions) as session:
        return list(session.execute(select(Action).order_by(Action.id)).scalars())


@pytest.fixture
def four(house: House) -> dict[str, int]:
    """A welcome each: Ada's failed, Ben's is uncertain, Cleo's is planned, Frank's a worker has."""
    for email in (ADA, BEN, CLEO, FRANK):
        house.enroll(email)
    house.plan()
    return {
        ADA: put(house, ADA, "failed", "refused: 554"),
        BEN: put(house, BEN, "uncertain", "cut off"),
        CLEO: put(house, CLEO, "planned"),
        FRANK: put(house, FRANK, "sending"),
    }


def test_every_way_a_person_may_take_is_in_the_table_of_states() -> None:
    for verb in (RETRY, HOLD, RELEASE, CANCEL, *SETTLE.values()):
        assert all(verb.to in NEXT[state] for state in verb.from_)
        assert DeliveryState.SENDING not in verb.from_
    with pytest.raises(ValueError, match="accepted is never followed by planned"):
        Verb("again", "sent again", DeliveryState.PLANNED, (DeliveryState.ACCEPTED,), "")


def test_the_list_shows_what_went_where(
    steadypost: Run, house: House, server: ScriptedSmtp, four: dict[str, int]
) -> None:
    del four
    house.enroll("gil@reader.example")
    server.replies["RCPT"] = ["451 4.7.1 greylisted"]
    house.send()
    told = steadypost("delivery", "list", *CALM).stdout
    assert all(email in told for email in (ADA, BEN, CLEO, FRANK))
    assert "greylisted" in told

    def listed(*words: str) -> list[Any]:
        return [each["email"] for each in json.loads(steadypost("delivery", "list", *words, "--json").stdout)]

    assert listed(*CALM, "--domain", "Elsewhere.example") == [FRANK]
    assert listed(*CALM, "--state", "failed", "--state", "uncertain") == [ADA, BEN]
    assert listed(*CALM, "--reason", "REFUSED") == [ADA]
    assert listed("--email", BEN) == [BEN]
    assert listed(*CALM, "--step", "hello") == []
    assert listed(*CALM, "--step", "welcome", "--limit", "1") == [ADA]
    assert (
        "There are more than 1; --limit shows more."
        in steadypost(*("delivery", "list", *CALM, "--limit", "1")).stdout
    )


def test_nothing_is_done_before_somebody_agrees(steadypost: Run, house: House, four: dict[str, int]) -> None:
    refused = steadypost("delivery", "retry", *CALM, ends=1)
    assert refused.stdout == ""
    assert refused.stderr == (
        "Retry 1 mail (1 failed); as they are stay 1 planned, 1 sending, 1 uncertain? "
        "There is no terminal to ask on; say --yes.\n"
    )
    steadypost("delivery", "retry", *CALM, answer="n", ends=1)
    assert row(house, four[ADA]).state == "failed"
    assert actions(house) == []
    steadypost("delivery", "retry", *CALM, answer="y")
    assert row(house, four[ADA]).state == "planned"


def test_what_failed_is_tried_again_and_sent(steadypost: Run, house: House, server: ScriptedSmtp) -> None:
    house.enroll(ADA)
    server.replies["DOT"] = ["554 5.7.1 not today"]
    assert house.send() == {"failed": 1}
    told = steadypost("delivery", "retry", *CALM, "--state", "failed", "--yes").stdout
    assert told == "1 mail tried again; now planned.\n"
    assert house.send() == {"accepted": 1}
    [action] = actions(house)
    assert action.who == pwd.getpwuid(os.getuid()).pw_name
    assert (action.what, action.rows) == ("delivery retry", 1)
    assert action.detail == {
        "filter": {"course": "calm", "states": ["failed"]},
        "from": {"failed": 1},
        "to": "planned",
    }
    assert "delivery retry     1  course=calm states=failed" in steadypost("delivery", "actions").stdout
    none = steadypost("delivery", "retry", *CALM, "--yes").stdout
    assert none == "No mail here can be tried again; as they are stay 1 accepted.\n"
    assert len(actions(house)) == 1


def test_what_is_uncertain_is_touched_only_by_its_name(
    steadypost: Run, house: House, four: dict[str, int]
) -> None:
    steadypost("delivery", "cancel", *CALM, "--yes")
    assert house.states() == {"cancelled": 1, "failed": 1, "sending": 1, "uncertain": 1}
    asked = steadypost("delivery", "retry", *CALM, "--state", "uncertain", ends=1)
    assert "Uncertain ones may arrive a second time." in asked.stderr
    steadypost("delivery", "retry", *CALM, "--state", "uncertain", "--yes")
    assert row(house, four[BEN]).state == "planned"


def test_a_person_settles_what_is_uncertain_by_evidence(
    steadypost: Run, house: House, four: dict[str, int], now: datetime
) -> None:
    house.go_to(now + timedelta(days=1))
    words = ("--because", "the relay's log has it")
    steadypost("delivery", "settle", "--as", "accepted", *CALM, *words, "--yes")
    ben = row(house, four[BEN])
    assert (ben.state, ben.reason) == ("accepted", "settled by hand as accepted: the relay's log has it")
    assert ben.settled_at == now  # it left when it was cut off, not when somebody looked
    assert house.states() == {"accepted": 1, "failed": 1, "planned": 1, "sending": 1}
    steadypost("delivery", "settle", "--as", "bounced", *CALM, "--yes", ends=2)


def test_held_mails_wait_until_they_are_released(steadypost: Run, house: House, server: ScriptedSmtp) -> None:
    house.enroll(ADA)
    house.plan()
    assert len(house.offers()) == 1  # a worker is about to get it
    assert steadypost("delivery", "hold", *CALM, "--because", "a typo", "--yes").stdout == (
        "1 mail held; now held.\n"
    )
    assert house.send() == {}
    assert house.states() == {"held": 1}
    steadypost("delivery", "release", *CALM, "--yes")
    assert house.send() == {"accepted": 1}
    assert len(server.mails) == 1


def test_a_cancelled_lesson_does_not_keep_the_next_one_waiting(
    steadypost: Run, house: House, server: ScriptedSmtp, now: datetime
) -> None:
    house.enroll(ADA)
    house.send()
    house.go_to(now.replace(hour=8) + timedelta(days=1))
    house.plan()
    steadypost("delivery", "cancel", *CALM, "--step", "hello", "--yes")
    house.go_to(house.at + timedelta(days=1))
    assert house.send() == {"accepted": 1}
    assert [mail["Subject"] for mail in server.mails][1:] == ["About rest"]
    assert house.states() == {"accepted": 2, "cancelled": 1}


def test_only_the_rows_that_were_counted_are_changed(house: House, four: dict[str, int]) -> None:
    put(house, BEN, "failed")
    with session_scope(house.sessions) as session:
        chosen = choose(session, RETRY, Filter(course="calm"))
    assert chosen.counts() == {"failed": 2}
    # While somebody thinks, one more fails, and a worker is given one of the two.
    put(house, CLEO, "failed")
    put(house, BEN, "sending")
    with session_scope(house.sessions) as session:
        assert act(session, chosen, house.at, who="ada") == 1
    assert {email: row(house, id_).state for email, id_ in four.items()} == {
        ADA: "planned",
        BEN: "sending",
        CLEO: "failed",
        FRANK: "sending",
    }
    assert [action.rows for action in actions(house)] == [1]


TOO_MUCH_OR_NOTHING = [
    (("retry",), "Name at least a course, a campaign, an address or an id"),
    (("hold", "--domain", "elsewhere.example"), "Name at least a course, a campaign, an address or an id"),
    (("retry", *CALM, "--state", "accepted"), "What is accepted cannot be tried again; quarantined, f"),
    (("cancel", *CALM, "--state", "sending"), "What is sending cannot be cancelled; planned, held"),
    (("cancel", *CALM, "--step", ""), "A filter is empty"),
    (("cancel", *CALM, "--step", "nope"), "The course calm has no step 'nope'"),
    (("list", *CALM, "--domain", "not a domain"), "'not a domain' is not a domain"),
    (("hold", "--email", "nobody@reader.example"), "Nobody here has the address"),
    (("statement", *CALM, "--step", "nope"), "The course calm has no step 'nope'"),
    (("statement", *CALM, "--json", "--csv"), "Choose one of --json and --csv."),
]


def test_a_filter_that_means_too_much_or_nothing_is_refused(
    steadypost: Run, house: House, four: dict[str, int]
) -> None:
    for words, sentence in TOO_MUCH_OR_NOTHING:
        yes = () if words[0] in ("list", "statement") else ("--yes",)
        refused = steadypost("delivery", *words, *yes, ends=1)
        assert refused.stderr.startswith(sentence)
        assert (refused.stderr.count("\n"), refused.stdout) == (1, "")
    assert row(house, four[CLEO]).state == "planned"
    assert actions(house) == []


def test_the_action_log_holds_no_address(steadypost: Run, house: House, four: dict[str, int]) -> None:
    steadypost("delivery", "hold", "--email", CLEO, "--yes")
    steadypost("delivery", "retry", "--id", four[ADA], "--yes")
    told = steadypost("delivery", "actions", "--json").stdout
    assert "@" not in told
    newest, first = json.loads(told)
    assert (newest["detail"]["filter"], newest["rows"]) == ({"ids": [four[ADA]]}, 1)
    assert list(first["detail"]["filter"]) == ["address"]


def test_the_statement_of_one_step_as_csv_is_safe_in_a_spreadsheet(
    steadypost: Run, house: House, now: datetime
) -> None:
    house.enroll(ADA)
    house.enroll(FRANK)
    house.send()
    put(house, FRANK, "failed", "=cmd|' /C calc'!A0")
    told = steadypost("delivery", "statement", *CALM, "--step", "welcome", "--csv").stdout
    assert list(csv.reader(io.StringIO(told))) == [
        ["state", "reason", "mails"],
        ["accepted", "", "1"],
        ["failed", "'=cmd|' /C calc'!A0", "1"],
    ]
    house.go_to(now.replace(hour=8) + timedelta(days=1))
    house.plan()
    steps = {
        step: json.loads(
            steadypost("delivery", "statement", *CALM, "--step", step, "--json", ends=ends).stdout
        )
        for step, ends in (("welcome", 0), ("hello", 1), ("rest", 0))
    }
    assert {step: (told["audience"], told["open"]) for step, told in steps.items()} == {
        "welcome": (2, 0),
        "hello": (2, 2),
        "rest": (0, 0),
    }


def test_another_course_of_the_same_list_is_left_alone(house: House) -> None:
    """A list may carry several courses; `--course` means the mails of one."""
    with session_scope(house.sessions) as session:
        join_course(session, get_course(session, "calm"), ADA, house.at)
    house.plan()
    with session_scope(house.sessions) as session:
        session.execute(update(Delivery).values(course_id=Delivery.course_id + 1, source="course:2"))
        tally.mend(session)
        assert choose(session, HOLD, Filter(course="calm")).total == 0


def test_counts_that_went_wrong_are_told_and_put_right(steadypost: Run, house: House) -> None:
    house.enroll(ADA)
    house.send()
    assert "Every mail is counted" in steadypost("doctor", "counts").stdout
    with session_scope(house.sessions) as session:
        session.execute(update(Delivery).values(state="failed"))
    refused = steadypost("doctor", "counts", ends=1)
    assert "--mend" in refused.stderr
    steadypost("doctor", "counts", "--mend")
    assert house.miscounts() == []
