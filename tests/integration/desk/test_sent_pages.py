"""A campaign that was scheduled, on the desk: what stopped it, who did not get it, what is counted later."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text

from mailer.audience.aim import Again
from mailer.audience.erasing import erase_subscriber
from mailer.content.campaign_text import CampaignText, File
from mailer.db import session_scope
from mailer.desk import sent
from mailer.launch.campaign import cancel
from mailer.launch.campaign_again import draft_again
from mailer.launch.campaign_source import keep_source
from mailer.models import Action, Campaign, Subscriber
from mailer.reports import patience
from tests.integration.campaigns.phased import TWO, redraft, send_all
from tests.support.campaigns import SPRING, add_letters, draft, put_people, set_going, write_campaign
from tests.support.house import House
from tests.support.scripted_smtp import ScriptedSmtp
from tests.support.staff import Person

PATH = f"/desk/campaigns/{SPRING}"
PHASES = f"canary:\n  size: 10\n  wait: 1 hour\n{TWO}test:\n  measure: ask\n  share: 20 %\n"


def actions(house: House) -> list[str]:
    with session_scope(house.sessions) as session:
        return list(session.scalars(select(Action.what).order_by(Action.id)))


def test_a_stopped_canary_goes_on_when_somebody_says_so_and_a_variant_is_chosen(
    house: House, server: ScriptedSmtp, marc: Person, tmp_path: Path
) -> None:
    with session_scope(house.sessions) as session:
        add_letters(session)
        put_people(session, range(1, 61), "calm", house.at)
    redraft(house, tmp_path, PHASES)
    set_going(house)
    server.replies["RCPT"] = ["550 5.1.1 no such user"] * 2
    # 2 of the 10 are more than 5 %.
    send_all(house)
    assert "Its canary has stopped it: somebody has to decide." in marc.get(f"{PATH}/progress").text
    asked = marc.get(f"{PATH}/resume").text
    assert "bounces 20 % (2 of 10), more than 5 %" in asked
    assert "lets the rest of its audience go, 50 mails" in asked
    refused = marc.post(f"{PATH}/resume")
    assert (refused.status_code, "say that it goes on in spite" in refused.text) == (422, True)
    assert "Resumed: it goes on." in marc.post(f"{PATH}/resume", in_spite="yes").text
    house.go_to(house.at + timedelta(hours=1))
    send_all(house)
    # 20 % of the 50 that were left.
    assert "Its test is under way: 40 people wait for the winner." in marc.get(f"{PATH}/progress").text
    assert 'data-chart="bar"' in marc.get(f"{PATH}/variants").text
    # The canary shares the variants: 20 in all, 10 for each, less the 2 that bounced.
    lines = marc.get(f"{PATH}/variants.csv").text.splitlines()
    assert lines[0] == "\ufeffvariant,subject,accepted,people who clicked,opened,left"
    assert [line.split(",")[2:] for line in lines[1:]] == [["9", "0", "0", "0"]] * 2
    assert [line.split(",")[0] for line in lines[1:]] == ["A", "B"]
    asked = marc.get(f"{PATH}/choose", variant="b").text
    assert "40 people who wait for the winner will get “Windows open”" in asked
    assert "the rest gets variant B" in marc.post(f"{PATH}/choose", variant="b").text
    assert "is decided already" in marc.get(f"{PATH}/choose", variant="a").text
    send_all(house)
    assert "It has ended: 58 of 60 people got it." in marc.get(f"{PATH}/progress").text
    assert {"queue resume", "campaign choose"} <= set(actions(house))


def test_who_did_not_get_it_is_taken_out_as_a_file_and_sent_it_again(
    house: House,
    server: ScriptedSmtp,
    marc: Person,
    rea: Person,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with session_scope(house.sessions) as session:
        add_letters(session)
        put_people(session, range(1, 4), "calm", house.at)
    redraft(house, tmp_path, "")
    assert "It is a draft" in rea.get(f"{PATH}/progress").text
    assert "Nothing of spring has left yet" in rea.get(f"{PATH}/statement").text
    set_going(house)
    server.replies["RCPT"] = ["554 5.7.1 spam"]
    send_all(house)
    lines = rea.get(f"{PATH}/statement.csv").text.splitlines()
    assert lines[0] == "\ufeffstate,reason,mails"
    assert any(line.startswith("failed,") for line in lines)
    assert 'data-chart="bar"' in rea.get(f"{PATH}/statement").text
    lines = rea.get("/desk/reports/campaigns.csv").text.splitlines()
    assert lines[0].startswith("\ufeffcampaign,subject,began,state,audience,accepted,not reached,open")
    # Of the three one was refused.
    assert lines[1].split(",")[3:] == ["finished", "3", "2", "1", "0", "0"]
    assert rea.get("/desk/reports/courses.csv").text.splitlines()[0].startswith("\ufeffcourse,title")
    assert rea.get("/desk/reports/nothing.csv").status_code == 404
    file = marc.get(f"{PATH}/missing.csv").text.splitlines()
    assert [line.split(",")[2] for line in file] == ["state", "failed"]
    assert "campaign export missing" in actions(house)
    assert rea.get(f"{PATH}/missing.csv").status_code == 403
    assert (
        "It would reach <strong>1 person</strong> as of now." in marc.get(f"{PATH}/again", to="missed").text
    )
    taken = marc.post(f"{PATH}/again", to="missed", slug=SPRING)
    assert (taken.status_code, "take another" in taken.text) == (422, True)
    marc.post(f"{PATH}/again", to="missed", slug="spring-2")
    with session_scope(house.sessions) as session:
        assert session.scalars(select(Campaign.state).where(Campaign.slug == "spring-2")).one() == "draft"
    # With more mails than a page reads by itself the sum is there, and the reasons when somebody asks.
    monkeypatch.setattr(patience, "MANY", 0)
    seen, asked = rea.get(f"{PATH}/statement").text, rea.get(f"{PATH}/statement", count="yes").text
    assert ("Count it" in seen, "No mail was accepted twice" in seen) == (True, False)
    assert ("Count it" in asked, "No mail was accepted twice" in asked) == (False, True)
    assert "at most <strong>1 person</strong>" in marc.get(f"{PATH}/again", to="missed").text
    assert "Count it" in rea.get(f"{PATH}/links").text
    monkeypatch.setitem(patience.counted.__kwdefaults__ or {}, "longest", 0.05)
    monkeypatch.setattr(
        sent, "campaign_statement", lambda session, _: session.execute(text("SELECT pg_sleep(5)"))
    )
    late = rea.get(f"{PATH}/statement", count="yes")
    assert (late.status_code, "longer than ten seconds" in late.text) == (200, True)


def test_one_that_was_cancelled_before_it_had_a_time_has_a_statement_of_nothing(
    house: House, marc: Person, tmp_path: Path
) -> None:
    with session_scope(house.sessions) as session:
        add_letters(session)
        draft(session, [write_campaign(tmp_path)], house.at)
        cancel(session, SPRING, house.at, who="ann")
    for page in ("progress", "statement", "missing", "links", "statement.csv"):
        assert marc.get(f"{PATH}/{page}").status_code == 200, page


def test_the_audience_of_one_that_is_sent_again_is_counted_as_what_it_is(
    house: House, server: ScriptedSmtp, marc: Person, tmp_path: Path
) -> None:
    with session_scope(house.sessions) as session:
        add_letters(session)
        put_people(session, range(1, 4), "calm", house.at)
    path = redraft(house, tmp_path, "")
    set_going(house)
    server.replies["RCPT"] = ["554 5.7.1 spam"]
    send_all(house)
    with session_scope(house.sessions) as session:
        draft_again(session, SPRING, Again.MISSED, "spring-2", house.at, who="ann")
        written = CampaignText((File("spring-2.md", path.read_text(encoding="utf-8")),), {})
        keep_source(session, "spring-2", written, house.at, who="ann", is_made=True)
    audience = "/desk/campaigns/spring-2/audience"
    said = "It sends spring again: of whom you choose it is for people who did not get spring."
    assert said in marc.get(audience).text
    # Of the three only the one who did not get it, whatever is chosen.
    counted = marc.post(f"{audience}/look", lists="calm").text
    assert '<p class="reach-count">1</p>' in counted
    assert "2 are not who did not get spring" in counted


def test_who_was_erased_stays_in_the_sum_of_the_statement_s_file(
    house: House, server: ScriptedSmtp, rea: Person, tmp_path: Path
) -> None:
    with session_scope(house.sessions) as session:
        add_letters(session)
        put_people(session, range(1, 4), "calm", house.at)
    redraft(house, tmp_path, "")
    set_going(house)
    send_all(house)
    with session_scope(house.sessions) as session:
        first = session.scalars(select(Subscriber.id).order_by(Subscriber.id).limit(1)).one()
        erase_subscriber(session, first, house.at)
    lines = rea.get(f"{PATH}/statement.csv").text.splitlines()
    assert lines[1:] == ["accepted,,2", "gone,with their person,1"]
