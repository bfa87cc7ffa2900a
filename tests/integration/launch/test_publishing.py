"""Publishing a course while people are in it: what is announced, what is done, and what never changes."""

from __future__ import annotations

from threading import Barrier, Thread

import pytest
from sqlalchemy import func, select

from mailer.audience.lists import add_list
from mailer.db import session_scope
from mailer.errors import Refused
from mailer.launch.check import CompiledCourse
from mailer.launch.publish import Plan, publish
from mailer.models import (
    Base,
    Course,
    CourseVersion,
    MailingList,
    Media,
    Message,
    OptIn,
    Sender,
    Step,
)
from mailer.schedule.courses import get_course
from tests.support.cast import ADA, BEN, join_course, write_course
from tests.support.desk import CALM, Desk

DANA = "dana@reader.example"
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 8 + (600).to_bytes(4, "big") + (400).to_bytes(4, "big")


def kept(desk: Desk, model: type[Base]) -> list[tuple[object, ...]]:
    """Every row of a table, column by column."""
    with session_scope(desk.sessions) as session:
        return [tuple(row) for row in session.execute(select(model.__table__).order_by("id"))]


def html_of(desk: Desk, key: str) -> str:
    """What is published now as this step's mail."""
    with session_scope(desk.sessions) as session:
        return session.execute(
            select(Message.html)
            .join(Step, Step.message_id == Message.id)
            .where(Step.key == key, Step.retired_at.is_(None))
        ).scalar_one()


def published_steps(desk: Desk) -> dict[str, int]:
    with session_scope(desk.sessions) as session:
        rows = session.execute(select(Step.key, Step.day).where(Step.retired_at.is_(None)).order_by(Step.day))
        return dict(rows.all())


def version(desk: Desk) -> int:
    with session_scope(desk.sessions) as session:
        return get_course(session, "calm").version


def test_the_first_publication_puts_everything_in_place(desk: Desk) -> None:
    assert published_steps(desk) == CALM
    with session_scope(desk.sessions) as session:
        course = get_course(session, "calm")
        list_ = session.get_one(MailingList, course.list_id)
        assert (course.title, course.version, list_.slug, list_.opt_in) == (
            "A calm week",
            1,
            "calm",
            "single",
        )
        assert list_.sender_id == course.sender_id
        assert session.get_one(Sender, course.sender_id).postal_address == "12 Quiet Lane, Bristol"


def test_publishing_twice_changes_nothing(desk: Desk) -> None:
    tables = (CourseVersion, Message, Step, Course, MailingList, Sender)
    before = [kept(desk, model) for model in tables]
    plan = desk.publish()
    assert (plan.changes, plan.version) == ((), 1)
    assert [kept(desk, model) for model in tables] == before


def test_a_plan_says_what_each_change_does_and_whom_it_reaches(desk: Desk) -> None:
    desk.house.enroll(ADA)
    desk.live_to(2)  # Ada has had hello and rest
    desk.house.enroll(DANA)  # and Dana only the welcome
    desk.write({"hello": 1, "pause": 3, "walk": 5, "end": 7}, hello="Another idea.")
    assert desk.changes() == [
        ("change", "hello", "new text", 1),
        ("add", "pause", "day 3 08:00", 2),
        ("move", "walk", "day 4 08:00 to day 5 08:00", 2),
        ("add", "end", "day 7 08:00", 2),
        ("retire", "rest", "was on day 2", 1),
    ]
    assert desk.plan().version == 2
    assert published_steps(desk) == CALM  # a plan changes nothing


def test_publishing_does_what_the_plan_said(desk: Desk) -> None:
    desk.house.enroll(ADA)
    desk.live_to(2)
    desk.write({"hello": 1, "pause": 3, "walk": 5, "end": 7}, hello="Another idea.")
    plan = desk.plan()
    assert desk.publish() == plan
    assert published_steps(desk) == {"hello": 1, "pause": 3, "walk": 5, "end": 7}
    desk.live_to(8)
    assert desk.mails_of(ADA) == ["hello", "rest", "pause", "walk", "end"]
    assert desk.statement().is_balanced


def test_those_who_have_not_confirmed_are_reached_too(desk: Desk) -> None:
    desk.edit("course.toml", 'opt_in = "single"', 'opt_in = "double"')
    desk.publish()
    desk.house.enroll(ADA)
    assert desk.enrollment_of(ADA).state == "waiting"
    desk.write(CALM, rest="Another idea.")
    desk.edit("course.toml", 'opt_in = "single"', 'opt_in = "double"')
    assert desk.changes() == [("change", "rest", "new text", 1)]


