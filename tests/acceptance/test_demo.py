"""The demo as a newcomer runs it: a course and its follow-up, balanced, and nothing left behind."""

from __future__ import annotations

import re
import signal
import socket
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime
from email.message import EmailMessage
from itertools import pairwise
from pathlib import Path

import httpx
import psutil
import pytest

from mailer.cli.demo import SAMPLES, SLUG
from mailer.cli.demo_cast import CAST, HALFWAY, Reader, Wish
from mailer.cli.stack import MAILBOX_PORT
from mailer.content.course_folder import read_draft
from mailer.embedded.mailbox.store import MailStore
from mailer.embedded.ports import LOOPBACK, PortClaims
from mailer.launch.draft_plan import plan_of
from mailer.launch.invented import Invented
from mailer.launch.simulate import Setting, simulate
from mailer.rules import parse
from tests.support.servers import short_folder
from tests.support.stack import running, start

STEPS, LETTERS_AFTER = 22, 3
FOLLOW_UP = "Keeping it up"


def does(reader: Reader, wish: Wish) -> bool:
    return any(wish == wanted for _, wanted in reader.wishes)


def letters(mails: list[EmailMessage]) -> list[EmailMessage]:
    """Of a reader's mails those of the two courses, without the confirmation and the two welcomes."""
    return [mail for mail in mails[2:] if FOLLOW_UP not in mail["Subject"]]


def day_of(mail: EmailMessage) -> date:
    moment: datetime = mail["Date"].datetime
    return moment.date()


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    with short_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def performance(data_dir: Path) -> str:
    """One whole performance; what it printed."""
    done = start(data_dir, "demo", "--once", "--seconds", "0")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def inboxes(data_dir: Path, performance: str) -> dict[str, list[EmailMessage]]:
    """What each address received, in order."""
    store = MailStore(data_dir / "demo" / "mailbox")
    found: dict[str, list[EmailMessage]] = defaultdict(list)
    for mail in sorted(store.messages(), key=lambda mail: mail.number):
        for recipient in mail.recipients:
            found[recipient].append(store.parsed(mail.number))
    return found


def test_the_statement_balances(performance: str) -> None:
    assert "missing: 0" in performance
    assert "duplicates: 0" in performance
    assert "The statement balances." in performance


def test_every_active_reader_gets_confirmation_welcome_and_all_steps(
    inboxes: dict[str, list[EmailMessage]],
) -> None:
    for reader in CAST:
        if reader.confirms_after is not None and not does(reader, Wish.LEAVE):
            # Who was not ready for week 2 had week 1 once more. The follow-up has a welcome of its own.
            course = 2 + STEPS + does(reader, Wish.NOT_YET)
            assert len(inboxes[reader.email]) == course + 1 + LETTERS_AFTER, reader.name


def test_whoever_finishes_goes_on_with_the_follow_up_a_letter_a_week(
    inboxes: dict[str, list[EmailMessage]],
) -> None:
    for reader in CAST:
        if reader.confirms_after is None or does(reader, Wish.LEAVE):
            assert not any(FOLLOW_UP in mail["Subject"] for mail in inboxes[reader.email])
            continue
        last, *after = letters(inboxes[reader.email])[-1 - LETTERS_AFTER :]
        (welcome,) = [mail for mail in inboxes[reader.email] if FOLLOW_UP in mail["Subject"]]
        # The course is finished as its last letter is planned; that day is the follow-up's day 0.
        assert day_of(welcome) == day_of(last)
        assert [(day_of(mail) - day_of(last)).days for mail in after] == [7, 14, 21]


def test_nobody_gets_a_mail_twice(inboxes: dict[str, list[EmailMessage]]) -> None:
    ids = [mail["Message-ID"] for mails in inboxes.values() for mail in mails]
    assert len(ids) == len(set(ids))
    again = {reader.email for reader in CAST if does(reader, Wish.NOT_YET)}
    for email, mails in inboxes.items():
        subjects = [mail["Subject"] for mail in mails]
        assert len(subjects) - len(set(subjects)) == (email in again)


def test_gitas_week_comes_once_more_gently_and_the_rest_a_week_later(
    inboxes: dict[str, list[EmailMessage]],
) -> None:
    (gita,) = [reader for reader in CAST if does(reader, Wish.NOT_YET)]
    first, again, following = [mail for mail in inboxes[gita.email] if mail["Subject"].startswith("Week ")][
        :3
    ]
    assert first["Subject"] == again["Subject"] != following["Subject"]
    # Week 2 belongs on day 9, a week after week 1: instead of it comes week 1, and it a week later.
    days = [day_of(mail) for mail in (first, again, following)]
    assert [(later - days[0]).days for later in days] == [0, 7, 14]


def test_danas_pause_puts_the_rest_of_her_course_off_by_a_week(
    inboxes: dict[str, list[EmailMessage]],
) -> None:
    (dana,) = [reader for reader in CAST if does(reader, Wish.PAUSE)]
    days = [day_of(mail) for mail in letters(inboxes[dana.email])[:STEPS]]
    assert max((later - earlier).days for earlier, later in pairwise(days)) >= 7
    assert (days[-1] - days[0]).days >= 29 + 7


