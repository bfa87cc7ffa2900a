"""A/B tests: variants on a part of the audience, one decision, the winner to everybody else."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from threading import Thread

import pytest
from sqlalchemy import select, update

from mailer import tally
from mailer.audience.aim import Again
from mailer.db import session_scope
from mailer.delivery.holds import pause
from mailer.delivery.show import show_mail
from mailer.errors import NotFound, Refused
from mailer.launch.campaign import cancel
from mailer.launch.campaign_again import draft_again
from mailer.launch.campaign_check import check_campaign
from mailer.launch.campaign_phases import advance, choose, go_on
from mailer.launch.campaign_tick import materialise
from mailer.links import Signer
from mailer.models import Action, Campaign, Delivery, HoldScope, Message, Sender, Subscriber, Verdict
from mailer.reports.archive import list_issues, list_sent, read_issue
from mailer.reports.why import why
from mailer.schedule.campaigns import get_campaign
from tests.integration.campaigns.phased import (
    TWO,
    by,
    click,
    later,
    phase,
    redraft,
    report,
    send_all,
    subjects,
)
from tests.integration.cli_delivery.conftest import Run
from tests.support.campaigns import SPRING, draft, set_going, write_campaign
from tests.support.house import House
from tests.support.scripted_smtp import ScriptedSmtp

A, B = "Spring at the Reading Room", "Windows open"


def messages(house: House) -> dict[int, int]:
    """Each person's message, of those that are not held."""
    with session_scope(house.sessions) as session:
        rows = session.execute(
            select(Delivery.subscriber_id, Delivery.message_id).where(Delivery.state != "held")
        )
        return dict(rows.all())


def test_the_rest_gets_what_more_people_clicked(
    hundred: House, server: ScriptedSmtp, tmp_path: Path, steadypost: Run
) -> None:
    redraft(hundred, tmp_path, by("clicks"))
    set_going(hundred)
    # 50 % of 100 are 25 for each of two.
    assert send_all(hundred) == {"accepted": 50}
    assert subjects(hundred) == {A: 25, B: 25}
    found = report(hundred)
    assert (found.statement.open, found.statement.reasons) == (50, {"held: waits for the A/B test": 50})
    click(hundred, A, 4)
    click(hundred, B, 6)
    click(hundred, A, 20, Verdict.MACHINE)
    assert later(hundred, minutes=119) == {}
    shown = steadypost("campaign", "show", SPRING).stdout
    assert "A/B test of 2 variants on 50 %, by clicks, decided after 2 hours: 50 people take part." in shown
    assert "Next: decided by clicks at 2026-03-02 09:00 UTC" in shown
    assert later(hundred, minutes=1) == {"accepted": 50}
    assert Counter(mail["Subject"] for mail in server.mails) == {A: 25, B: 75}
    assert len(set(server.recipients)) == 100
    ended = report(hundred)
    assert ended.statement.is_balanced
    assert ended.row.state == "finished"
    assert ended.phases is not None
    assert ended.phases.why == "B won by clicks: A 4 of 25 (16 %), B 6 of 25 (24 %)"
    told = json.loads(steadypost("campaign", "show", SPRING, "--json").stdout)["phases"]
    assert (told["winner"], [one["accepted"] for one in told["variants"]]) == ("b", [25, 25])


def test_a_tie_and_too_few_clicks_give_a_and_say_so(hundred: House, tmp_path: Path) -> None:
    redraft(hundred, tmp_path, by("clicks"))
    set_going(hundred)
    send_all(hundred)
    click(hundred, B, 9)
    later(hundred, hours=2)
    assert subjects(hundred) == {A: 75, B: 25}
    found = report(hundred).phases
    assert found is not None
    assert found.why.startswith("too little to go by (A 0 of 25 (0 %), B 9 of 25 (36 %); it takes 10 people)")