SETTINGS = (
    ('disclaimer = "For learning only."', 'disclaimer = "No advice."', "disclaimer"),
    ('title = "A calm week"', 'title = "A quiet week"', "title, list_title"),
    ('title = "A quiet week"', 'title = "A quiet week"\nlist_title = "Calm letters"', "list_title"),
    ('name = "The Reading Room"', 'name = "The Quiet Room"', "sender"),
    ('postal_address = "12 Quiet Lane', 'postal_address = "14 Quiet Lane', "sender"),
    ('zone = "Europe/London"', 'zone = "Europe/Lisbon"', "zone"),
    ('language = "en"', 'language = "de"', "language"),
    ("days = 7", "days = 9", "days"),
    ('opt_in = "single"', 'opt_in = "double"', "opt_in"),
)


def test_a_change_of_course_toml_alone_is_told_and_published(desk: Desk) -> None:
    desk.house.enroll(ADA)
    for number, (old, new, what) in enumerate(SETTINGS, start=2):
        desk.edit("course.toml", old, new)
        assert desk.changes() == [("change", "course.toml", what, 1)]
        desk.publish()
        assert version(desk) == number
    assert desk.changes() == []


def test_a_new_disclaimer_is_in_every_mail_that_is_published(desk: Desk) -> None:
    desk.edit("course.toml", "For learning only.", "Ask your doctor first.")
    desk.publish()
    assert all("Ask your doctor first." in html_of(desk, key) for key in CALM)


def test_course_toml_and_steps_may_change_together(desk: Desk) -> None:
    desk.write(CALM, rest="Another idea.")
    desk.edit("course.toml", "12 Quiet Lane", "14 Quiet Lane")
    assert [change[:3] for change in desk.changes()] == [
        ("change", "rest", "new text"),
        ("change", "course.toml", "sender"),
    ]
    desk.publish()
    assert "14 Quiet Lane" in html_of(desk, "hello")
    assert "Another idea." in html_of(desk, "rest")
    assert desk.changes() == []


def test_another_picture_under_the_same_name_is_a_change(desk: Desk) -> None:
    (desk.folder / "media").mkdir()
    (desk.folder / "media" / "dusk.png").write_bytes(PNG)
    desk.write(CALM, rest="![Dusk](media/dusk.png)")
    desk.publish()
    first = html_of(desk, "rest")
    (desk.folder / "media" / "dusk.png").write_bytes(PNG + b"another")
    assert desk.changes() == [("change", "rest", "new picture", 0)]
    desk.publish()
    assert html_of(desk, "rest") != first
    with session_scope(desk.sessions) as session:  # mails that were sent still show the old one
        assert session.execute(select(func.count()).select_from(Media)).scalar_one() == 2


def test_mails_compiled_by_an_older_layout_are_published_anew(desk: Desk) -> None:
    with session_scope(desk.sessions) as session:
        for message in session.execute(select(Message).where(Message.source.like("course/%"))).scalars():
            message.html, message.digest = "<p>the old layout</p>", "of the old layout"
    assert desk.changes() == [("change", "layout", "the mails' own layout", 0)]
    desk.publish()
    assert "One idea." in html_of(desk, "hello")
    assert desk.changes() == []


def test_a_published_version_never_changes(desk: Desk) -> None:
    versions, messages = kept(desk, CourseVersion), kept(desk, Message)
    desk.write({"hello": 2, "rest": 3}, hello="Another idea.")
    desk.edit("course.toml", "The Reading Room", "The Quiet Room")
    desk.publish()
    assert kept(desk, CourseVersion)[: len(versions)] == versions
    assert kept(desk, Message)[: len(messages)] == messages
    assert len(kept(desk, CourseVersion)) == 2


def test_what_was_published_before_may_be_published_again(desk: Desk) -> None:
    desk.write(CALM, rest="Another idea.")
    desk.publish()
    desk.write(CALM)
    assert [change[:3] for change in desk.changes()] == [("change", "rest", "new text")]
    desk.publish()
    assert "One idea." in html_of(desk, "rest")
    assert version(desk) == 3


def test_a_retired_step_comes_back_as_the_same_step(desk: Desk) -> None:
    desk.house.enroll(ADA)
    desk.live_to(2)
    with session_scope(desk.sessions) as session:
        rest = session.execute(select(Step.id).where(Step.key == "rest")).scalar_one()
    desk.write({"hello": 1, "walk": 4})
    desk.publish()
    desk.write({"hello": 1, "walk": 4, "rest": 6})
    # Ada has had it, and is told apart from those who have not.
    desk.house.enroll(DANA)
    assert desk.changes() == [("add", "rest", "day 6 08:00", 1)]
    desk.publish()
    with session_scope(desk.sessions) as session:
        step = session.execute(select(Step).where(Step.key == "rest")).scalar_one()
        assert (step.id, step.retired_at, step.day) == (rest, None, 6)
    desk.live_to(9)
    assert desk.mails_of(ADA) == ["hello", "rest", "walk"]
    assert desk.mails_of(DANA) == ["hello", "walk", "rest"]
    assert desk.statement().is_balanced