def test_emi_gets_the_next_lesson_as_soon_as_she_asks(inboxes: dict[str, list[EmailMessage]]) -> None:
    (emi,) = [reader for reader in CAST if does(reader, Wish.NEXT)]
    days = [day_of(mail) for mail in letters(inboxes[emi.email])]
    # Her third lesson and the one she asked for.
    assert days[3] == days[2]


def test_every_lesson_comes_at_eight_in_the_readers_own_zone_on_a_day_of_its_own(
    inboxes: dict[str, list[EmailMessage]],
) -> None:
    for reader in CAST:
        lessons = [mail["Date"].datetime for mail in letters(inboxes[reader.email])]
        asked = does(reader, Wish.NEXT)
        assert {moment.strftime("%H:%M") for moment in lessons} <= {"08:00"}, reader.name
        assert len({moment.date() for moment in lessons}) == len(lessons) - asked


def test_everybody_gets_what_the_simulation_says_of_them_until_they_ask_for_something_else(
    inboxes: dict[str, list[EmailMessage]],
) -> None:
    source, problems = read_draft(SAMPLES / SLUG)
    assert problems == []
    plan, subjects = plan_of(source), {step.key: step.subject for step in source.steps}
    texts = {step.condition for step in plan.steps} - {""}
    rules = {text: parse(text, plan.slug) for text in texts}
    for reader in CAST:
        if reader.confirms_after is None:
            continue
        start = inboxes[reader.email][0]["Date"].datetime
        answers = {1: tuple(wish.name.lower().replace("_", "-") for _, wish in reader.wishes)}
        person = Invented(
            reader.email,
            zone=reader.zone,
            language=reader.language,
            enrolled_at=start + reader.confirms_after,
            answers=answers if does(reader, Wish.NOT_YET) else {},
        )
        told = simulate(plan, subjects, [person], start.date(), 12, Setting(rules)).sends
        foreseen = [(line.subject, line.local_time[4:20]) for line in told]
        came = [
            (mail["Subject"], f"{mail['Date'].datetime:%Y-%m-%d %H:%M}")
            for mail in letters(inboxes[reader.email])
        ]
        # Their wish comes after so many mails, the confirmation and the welcome among them.
        until = [mails - 2 for mails, wish in reader.wishes if wish not in (Wish.NOT_YET, Wish.DONE)]
        same = min([*until, len(told)])
        assert came[:same] == foreseen[:same], reader.name
        assert until or len(told) == STEPS + does(reader, Wish.NOT_YET)


def test_ben_gets_nothing_after_he_left_halfway(inboxes: dict[str, list[EmailMessage]]) -> None:
    (ben,) = [reader for reader in CAST if does(reader, Wish.LEAVE)]
    assert len(inboxes[ben.email]) == HALFWAY


def test_cleo_whose_address_bounces_is_not_tried_again(
    performance: str, inboxes: dict[str, list[EmailMessage]]
) -> None:
    (cleo,) = [reader for reader in CAST if reader.confirms_after is None]
    assert not inboxes[cleo.email]
    assert re.search(r"bounced +1\b", performance)


def test_each_mail_can_be_left_with_one_click_and_has_a_text_part(
    inboxes: dict[str, list[EmailMessage]],
) -> None:
    for mail in inboxes["ada@reader.example"][1:]:
        assert mail["List-Unsubscribe"].startswith("<http")
        assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        text, html = mail.get_body(("plain",)), mail.get_body(("html",))
        assert text is not None
        assert html is not None
        assert "Hello Ada," in text.get_content()
        assert len(html.get_content()) < 60_000


def test_nothing_of_it_runs_on(performance: str, data_dir: Path) -> None:
    left = [
        process
        for process in psutil.process_iter(["cmdline", "environ"])
        if str(data_dir) in " ".join(process.info["cmdline"] or [])
        or (process.info["environ"] or {}).get("STEADYPOST_DATA_DIR", "").startswith(str(data_dir))
    ]
    assert left == []


def test_a_second_run_steps_around_busy_ports_and_ctrl_c_leaves_nothing(
    performance: str, data_dir: Path
) -> None:
    with socket.socket() as busy:
        # Another test's stack may be about to listen on 8026; then the next one is as good.
        ports = PortClaims()
        port = ports.take(MAILBOX_PORT)
        busy.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        busy.bind((LOOPBACK, port))
        busy.listen()
        ports.release()
        with running(data_dir, "demo") as demo:
            printed = demo.wait_for("Mailbox: ")
            url = re.search(r"Mailbox: (\S+)", printed)
            assert url is not None
            assert not url[1].endswith(f":{port}")
            demo.until(lambda: httpx.get(f"{url[1]}/api/messages").status_code == 200)
            family = demo.family()
            assert len(family) > 6
            demo.stop(signal.SIGINT)
            assert [member for member in family if member.is_running()] == []
