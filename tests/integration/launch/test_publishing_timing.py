"""Publishing hours, conditions, versions, languages and what follows: announced, kept, and then known."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from mailer.audience.subscribers import Person, add_subscriber
from mailer.db import session_scope
from mailer.errors import Refused
from mailer.launch.undo import undo_publication
from mailer.models import Course, CourseVersion, Delivery, Message, Step, Subscriber
from mailer.schedule.courses import get_course, load_plan
from mailer.schedule.follow import pull_triggers
from tests.support.cast import ADA, BEN, join, write_course
from tests.support.desk import CALM, Desk

GERMAN = """\
---
subject: "Über Ruhe"
---
# Ruhe

Ein Gedanke.
"""


def step_of(desk: Desk, key: str) -> Step:
    with session_scope(desk.sessions) as session:
        return session.execute(select(Step).where(Step.key == key)).scalar_one()


def say(desk: Desk, name: str, *settings: str) -> None:
    """Add settings to a step's front matter."""
    desk.edit(name, "kind: lesson", "\n".join(("kind: lesson", *settings)))


def manifest(desk: Desk) -> dict[str, Any]:
    with session_scope(desk.sessions) as session:
        newest: dict[str, Any] = session.execute(
            select(CourseVersion.manifest).order_by(CourseVersion.id.desc()).limit(1)
        ).scalar_one()
        return newest


def test_new_hours_are_announced_published_and_then_known(desk: Desk) -> None:
    desk.house.enroll(ADA)
    desk.edit("03-walk.md", "day: 4", 'day: 4\nwindow: "09:00-11:00"\nweekdays: mon-fri\nquiet: 12-25, 12-26')
    assert desk.changes() == [
        ("move", "walk", "day 4 08:00 to day 4 09:00-11:00 (mon-fri, not on 12-25 and 1 more)", 1)
    ]
    desk.publish()
    walk = step_of(desk, "walk")
    timing = {"until": "11:00", "weekdays": 31, "quiet": ["12-25", "12-26"]}
    assert (f"{walk.send_time:%H:%M}", walk.timing) == ("09:00", timing)
    assert manifest(desk)["steps"][-1]["timing"] == timing
    assert desk.changes() == []


def test_the_courses_own_window_moves_every_step_that_has_none(desk: Desk) -> None:
    desk.edit("course.toml", 'send_time = "08:00"', 'window = "08:00-10:00"\nweekdays = "mon-sat"')
    assert [change[:3] for change in desk.changes()] == [
        ("move", "hello", "day 1 08:00 to day 1 08:00-10:00 (mon-sat)"),
        ("move", "rest", "day 2 08:00 to day 2 08:00-10:00 (mon-sat)"),
        ("move", "walk", "day 4 08:00 to day 4 08:00-10:00 (mon-sat)"),
    ]
    desk.publish()
    assert step_of(desk, "rest").timing == {"until": "10:00", "weekdays": 63}
    assert desk.changes() == []


def test_a_condition_and_a_variant_are_announced_and_published(desk: Desk) -> None:
    desk.house.enroll(ADA)
    say(desk, "02-rest.md", 'when: not tag "rested"')
    walk = (desk.folder / "03-walk.md").read_text(encoding="utf-8")
    variant = walk.replace("key: walk", 'key: stroll\nwhen: tag "tired"\ninstead_of: walk')
    (desk.folder / "03b-stroll.md").write_text(variant, encoding="utf-8")
    assert desk.changes() == [
        ("change", "rest", 'now for who meets not tag "rested"', 1),
        ("add", "stroll", 'day 4 08:00, for who meets tag "tired", instead of walk', 1),
    ]
    desk.publish()
    stroll = step_of(desk, "stroll")
    assert (stroll.condition, stroll.instead_of, stroll.day) == ('tag "tired"', "walk", 4)
    assert step_of(desk, "rest").condition == 'not tag "rested"'
    assert desk.changes() == []
    desk.edit("02-rest.md", 'when: not tag "rested"\n', "")
    assert desk.changes() == [("change", "rest", "now for everybody", 1)]


