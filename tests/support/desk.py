"""An author's desk: a course folder that is changed and published while people are in the course."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import select

from mailer.db import Sessions, session_scope, step_clock
from mailer.delivery.batch import Post
from mailer.delivery.journal import Journal
from mailer.delivery.transports.server import SmtpServer
from mailer.delivery.transports.smtp_pool import SmtpPool
from mailer.launch.check import CompiledCourse, check_course
from mailer.launch.publish import Plan, plan_publication, publish
from mailer.links import Signer
from mailer.models import Delivery, Enrollment, Step, Subscriber
from mailer.reports.flow import next_moment
from mailer.reports.statement import Statement, course_statement
from mailer.schedule.courses import get_course
from tests.support.cast import step_file, write_course
from tests.support.house import House
from tests.support.scripted_smtp import ScriptedSmtp, scripted_smtp

CALM = {"hello": 1, "rest": 2, "walk": 4}
"""The course that is published to begin with: each step's key and day."""


@dataclass
class Desk:
    """The folder, and the house in which it is published; `start` is the house's first moment, day 0."""

    folder: Path
    house: House
    server: ScriptedSmtp
    start: datetime

    @property
    def sessions(self) -> Sessions:
        return self.house.sessions

    def write(self, days: dict[str, int], **bodies: str) -> None:
        """Write the folder anew: steps by key and day, in the order given; `bodies` are other texts."""
        write_course(
            self.folder,
            {
                f"{number:02}-{key}.md": step_file(key, day, body=bodies.get(key, "One idea."))
                for number, (key, day) in enumerate(days.items(), start=1)
            },
        )

    def edit(self, name: str, old: str, new: str) -> None:
        """Change one file."""
        path = self.folder / name
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    def compiled(self) -> CompiledCourse:
        compiled, problems = check_course(self.folder)
        assert compiled is not None, problems
        return compiled

    def plan(self) -> Plan:
        """What publishing the folder would do."""
        compiled = self.compiled()
        with session_scope(self.sessions) as session:
            return plan_publication(session, compiled, self.house.at)

    def changes(self) -> list[tuple[str, str, str, int]]:
        """The same as plain rows."""
        return [(change.kind, change.key, change.what, change.reached) for change in self.plan().changes]

    def publish(self) -> Plan:
        compiled = self.compiled()
        with session_scope(self.sessions) as session:
            return publish(session, compiled, self.house.at)

    def live_to(self, day: int, hour: int = 9) -> None:
        """Live on until this hour (UTC) of a course day, every mail leaving as it is due."""
        self.go_through(self.start.replace(hour=hour, minute=0) + timedelta(days=day))

    def go_through(self, until: datetime) -> None:
        """Jump from one moment at which something is due to the next, and then to `until`."""
        self.house.send()
        while self.house.at < until:
            with session_scope(self.sessions) as session:
                following = next_moment(session)
            self.house.go_to(min(following or until, until))
            self.house.send()

    def mails_of(self, email: str) -> list[str]:
        """What somebody was planned to get, step by step; the welcome is left out."""
        with session_scope(self.sessions) as session:
            keys = session.execute(
                select(Step.key)
                .join(Delivery, Delivery.step_id == Step.id)
                .join(Subscriber, Subscriber.id == Delivery.subscriber_id)
                .where(Subscriber.email == email)
                .order_by(Delivery.created_at, Delivery.id)
            )
            return list(keys.scalars())

    def enrollment_of(self, email: str) -> Enrollment:
        with session_scope(self.sessions) as session:
            return session.execute(
                select(Enrollment)
                .join(Subscriber, Subscriber.id == Enrollment.subscriber_id)
                .where(Subscriber.email == email)
            ).scalar_one()

    def statement(self) -> Statement:
        with session_scope(self.sessions) as session:
            return course_statement(session, get_course(session, "calm"), self.house.at)


@contextmanager
def author_at_work(sessions: Sessions, signer: Signer, start: datetime, folder: Path) -> Iterator[Desk]:
    """A desk with the course "calm" published, its clock standing at `start`, and mail leaving for real."""
    with scripted_smtp() as server:
        pool = SmtpPool(SmtpServer.from_url(server.url), conversations=1)
        with session_scope(sessions) as session:
            step_clock(session, start)
        journals = folder.parent / "journal"
        post = Post(sessions, lambda _: pool, Journal(journals), signer, "http://mail.test")
        house = House(sessions, post, start, journals)
        desk = Desk(folder, house, server, start)
        desk.write(CALM)
        desk.publish()
        yield desk
        pool.close()