def test_somebody_decides_and_cannot_twice(hundred: House, tmp_path: Path, steadypost: Run) -> None:
    redraft(hundred, tmp_path, by("ask", "public: true\n"))
    early = steadypost("campaign", "choose", SPRING, "--variant", "B", "--yes", ends=1)
    assert early.stderr.startswith("The test of spring is not under way")
    set_going(hundred)
    send_all(hundred)
    assert later(hundred, days=3) == {}
    assert "Next: somebody chooses what the rest gets" in steadypost("campaign", "show", SPRING).stdout
    wrong = steadypost("campaign", "choose", SPRING, "--variant", "D", "--yes", ends=1)
    assert wrong.stderr == "spring has no variant 'D'; there are A, B.\n"
    asked = steadypost("campaign", "choose", SPRING, "--variant", "b", ends=1)
    assert "Send variant B (“Windows open”) to the rest of spring?" in asked.stderr
    # The archive holds it back until then: those of one half are not to read what the other half got.
    assert in_archive(hundred) == []
    steadypost("campaign", "choose", SPRING, "--variant", "b", "--yes")
    assert in_archive(hundred) == [(B, B)]
    again = steadypost("campaign", "choose", SPRING, "--variant", "A", "--yes", ends=1)
    assert again.stderr.startswith("The test of spring is decided already:")
    send_all(hundred)
    assert subjects(hundred) == {A: 25, B: 75}
    assert report(hundred).statement.is_balanced
    # In the browser everybody sees their own mail again.
    with session_scope(hundred.sessions) as session:
        mails = session.execute(
            select(Delivery.id, Message.subject).join(Message, Message.id == Delivery.message_id)
        ).all()
        signer = Signer(["a secret of thirty-two characters"])
        assert all(
            show_mail(session, mail.id, signer, "http://mail.test").subject == mail.subject for mail in mails
        )


def in_archive(house: House) -> list[tuple[str, str]]:
    """The subject of each public issue as it is listed and as it is read, where it can be."""
    with session_scope(house.sessions) as session:
        assert [issue.undecided for issue in list_sent(session).issues] == [not list_issues(session).issues]
        if not list_issues(session).issues:
            with pytest.raises(NotFound, match="before its test is decided"):
                read_issue(session, SPRING, "en", "http://mail.test")
        return [
            (issue.subject, read_issue(session, issue.slug, "en", "http://mail.test").subject)
            for issue in list_issues(session).issues
        ]


