"""What readers say of a week: kept by a press only, told to their pace, and to be changed at any time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from email.message import EmailMessage

import pytest
from sqlalchemy import select, update

from mailer.audience.subscribers import get_subscriber
from mailer.db import session_scope
from mailer.feedback.check_in import Follows, WeekNotSent, follows, record
from mailer.feedback.record import leave
from mailer.models import Answer, CheckIn, Delivery, DeliveryKind, Enrollment, Step
from mailer.reports.answers import answers_by_week
from mailer.reports.why import why
from mailer.schedule.courses import get_course
from mailer.schedule.pace import start_over
from mailer.schedule.pace_case import Asker
from tests.support.cast import ADA, BEN
from tests.support.house import House
from tests.support.scripted_smtp import ScriptedSmtp
from tests.support.weeks import Pages, add_easier

AGAIN = "Here is this week once more"


def at(day: int, hour: int = 8) -> datetime:
    """An hour of March 2026, in London as in UTC."""
    return datetime(2026, 3, day, hour, tzinfo=UTC)


def live_to(house: House, day: int) -> None:
    """Go to eight o'clock of this day of March, sending each morning what is due."""
    while house.at < at(day):
        house.go_to(max(at(house.at.day), house.at) if house.at < at(house.at.day) else at(house.at.day + 1))
        house.send()


def kept(house: House) -> list[tuple[int, str]]:
    """(week, answer) of every answer that was kept."""
    with session_scope(house.sessions) as session:
        return [(one.week, one.answer) for one in session.scalars(select(CheckIn).order_by(CheckIn.id))]


def sent(house: House) -> list[tuple[int, str, str]]:
    """(day of March, kind, step) of each step's mail."""
    with session_scope(house.sessions) as session:
        rows = session.execute(
            select(Delivery.settled_at, Delivery.kind, Step.key)
            .join(Step, Step.id == Delivery.step_id)
            .order_by(Delivery.id)
        )
        return [(moment.day, kind, key) for moment, kind, key in rows if moment is not None]


def text_of(mail: EmailMessage, kind: str = "plain") -> str:
    body = mail.get_body([kind])
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


@pytest.mark.parametrize(
    ("answer", "times", "has_easier", "has_next", "expected"),
    [
        ("done", 0, True, True, "on"),
        ("not-yet", 0, True, True, "again"),  # once more, as it was
        ("not-yet", 1, True, True, "easier"),  # said again: the gentler one
        ("not-yet", 1, False, True, "on"),
        ("too-hard", 0, True, True, "easier"),
        ("too-hard", 0, False, True, "again"),
        ("too-hard", 2, True, True, "on"),  # nobody stays in a week for ever
        ("not-yet", 0, True, False, "on"),  # nothing follows that could wait
    ],
)
def test_what_an_answer_means_for_what_comes(
    answer: str, times: int, has_easier: bool, has_next: bool, expected: str
) -> None:
    found = follows(Answer(answer), times=times, has_easier=has_easier, has_next=has_next)
    assert found == Follows(expected)


def test_a_scanner_that_follows_every_link_of_a_mail_changes_nothing(
    house: House, pages: Pages, server: ScriptedSmtp
) -> None:
    live_to(house, 3)
    for answer in ("", *Answer):
        address = pages.address + pages.path("week-1", f"check-in?answer={answer}&week=1")
        assert pages.client.get(address).status_code == pages.client.head(address).status_code == 200
    assert (kept(house), pages.enrollment().answers) == ([], {})
    mail = text_of(server.mails[-1])
    assert all(f"/check-in?answer={answer}\n" in mail for answer in Answer)


def test_the_answer_chosen_in_the_mail_waits_for_one_more_press(house: House, pages: Pages) -> None:
    live_to(house, 3)
    page = pages.client.get(pages.address + pages.path("week-1", "check-in?answer=not-yet")).text
    assert 'value="not-yet" class="main"' in page
    assert page.count('class="main"') == 1
    assert "You chose “Not yet” in the mail" in page
    odd = pages.client.get(pages.address + pages.path("week-1", "check-in?answer=<script>&week=99")).text
    assert "<script>" not in odd
    assert "How did week 1 go?" in odd


def test_done_is_praised_and_told_what_is_next(house: House, pages: Pages) -> None:
    live_to(house, 3)
    before = pages.enrollment().next_due_at
    page = pages.tell("week-1", "done")
    assert "Week 1 is done" in page
    assert "Next comes About rest Friday, March 6, 2026" in page
    assert kept(house) == [(1, "done")]
    assert pages.enrollment().answers == {"1": "done"}
    assert pages.enrollment().next_due_at == before


