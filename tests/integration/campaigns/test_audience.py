"""Whom a campaign reaches: everybody who is active on one of its lists, once each, whatever happens."""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from threading import Thread

import pytest
from sqlalchemy import select, text

from mailer import tally
from mailer.audience.lists import get_list
from mailer.audience.recipients import Reach
from mailer.audience.subscribers import Person, add_subscriber, get_subscriber
from mailer.audience.suppression import suppress
from mailer.db import session_scope
from mailer.errors import Refused
from mailer.feedback.record import leave
from mailer.launch.campaign import look_ahead, schedule
from mailer.launch.campaign_tick import materialise, wind_up
from mailer.models import Campaign, Delivery, MailingList, SubscriptionState, SuppressionReason
from mailer.reports.campaigns import describe_campaign
from mailer.schedule.campaigns import get_campaign
from tests.support.campaigns import SPRING, draft, put_people, set_going, write_campaign
from tests.support.cast import ADA, BEN, CLEO, join
from tests.support.house import House
from tests.support.scripted_smtp import ScriptedSmtp


def campaign(house: House) -> Campaign:
    with session_scope(house.sessions) as session:
        return get_campaign(session, SPRING)


def balanced(house: House) -> dict[str, int]:
    """The statement's states, when it balances."""
    with session_scope(house.sessions) as session:
        statement = describe_campaign(session, SPRING).statement
    assert statement.is_balanced, statement
    assert house.miscounts() == []
    return {str(state): number for state, number in statement.states.items() if number}


def send_all(house: House) -> Counter[str]:
    """Send until nothing is due any more."""
    total: Counter[str] = Counter()
    while done := house.send():
        total.update(done)
    house.plan()  # the tick after the last mail sets the end
    return total


def three_hundred(house: House) -> None:
    """Readers 1 to 200 on calm and 101 to 300 on letters, all of them since the same moment."""
    with session_scope(house.sessions) as session:
        put_people(session, range(1, 201), "calm", house.at)
        put_people(session, range(101, 301), "letters", house.at)


def test_three_hundred_people_on_two_lists_get_it_once_each(spring: House, server: ScriptedSmtp) -> None:
    three_hundred(spring)
    set_going(spring)
    assert send_all(spring) == {"accepted": 300}
    assert sorted(server.recipients) == sorted(f"reader{number}@reader.example" for number in range(1, 301))
    assert len({mail["Message-ID"] for mail in server.mails}) == 300
    assert {mail["Subject"] for mail in server.mails} == {"Spring at the Reading Room"}
    assert balanced(spring) == {"accepted": 300}
    ended = campaign(spring)
    assert (ended.state, ended.audience, ended.finished_at) == ("finished", 300, spring.at)
    assert send_all(spring) == {}


def test_somebody_on_both_lists_is_reached_by_the_one_that_the_file_names_first(spring: House) -> None:
    three_hundred(spring)
    set_going(spring)
    spring.plan()
    with session_scope(spring.sessions) as session:
        slugs = select(MailingList.slug).join(Delivery, Delivery.list_id == MailingList.id)
        assert Counter(session.execute(slugs).scalars()) == {"calm": 200, "letters": 100}


def test_people_of_one_moment_are_all_reached_in_chunks_of_any_size(spring: House) -> None:
    """Reading on by a time passed over those who shared the border's (notifuse#157)."""
    three_hundred(spring)
    set_going(spring)
    with session_scope(spring.sessions) as session:
        sizes = []
        while written := materialise(session, spring.at, limit=7):
            sizes.append(written)
        # 300 = 42 times 7, and 6 more
        assert (sizes[0], sizes[-1], sum(sizes)) == (7, 6, 300)
        assert get_campaign(session, SPRING).materialised_at == spring.at
    assert spring.states() == {"planned": 300}


def test_a_run_that_is_killed_in_the_middle_goes_on_and_doubles_nobody(spring: House) -> None:
    three_hundred(spring)
    set_going(spring)
    for _ in range(2):
        with session_scope(spring.sessions) as session:
            materialise(session, spring.at, limit=100)
    session = spring.sessions()
    materialise(session, spring.at, limit=100)
    session.rollback()  # what PostgreSQL does when the process is gone
    session.close()
    half = campaign(spring)
    assert (half.state, half.audience, half.materialised_at) == ("sending", 200, None)
    assert spring.states() == {"planned": 200}
    spring.plan()
    assert (campaign(spring).audience, spring.states()) == (300, {"planned": 300})


