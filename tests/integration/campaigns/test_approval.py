"""Where a second person has to approve: nothing leaves before, whichever way it was scheduled."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from mailer.accounts.operators import add_operator
from mailer.accounts.rights import at_the_machine
from mailer.audience.segments import save_segment
from mailer.db import session_scope
from mailer.delivery.guard import OVERDUE
from mailer.errors import Refused
from mailer.launch.campaign import Approval, approve, look_ahead, look_at_scheduled, schedule
from mailer.launch.series_make import claim_due, make
from mailer.models import Action, Campaign, Role
from mailer.reports.flow import next_moment, open_work
from tests.integration.cli_delivery.conftest import Run
from tests.support.campaigns import SPRING, draft, write_campaign
from tests.support.feeds import BASE, SIGNER, add, write_series
from tests.support.house import House


def campaign(house: House) -> Campaign:
    with house.sessions() as session:
        return session.execute(select(Campaign).where(Campaign.slug == SPRING)).scalar_one()


def asked_for_by_ann(house: House) -> int:
    """Ann, an operator, has it sent now where a second person has to approve; her id."""
    with session_scope(house.sessions) as session:
        by = at_the_machine("tests")
        ann = add_operator(
            session, by, "ann@example.org", Role.MARKETER, house.at, password="a calm and steady hand"
        ).id
        seen = look_ahead(session, SPRING, house.at)
        schedule(session, seen, house.at, house.at, who="ann@example.org", approval=Approval(True, ann))
        return ann


def says_yes(house: House, who: str, operator_id: int | None) -> None:
    with session_scope(house.sessions) as session:
        seen = look_at_scheduled(session, SPRING, house.at)
        approve(session, seen, house.at, who=who, operator_id=operator_id)


def test_nothing_of_it_is_written_before_somebody_else_has_approved_it(hundred: House) -> None:
    ann = asked_for_by_ann(hundred)
    hundred.go_to(hundred.at + timedelta(days=2))
    hundred.plan()
    assert hundred.states() == {}
    with session_scope(hundred.sessions) as session:
        # It is late for nobody: an outage holds nothing because of it, and nobody waits for it.
        assert session.execute(OVERDUE).scalar_one() is None
        assert (open_work(session, hundred.at), next_moment(session)) == (0, None)
    for who, number in (("ann@example.org", ann), ("ann@example.org by token shop", ann)):
        with pytest.raises(Refused, match="scheduled by you"):
            says_yes(hundred, who, number)
    says_yes(hundred, "ben", None)
    # It was asked for two days ago, and leaves from now on.
    assert campaign(hundred).starts_at == hundred.at
    hundred.plan()
    assert hundred.states() == {"planned": 100}
    with pytest.raises(Refused, match="is sending"):
        says_yes(hundred, "cleo", None)


def test_a_change_takes_the_approval_back_and_the_same_files_do_not(hundred: House, tmp_path: Path) -> None:
    asked_for_by_ann(hundred)
    says_yes(hundred, "ben", None)
    with session_scope(hundred.sessions) as session:
        draft(session, [write_campaign(tmp_path)], hundred.at)
    assert campaign(hundred).approved_by == "ben"
    with session_scope(hundred.sessions) as session:
        draft(session, [write_campaign(tmp_path, body="Something else.")], hundred.at)
    now = campaign(hundred)
    assert (now.state, now.approved_by, now.scheduled_by) == ("draft", None, "")


def test_at_the_command_line_too(hundred: House, steadypost: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEADYPOST_APPROVAL", "campaigns")
    told = steadypost("campaign", "send", SPRING, "--yes").stdout
    assert "waits for a second person" in told
    assert "scheduled, waits for approval" in steadypost("campaign", "show", SPRING).stdout
    refused = steadypost("campaign", "approve", SPRING, "--yes", ends=1)
    assert "was scheduled by you" in refused.stderr
    monkeypatch.setattr("mailer.cli.campaign_approval.operator", lambda: "ben")
    assert "spring is approved" in steadypost("campaign", "approve", SPRING, "--yes").stdout
    assert steadypost("campaign", "unschedule", SPRING).stdout == "spring is a draft again.\n"
    with session_scope(hundred.sessions) as session:
        done = session.execute(select(Action.what).order_by(Action.id)).scalars().all()
    assert done[-3:] == ["campaign send", "campaign approve", "campaign unschedule"]


def test_what_a_series_makes_waits_as_well(hundred: House, tmp_path: Path) -> None:
    add(hundred, write_series(tmp_path))
    hundred.go_to(hundred.at + timedelta(days=7))
    with session_scope(hundred.sessions) as session:
        (due,) = claim_due(session, hundred.at)
        asked = session, due, None, hundred.at
        made = make(*asked, who="tick", signer=SIGNER, base_url=BASE, approval=Approval(True))
    with hundred.sessions() as session:
        found = session.execute(select(Campaign).where(Campaign.slug == made.campaign)).scalar_one()
        assert found.awaits_approval
    hundred.plan()
    assert hundred.states() == {}


def test_another_rule_of_its_segment_asks_for_the_second_yes_again(hundred: House, tmp_path: Path) -> None:
    with session_scope(hundred.sessions) as session:
        save_segment(session, "walkers", 'tag "walker"', "", hundred.at)
        save_segment(session, "keen", 'not in segment "walkers"', "", hundred.at)
        path = write_campaign(tmp_path)
        path.write_text(path.read_text().replace("subject:", "segment: keen\nsubject:", 1))
        draft(session, [path], hundred.at)
    asked_for_by_ann(hundred)
    says_yes(hundred, "ben", None)
    with session_scope(hundred.sessions) as session:
        # Another name is no other audience.
        assert save_segment(session, "walkers", 'tag "walker"', "Walkers", hundred.at).asked_again == []
        assert save_segment(session, "far", 'tag "far"', "", hundred.at).asked_again == []
    assert campaign(hundred).approved_by == "ben"
    with session_scope(hundred.sessions) as session:
        # "keen" is made of it.
        assert save_segment(session, "walkers", 'tag "rambler"', "", hundred.at).asked_again == [SPRING]
    assert (campaign(hundred).approved_by, campaign(hundred).awaits_approval) == (None, True)
    hundred.plan()
    assert hundred.states() == {}