def test_the_same_answer_twice_is_one_and_another_replaces_it(house: House, pages: Pages) -> None:
    live_to(house, 3)
    pages.tell("week-1", "done")
    pages.tell("week-1", "done")
    assert kept(house) == [(1, "done")]
    assert "week 1 comes once more; there is no hurry" in pages.tell("week-1", "not-yet")
    assert pages.enrollment().answers == {"1": "not-yet"}
    pages.tell("week-1", "done")
    assert kept(house) == [(1, "done"), (1, "not-yet"), (1, "done")]
    assert pages.enrollment().answers == {"1": "done"}
    assert "You said “Done”" in pages.look("week-1", "check-in")


def test_a_button_pressed_many_times_at_once_is_one_answer(house: House, pages: Pages) -> None:
    live_to(house, 3)
    with ThreadPoolExecutor(4) as presses:
        said = list(presses.map(lambda _: pages.tell("week-1", "done"), range(8)))
    assert all("Week 1 is done" in page for page in said)
    assert kept(house) == [(1, "done")]


def test_an_answer_is_not_lost_over_a_rule_that_nobody_can_ask(house: House, pages: Pages) -> None:
    live_to(house, 3)
    with session_scope(house.sessions) as session:
        rest = session.scalars(select(Step).where(Step.key == "rest")).one()
        rest.condition = "in segment gone and"
    assert "Week 1 is done" in pages.tell("week-1", "done")
    assert kept(house) == [(1, "done")]
    page = pages.look("week-1", "progress")
    assert "Week 1 Done" in page
    assert "every letter" not in page


def test_not_yet_brings_the_week_once_more_and_all_after_it_a_week_later(
    house: House, pages: Pages, server: ScriptedSmtp
) -> None:
    live_to(house, 4)
    pages.tell("week-1", "not-yet")
    live_to(house, 10)
    assert sent(house)[-1] == (10, DeliveryKind.REPEAT, "week-1")
    assert AGAIN in text_of(server.mails[-1])
    assert AGAIN in text_of(server.mails[-1], "html")
    assert not [mail for mail in server.mails[:-1] if AGAIN in text_of(mail)]
    assert pages.enrollment().answers == {}
    # Asked anew of the repeated week: what was said before does not count for it.
    assert "How did week 1 go?" in pages.look("week-1", "check-in")
    assert "No answer is a wrong one" in pages.look("week-1", "check-in")
    # Said again, with no easier version written: the course goes on.
    assert "the letters go on" in pages.tell("week-1", "not-yet")
    live_to(house, 17)
    assert sent(house)[-1] == (17, DeliveryKind.STEP, "week-2")


@pytest.mark.parametrize(("until", "is_asked_anew"), [(date(2026, 3, 3), True), (date(2026, 3, 9), False)])
def test_an_answer_is_looked_at_at_once_also_after_a_pause_that_is_over(
    house: House, pages: Pages, until: date, is_asked_anew: bool
) -> None:
    live_to(house, 4)
    with session_scope(house.sessions) as session:
        session.execute(update(Enrollment).values(paused_until=until))
    before = pages.enrollment().next_due_at
    pages.tell("week-1", "not-yet")
    assert pages.enrollment().next_due_at == (house.at if is_asked_anew else before)


def test_too_hard_says_whom_to_ask_and_brings_the_easier_version(house: House, pages: Pages) -> None:
    with session_scope(house.sessions) as session:
        add_easier(session, get_course(session, "calm"), "week-1")
    live_to(house, 3)
    page = pages.tell("week-1", "too-hard")
    assert "an easier version of week 1 comes" in page
    assert "a doctor, a pharmacist or another health professional who knows you" in page
    live_to(house, 10)
    assert sent(house)[-1][::2] == (10, "week-1-easier")
    # Its own check-in is about the week that it eases.
    assert "How did week 1 go?" in pages.look("week-1-easier", "check-in")
    assert "Week 1 is done" in pages.tell("week-1-easier", "done")


def test_too_hard_and_then_not_yet_brings_the_easier_version_twice(house: House, pages: Pages) -> None:
    with session_scope(house.sessions) as session:
        add_easier(session, get_course(session, "calm"), "week-1")
    live_to(house, 3)
    pages.tell("week-1", "too-hard")
    live_to(house, 10)
    assert "an easier version of week 1 comes" in pages.tell("week-1-easier", "not-yet")
    live_to(house, 17)
    assert sent(house)[-1][::2] == (17, "week-1-easier")
    assert "the letters go on" in pages.tell("week-1-easier", "not-yet")
    live_to(house, 24)
    assert sent(house)[-1][::2] == (24, "week-2")