def test_two_who_decide_at_once_decide_once(hundred: House, tmp_path: Path) -> None:
    redraft(hundred, tmp_path, by("ask"))
    set_going(hundred)
    send_all(hundred)
    refused = []

    def decide(letter: str) -> None:
        try:
            with session_scope(hundred.sessions) as session:
                choose(session, SPRING, letter, hundred.at, who="ann")
        except Refused as error:
            refused.append(str(error))

    threads = [Thread(target=decide, args=(letter,)) for letter in "AB" * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 3
    send_all(hundred)
    assert sorted(subjects(hundred).values()) == [25, 75]
    with session_scope(hundred.sessions) as session:
        log = session.execute(select(Action.what)).scalars().all()
    assert log.count("campaign choose") == 1


def test_killed_and_repeated_at_every_step_nobody_gets_two_or_changes_sides(
    hundred: House, server: ScriptedSmtp, tmp_path: Path
) -> None:
    redraft(hundred, tmp_path, by("clicks"))
    set_going(hundred)

    def one_step(limit: int) -> int:
        """A step that is lost with its process first, and then taken."""
        lost = hundred.sessions()
        materialise(lost, hundred.at, limit)
        advance(lost, hundred.at, limit)
        lost.rollback()
        lost.close()
        with session_scope(hundred.sessions) as session:
            return materialise(session, hundred.at, limit) + advance(session, hundred.at, limit)

    before: dict[int, int] = {}
    while one_step(7):
        now = messages(hundred)
        assert before.items() <= now.items()  # whoever has one keeps it
        before = now
    assert len(before) == 50
    # As if the audience were written once more: the same keys, nothing new.
    with session_scope(hundred.sessions) as session:
        session.execute(update(Campaign).values(materialised_at=None, written_up_to=0))
        materialise(session, hundred.at)
        session.execute(update(Campaign).values(audience=100))
    assert messages(hundred) == before
    send_all(hundred)
    hundred.go_to(hundred.at.replace(hour=12))
    while one_step(7):
        pass
    send_all(hundred)
    assert (len(server.recipients), len(set(server.recipients))) == (100, 100)
    assert before.items() <= messages(hundred).items()
    assert report(hundred).statement.is_balanced


def test_two_ticks_at_once_let_everybody_go_once(hundred: House, tmp_path: Path) -> None:
    redraft(hundred, tmp_path, by("ask"))
    set_going(hundred)

    def tick() -> None:
        for _ in range(60):
            with session_scope(hundred.sessions) as session:
                materialise(session, hundred.at, 9)
            with session_scope(hundred.sessions) as session:
                advance(session, hundred.at, 9)

    threads = [Thread(target=tick) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert hundred.states() == {"planned": 50, "held": 50}
    assert subjects(hundred, "planned") == {A: 25, B: 25}
    assert hundred.miscounts() == []


def test_what_is_paused_stands_still_and_goes_on_in_every_phase(hundred: House, tmp_path: Path) -> None:
    redraft(hundred, tmp_path, by("clicks"))
    set_going(hundred)

    def stop() -> None:
        with session_scope(hundred.sessions) as session:
            pause(session, HoldScope.CAMPAIGN, SPRING, hundred.at, who="ann")

    def resume() -> None:
        with session_scope(hundred.sessions) as session:
            assert go_on(session, SPRING, hundred.at, who="ann") is not None

    stop()
    assert send_all(hundred) == {}
    assert hundred.states() == {"held": 100}  # the audience is written, and nobody has gone first
    assert report(hundred).statement.audience == 100
    resume()
    hundred.plan()
    assert hundred.states() == {"planned": 50, "held": 50}
    stop()
    assert send_all(hundred) == {}
    resume()
    assert send_all(hundred) == {"accepted": 50}
    stop()
    assert later(hundred, hours=5) == {}
    assert phase(hundred) == "test"
    paused = report(hundred).phases
    assert paused is not None
    assert paused.lines[-1].startswith("Next: nothing while it is paused.")
    resume()
    assert send_all(hundred) == {"accepted": 50}
    assert report(hundred).statement.is_balanced


@pytest.mark.parametrize("when", ["writing", "test", "rest"])
def test_cancelling_takes_back_what_waits_in_every_phase(hundred: House, tmp_path: Path, when: str) -> None:
    redraft(hundred, tmp_path, by("clicks"))
    set_going(hundred)
    with session_scope(hundred.sessions) as session:
        materialise(session, hundred.at, 60)
    out = 0
    if when != "writing":
        out = send_all(hundred)["accepted"]
    if when == "rest":
        hundred.go_to(hundred.at.replace(hour=12))
        for _ in range(3):  # the decision, and 2 times 20 looked at
            with session_scope(hundred.sessions) as session:
                advance(session, hundred.at, 20)
    with session_scope(hundred.sessions) as session:
        cancel(session, SPRING, hundred.at, who="ann")
    assert send_all(hundred) == {}
    audience = 60 if when == "writing" else 100
    assert report(hundred).statement.is_balanced
    assert hundred.states() == {
        state: rows for state, rows in (("accepted", out), ("cancelled", audience - out)) if rows
    }


def test_the_same_people_are_in_the_test_whatever_the_steps(hundred: House, tmp_path: Path) -> None:
    redraft(hundred, tmp_path, by("clicks"))
    set_going(hundred)
    hundred.plan()
    whole = messages(hundred)
    # Held again and let go in steps of three, it is the same fifty with the same variants.
    with session_scope(hundred.sessions) as session:
        first = get_campaign(session, SPRING).messages["en"]
        session.execute(
            update(Delivery).values(state="held", reason="waits for the A/B test", message_id=first)
        )
        floor = session.execute(select(Delivery.id).order_by(Delivery.id).limit(1)).scalar_one() - 1
        session.execute(update(Campaign).values(let_go_up_to=floor, waits_since=None))
    for _ in range(50):
        with session_scope(hundred.sessions) as session:
            advance(session, hundred.at, 3)
    assert messages(hundred) == whole
    with session_scope(hundred.sessions) as session:
        tally.mend(session)  # what the test itself did to the rows was never counted


def test_releasing_what_was_held_by_hand_leaves_the_rest_to_the_test(
    hundred: House, tmp_path: Path, steadypost: Run
) -> None:
    redraft(hundred, tmp_path, by("ask"))
    set_going(hundred)
    hundred.plan()
    assert steadypost("delivery", "hold", "--campaign", SPRING, "--yes").stdout.startswith("50 mails held")
    told = steadypost("delivery", "release", "--campaign", SPRING, "--yes").stdout
    assert told == "50 mails released; now planned.\n"
    assert hundred.states() == {"planned": 50, "held": 50}
    # Somebody whom it names need not wait, and gets A.
    with session_scope(hundred.sessions) as session:
        email = session.execute(
            select(Subscriber.email)
            .join(Delivery, Delivery.subscriber_id == Subscriber.id)
            .where(Delivery.state == "held")
            .limit(1)
        ).scalar_one()
    steadypost("delivery", "release", "--campaign", SPRING, "--email", email, "--yes")
    assert send_all(hundred) == {"accepted": 51}
    assert subjects(hundred) == {A: 26, B: 25}


def test_why_says_which_variant_and_what_was_decided(hundred: House, tmp_path: Path) -> None:
    redraft(hundred, tmp_path, by("unsubscribes"))
    set_going(hundred)
    send_all(hundred)
    with session_scope(hundred.sessions) as session:
        waiting = session.execute(
            select(Subscriber.email)
            .join(Delivery, Delivery.subscriber_id == Subscriber.id)
            .where(Delivery.state == "held")
        ).scalars()
        email = next(iter(waiting))
        told = [decision.what for decision in why(session, email, SPRING).decisions]
        assert told == ["held (waits for the A/B test)"]
    later(hundred, hours=2)
    with session_scope(hundred.sessions) as session:
        told = [decision.what for decision in why(session, email, SPRING).decisions]
    assert "was due: variant A, “Spring at the Reading Room”" in told
    (decided,) = [what for what in told if what.startswith("the test was decided: too little to go by")]
    assert "(A 0 of 25 (0 %), B 0 of 25 (0 %); it takes 10 people)" in decided


def test_a_variant_may_have_a_sender_and_a_text_of_its_own(
    hundred: House, server: ScriptedSmtp, tmp_path: Path, steadypost: Run
) -> None:
    with session_scope(hundred.sessions) as session:
        desk = Sender(slug="desk", name="The Desk", email="desk@steadypost.example", postal_address="Bristol")
        session.add(desk)
    (tmp_path / "spring.c.md").write_text("# Another heading\n\nThe doors are open.\n", encoding="utf-8")
    more = "  c:\n    file: spring.c.md\n"
    settings = "variants:\n  b:\n    sender: desk\n" + more + "test:\n  measure: ask\n  share: 60 %\n"
    redraft(hundred, tmp_path, settings)
    set_going(hundred)
    # 60 % of 100 for three are 20 each.
    assert send_all(hundred) == {"accepted": 60}
    assert Counter(str(mail["From"]).partition(" <")[0].strip('"') for mail in server.mails) == {
        "The Reading Room": 40,
        "The Desk": 20,
    }
    doors = [mail for mail in server.mails if "The doors are open." in mail.as_string()]
    assert len(doors) == 20
    # Its sender on hold stops all of the campaign, and nothing of it runs in circles.
    with session_scope(hundred.sessions) as session:
        pause(session, HoldScope.SENDER, "desk", hundred.at, who="ann")
    with session_scope(hundred.sessions) as session:
        choose(session, SPRING, "B", hundred.at, who="ann")
    assert send_all(hundred) == {}
    steadypost("queue", "resume", "sender", "desk")
    assert send_all(hundred) == {"accepted": 40}
    assert sum("The Desk" in str(mail["From"]) for mail in server.mails) == 60
    steadypost("campaign", "test", SPRING, "--to", "me@example.org", "--variant", "E", ends=1)
    with session_scope(hundred.sessions) as session:
        again = draft_again(session, SPRING, Again.MISSED, "spring-2", hundred.at, who="ann")
        won = session.execute(select(Sender.id).where(Sender.slug == "desk")).scalar_one()
        assert (again.sender_id, again.trial) == (won, {})


def test_readers_get_their_language_of_their_variant(
    hundred: House, server: ScriptedSmtp, tmp_path: Path
) -> None:
    with session_scope(hundred.sessions) as session:
        even = update(Subscriber).where(Subscriber.email.regexp_match("[02468]@"))
        session.execute(even.values(language="de"))
    path = redraft(hundred, tmp_path, by("ask"))
    german = write_campaign(tmp_path, "spring.de.md", subject="Fruehling", language="de")
    with session_scope(hundred.sessions) as session:
        _, problems = check_campaign(session, [path, german])
    assert [problem.what for problem in problems] == ["Variant b has no `subject` in de."]
    text = german.read_text(encoding="utf-8").replace("disclaimer", f"{TWO}disclaimer")
    german.write_text(text.replace("Windows open", "Fenster auf"), encoding="utf-8")
    with session_scope(hundred.sessions) as session:
        draft(session, [path, german], hundred.at)
    set_going(hundred)
    send_all(hundred)
    found = Counter(mail["Subject"] for mail in server.mails)
    assert (found[A] + found["Fruehling"], found[B] + found["Fenster auf"]) == (25, 25)
    assert min(found.values()) > 0
    with session_scope(hundred.sessions) as session:
        choose(session, SPRING, "B", hundred.at, who="ann")
    send_all(hundred)
    # Everybody else has B, each in their own language: 50 people read German.
    found = Counter(mail["Subject"] for mail in server.mails)
    assert found["Fruehling"] + found["Fenster auf"] == 50
    assert found[A] + found["Fruehling"] == 25
