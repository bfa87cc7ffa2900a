"""What the simulation says is what then happens, person by person."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, time
from pathlib import Path

import pytest
from sqlalchemy import select, update

from mailer.audience.fields import declare_field
from mailer.audience.lists import add_list, get_list
from mailer.audience.subscribers import Changes, change_subscriber
from mailer.clock import zone
from mailer.content.course_folder import read_draft
from mailer.db import session_scope
from mailer.errors import Refused
from mailer.launch.draft_plan import plan_of
from mailer.launch.invented import read_people
from mailer.launch.simulate import Compared, Setting, Simulation, compare, setting_of, simulate
from mailer.models import Delivery, DeliveryState, Enrollment, FieldType, OptIn, Step, Subscriber
from mailer.reports.progress import journey
from mailer.schedule.cap import Cap, set_cap
from mailer.schedule.conditions import rules_of
from mailer.schedule.courses import get_course, load_plan
from mailer.settings import PROJECT
from tests.support.cast import ADA, join, join_course, publish_folder, step_file, write_course
from tests.support.desk import Desk

PEOPLE = """\
email,zone,gap,answers
ada@reader.example,Europe/London,,
ben@reader.example,Asia/Tokyo,,1=not-yet 1=done
cleo@reader.example,America/New_York,2,1=too-hard
"""


def week(key: str, day: int, number: int) -> str:
    return step_file(key, day, kind="protocol").replace("---\n#", f"week: {number}\n---\n#", 1)


@pytest.fixture
def people(desk: Desk, tmp_path: Path) -> Path:
    """A course of two weeks, and three readers of it in a file."""
    steps = {
        "01.md": step_file("hello", 1),
        "02.md": week("week-1", 2, 1),
        "03.md": step_file("walk", 4),
        "04.md": week("week-2", 9, 2),
        "05.md": step_file("end", 12),
    }
    write_course(desk.folder, steps)
    desk.edit("course.toml", "days = 7", "days = 20")
    desk.publish()
    file = tmp_path / "people.csv"
    rows = PEOPLE.splitlines()
    rows[0] += ",enrolled_at"
    rows[1:] = [f"{row},{desk.start.isoformat()}" for row in rows[1:]]
    file.write_text("\n".join(rows), encoding="utf-8")
    return file


def foretold(desk: Desk, people: Path, weeks: int = 6) -> Simulation:
    with session_scope(desk.sessions) as session:
        plan = load_plan(session, get_course(session, "calm").id)
        return simulate(plan, {}, read_people(people), desk.start.date(), weeks)


def test_the_simulation_equals_what_then_happens_person_by_person(desk: Desk, people: Path) -> None:
    before = [(line.email, line.step, line.local_time) for line in foretold(desk, people).sends]
    known = read_people(people)
    answers = {one.email: {week: list(words) for week, words in one.answers.items()} for one in known}
    for one in known:
        desk.house.enroll(one.email, one.zone)
    with session_scope(desk.sessions) as session:
        cleo = select(Subscriber.id).where(Subscriber.email == known[2].email).scalar_subquery()
        chosen = {"gap": 2, "next_due_at": desk.start}
        session.execute(update(Enrollment).where(Enrollment.subscriber_id == cleo).values(chosen))
    for day in range(1, 6 * 7):
        desk.live_to(day, hour=7)
        for email, key, _moment in sent(desk):
            answer(desk, email, key, answers[email])
    assert sorted(sent(desk)) == sorted(before)
    # Worked by hand: Ada gets 5 mails, Ben week 1 once more, Cleo too since no gentler version was written.
    assert [[mail[0] for mail in before].count(one.email) for one in known] == [5, 6, 6]


def sent(desk: Desk) -> list[tuple[str, str, str]]:
    """(email, step, local time) of the lessons that were accepted."""
    with session_scope(desk.sessions) as session:
        rows = session.execute(
            select(Subscriber.email, Subscriber.zone, Step.key, Delivery.settled_at)
            .join(Delivery, Delivery.subscriber_id == Subscriber.id)
            .join(Step, Step.id == Delivery.step_id)
            .where(Delivery.state == DeliveryState.ACCEPTED)
        ).all()
    return [
        (row.email, row.key, f"{row.settled_at.astimezone(zone(row.zone)):%a %Y-%m-%d %H:%M %Z}")
        for row in rows
    ]


def answer(desk: Desk, email: str, key: str, words: dict[int, list[str]]) -> None:
    """Say of a week what is to be said next, if it is that week's mail and nothing was said of it."""
    number = {"week-1": 1, "week-2": 2}.get(key)
    enrollment = desk.enrollment_of(email)
    if number is None or not words.get(number) or str(number) in enrollment.answers:
        return
    mails = len([mail for mail in sent(desk) if mail[:2] == (email, key)])
    if mails <= enrollment.repeats.get(str(number), 0):
        return
    with session_scope(desk.sessions) as session:
        said = {**enrollment.answers, str(number): words[number].pop(0)}
        session.execute(update(Enrollment).where(Enrollment.id == enrollment.id).values(answers=said))