def test_too_hard_uses_the_authors_own_words_on_whom_to_ask(house: House, pages: Pages) -> None:
    with session_scope(house.sessions) as session:
        get_course(session, "calm").flow = {"ask_whom": "Ask Dr <Quiet> on Mondays."}
    live_to(house, 3)
    page = pages.tell("week-1", "too-hard")
    assert "Ask Dr <Quiet> on Mondays." in page
    assert "pharmacist" not in page


def test_an_answer_to_a_week_that_is_over_is_kept_and_moves_nothing(house: House, pages: Pages) -> None:
    live_to(house, 10)
    before = pages.enrollment()
    assert "That week is behind you" in pages.tell("week-1", "not-yet")
    after = pages.enrollment()
    assert kept(house) == [(1, "not-yet")]
    assert (after.answers, after.next_due_at) == (before.answers, before.next_due_at) == ({}, at(17))


def test_once_somebody_has_left_nothing_is_kept_about_their_weeks(house: House, pages: Pages) -> None:
    live_to(house, 3)
    with session_scope(house.sessions) as session:
        leave(session, pages.enrollment().subscriber_id, None, source="test", now=house.at)
    assert "nothing was changed" in pages.tell("week-1", "done")
    assert kept(house) == []


def test_a_form_that_is_not_ours_changes_nothing(house: House, pages: Pages) -> None:
    live_to(house, 3)
    address = pages.address + pages.path("week-1", "check-in")
    for fields in ({}, {"answer": "fine"}, {"answer": "done' OR 1"}, {"week": "1"}):
        assert pages.client.post(address, data=fields).status_code == 422
    assert kept(house) == []
    # A week that has not come is not one to tell of: the mail's own week is meant.
    pages.tell("week-1", "done", week="2")
    assert kept(house) == [(1, "done")]
    with session_scope(house.sessions) as session, pytest.raises(WeekNotSent):
        delivery_id = session.scalars(select(Delivery.id).order_by(Delivery.id.desc())).first()
        assert delivery_id is not None
        record(session, delivery_id, 2, Answer.DONE, house.at)


def test_before_the_first_week_there_is_nothing_to_tell(house: House, pages: Pages) -> None:
    assert "There is no week to tell of yet" in pages.look("welcome", "check-in")
    live_to(house, 6)
    # A lesson's link is about the week in which it comes.
    assert "How did week 1 go?" in pages.look("rest", "check-in")


def test_a_test_mails_buttons_do_nothing_and_a_strangers_link_is_none(house: House, pages: Pages) -> None:
    token = house.post.signer.delivery_token(0)
    for page in ("check-in", "progress", "course.ics"):
        assert "test" in pages.client.get(f"{pages.address}/m/{token}/{page}").text
        assert pages.client.get(f"{pages.address}/m/{token[:-2]}xx/{page}").status_code == 404


def test_an_answer_while_the_next_week_is_being_planned_is_late_for_it(house: House, pages: Pages) -> None:
    live_to(house, 9)
    house.go_to(at(10))
    house.plan()
    assert "That week is behind you" in pages.tell("week-1", "too-hard")
    house.send()
    assert sent(house)[-1] == (10, DeliveryKind.STEP, "week-2")


def test_why_and_the_authors_count_tell_what_was_said(house: House, pages: Pages) -> None:
    live_to(house, 3)
    pages.tell("week-1", "done")
    house.go_to(house.at + timedelta(hours=1))
    pages.tell("week-1", "not-yet")
    with session_scope(house.sessions) as session:
        told = [each.what for each in why(session, ADA).decisions]
        weeks = answers_by_week(session, get_course(session, "calm"))
    said = [what for what in told if what.startswith("answered")]
    assert said == ["answered “done” to week 1 of calm", "answered “not-yet” to week 1 of calm"]
    # (week, sent, done, not yet, too hard, silent): Ada counts once, by what she said last.
    assert [tuple(vars(week).values()) for week in weeks] == [(1, 1, 0, 1, 0, 0), (2, 0, 0, 0, 0, 0)]


def test_who_starts_over_is_still_one_reader_of_the_week_in_the_authors_count(
    house: House, pages: Pages
) -> None:
    house.enroll(BEN)
    live_to(house, 4)
    pages.tell("week-1", "done")
    with session_scope(house.sessions) as session:
        of_ada = Enrollment.subscriber_id == get_subscriber(session, ADA).id
        enrollment_id = session.execute(select(Enrollment.id).where(of_ada)).scalar_one()
        start_over(session, enrollment_id, Asker("test"), house.at)
    live_to(house, 6)
    assert [key for _, _, key in sent(house)].count("week-1") == 3
    with session_scope(house.sessions) as session:
        week, *_ = answers_by_week(session, get_course(session, "calm"))
    # (week, sent, done, not yet, too hard, silent): Ada twice and Ben once are two readers; Ben says nothing.
    assert tuple(vars(week).values()) == (1, 2, 1, 0, 0, 1)