def test_an_added_variant_of_a_day_gone_by_takes_nothing_from_anybody(desk: Desk) -> None:
    desk.house.enroll(ADA)
    desk.live_to(1)
    hello = (desk.folder / "01-hello.md").read_text(encoding="utf-8")
    variant = hello.replace("key: hello", 'key: hi\nwhen: tag "young"\ninstead_of: hello')
    (desk.folder / "01b-hi.md").write_text(variant, encoding="utf-8")
    assert desk.publish().passed == {}
    desk.live_to(5)
    assert desk.mails_of(ADA) == ["hello", "rest", "walk"]
    assert desk.statement().is_balanced


def test_a_gentler_version_is_kept_beside_its_week(desk: Desk) -> None:
    desk.edit("03-walk.md", "kind: lesson", "kind: protocol\nweek: 1")
    walk = (desk.folder / "03-walk.md").read_text(encoding="utf-8")
    gentle = walk.replace("key: walk", "key: gentle\neasier_than: walk").replace("day: 4\n", "")
    (desk.folder / "09-gentle.md").write_text(gentle, encoding="utf-8")
    assert ("add", "gentle", "day 4 08:00, for who finds walk too hard", 0) in desk.changes()
    desk.publish()
    with session_scope(desk.sessions) as session:
        plan = load_plan(session, get_course(session, "calm").id)
    assert [step.key for step in plan.steps] == ["hello", "rest", "walk"]
    assert [(step.key, step.easier_than) for step in plan.ways.easier] == [("gentle", "walk")]
    assert desk.changes() == []


def test_a_translation_is_announced_and_reaches_those_who_read_it(desk: Desk) -> None:
    (desk.folder / "02-rest.de.md").write_text(GERMAN, encoding="utf-8")
    assert desk.changes() == [("change", "rest", "now also in de", 0)]
    desk.publish()
    assert desk.changes() == []
    desk.house.enroll(ADA)
    desk.house.enroll(BEN)
    with session_scope(desk.sessions) as session:
        session.execute(select(Subscriber).where(Subscriber.email == BEN)).scalar_one().language = "de-AT"
    desk.live_to(2)
    with session_scope(desk.sessions) as session:
        rows = session.execute(
            select(Subscriber.email, Message.language, Message.subject)
            .join(Delivery, Delivery.subscriber_id == Subscriber.id)
            .join(Message, Message.id == Delivery.message_id)
            .join(Step, Step.id == Delivery.step_id)
            .where(Step.key == "rest")
            .order_by(Subscriber.email)
        ).all()
    assert [tuple(row) for row in rows] == [(ADA, "en", "About rest"), (BEN, "de", "Über Ruhe")]


def test_readers_of_the_courses_own_language_get_it_also_when_there_is_an_english_one(desk: Desk) -> None:
    desk.edit("course.toml", 'language = "en"', 'language = "de"')
    (desk.folder / "02-rest.en.md").write_text(GERMAN.replace("Über Ruhe", "On rest"), encoding="utf-8")
    desk.publish()
    with session_scope(desk.sessions) as session:
        rest = load_plan(session, get_course(session, "calm").id).steps[1]
        languages = {
            tag: session.get_one(Message, rest.message_in(tag)).language
            for tag in ("de", "de-AT", "en", "fr")
        }
    assert languages == {"de": "de", "de-AT": "de", "en": "en", "fr": "en"}
    assert desk.changes() == []


def test_a_translation_changes_and_goes_without_the_text_itself(desk: Desk) -> None:
    german = desk.folder / "02-rest.de.md"
    german.write_text(GERMAN, encoding="utf-8")
    desk.publish()
    german.write_text(GERMAN.replace("Gedanke", "Einfall"), encoding="utf-8")
    assert desk.changes() == [("change", "rest", "new text in de", 0)]
    desk.publish()
    assert desk.changes() == []
    german.unlink()
    assert desk.changes() == [("change", "rest", "no longer in de", 0)]
    desk.publish()
    assert step_of(desk, "rest").languages == {}
    assert desk.changes() == []


