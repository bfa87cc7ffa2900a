"""`steadypost demo`: the sample course, lived through in about a minute and a half, on real parts."""

from __future__ import annotations

import threading
import time
from datetime import datetime, timedelta
from secrets import token_urlsafe
from typing import Annotated

import typer
from sqlalchemy.orm import Session

from mailer.accounts.operators import add_operator
from mailer.accounts.rights import at_the_machine
from mailer.accounts.sessions import session_now
from mailer.audience.lists import Evidence, get_list
from mailer.audience.subscribers import Person, get_subscriber
from mailer.cli.delivery import print_statement
from mailer.cli.demo_cast import CAST
from mailer.cli.demo_driver import Driver
from mailer.cli.demo_screen import Screen
from mailer.cli.show import console, count, say
from mailer.cli.stack import Stack
from mailer.cli.up import stop_on_signals
from mailer.clock import real_now
from mailer.db import Sessions, make_engine, make_sessions, session_scope, step_clock
from mailer.embedded.mailbox.store import MailStore, StoredMail
from mailer.launch.check import check_course
from mailer.launch.publish import publish
from mailer.models import Course, DeliveryState, Role
from mailer.queue import Broker
from mailer.reports.flow import people_by_state
from mailer.reports.statement import courses_statement
from mailer.schedule.courses import get_course
from mailer.schedule.enroll import enroll
from mailer.schedule.signup import sign_up
from mailer.settings import PROJECT, Settings, load_settings

SAMPLES = PROJECT / "templates" / "courses"
SLUG, FOLLOWING = "neck-and-shoulder", "keeping-it-up"
OWNER = "owner@demo.example"
BEGAN_AGO = timedelta(days=64)
"""The demo's weeks have just ended when it is watched, so that its mails bear believable dates."""

app = typer.Typer()


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="End when the course has ended.")] = False,
    seconds: Annotated[float, typer.Option(min=0, help="About how long it all takes.")] = 90.0,
) -> None:
    """Live through the sample course's 30 days, and what follows it, with readers in several time zones."""
    asked = load_settings()
    # Its own data folder and its own servers: the demo never touches what is in use.
    settings = Settings(data_dir=asked.data_dir / "demo")
    stopping = stop_on_signals()
    stack = Stack(settings, say, is_demo=True)
    with console.status("Starting PostgreSQL, Redis, the workers and the mailbox…"):
        stack.start()
    try:
        is_balanced = _Demo(stack, seconds).play(stopping)
        if not once and not stopping.is_set():
            say(f"Read the mails at {stack.mailbox_url}; Ctrl-C ends the demo.")
            while not stopping.wait(1):
                stack.look_after()
    finally:
        stack.stop()
        say("Everything is stopped.")
    # Whoever ends the demo by hand has seen enough of it; that is no failure.
    raise typer.Exit(0 if is_balanced or (stopping.is_set() and not once) else 1)


class _Demo:
    """One performance."""

    def __init__(self, stack: Stack, seconds: float) -> None:
        self._stack = stack
        self._seconds = seconds
        self._sessions: Sessions = make_sessions(make_engine(str(stack.settings.database_url)))
        self._broker = Broker(str(stack.settings.redis_url))
        self._store = MailStore(stack.mailbox_dir)
        self._shown = 0
        self._start = (real_now() - BEGAN_AGO).replace(hour=6, minute=0, second=0, microsecond=0)

    def play(self, stopping: threading.Event) -> bool:
        """Set the scene, live through it, and print the statement; whether it balances."""
        course, following = self._set_scene()
        days = course.days + following.days
        say(f"{count(len(CAST), 'reader')} signed up for “{course.title}” ({count(course.days, 'day')}).")
        say(f"Whoever finishes it goes on with “{following.title}” ({count(following.days, 'day')}).")
        say(f"Mailbox: {self._stack.mailbox_url}   Desk: {self._stack.settings.base_url}/desk")
        say(f"Sign in at the desk as {OWNER} with the password {self._open_desk()}")
        began = time.monotonic()
        with Screen(days, self._stack.mailbox_url, self._broker.depths) as screen:
            driver = Driver(
                self._sessions,
                self._broker,
                self._store,
                self._start,
                on_moment=lambda: self._show(screen, driver, course, following),
                on_wish=lambda reader, wish: screen.note(driver.at, reader, wish),
            )
            length = timedelta(days=days + 11)  # one reader pauses for a week, another has one twice

            def pause(_from: datetime, to: datetime) -> None:
                share = (to - self._start) / length
                stopping.wait(max(0.0, began + share * self._seconds - time.monotonic()))

            driver.run(stopping.is_set, pause)
        if stopping.is_set():
            say("Stopped before the end.")
            return False
        return self._print_statement((course, following), driver.at)

    def _open_desk(self) -> str:
        """Give the demo's owner a login; returns the password, another one each time."""
        password = token_urlsafe(12)
        with session_scope(self._sessions) as session:
            me = at_the_machine("demo")
            add_operator(session, me, OWNER, Role.OWNER, session_now(session), name="Demo", password=password)
        return password

    def _set_scene(self) -> tuple[Course, Course]:
        with session_scope(self._sessions, self._broker.wake) as session:
            step_clock(session, self._start)
            # What follows has to be there first.
            following, course = (self._publish(session, slug) for slug in (FOLLOWING, SLUG))
            for reader in CAST:
                self._sign_up(session, course, reader.email, reader.name, reader.language, reader.zone)
        return course, following

    def _publish(self, session: Session, slug: str) -> Course:
        compiled, problems = check_course(SAMPLES / slug)
        if compiled is None:
            raise RuntimeError(f"the sample course is broken: {problems}")
        publish(session, compiled, self._start)
        return get_course(session, slug)

    def _sign_up(
        self, session: Session, course: Course, email: str, name: str, language: str, zone: str
    ) -> None:
        person = Person(email, name, language, zone)
        evidence = Evidence(wording=course.consent, source="demo")
        sign_up(session, person, get_list(session, SLUG), evidence, self._start)
        enroll(session, course, get_subscriber(session, email), self._start)

    def _show(self, screen: Screen, driver: Driver, course: Course, following: Course) -> None:
        with session_scope(self._sessions) as session:
            states = people_by_state(session, course.id)
            for email, state in people_by_state(session, following.id).items():
                states[email] = f"{state} in “{following.title}”"
        screen.update(driver.start, driver.at, driver.next_at, self._arrived(), states)

    def _arrived(self) -> list[StoredMail]:
        """The mails that came in since the last look, oldest first."""
        mails = [mail for mail in self._store.messages() if mail.number > self._shown]
        mails.sort(key=lambda mail: mail.number)
        self._shown = mails[-1].number if mails else self._shown
        return mails

    def _print_statement(self, courses: tuple[Course, ...], at: datetime) -> bool:
        """The ledger's statement, held against what really lies in the mailbox."""
        with session_scope(self._sessions) as session:
            statement = courses_statement(session, courses, at)
        ids = [mail.message_id for mail in self._store.messages()]
        accepted = statement.states[DeliveryState.ACCEPTED]
        say("")
        result = statement.with_mailbox(arrived=len(ids), different=len(set(ids)))
        print_statement(result)
        say(f"{count(len(ids), 'mail')} in the mailbox, {accepted} accepted by it.")
        return result.is_balanced
