"""`steadypost suppression`: who is not mailed, and who may change that."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from mailer.audience.suppression import (
    Lifting,
    find_suppression,
    may_be_lifted,
    short_hash,
    suppress,
    who_may_lift,
)
from mailer.db import session_scope
from mailer.errors import Refused
from mailer.models import Action, Role, SuppressionReason
from mailer.schedule.enroll import wait_until
from mailer.settings import load_settings
from tests.integration.cli_delivery.conftest import Run
from tests.support.cast import ADA, BEN, CLEO
from tests.support.house import House
from tests.support.scripted_smtp import ScriptedSmtp


def stopped(house: House, email: str, reason: SuppressionReason) -> None:
    with session_scope(house.sessions) as session:
        assert suppress(session, email, reason, house.at)


def reason_of(house: House, email: str) -> str | None:
    with session_scope(house.sessions) as session:
        found = find_suppression(session, email, house.at)
        return found.reason if found else None


def actions(house: House) -> list[Action]:
    with session_scope(house.sessions) as session:
        return list(session.execute(select(Action).order_by(Action.id)).scalars())


def listed(steadypost: Run, *words: str) -> list[Any]:
    return [each["email"] for each in json.loads(steadypost("suppression", "list", *words, "--json").stdout)]


def test_adding_stops_nothing_twice_and_says_how_many_were_new(
    steadypost: Run, house: House, tmp_path: Path
) -> None:
    stopped(house, CLEO, SuppressionReason.HARD_BOUNCE)
    stopped(house, BEN, SuppressionReason.EVERYTHING)
    file = tmp_path / "stop.csv"
    rows = ("Cleo+Bounce@reader.example", ADA.upper(), CLEO, "nobody", "dana@reader.example")
    file.write_text("\n".join(("email", *rows)), encoding="utf-8")
    done = steadypost("suppression", "add", ADA, BEN, "--file", file, "--detail", "their lawyer wrote")
    assert done.stdout.splitlines() == [
        "2 addresses new: not mailed any more.",
        "1 had been stopped for a while, or by their readers; now for this reason.",
        "1 had been stopped before.",
    ]
    assert done.stderr == "1 row without an address that can be read, line 5.\n"
    assert reason_of(house, CLEO) == "hard-bounce"
    assert listed(steadypost, "--reason", "hard-bounce") == [CLEO]
    assert sorted(listed(steadypost, "--reason", "manual")) == [ADA, BEN, "dana@reader.example"]
    assert "their lawyer wrote" in steadypost("suppression", "list").stdout
    again = steadypost("suppression", "add", ADA, "--reason", "complaint")
    assert again.stdout.splitlines() == [
        "0 addresses new: not mailed any more.",
        "1 had been stopped before.",
    ]
    [action] = actions(house)
    assert (action.what, action.rows) == ("suppression add", 3)
    assert "@" not in str(action.detail)


def test_ada_gets_nothing_once_she_was_stopped_by_hand_and_again_when_it_is_lifted(
    steadypost: Run, house: House, server: ScriptedSmtp
) -> None:
    house.enroll(ADA)
    house.plan()
    steadypost("suppression", "add", ADA)
    assert house.send() == {"suppressed": 1}
    steadypost("suppression", "lift", ADA, "--yes")
    house.go_to(house.at.replace(hour=8) + timedelta(days=1))
    assert house.send() == {"accepted": 1}
    assert len(server.mails) == 1


def test_lifting_asks_first_and_is_written_down_without_the_address(steadypost: Run, house: House) -> None:
    stopped(house, CLEO, SuppressionReason.HARD_BOUNCE)
    refused = steadypost("suppression", "lift", CLEO, ends=1)
    assert refused.stderr == (
        "Mail this address again (hard-bounce since 2026-03-02)? There is no terminal to ask on; say --yes.\n"
    )
    steadypost("suppression", "lift", CLEO, answer="n", ends=1)
    assert (reason_of(house, CLEO), actions(house)) == ("hard-bounce", [])
    steadypost("suppression", "lift", CLEO, answer="y")
    assert reason_of(house, CLEO) is None
    [action] = actions(house)
    assert (action.what, action.rows, action.detail["address"]) == ("suppression lift", 1, short_hash(CLEO))
    assert "@" not in str(action.detail)
    refused = steadypost("suppression", "lift", CLEO, "--yes", ends=1)
    assert refused.stderr.startswith("This address is not suppressed")


@pytest.mark.parametrize("reason", [SuppressionReason.COMPLAINT, SuppressionReason.EVERYTHING])
def test_what_the_reader_wanted_is_lifted_only_by_saying_so(
    steadypost: Run, house: House, reason: SuppressionReason
) -> None:
    stopped(house, BEN, reason)
    refused = steadypost("suppression", "lift", BEN, "--yes", ends=1)
    assert refused.stderr.startswith(f"This is the reader's own wish ({reason} on 2026-03-02)")
    assert reason_of(house, BEN) == reason
    refused = steadypost("suppression", "lift", BEN, "--despite-their-wish", "--yes", ends=1)
    assert refused.stderr.endswith("or say --despite-their-wish and --because of what.\n")
    because = ("--because", "he wrote to us on Monday")
    steadypost("suppression", "lift", BEN, "--despite-their-wish", *because, "--yes")
    assert reason_of(house, BEN) is None
    detail = actions(house)[0].detail
    assert (detail["despite"], detail["because"]) == ("their wish", "he wrote to us on Monday")


def test_who_may_lift_what_is_a_setting(
    steadypost: Run, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped(house, CLEO, SuppressionReason.HARD_BOUNCE)
    stopped(house, BEN, SuppressionReason.COMPLAINT)
    monkeypatch.setenv("STEADYPOST_LIFTED_BY", "complaint=nobody")
    words = ("--despite-their-wish", "--because", "he wrote", "--yes")
    refused = steadypost("suppression", "lift", BEN, *words, ends=1)
    assert refused.stderr == (
        "What is stopped for complaint is lifted by nobody: STEADYPOST_LIFTED_BY says so.\n"
    )
    assert reason_of(house, BEN) == "complaint"
    steadypost("suppression", "lift", CLEO, "--yes")
    assert reason_of(house, CLEO) is None


def test_roles_below_the_one_that_is_named_lift_nothing(house: House) -> None:
    stopped(house, CLEO, SuppressionReason.HARD_BOUNCE)
    allowed = who_may_lift(load_settings({}))
    with session_scope(house.sessions) as session:
        with pytest.raises(Refused, match="only an operator"):
            may_be_lifted(session, CLEO, house.at, Lifting("mia", Role.MARKETER, allowed))
        assert may_be_lifted(session, CLEO, house.at, Lifting("otto", Role.OPERATOR, allowed)) is not None


def test_a_suppression_that_ends_says_when_and_is_not_listed_after_that(
    steadypost: Run, house: House, server: ScriptedSmtp
) -> None:
    until = house.at + timedelta(days=30)
    with session_scope(house.sessions) as session:
        suppress(session, CLEO, SuppressionReason.SOFT_BOUNCE, house.at, until=until)
    (row,) = json.loads(steadypost("suppression", "list", "--json").stdout)
    assert (row["reason"], row["until"]) == ("soft-bounce", until.isoformat())
    assert f"{until:%Y-%m-%d %H:%M}" in steadypost("suppression", "list").stdout
    house.go_to(until)
    assert listed(steadypost) == []
    refused = steadypost("suppression", "lift", CLEO, "--yes", ends=1)
    assert refused.stderr.startswith("This address is not suppressed")


def test_a_course_that_waits_for_a_full_mailbox_goes_on_when_it_is_lifted(
    steadypost: Run, house: House, server: ScriptedSmtp
) -> None:
    cleo = house.enroll(CLEO)
    house.send()
    until = house.at + timedelta(days=30)
    with session_scope(house.sessions) as session:
        suppress(session, CLEO, SuppressionReason.SOFT_BOUNCE, house.at, until=until)
        wait_until(session, cleo, until)
    house.go_to(house.at.replace(hour=8) + timedelta(days=1))
    assert house.send() == {}
    steadypost("suppression", "lift", CLEO, "--yes")
    assert house.send() == {"accepted": 1}


def test_adding_nothing_or_what_is_no_address_is_refused(
    steadypost: Run, house: House, tmp_path: Path
) -> None:
    for words, sentence in (
        ((), "Name an address"),
        (("nobody",), "'nobody' is not an email address"),
        (("--file", tmp_path / "none.csv"), f"{tmp_path / 'none.csv'} cannot be read"),
    ):
        refused = steadypost("suppression", "add", *words, ends=1)
        assert refused.stderr.startswith(sentence)
    assert listed(steadypost) == []