def test_a_course_that_changed_differs_from_what_was_expected(desk: Desk, people: Path) -> None:
    expected = people.with_suffix(".json")
    expected.write_text(json.dumps(foretold(desk, people).as_values()), encoding="utf-8")
    assert compare(expected, foretold(desk, people)) == Compared([], [], [])
    desk.edit("05.md", "day: 12", "day: 13")
    desk.publish()
    compared = compare(expected, foretold(desk, people))
    missing, unexpected = compared.missing, compared.unexpected
    # Cleo counts mails and not days, so nothing moves for her.
    assert {line[0] for line in missing} == {"ada@reader.example", "ben@reader.example"}
    assert [line[1] for line in unexpected] == ["end", "end"]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("ada@reader.example,Mars/Base,,", "people.csv:2"),
        ("ada@reader.example,,0,", "not a number of days"),
        ("ada@reader.example,,,1=maybe", "not an answer"),
        ("nobody,,,", "people.csv:2"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_with_its_line(tmp_path: Path, row: str, words: str) -> None:
    file = tmp_path / "people.csv"
    file.write_text(f"email,zone,gap,answers\n{row}\n", encoding="utf-8")
    with pytest.raises(Refused, match=words):
        read_people(file)


def test_the_sample_course_gives_what_is_expected_of_it(desk: Desk) -> None:
    folder = PROJECT / "templates" / "courses" / "neck-and-shoulder"
    source, problems = read_draft(folder)
    assert problems == []
    plan = plan_of(source)
    with session_scope(desk.sessions) as session:
        rules = rules_of(session, plan)
    people = read_people(folder / "tests" / "readers.csv")
    found = simulate(plan, {}, people, date(2027, 3, 1), 12, Setting(rules))
    compared = compare(folder / "tests" / "readers.json", found)
    assert (compared.missing, compared.unexpected) == ([], [])


def test_a_line_expects_the_subject_and_the_reason_that_it_names(desk: Desk, people: Path) -> None:
    expected = people.with_suffix(".json")
    values = foretold(desk, people).as_values()
    first = values["sends"][0]
    first["reason"] = "day 99"
    del values["sends"][1]["reason"]
    expected.write_text(json.dumps(values), encoding="utf-8")
    compared = compare(expected, foretold(desk, people))
    is_now = foretold(desk, people).sends[0].reason
    assert compared.differing == [
        f"{first['email']} {first['step']}: expected the reason 'day 99', not {is_now!r}."
    ]
    assert not compared.is_same


def test_it_says_when_the_course_ends_for_whom_and_by_which_rule(desk: Desk, people: Path) -> None:
    desk.edit("course.toml", "[sender]", "stop_when = ['answered \"too-hard\" to week 1']\n[sender]")
    desk.publish()
    with session_scope(desk.sessions) as session:
        plan = load_plan(session, get_course(session, "calm").id)
        setting = setting_of(session, plan, "calm")
    found = simulate(plan, {}, read_people(people), desk.start.date(), 8, setting)
    ends = {end.email: end.reason for end in found.ends}
    assert ends == {
        "ada@reader.example": "finished",
        "ben@reader.example": "finished",
        "cleo@reader.example": 'its rule: answered "too-hard" to week 1',
    }


def test_a_column_that_is_not_known_is_refused_with_the_one_that_was_meant(tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("email,zoen\nada@reader.example,Europe/London\n", encoding="utf-8")
    with pytest.raises(Refused, match=r"people\.csv:1: the column 'zoen' is not known; did you mean zone"):
        read_people(file)
    file.write_text("email,size\nada@reader.example,large\n", encoding="utf-8")
    with pytest.raises(Refused, match=r"people\.csv:2: 'large' is not a number value"):
        read_people(file, {"size": FieldType.NUMBER})


RULES = {
    'on list "calm"': True,
    'on list "letters"': True,
    'on list "nothing"': False,
    'field code is "007"': True,
    "field size is 41": True,
    "field member is yes": True,
    "field born is 1990-05-01": True,
    'tag "walker"': True,
    'zone is "Asia/Tokyo"': True,
    'language is "de"': True,
    'enrolled in "calm"': True,
    "mailed within 1 days": True,
}
"""Each with whether Ada meets it when the first lesson comes due."""


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_is_answered_as_the_tick_answers_it(desk: Desk, tmp_path: Path, rule: str) -> None:
    file = tmp_path / "people.csv"
    file.write_text(
        "email,zone,language,tags,lists,code,size,member,born,enrolled_at\n"
        f"{ADA},Asia/Tokyo,de,walker,letters,007,41,yes,1990-05-01,{desk.start.isoformat()}\n",
        encoding="utf-8",
    )
    with session_scope(desk.sessions) as session:
        for slug in ("letters", "nothing"):
            add_list(session, slug, slug, OptIn.SINGLE, get_list(session, "calm").sender_id)
        declare_field(session, "code", FieldType.TEXT)
        declare_field(session, "size", FieldType.NUMBER)
        declare_field(session, "member", FieldType.YES_NO)
        declare_field(session, "born", FieldType.DATE)
    desk.edit("01-hello.md", "day: 1", f"day: 1\nwhen: '{rule}'")
    desk.publish()
    with session_scope(desk.sessions) as session:
        plan = load_plan(session, get_course(session, "calm").id)
        setting = setting_of(session, plan, "calm")
        people = read_people(file, setting.fields)
        found = simulate(plan, {}, people, desk.start.date(), 2, setting)
        person = join_course(session, get_course(session, "calm"), ADA, desk.start, "Asia/Tokyo")
        join(session, ADA, desk.start, "Asia/Tokyo", "letters")
        fields = {"code": "007", "size": 41, "member": True, "born": "1990-05-01"}
        known = Changes(language="de", tags_added=("walker",), fields=fields)
        change_subscriber(session, person, known)
    desk.live_to(9)
    assert [line.step for line in found.sends] == [key for _, key, _ in sent(desk)]
    assert ("hello" in [line.step for line in found.sends]) == RULES[rule]


@pytest.mark.parametrize("hour", ["08:00", "23:00", "02:30"])
def test_the_cap_and_quiet_hours_are_foretold(desk: Desk, people: Path, hour: str) -> None:
    for path in sorted(desk.folder.glob("*.md")):
        desk.edit(path.name, "kind: ", f'send_time: "{hour}"\nkind: ')
    desk.publish()
    with session_scope(desk.sessions) as session:
        set_cap(session, Cap(per_week=2, quiet_from=time(22), quiet_until=time(7)))
        plan = load_plan(session, get_course(session, "calm").id)
        setting = setting_of(session, plan, "calm")
    known = [replace(one, answers={}, gap=None) for one in read_people(people)]
    found = simulate(plan, {}, known, desk.start.date(), 8, setting)
    assert len(found.sends) == 15
    for one in known:
        desk.house.enroll(one.email, one.zone)
    desk.live_to(10, hour=7)
    # Their own pages foretell the same.
    had = len(sent(desk))
    with session_scope(desk.sessions) as session:
        ways = [journey(session, id_, desk.house.at) for id_ in session.scalars(select(Enrollment.id))]
    told = sorted(letter.at for way in ways for letter in way.ahead)
    assert 0 < had < 15
    assert told == sorted(line.due_at for line in found.sends)[had:]
    desk.live_to(8 * 7, hour=7)
    assert sorted(sent(desk)) == sorted((line.email, line.step, line.local_time) for line in found.sends)
    with session_scope(desk.sessions) as session:
        # Their own pages end there too; half-way they foretell the same.
        assert all(
            journey(session, id_, desk.house.at).is_finished for id_ in session.scalars(select(Enrollment.id))
        )


def test_what_follows_a_course_is_lived_through_too(desk: Desk, people: Path) -> None:
    more = write_course(desk.folder.parent / "more", {"01.md": step_file("sequel", 1)})
    course = more / "course.toml"
    course.write_text(course.read_text().replace('slug = "calm"', 'slug = "more"'))
    with session_scope(desk.sessions) as session:
        publish_folder(session, more, desk.start)
    flow = '[[then]]\ncourse = "more"\nwhen = \'finished "calm" and zone is "Asia/Tokyo"\'\n[sender]'
    desk.edit("course.toml", "[sender]", flow)
    desk.publish()
    with session_scope(desk.sessions) as session:
        plan = load_plan(session, get_course(session, "calm").id)
        setting = setting_of(session, plan, "calm")
    found = simulate(plan, {}, read_people(people), desk.start.date(), 8, setting)
    (sequel,) = [line for line in found.sends if line.step == "more/sequel"]
    ends = {end.email: [one.reason for one in found.ends if one.email == end.email] for end in found.ends}
    assert sequel.email == "ben@reader.example"
    assert sequel.subject == "About sequel"
    assert ends["ada@reader.example"] == ["finished"]
    assert ends["ben@reader.example"] == ["finished; more follows", "more/finished"]
    ben = read_people(people)[1]
    desk.house.enroll(ben.email, ben.zone)
    answers = {week: list(words) for week, words in ben.answers.items()}
    for day in range(1, 6 * 7):
        desk.live_to(day, hour=7)
        if answers[1]:
            for email, key, _moment in sent(desk):
                answer(desk, email, key, answers)
    his = [line for line in found.sends if line.email == ben.email]
    told = [(line.step.removeprefix("more/"), line.local_time) for line in his]
    assert sorted(mail[1:] for mail in sent(desk)) == sorted(told)


def test_who_is_not_on_the_list_of_what_follows_does_not_get_it(desk: Desk, people: Path) -> None:
    more = write_course(desk.folder.parent / "more", {"01.md": step_file("sequel", 1)})
    course = more / "course.toml"
    course.write_text(course.read_text().replace('"calm"', '"more"'))
    with session_scope(desk.sessions) as session:
        publish_folder(session, more, desk.start)
    desk.edit("course.toml", "[sender]", '[[then]]\ncourse = "more"\n[sender]')
    desk.publish()
    with session_scope(desk.sessions) as session:
        plan = load_plan(session, get_course(session, "calm").id)
        setting = setting_of(session, plan, "calm")
    ada, *others = read_people(people)
    known = [replace(ada, lists=("more",)), *others]
    found = simulate(plan, {}, known, desk.start.date(), 8, setting)
    assert [line.email for line in found.sends if line.step == "more/sequel"] == ["ada@reader.example"]
    assert {end.reason for end in found.ends} == {
        "finished; more follows",
        "more/finished",
        "finished; more does not follow: not on its list",
    }


@pytest.mark.parametrize(
    ("when", "follows"), [('reached step "end"', True), ('answered "too-hard" to week 3', False), ("", True)]
)
def test_what_follows_knows_the_last_letter_and_not_what_will_be_said_of_it(
    desk: Desk, people: Path, when: str, follows: bool
) -> None:
    """As it is foretold, so it happens: a course that is followed ends when its last letter has left."""
    if "week 3" in when:
        desk.edit("05.md", "kind: lesson", "kind: protocol\nweek: 3")
    more = write_course(desk.folder.parent / "more", {"01.md": step_file("sequel", 1)})
    course = more / "course.toml"
    course.write_text(course.read_text().replace('slug = "calm"', 'slug = "more"'))
    with session_scope(desk.sessions) as session:
        publish_folder(session, more, desk.start)
    rule = f"when = '{when}'\n" if when else ""
    desk.edit("course.toml", "[sender]", f'[[then]]\ncourse = "more"\n{rule}[sender]')
    desk.publish()
    with session_scope(desk.sessions) as session:
        plan = load_plan(session, get_course(session, "calm").id)
        setting = setting_of(session, plan, "calm")
    ada = replace(read_people(people)[0], answers={3: ("too-hard",)})
    found = simulate(plan, {}, [ada], desk.start.date(), 8, setting)
    assert ("more/sequel" in [line.step for line in found.sends]) == follows
    desk.house.enroll(ada.email, ada.zone)
    for day in range(1, 4 * 7):
        desk.live_to(day, hour=9)
        enrollment = next(one for one in enrollments(desk) if one.course_id == plan.id)
        if "end" in [key for _, key, _ in sent(desk)] and not enrollment.answers:
            with session_scope(desk.sessions) as session:
                said = {"answers": {"3": "too-hard"}}
                session.execute(update(Enrollment).where(Enrollment.id == enrollment.id).values(said))
    assert ("sequel" in [key for _, key, _ in sent(desk)]) == follows


def enrollments(desk: Desk) -> list[Enrollment]:
    with session_scope(desk.sessions) as session:
        return list(session.scalars(select(Enrollment)))
