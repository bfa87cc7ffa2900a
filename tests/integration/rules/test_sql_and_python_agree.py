"""Whatever is asked of whomever, PostgreSQL and Python give the same answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.db import Sessions
from mailer.models import (
    CheckIn,
    Click,
    Course,
    Delivery,
    DeliveryState,
    Enrollment,
    Lane,
    MailingList,
    Message,
    Sender,
    Step,
    Subscriber,
    Subscription,
    Verdict,
)
from mailer.rules import CourseFact, Facts, Rule, as_sql, holds, parse
from mailer.rules.facts import WHERE_OF
from mailer.rules.model import All, Not, Some

NOW = datetime(2027, 3, 31, 12, tzinfo=UTC)
LISTS, COURSES, STEPS = ("news", "calm"), ("calm", "other"), ("hello", "rest")
TAGS = ("vip", "o'brien; drop table subscribers;--", "ä")
FIELDS = ("city", "age", "member", "renewal")
VALUES: tuple[Any, ...] = (
    *("Bristol", "bristol", "ÄRZTE", "ärzte", "", "2027-03-31", "2027-04-03", "40", "yes"),
    *(40, 40.5, -1, True, False, None),
)
ATOMS = (
    *(f'tag "{name}"' for name in TAGS),
    *(f'on list "{name}"' for name in (*LISTS, "nowhere")),
    *('joined list "news" within 7 days', 'joined list "news" more than 7 days ago'),
    *(
        'field city is "Bristol"',
        'field city contains "RIS"',
        'field city contains "ÄR"',
        """field city is "x' or '1'='1" """,
        "field city is set",
        'field city is not "Bristol"',
    ),
    *("field age is 40", "field age >= 40", "field age < 40.25", "field member is yes", "field member is no"),
    *("field renewal is today", "field renewal is in 3 days", "field renewal >= 2027-04-01"),
    *("field city >= 2027-01-01", 'language is "de"', 'zone is "Europe/Lisbon"'),
    *('enrolled in "calm"', 'enrolled in "calm" within 7 days', 'finished "calm" more than 7 days ago'),
    *('stopped "other"', 'reached step "rest" of "calm"', 'answered "not-yet" to week 1 of "calm"'),
    *('clicked "https://a.example" within 7 days', "clicked anything", "mailed within 7 days"),
)
MOMENTS = st.sampled_from((0, 1, 6, 8, 30)).map(lambda days: NOW - timedelta(days=days))


@dataclass(frozen=True)
class Somebody:
    tags: frozenset[str]
    fields: dict[str, Any]
    language: str | None
    zone: str | None
    lists: dict[str, tuple[str, datetime]]
    courses: dict[str, tuple[str, datetime]]
    steps: frozenset[tuple[str, str]]
    answers: tuple[tuple[str, str], ...]
    clicks: tuple[tuple[str, datetime, str], ...]


PEOPLE = st.builds(
    Somebody,
    tags=st.frozensets(st.sampled_from(TAGS)),
    fields=st.dictionaries(st.sampled_from(FIELDS), st.sampled_from(VALUES)),
    language=st.sampled_from((None, "de", "de-AT", "den", "en")),
    zone=st.sampled_from((None, "Europe/Lisbon", "Etc/UTC")),
    lists=st.dictionaries(
        st.sampled_from(LISTS), st.tuples(st.sampled_from(("active", "pending", "ended")), MOMENTS)
    ),
    courses=st.dictionaries(
        st.sampled_from(COURSES),
        st.tuples(st.sampled_from(("waiting", "active", "finished", "stopped")), MOMENTS),
    ),
    steps=st.frozensets(st.tuples(st.just("calm"), st.sampled_from(STEPS))),
    answers=st.lists(
        st.tuples(st.just("calm"), st.sampled_from(("done", "not-yet", "too-hard"))), max_size=2
    ).map(tuple),
    clicks=st.lists(
        st.tuples(
            st.sampled_from(("https://a.example/x", "https://b.example")),
            MOMENTS,
            st.sampled_from(("person", "machine")),
        ),
        max_size=2,
    ).map(tuple),
)
RULES: st.SearchStrategy[Rule] = st.recursive(
    st.sampled_from(ATOMS).map(parse),
    lambda rules: st.one_of(
        rules.map(Not),
        st.lists(rules, min_size=1, max_size=3).map(lambda parts: All(tuple(parts))),
        st.lists(rules, min_size=1, max_size=3).map(lambda parts: Some(tuple(parts))),
    ),
    max_leaves=5,
)


@pytest.fixture
def house(sessions: Sessions) -> Iterator[Session]:
    """A session with the lists, courses and steps that rules name; all is undone."""
    with sessions() as session:
        sender = Sender(slug="s", name="S", email="s@s.example", postal_address="12 Quiet Lane")
        message = Message(source="x", language="en", digest="", subject="", html="", text="")
        session.add_all([sender, message, *(MailingList(slug=slug, title=slug) for slug in LISTS)])
        session.flush()
        list_id = session.execute(select(MailingList.id).where(MailingList.slug == "news")).scalar_one()
        for slug in COURSES:
            session.add(
                Course(
                    slug=slug,
                    title=slug,
                    language="en",
                    zone="Etc/UTC",
                    days=9,
                    list_id=list_id,
                    sender_id=sender.id,
                )
            )
        session.flush()
        course_id = _id(session, Course, "calm")
        for day, key in enumerate(STEPS, start=1):
            session.add(
                Step(
                    course_id=course_id,
                    key=key,
                    kind="lesson",
                    day=day,
                    send_time=time(8),
                    subject="",
                    source_digest="",
                    message_id=message.id,
                )
            )
        session.flush()
        yield session
        session.rollback()


@settings(
    max_examples=60,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking over a database takes minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(PEOPLE, min_size=1, max_size=4), st.lists(RULES, min_size=6, max_size=12))
def test_sql_and_python_agree(house: Session, people: list[Somebody], rules: list[Rule]) -> None:
    undone = house.begin_nested()
    try:
        ids = [_put(house, person, number) for number, person in enumerate(people)]
        columns = [as_sql(rule, NOW).label(f"r{number}") for number, rule in enumerate(rules)]
        rows = house.execute(select(Subscriber.id, *columns).where(Subscriber.id.in_(ids))).all()
    finally:
        undone.rollback()
        house.expunge_all()
    found = {who: tuple(met) for who, *met in rows}
    for number, person in zip(ids, people, strict=True):
        expected = tuple(holds(rule, _facts(person), NOW) for rule in rules)
        assert found[number] == expected, (person, rules)


def test_each_condition_is_met_by_somebody_and_not_by_somebody_else(house: Session) -> None:
    # The property above would hold of conditions that nobody ever meets.
    nobody = Facts()
    met = {atom: holds(parse(atom), _facts(EVERYTHING), NOW) for atom in ATOMS}
    never = [atom for atom, is_met in met.items() if not is_met]
    assert never == [
        'on list "nowhere"',
        'joined list "news" more than 7 days ago',
        'field city contains "ÄR"',
        """field city is "x' or '1'='1" """,
        'field city is not "Bristol"',
        "field member is no",
        "field renewal is in 3 days",
        "field renewal >= 2027-04-01",
        "field city >= 2027-01-01",
        'enrolled in "calm"',
        'enrolled in "calm" within 7 days',
    ]
    assert [atom for atom in ATOMS if holds(parse(atom), nobody, NOW)] == ['field city is not "Bristol"']


def test_whose_course_began_anew_is_in_it_since_then(house: Session) -> None:
    began = NOW - timedelta(days=2)
    anew = replace(EVERYTHING, courses={"calm": ("active", began)}, answers=())
    who = _put(house, anew, 1)  # the row was made twenty days before that
    rules = [parse(f'enrolled in "calm" {span}') for span in ("within 7 days", "more than 7 days ago")]
    row = house.execute(select(*(as_sql(rule, NOW) for rule in rules)).where(Subscriber.id == who)).one()
    assert tuple(row) == tuple(holds(rule, _facts(anew), NOW) for rule in rules) == (True, False)


EVERYTHING = Somebody(
    tags=frozenset(TAGS),
    fields={"city": "Bristol", "age": 40, "member": True, "renewal": "2027-03-31"},
    language="de-AT",
    zone="Europe/Lisbon",
    lists=dict.fromkeys(LISTS, ("active", NOW)),
    courses={"calm": ("finished", NOW - timedelta(days=30)), "other": ("stopped", NOW)},
    steps=frozenset({("calm", "rest")}),
    answers=(("calm", "not-yet"),),
    clicks=(("https://a.example/x", NOW, "person"),),
)


def _id(session: Session, model: Any, slug: str) -> int:
    found: int = session.execute(select(model.id).where(model.slug == slug)).scalar_one()
    return found


def _put(session: Session, person: Somebody, number: int) -> int:
    """Write somebody down as the tables have them."""
    email = f"reader-{number}@reader.example"
    subscriber = Subscriber(
        email=email,
        email_key=email,
        tags=sorted(person.tags),
        fields={key: value for key, value in person.fields.items() if value is not None},
        language=person.language,
        zone=person.zone,
    )
    session.add(subscriber)
    session.flush()
    who = subscriber.id
    for slug, (state, at) in person.lists.items():
        list_id = _id(session, MailingList, slug)
        session.add(Subscription(subscriber_id=who, list_id=list_id, state=state, changed_at=at))
    for slug, (state, at) in person.courses.items():
        ended = at if state in ("finished", "stopped") else None
        # Every other person confirmed, or started over, long after the row was made.
        began = {"created_at": at - timedelta(days=20), "begun_at": at} if number % 2 else {"created_at": at}
        course_id = _id(session, Course, slug)
        session.add(Enrollment(subscriber_id=who, course_id=course_id, state=state, ended_at=ended, **began))
    for course, key in person.steps:
        step = session.execute(select(Step.id).where(Step.key == key)).scalar_one()
        course_id = _id(session, Course, course)
        session.add(_mail(session, who, course_id, step))
    enrollment = Enrollment(
        subscriber_id=who, course_id=_id(session, Course, "calm"), state="waiting", created_at=NOW
    )
    if person.answers and "calm" not in person.courses:
        session.add(enrollment)
    session.flush()
    for minutes, (course, answer) in enumerate(person.answers):
        session.add(
            CheckIn(
                enrollment_id=session.execute(
                    select(Enrollment.id).where(
                        Enrollment.subscriber_id == who, Enrollment.course_id == _id(session, Course, course)
                    )
                ).scalar_one(),
                subscriber_id=who,
                course_id=_id(session, Course, course),
                week=1,
                answer=answer,
                at=NOW + timedelta(minutes=minutes),
            )
        )
    for url, at, verdict in person.clicks:
        session.add(
            Click(
                at=at,
                delivery_id=1,
                subscriber_id=who,
                message_id=1,
                source="x",
                link=0,
                url=url,
                method="GET",
                verdict=verdict,
            )
        )
    session.flush()
    return who


_numbers = iter(range(1, 10_000_000))


def _mail(session: Session, who: int, course_id: int, step_id: int) -> Delivery:
    number = next(_numbers)
    return Delivery(
        id=number,
        subscriber_id=who,
        message_id=1,
        list_id=1,
        course_id=course_id,
        step_id=step_id,
        due_at=NOW,
        next_attempt_at=NOW,
        settled_at=NOW - timedelta(days=3),
        dedup_key=f"test:{number}",
        kind="step",
        lane=Lane.COURSE,
        source="course:1",
        state=DeliveryState.ACCEPTED,
    )


def _facts(person: Somebody) -> Facts:
    """The same as values."""
    return Facts(
        tags=person.tags,
        fields={key: value for key, value in person.fields.items() if value is not None},
        language=person.language or "",
        zone=person.zone or "",
        lists={slug: at for slug, (state, at) in person.lists.items() if state == "active"},
        courses={
            slug: CourseFact(WHERE_OF[state], at)
            for slug, (state, at) in person.courses.items()
            if state in WHERE_OF
        },
        steps=person.steps,
        answers={(course, 1): answer for course, answer in person.answers},
        clicks=tuple((url, at) for url, at, verdict in person.clicks if verdict == Verdict.PERSON),
        mailed_at=NOW - timedelta(days=3) if person.steps else None,
    )
