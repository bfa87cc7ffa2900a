"""The cast: Ada subscribes, Ben has unsubscribed, Cleo's address bounces. And the house they read in."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.audience.lists import Evidence, get_list
from mailer.audience.subscribers import Person, add_subscriber
from mailer.launch.check import check_course
from mailer.launch.publish import publish
from mailer.models import Course, Subscriber, Subscription
from mailer.schedule.courses import get_course
from mailer.schedule.enroll import enroll
from mailer.schedule.signup import sign_up

CONSENT = Evidence(wording="Send me the course.", source="test")
ADA, BEN, CLEO = "ada@reader.example", "ben@reader.example", "cleo+bounce@reader.example"

COURSE_TOML = """\
slug = "calm"
title = "A calm week"
language = "en"
zone = "Europe/London"
list = "calm"
opt_in = "{opt_in}"
consent = "Send me the course."
days = 7
send_time = "08:00"
disclaimer = "For learning only."
[sender]
name = "The Reading Room"
email = "course@steadypost.example"
reply_to = "hello@steadypost.example"
postal_address = "12 Quiet Lane, Bristol"
"""

STEP = """\
---
key: {key}
subject: "{subject}"
preheader: "A short line about {key}"
kind: {kind}
day: {day}
---
# {subject}

{{{{ greeting }}}}

{body}
"""


def step_file(key: str, day: int, subject: str = "", body: str = "One idea.", kind: str = "lesson") -> str:
    """The text of a step file."""
    return STEP.format(key=key, day=day, subject=subject or f"About {key}", body=body, kind=kind)


def write_course(folder: Path, steps: dict[str, str] | None = None, opt_in: str = "single") -> Path:
    """A small course folder: three lessons on days 1, 2 and 4, unless `steps` says otherwise."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.md"):
        old.unlink()
    (folder / "course.toml").write_text(COURSE_TOML.format(opt_in=opt_in), encoding="utf-8")
    chosen = steps or {
        "01-hello.md": step_file("hello", 1),
        "02-rest.md": step_file("rest", 2),
        "03-walk.md": step_file("walk", 4),
    }
    for name, text in chosen.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def publish_folder(session: Session, folder: Path, now: datetime) -> Course:
    """Check and publish; an error in the folder is the test's own mistake."""
    compiled, problems = check_course(folder)
    assert compiled is not None, problems
    publish(session, compiled, now)
    return get_course(session, compiled.source.slug)


def join(
    session: Session, email: str, now: datetime, zone: str = "Europe/London", list_: str = "calm"
) -> Subscriber:
    """Somebody on the list, active or pending as the list's opt-in says."""
    sign_up(
        session,
        Person(email, name=email.split("@")[0].title(), zone=zone),
        get_list(session, list_),
        CONSENT,
        now,
    )
    return add_subscriber(session, Person(email))


def join_course(
    session: Session, course: Course, email: str, now: datetime, zone: str = "Europe/London"
) -> Subscriber:
    """Somebody on the list and in the course."""
    subscriber = join(session, email, now, zone)
    enroll(session, course, subscriber, now)
    return subscriber


def subscription_of(session: Session, subscriber: Subscriber) -> Subscription:
    return session.execute(
        select(Subscription).where(Subscription.subscriber_id == subscriber.id)
    ).scalar_one()