def test_two_ticks_at_once_double_nobody(spring: House) -> None:
    three_hundred(spring)
    set_going(spring)

    def tick() -> None:
        for _ in range(60):
            with session_scope(spring.sessions) as session:
                materialise(session, spring.at, limit=10)

    ticks = [Thread(target=tick) for _ in range(2)]
    for each in ticks:
        each.start()
    for each in ticks:
        each.join()
    assert spring.states() == {"planned": 300}
    assert campaign(spring).audience == 300
    assert campaign(spring).materialised_at is not None


def test_nothing_leaves_before_its_time(spring: House) -> None:
    three_hundred(spring)
    set_going(spring, spring.at + timedelta(days=1))
    assert send_all(spring) == {}
    assert campaign(spring).state == "scheduled"
    spring.go_to(spring.at + timedelta(days=1))
    with session_scope(spring.sessions) as session:
        put_people(session, [301], "letters", spring.at)  # who joins before that time belongs to it
    assert send_all(spring) == {"accepted": 301}


def test_ben_gets_nothing_though_he_unsubscribed_after_it_was_scheduled_or_written(
    spring: House, server: ScriptedSmtp
) -> None:
    with session_scope(spring.sessions) as session:
        for email in (ADA, BEN, CLEO):
            join(session, email, spring.at)
    set_going(spring)

    def leaves(email: str) -> None:
        with session_scope(spring.sessions) as session:
            who, list_ = get_subscriber(session, email), get_list(session, "calm")
            assert leave(session, who.id, list_.id, source="test", now=spring.at)

    leaves(BEN)
    spring.plan()
    leaves(CLEO)
    assert send_all(spring) == {"accepted": 1, "suppressed": 1}
    assert server.recipients == [ADA]
    assert balanced(spring) == {"accepted": 1, "suppressed": 1}


def test_pending_and_ended_people_are_left_out_and_suppressed_ones_accounted_for(
    spring: House, server: ScriptedSmtp
) -> None:
    with session_scope(spring.sessions) as session:
        put_people(session, range(1, 11), "calm", spring.at)
        put_people(session, range(10, 13), "letters", spring.at, SubscriptionState.PENDING)
        put_people(session, range(12, 15), "calm", spring.at, SubscriptionState.ENDED)
        suppress(session, "reader3@reader.example", SuppressionReason.HARD_BOUNCE, spring.at)
        # 10 is pending on letters and active on calm, 12 pending on letters and ended on calm
        assert look_ahead(session, SPRING, spring.at).reach == Reach(
            people=10, suppressed=1, pending=2, unsubscribed=2
        )
    set_going(spring)
    assert send_all(spring) == {"accepted": 9, "suppressed": 1}
    assert balanced(spring) == {"accepted": 9, "suppressed": 1}
    assert "reader3@reader.example" not in server.recipients


def test_everybody_gets_it_in_the_nearest_language_there_is(
    house: House, server: ScriptedSmtp, tmp_path: Path
) -> None:
    spoken = {"ada": None, "ben": "de", "cleo": "de-AT", "dan": "fr", "eve": "pt-BR"}
    with session_scope(house.sessions) as session:
        for name, language in spoken.items():
            join(session, f"{name}@reader.example", house.at)
            add_subscriber(session, Person(f"{name}@reader.example", language=language))
        files = [
            write_campaign(tmp_path, "spring.md"),
            write_campaign(tmp_path, "de.md", subject="Frühling", language="de"),
            write_campaign(tmp_path, "at.md", subject="Frühling in Wien", language="de-AT"),
            write_campaign(tmp_path, "pt.md", subject="Primavera", language="pt"),
        ]
        for path in files:
            path.write_text(path.read_text(encoding="utf-8").replace("[calm, letters]", "calm"))
        draft(session, files, house.at)
    set_going(house)
    assert send_all(house) == {"accepted": 5}
    got = dict(zip(server.recipients, (str(mail["Subject"]) for mail in server.mails), strict=True))
    assert got == {
        "ada@reader.example": "Spring at the Reading Room",
        "ben@reader.example": "Frühling",
        "cleo@reader.example": "Frühling in Wien",
        "dan@reader.example": "Spring at the Reading Room",
        "eve@reader.example": "Primavera",
    }


