"""A course of two weeks with their check-ins, and what its readers' pages say."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import time
from html import unescape
from pathlib import Path

import httpx
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.db import session_scope
from mailer.models import Course, Delivery, Enrollment, Step, StepKind
from tests.support.cast import step_file, write_course
from tests.support.house import House

CHECKLIST = "::: checklist\n- A glass of water in the morning\n- A walk in the evening\n:::"
CLOSING = "You told us of {{ progress.weeks_done }} of {{ progress.weeks }} weeks.\n\n::: summary\n:::"


def write_weeks(folder: Path) -> Path:
    """Week 1 on day 1, a lesson on day 4, week 2 on day 8, a closing that sums up on day 15."""
    files = {
        "01-week-1.md": _week_file("week-1", 1, 1),
        "02-rest.md": step_file("rest", 4),
        "03-week-2.md": _week_file("week-2", 8, 2),
        "04-closing.md": step_file("closing", 15, body=CLOSING),
    }
    write_course(folder, files)
    toml = folder / "course.toml"
    toml.write_text(toml.read_text(encoding="utf-8").replace("days = 7", "days = 20"), encoding="utf-8")
    return folder


def _week_file(key: str, day: int, week: int) -> str:
    text = step_file(key, day, body=CHECKLIST, kind="protocol")
    return text.replace("day: ", f"week: {week}\nday: ", 1)


def add_easier(session: Session, course: Course, key: str) -> None:
    """An easier version of this course's step."""
    step = session.scalars(select(Step).where(Step.course_id == course.id, Step.key == key)).one()
    session.add(
        Step(
            course_id=course.id,
            key=f"{key}-easier",
            kind=StepKind.PROTOCOL,
            day=step.day,
            send_time=time(8),
            week=step.week,
            subject=f"Easier than {key}",
            source_digest="",
            message_id=step.message_id,
            easier_than=key,
        )
    )


@dataclass
class Pages:
    """What a reader sees and does; `address` is the application's."""

    house: House
    address: str
    client: httpx.Client = field(default_factory=httpx.Client)

    def path(self, email_step: str, page: str) -> str:
        """The address of a page that the newest mail of this step links to."""
        with session_scope(self.house.sessions) as session:
            delivery_id = session.scalars(
                select(Delivery.id)
                .outerjoin(Step, Step.id == Delivery.step_id)
                .where((Step.key == email_step) | (Delivery.kind == email_step))
                .order_by(Delivery.id.desc())
            ).first()
        assert delivery_id is not None, email_step
        return f"/m/{self.house.post.signer.delivery_token(delivery_id)}/{page}"

    def look(self, email_step: str, page: str) -> str:
        """The words of a page."""
        answer = self.client.get(self.address + self.path(email_step, page))
        assert answer.status_code == 200, answer.text
        return words(answer.text)

    def tell(self, email_step: str, answer: str, **fields: str) -> str:
        """Press a button of the check-in; the words of the page that follows."""
        address = self.address + self.path(email_step, "check-in")
        return words(self.client.post(address, data={"answer": answer, **fields}).text)

    def enrollment(self) -> Enrollment:
        """The only enrollment, as it is now."""
        with session_scope(self.house.sessions) as session:
            found = session.scalars(select(Enrollment)).one()
            session.expunge(found)
            return found


def words(html: str) -> str:
    """The text of a page's main part, blanks made one."""
    main = html.partition("<main")[2].partition("</main>")[0]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", main[main.index(">") + 1 :])).split())
