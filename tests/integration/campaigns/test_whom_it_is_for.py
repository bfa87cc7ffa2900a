"""Who of a campaign's lists gets it: segments, exclusions, and those whom a first one did not reach."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from mailer.audience.aim import Again
from mailer.audience.recipients import Reach
from mailer.audience.segments import get_segment, save_segment
from mailer.audience.subscribers import get_subscriber
from mailer.audience.suppression import suppress
from mailer.db import session_scope
from mailer.errors import Refused
from mailer.launch.campaign import look_ahead, schedule
from mailer.launch.campaign_again import draft_again
from mailer.launch.campaign_tick import materialise
from mailer.launch.surprises import Surprise
from mailer.models import Action, Click, Delivery, Subscriber, SubscriptionState, SuppressionReason
from mailer.reports.campaigns import describe_campaign
from mailer.reports.why import why
from mailer.schedule.campaigns import get_campaign
from tests.integration.cli_delivery.conftest import Run
from tests.support.campaigns import SPRING, draft, put_people, set_going, write_campaign
from tests.support.house import House
from tests.support.scripted_smtp import ScriptedSmtp

NAME = "reader{}@reader.example"


def people(house: House, numbers: range, list_: str = "calm") -> None:
    with session_scope(house.sessions) as session:
        put_people(session, numbers, list_, house.at)
        even = update(Subscriber).where(Subscriber.email.regexp_match("[02468]@"))
        session.execute(even.values(language="de"))


def draft_for(house: House, folder: Path, settings: str, slug: str = "news", lists: str = "[calm]") -> Path:
    """A campaign whose front matter has these settings as well."""
    path = write_campaign(folder, f"{slug}.md", subject=f"News of {slug}")
    text = path.read_text(encoding="utf-8").replace("slug: spring", f"slug: {slug}")
    text = text.replace("lists: [calm, letters]", f"lists: {lists}\n{settings}")
    path.write_text(text.replace("lists: \n", "sender: calm\n"), encoding="utf-8")
    with session_scope(house.sessions) as session:
        draft(session, [path], house.at)
    return path


def reach(house: House, slug: str = "news") -> Reach:
    with session_scope(house.sessions) as session:
        return look_ahead(session, slug, house.at).reach


def send(
    house: House, server: ScriptedSmtp, slug: str = "news", agreed: tuple[Surprise, ...] = ()
) -> list[str]:
    """Who got it, after the first and the next tick."""
    before = len(server.recipients)
    with session_scope(house.sessions) as session:
        schedule(session, look_ahead(session, slug, house.at), house.at, house.at, who="ann", agreed=agreed)
    while house.send():
        pass
    house.plan()
    with session_scope(house.sessions) as session:
        statement = describe_campaign(session, slug).statement
        assert statement.is_balanced, statement
    assert house.miscounts() == []
    return sorted(server.recipients[before:])


def reason(house: House, number: int, slug: str) -> str:
    with session_scope(house.sessions) as session:
        return why(session, NAME.format(number), slug).decisions[-1].what


def test_people_on_an_excluded_list_are_left_out_and_counted(
    spring: House, server: ScriptedSmtp, tmp_path: Path
) -> None:
    people(spring, range(1, 8))
    people(spring, range(6, 10), "letters")
    draft_for(spring, tmp_path, "exclude_lists: letters")
    # 1 to 7 are on calm, and of them 6 and 7 on letters
    assert reach(spring) == Reach(people=5, suppressed=0, pending=0, unsubscribed=0, excluded=2)
    assert send(spring, server) == [NAME.format(number) for number in range(1, 6)]
    with session_scope(spring.sessions) as session:
        row = describe_campaign(session, "news").row
        assert (row.audience, row.passed_over) == (5, 2)
        assert row.to_whom == "calm, but not those on letters"
    assert reason(spring, 6, "news") == "not sent: excluded: on letters, as far as is known now"
    assert reason(spring, 8, "news") == "not sent: active on none of its lists when its audience was written"


def test_who_left_an_excluded_list_is_not_excluded_any_more(
    spring: House, server: ScriptedSmtp, tmp_path: Path
) -> None:
    people(spring, range(1, 3))
    with session_scope(spring.sessions) as session:
        put_people(session, [2], "letters", spring.at, SubscriptionState.ENDED)
    draft_for(spring, tmp_path, "exclude_lists: letters")
    assert send(spring, server) == [NAME.format(1), NAME.format(2)]


def test_people_who_got_another_campaign_are_left_out_but_not_those_it_missed(
    spring: House, server: ScriptedSmtp, tmp_path: Path
) -> None:
    people(spring, range(1, 5))
    server.replies["RCPT"] = ["554 5.7.1 not today"]  # to one of the four
    got = send(spring, server, SPRING)
    assert len(got) == 3
    people(spring, range(5, 7))
    draft_for(spring, tmp_path, "not_if_sent: spring")
    missed = {NAME.format(number) for number in range(1, 7)} - set(got)
    assert reach(spring) == Reach(people=3, suppressed=0, pending=0, unsubscribed=0, excluded=3)
    assert set(send(spring, server)) == missed


def test_chunks_go_on_past_people_it_is_not_for(spring: House, tmp_path: Path) -> None:
    people(spring, range(1, 31))
    people(spring, range(1, 26), "letters")
    draft_for(spring, tmp_path, "exclude_lists: letters")
    set_going(spring, slug="news")
    with session_scope(spring.sessions) as session:
        looked_at = []
        while number := materialise(session, spring.at, limit=10):
            looked_at.append(number)
    # two chunks in which nobody is chosen do not end it
    assert looked_at == [10, 10, 10]
    assert spring.states() == {"planned": 5}


def test_an_audience_that_exclusions_leave_empty_is_refused_with_the_numbers(
    spring: House, tmp_path: Path
) -> None:
    people(spring, range(1, 4))
    people(spring, range(1, 4), "letters")
    draft_for(spring, tmp_path, "exclude_lists: letters")
    with pytest.raises(
        Refused, match=r"Of those active on calm 3 are left out \(on letters\), so news would"
    ):
        reach(spring)


def test_an_audience_of_suppressed_people_is_refused(spring: House) -> None:
    people(spring, range(1, 2))
    with session_scope(spring.sessions) as session:
        suppress(session, NAME.format(1), SuppressionReason.HARD_BOUNCE, spring.at)
    with pytest.raises(Refused, match="Everybody whom spring is for is suppressed"):
        reach(spring, SPRING)


@pytest.fixture
def even_only(spring: House) -> House:
    """The segment "even": those who read German, who are the people with an even number."""
    with session_scope(spring.sessions) as session:
        save_segment(session, "even", 'language is "de"', "", spring.at)
    return spring


def test_a_segment_is_asked_when_it_is_sent_and_consent_is_asked_as_well(
    even_only: House, server: ScriptedSmtp, tmp_path: Path
) -> None:
    people(even_only, range(1, 5))
    draft_for(even_only, tmp_path, "segment: even")
    with session_scope(even_only.sessions) as session:
        put_people(session, [6], "calm", even_only.at, SubscriptionState.ENDED)
    assert reach(even_only) == Reach(people=2, suppressed=0, pending=0, unsubscribed=1, outside=2)
    people(even_only, range(8, 9))
    assert send(even_only, server) == [NAME.format(2), NAME.format(4), NAME.format(8)]
    assert reason(even_only, 3, "news") == "not sent: not in segment even, as far as is known now"


def test_a_segment_without_lists_reaches_each_by_a_list_of_theirs(
    even_only: House, server: ScriptedSmtp, tmp_path: Path
) -> None:
    people(even_only, range(1, 3))
    people(even_only, range(2, 5), "letters")
    draft_for(even_only, tmp_path, "segment: even", lists="")
    assert send(even_only, server) == [NAME.format(2), NAME.format(4)]


def test_an_excluded_segment_is_left_out(even_only: House, server: ScriptedSmtp, tmp_path: Path) -> None:
    people(even_only, range(1, 4))
    draft_for(even_only, tmp_path, "exclude_segment: even")
    assert send(even_only, server) == [NAME.format(1), NAME.format(3)]


def test_a_segment_that_is_gone_stops_its_campaign_and_no_other(
    even_only: House, server: ScriptedSmtp, tmp_path: Path
) -> None:
    people(even_only, range(1, 3))
    draft_for(even_only, tmp_path, "segment: even")
    set_going(even_only, slug="news")
    set_going(even_only, even_only.at)
    with session_scope(even_only.sessions) as session:
        # Removing it is refused; a restored backup may still lack it.
        session.delete(get_segment(session, "even"))
    even_only.send()
    even_only.send()
    with session_scope(even_only.sessions) as session:
        assert (get_campaign(session, "news").state, get_campaign(session, SPRING).audience) == ("draft", 2)
        last = session.execute(select(Action).where(Action.who == "tick")).scalar_one()
        assert last.detail["campaign"] == "news"
        assert last.detail["reason"].startswith("There is no segment 'even'")


def test_again_goes_to_those_who_did_not_get_it(spring: House, server: ScriptedSmtp) -> None:
    people(spring, range(1, 6))
    # one is refused for a policy, one bounces for good, one is cut off and may have got it
    server.replies["RCPT"] = ["554 5.7.1 not today", "550 5.1.1 no such user"]
    server.replies["DOT"] = ["cut"]
    send(spring, server, SPRING)
    with session_scope(spring.sessions) as session:
        states = select(Delivery.state, Subscriber.email).join(
            Subscriber, Subscriber.id == Delivery.subscriber_id
        )
        became = dict(session.execute(states).all())
        draft_again(session, SPRING, Again.MISSED, "spring-again", spring.at, who="ann")
    assert set(became) == {"failed", "bounced", "uncertain", "accepted"}
    assert send(spring, server, "spring-again") == [became["failed"]]


def test_again_and_again_goes_once_to_each_of_those_who_did_not_get_it(
    spring: House, server: ScriptedSmtp
) -> None:
    people(spring, range(1, 3))
    server.replies["RCPT"] = ["554 5.7.1 not today"]
    send(spring, server, SPRING)
    for number in (2, 3):
        with session_scope(spring.sessions) as session:
            draft_again(session, SPRING, Again.MISSED, f"spring-{number}", spring.at, who="ann")
    assert len(send(spring, server, "spring-2")) == 1
    with session_scope(spring.sessions) as session, pytest.raises(Refused, match="would reach nobody"):
        look_ahead(session, "spring-3", spring.at)


def test_again_goes_to_those_who_clicked_nothing_themselves(spring: House, server: ScriptedSmtp) -> None:
    people(spring, range(1, 4))
    send(spring, server, SPRING)
    with (
        pytest.raises(Refused, match="No click of a person in spring is recorded"),
        session_scope(spring.sessions) as session,
    ):
        draft_again(session, SPRING, Again.NOT_CLICKED, "spring-2", spring.at, who="ann")
    with session_scope(spring.sessions) as session:
        for number, verdict in ((1, "person"), (2, "machine")):
            who = get_subscriber(session, NAME.format(number)).id
            mail = session.execute(select(Delivery).where(Delivery.subscriber_id == who)).scalar_one()
            session.add(
                Click(
                    at=spring.at, delivery_id=mail.id, subscriber_id=who, message_id=mail.message_id,
                    source=mail.source, link=0, url="https://example.org", method="GET", verdict=verdict,
                )
            )  # fmt: skip
        draft_again(session, SPRING, Again.NOT_CLICKED, "spring-2", spring.at, who="ann")
    # 1 clicked; 2's click was a scanner's; 3 did nothing
    assert send(spring, server, "spring-2") == [NAME.format(2), NAME.format(3)]
    assert reason(spring, 1, "spring-2") == (
        "not sent: not who got spring and clicked nothing in it, as far as is known now"
    )


def test_again_leaves_out_whom_the_first_left_out(
    spring: House, server: ScriptedSmtp, tmp_path: Path
) -> None:
    people(spring, range(1, 5))
    draft_for(spring, tmp_path, "exclude_lists: [letters]\nno_room: drop")
    server.replies["RCPT"] = ["554 5.7.1 not today"] * 4
    send(spring, server)
    # 1 has joined letters since.
    people(spring, range(1, 2), "letters")
    with session_scope(spring.sessions) as session:
        again = draft_again(session, "news", Again.MISSED, "news-2", spring.at, who="ann")
        assert again.aim["exclude_lists"] == ["letters"]
        assert again.no_room == "drop"
    assert send(spring, server, "news-2") == [NAME.format(number) for number in (2, 3, 4)]


def test_again_says_what_the_first_went_by_and_is_gone(
    spring: House, server: ScriptedSmtp, tmp_path: Path
) -> None:
    people(spring, range(1, 3))
    with session_scope(spring.sessions) as session:
        save_segment(session, "even", 'language is "de"', "", spring.at)
    draft_for(spring, tmp_path, "segment: even")
    send(spring, server)
    with session_scope(spring.sessions) as session:
        session.delete(get_segment(session, "even"))
    with (
        pytest.raises(Refused, match=r"no segment 'even'.* news went by it"),
        session_scope(spring.sessions) as session,
    ):
        draft_again(session, "news", Again.MISSED, "news-2", spring.at, who="ann")


def test_again_waits_until_the_first_has_ended(spring: House) -> None:
    people(spring, range(1, 2))
    with pytest.raises(Refused, match="spring is draft"), session_scope(spring.sessions) as session:
        draft_again(session, SPRING, Again.MISSED, "spring-2", spring.at, who="ann")


def test_ten_times_the_last_audience_has_to_be_agreed_to_by_name(
    spring: House, server: ScriptedSmtp, steadypost: Run, tmp_path: Path
) -> None:
    people(spring, range(1, 4))
    draft_for(spring, tmp_path, "", "first")
    send(spring, server, "first")
    people(spring, range(4, 31))
    draft_for(spring, tmp_path, "", "second")
    refused = steadypost("campaign", "send", "second", "--yes", ends=1)
    # 30 people are ten times 3
    assert refused.stderr.startswith(
        "30 people are 10 times the 3 of first, the last campaign to these lists."
    )
    steadypost("campaign", "send", "second", "--yes", "--much-larger")


def test_the_same_message_as_last_week_has_to_be_agreed_to_by_name(
    spring: House, server: ScriptedSmtp, steadypost: Run, tmp_path: Path
) -> None:
    people(spring, range(1, 4))
    send(spring, server, SPRING)
    copy = write_campaign(tmp_path, "copy.md")
    copy.write_text(copy.read_text(encoding="utf-8").replace("slug: spring", "slug: copy"), encoding="utf-8")
    with session_scope(spring.sessions) as session:
        draft(session, [copy], spring.at)
    refused = steadypost("campaign", "send", "copy", "--yes", ends=1)
    assert refused.stderr.startswith("The same message was sent as spring on 2026-03-02.")
    steadypost("campaign", "send", "copy", "--same-message", ends=1)  # which is no --yes
    with session_scope(spring.sessions) as session:
        for days, is_asked in ((7, True), (13, True), (14, False)):
            later = spring.at + timedelta(days=days, minutes=5)
            assert bool(look_ahead(session, "copy", later).surprising) == is_asked
    steadypost("campaign", "send", "copy", "--yes", "--same-message")


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ("segment: nowhere", "There is no segment 'nowhere'."),
        ("segment: tag is x", "`segment` is 'tag is x'."),
        ("exclude_lists: [letters, leters]", "There is no list 'leters'."),
        ("not_if_sent: winter", "'winter' is no campaign."),
        ("not_if_sent: news", "'news' is this campaign."),
    ],
)
def test_what_a_file_names_must_be_there(spring: House, tmp_path: Path, settings: str, what: str) -> None:
    with pytest.raises(AssertionError, match=what.replace("`", ".")):
        draft_for(spring, tmp_path, settings)