def text_of(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def test_the_mail_says_who_it_is_from_why_it_came_and_how_to_leave(
    spring: House, server: ScriptedSmtp
) -> None:
    with session_scope(spring.sessions) as session:
        join(session, ADA, spring.at, list_="letters")
    set_going(spring)
    spring.send()
    [mail] = server.mails
    told = text_of(mail)
    assert "Hello Ada," in told
    assert "You receive this because you asked for “Letters”." in told
    assert "For learning only." in told
    assert "12 Quiet Lane, Bristol" in told
    assert re.search(r"http://mail.test/m/\S+/unsubscribe", told)
    assert str(mail["From"]) == "The Reading Room <course@steadypost.example>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail["Auto-Submitted"] is None


def test_a_campaign_cut_off_after_the_final_dot_is_held_uncertain_and_not_sent_again(
    spring: House, server: ScriptedSmtp
) -> None:
    with session_scope(spring.sessions) as session:
        join(session, ADA, spring.at)
    set_going(spring)
    server.replies["DOT"] = ["cut"]
    assert send_all(spring) == {"uncertain": 1}
    assert len(server.mails) == 1
    assert balanced(spring) == {"uncertain": 1}
    assert campaign(spring).state == "finished"


def test_an_empty_audience_ends_at_once(spring: House, now: datetime) -> None:
    with session_scope(spring.sessions) as session:
        put_people(session, [1], "calm", now)
    set_going(spring, now + timedelta(hours=1))
    with session_scope(spring.sessions) as session:
        session.execute(text("UPDATE subscriptions SET state = 'ended'"))
    spring.go_to(now + timedelta(hours=1))
    spring.plan()
    assert (campaign(spring).state, campaign(spring).audience) == ("finished", 0)
    assert balanced(spring) == {}


def test_a_campaign_is_not_finished_while_a_row_of_its_audience_is_gone(spring: House) -> None:
    three_hundred(spring)
    set_going(spring)
    spring.plan()
    with session_scope(spring.sessions) as session:
        session.execute(text("DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries LIMIT 1)"))
        assert [(wrong.counted, wrong.kept) for wrong in tally.mend(session)] == [(299, 300)]
    send_all(spring)
    assert campaign(spring).state == "sending"
    with session_scope(spring.sessions) as session:
        statement = describe_campaign(session, SPRING).statement
    assert (statement.missing, statement.is_balanced) == (1, False)


def test_somebody_who_is_erased_while_it_is_sent_is_accounted_for(spring: House) -> None:
    three_hundred(spring)
    set_going(spring)
    spring.plan()
    with session_scope(spring.sessions) as session:
        session.delete(get_subscriber(session, "reader1@reader.example"))
    send_all(spring)
    assert balanced(spring) == {"accepted": 299}
    assert (campaign(spring).state, campaign(spring).audience) == ("finished", 300)


def test_what_is_asked_to_be_sent_is_what_was_seen(spring: House, tmp_path: Path) -> None:
    with session_scope(spring.sessions) as session:
        put_people(session, [1], "calm", spring.at)
    with session_scope(spring.sessions) as session:
        seen = look_ahead(session, SPRING, spring.at)
    changed = write_campaign(tmp_path, body="Something else.")
    with session_scope(spring.sessions) as session:
        draft(session, [changed], spring.at)
    with pytest.raises(Exception, match="changed a moment ago"), session_scope(spring.sessions) as session:
        schedule(session, seen, spring.at, spring.at, who="ann")
    assert campaign(spring).state == "draft"


def test_what_changes_while_somebody_says_yes_is_not_sent(spring: House, tmp_path: Path) -> None:
    with session_scope(spring.sessions) as session:
        put_people(session, [1], "calm", spring.at)
    changed = write_campaign(tmp_path, body="Something else.")

    def says_yes() -> None:
        with session_scope(spring.sessions) as session:
            seen = look_ahead(session, SPRING, spring.at)
            with session_scope(spring.sessions) as bens:
                draft(bens, [changed], spring.at)
            schedule(session, seen, spring.at, spring.at, who="ann")

    with pytest.raises(Refused, match="changed a moment ago"):
        says_yes()
    assert campaign(spring).state == "draft"


def test_looking_after_campaigns_changes_nothing_when_there_is_nothing_to_do(spring: House) -> None:
    with session_scope(spring.sessions) as session:
        assert (materialise(session, spring.at), wind_up(session, spring.at)) == (0, 0)
    assert campaign(spring).state == "draft"