def test_what_a_course_does_by_rules_is_kept_with_it(desk: Desk) -> None:
    publish_another(desk, "back")
    desk.edit(
        "course.toml",
        "[sender]",
        'stop_when = \'tag "customer"\'\nask_whom = "Ask your doctor."\n[[then]]\ncourse = "back"\n[sender]',
    )
    assert desk.changes() == [("change", "course.toml", "stop_when, then, ask_whom", 0)]
    desk.publish()
    flow = {
        "stop_when": ['tag "customer"'],
        "then": [{"course": "back", "when": ""}],
        "ask_whom": "Ask your doctor.",
    }
    with session_scope(desk.sessions) as session:
        assert get_course(session, "calm").flow == flow
    assert manifest(desk)["header"]["stop_when"] == ['tag "customer"']
    assert desk.changes() == []
    write_course(desk.folder)
    assert desk.changes() == [("change", "course.toml", "ask_whom, stop_when, then", 0)]


def publish_another(desk: Desk, slug: str, then: str = "") -> None:
    """A second course from the same desk, which is then as it was."""
    desk.edit("course.toml", '"calm"', f'"{slug}"')
    if then:
        desk.edit("course.toml", "[sender]", f'[[then]]\ncourse = "{then}"\n[sender]')
    desk.publish()
    desk.write(CALM)


def test_what_follows_must_be_published(desk: Desk) -> None:
    desk.edit("course.toml", "[sender]", '[[then]]\ncourse = "back"\n[sender]')
    with pytest.raises(Refused, match=r"course\.toml:12: error: There is no published course 'back'"):
        desk.plan()


def test_courses_never_follow_each_other_in_a_circle(desk: Desk) -> None:
    publish_another(desk, "back", then="calm")
    publish_another(desk, "neck", then="back")
    desk.edit("course.toml", "[sender]", '[[then]]\ncourse = "neck"\n[sender]')
    with pytest.raises(Refused, match="in a circle: calm → neck → back → calm"):
        desk.publish()
    with session_scope(desk.sessions) as session:
        assert session.execute(select(Course.flow).where(Course.slug == "calm")).scalar_one() == {}


def test_a_version_that_would_close_a_circle_is_not_brought_back(desk: Desk) -> None:
    publish_another(desk, "neck")
    desk.edit("course.toml", "[sender]", '[[then]]\ncourse = "neck"\n[sender]')
    desk.publish()
    desk.write(CALM)
    desk.publish()
    publish_another(desk, "neck", then="calm")
    with (
        session_scope(desk.sessions) as session,
        pytest.raises(Refused, match="in a circle: calm → neck → calm"),
    ):
        undo_publication(session, "calm", desk.house.at)


def test_a_trigger_that_is_brought_back_is_for_those_who_meet_it_from_then_on(desk: Desk) -> None:
    desk.edit("course.toml", "[sender]", "[[triggers]]\nwhen = 'tag \"stiff\"'\n[sender]")
    desk.publish()
    desk.write(CALM)
    desk.publish()
    with session_scope(desk.sessions) as session:
        join(session, BEN, desk.house.at)
        add_subscriber(session, Person(BEN, tags=("stiff",)))
        undo_publication(session, "calm", desk.house.at)
        assert pull_triggers(session, desk.house.at) == 0


def test_a_rule_on_what_is_not_there_is_refused_with_its_line(desk: Desk) -> None:
    say(desk, "02-rest.md", 'when: on list "nowhere"')
    with pytest.raises(Refused, match=r"02-rest\.md:6: error: .*nowhere"):
        desk.publish()


def test_a_rule_may_speak_of_the_course_that_is_published_with_it(desk: Desk) -> None:
    desk.edit("course.toml", 'slug = "calm"', 'slug = "quiet"')
    desk.edit("course.toml", 'list = "calm"', 'list = "quiet"')
    desk.edit("02-rest.md", "kind: lesson", "kind: protocol\nweek: 1")
    say(desk, "03-walk.md", 'when: answered "not-yet" to week 1')
    desk.publish()
    assert desk.plan().changes == ()
