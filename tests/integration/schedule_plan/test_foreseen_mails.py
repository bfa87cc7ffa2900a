"""A mail of the simulation is the mail that then leaves, but for its links, which are a test's."""

from __future__ import annotations

import re
from email import message_from_bytes

import pytest
from sqlalchemy import select

from mailer.db import session_scope
from mailer.delivery.show import show_mail
from mailer.errors import NotFound
from mailer.launch.foreseen import Foreseen, maker_of
from mailer.launch.invented import Invented
from mailer.launch.simulate import Line, simulate
from mailer.models import Delivery, Step
from mailer.schedule.courses import get_course, load_plan
from tests.support.cast import ADA, step_file
from tests.support.desk import Desk

BASE = "http://mail.test"
WORDS = "You called {{ progress.weeks_done }} of {{ progress.weeks }} done."
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c626001000000ffff0300000600"
    "0557bfabd40000000049454e44ae426082"
)


@pytest.fixture
def weekly(desk: Desk) -> Desk:
    """A week that Ada finds not done yet, in a course that greets by name and tells what was said."""
    week = step_file("week-1", 2, kind="protocol").replace("---\n#", "week: 1\n---\n#", 1)
    desk.edit("01-hello.md", "One idea.", "![A quiet neck](media/neck.png)")
    (desk.folder / "media").mkdir()
    (desk.folder / "media" / "neck.png").write_bytes(PNG)
    (desk.folder / "02-rest.md").write_text(week, encoding="utf-8")
    (desk.folder / "03-walk.md").write_text(step_file("walk", 9, body=WORDS), encoding="utf-8")
    desk.edit("course.toml", "days = 7", "days = 20")
    desk.publish()
    return desk


def foretold(desk: Desk, reader: Invented) -> tuple[Line, ...]:
    with session_scope(desk.sessions) as session:
        plan = load_plan(session, get_course(session, "calm").id)
        return simulate(plan, {}, [reader], desk.start.date(), 6).sends


def without_links(text: str) -> str:
    return re.sub(r"http://mail\.test/\S+", "LINK", text)


def test_each_mail_foreseen_is_the_one_that_leaves(weekly: Desk) -> None:
    answers = {1: ("not-yet", "done")}
    reader = Invented(ADA, "Ada", "Europe/London", enrolled_at=weekly.start, answers=answers)
    lines = foretold(weekly, reader)
    assert [line.step for line in lines] == ["hello", "week-1", "week-1", "walk"]
    weekly.house.enroll(ADA, "Europe/London")
    weekly.live_to(40)
    foreseen = []
    with session_scope(weekly.sessions) as session:
        for line in lines:
            mail = Foreseen(reader, line.step, line.due_at, dict(line.answers), line.is_repeat)
            foreseen.append(maker_of(session, "calm", mail, weekly.house.post.signer, BASE).shown())
    first, week, again, last = (mail.mail for mail in foreseen)
    assert again.text != week.text
    assert "You called 1 of 1 done." in last.text
    assert foreseen[0].sender == "The Reading Room"
    with session_scope(weekly.sessions) as session:
        had = select(Delivery.id).join(Step, Step.id == Delivery.step_id).order_by(Delivery.id)
        sent = session.execute(had.where(Step.key.in_(["hello", "week-1"]))).scalars()
        shown = [show_mail(session, id_, weekly.house.post.signer, BASE) for id_ in sent]
    assert [(one.subject, without_links(one.text)) for one in shown] == [
        (one.subject, without_links(one.text)) for one in (first, week)
    ]
    # In a frame that asks nothing of anybody, its picture is inside it.
    assert "data:image/png;base64," in first.html


def test_a_folder_that_nobody_published_shows_its_mails_in_the_readers_language(weekly: Desk) -> None:
    text = step_file("walk", 9, "Vom Gehen", "Ein Schritt, {{ first_name }}.")
    german = re.sub(r"^(key|kind|day): .*\n", "", text, flags=re.MULTILINE)
    (weekly.folder / "03-walk.de.md").write_text(german, encoding="utf-8")
    with session_scope(weekly.sessions) as session:
        mail = Foreseen(Invented(ADA, "Ada", language="de-AT"), "walk", weekly.start)
        made = maker_of(session, weekly.folder, mail, weekly.house.post.signer, BASE)
        hello = maker_of(
            *(session, weekly.folder, Foreseen(Invented(ADA), "hello", weekly.start)),
            *(weekly.house.post.signer, BASE),
        ).shown()
        with pytest.raises(NotFound, match="no step 'gone'"):
            gone = Foreseen(Invented(ADA), "gone", weekly.start)
            maker_of(session, weekly.folder, gone, weekly.house.post.signer, BASE)
    assert made.shown().mail.subject == "Vom Gehen"
    assert "Ein Schritt, Ada." in made.shown().mail.text
    assert hello.preheader == "A short line about hello"
    assert "data:image/png;base64," in hello.mail.html
    written = message_from_bytes(made.as_file())
    assert written["To"] == f"Ada <{ADA}>"
    assert written["List-Unsubscribe"]


def test_nothing_is_written(weekly: Desk) -> None:
    with session_scope(weekly.sessions) as session:
        before = session.query(Delivery).count()
        maker_of(
            *(session, "calm", Foreseen(Invented("nobody@reader.example"), "hello", weekly.start)),
            *(weekly.house.post.signer, BASE),
        ).shown()
        session.flush()
        assert session.query(Delivery).count() == before