def test_a_step_moved_behind_somebody_is_said_to_be_lost_to_them(desk: Desk) -> None:
    desk.write({**CALM, "end": 6})
    desk.publish()
    desk.house.enroll(ADA)
    desk.live_to(4)  # she has had walk, on day 4
    desk.write({"hello": 1, "rest": 2, "end": 3, "walk": 4})
    assert desk.changes() == [
        ("move", "end", "day 6 08:00 to day 3 08:00 (1 past that day will not get it)", 1)
    ]


def test_two_publications_at_the_same_time_end_well(desk: Desk) -> None:
    texts = [f"Idea number {number}." for number in range(4)]
    compiled = []
    for text in texts:
        desk.write(CALM, rest=text)
        compiled.append(desk.compiled())
    plans = _all_at_once(desk, compiled)
    assert sorted(plan.version for plan in plans) == [2, 3, 4, 5]
    assert version(desk) == 5
    assert [row[2] for row in kept(desk, CourseVersion)] == [1, 2, 3, 4, 5]


def test_two_first_publications_at_the_same_time_make_one_course(desk: Desk) -> None:
    desk.edit("course.toml", 'slug = "calm"\n', 'slug = "quiet"\n')
    desk.edit("course.toml", 'list = "calm"', 'list = "quiet"')
    plans = _all_at_once(desk, [desk.compiled()] * 4)
    assert sorted(len(plan.changes) for plan in plans) == [0, 0, 0, 3]
    with session_scope(desk.sessions) as session:
        assert get_course(session, "quiet").version == 1


def _all_at_once(desk: Desk, compiled: list[CompiledCourse]) -> list[Plan]:
    plans: list[Plan] = []
    ready = Barrier(len(compiled))

    def go(course: CompiledCourse) -> None:
        ready.wait()
        with session_scope(desk.sessions) as session:
            plans.append(publish(session, course, desk.house.at))

    threads = [Thread(target=go, args=(course,)) for course in compiled]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(plans) == len(compiled)
    return plans


def test_people_cannot_be_moved_to_a_list_they_never_agreed_to(desk: Desk) -> None:
    desk.edit("course.toml", 'list = "calm"', 'list = "letters"')
    assert desk.changes() == [("change", "course.toml", "list", 0)]  # nobody is in it yet
    desk.house.enroll(ADA)
    with pytest.raises(Refused, match='1 of its readers agreed to; write list = "calm"'):
        desk.plan()
    with pytest.raises(Refused, match="calm belongs to the list calm"):
        desk.publish()


def test_a_second_course_on_a_list_must_say_of_it_what_the_first_says(desk: Desk) -> None:
    desk.edit("course.toml", 'slug = "calm"\n', 'slug = "calmer"\n')
    desk.edit("course.toml", 'title = "A calm week"', 'title = "A calmer week"')
    with pytest.raises(Refused, match='also that of the course calm: write list_title = "A calm week"'):
        desk.publish()
    desk.edit("course.toml", 'list = "calm"', 'list = "calm"\nlist_title = "A calm week"')
    desk.edit("course.toml", "The Reading Room", "The Other Room")
    desk.publish()
    with session_scope(desk.sessions) as session:  # confirmations still come from the first one's sender
        list_ = session.execute(select(MailingList)).scalar_one()
        assert list_.sender_id == get_course(session, "calm").sender_id
        assert get_course(session, "calmer").sender_id != list_.sender_id


def test_a_list_that_was_changed_by_hand_is_set_right_and_that_is_said(desk: Desk) -> None:
    with session_scope(desk.sessions) as session:
        join_course(session, get_course(session, "calm"), BEN, desk.house.at)
        add_list(session, "calm", "Calm letters", OptIn.DOUBLE)
    assert desk.changes() == [("change", "list calm", "list_title, opt_in", 1)]
    desk.publish()
    assert desk.changes() == []
    with session_scope(desk.sessions) as session:
        assert session.execute(select(MailingList.opt_in)).scalar_one() == "single"


def test_a_course_that_cannot_be_published_leaves_nothing_behind(desk: Desk) -> None:
    tables = (CourseVersion, Message, Step, Sender, MailingList)
    before = [kept(desk, model) for model in tables]
    desk.house.enroll(ADA)
    write_course(desk.folder)
    desk.edit("course.toml", 'list = "calm"', 'list = "letters"')
    with pytest.raises(Refused):
        desk.publish()
    assert [kept(desk, model) for model in tables] == before
