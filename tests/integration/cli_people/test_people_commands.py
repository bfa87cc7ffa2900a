"""`steadypost subscriber` and `steadypost list` as somebody runs them: what is printed, and how they end."""

from __future__ import annotations

import csv
import json
import os
import subprocess
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from mailer.audience.lists import get_list
from mailer.audience.subscribers import get_subscriber
from mailer.audience.suppression import suppress
from mailer.db import Sessions, session_scope, step_clock
from mailer.feedback.record import confirm_subscription, leave
from mailer.models import Delivery, Subscriber, SuppressionReason
from mailer.schedule.courses import get_course
from tests.support.campaigns import put_people
from tests.support.cast import (
    ADA,
    BEN,
    CLEO,
    join,
    join_course,
    publish_folder,
    subscription_of,
    write_course,
)
from tests.support.commands import run_command

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def steadypost(database_url: str, tmp_path: Path) -> Run:
    """Runs the command; it must end with the exit code `ends`, and a refusal is one sentence on stderr."""

    def run(*arguments: str | Path, ends: int = 0) -> subprocess.CompletedProcess[str]:
        done = run_command(
            [*map(str, arguments)],
            {
                "PATH": os.environ["PATH"],
                "HOME": str(tmp_path),
                "STEADYPOST_DATABASE_URL": database_url,
                "STEADYPOST_SECRET_KEY": "a-secret-for-commands-long-enough-to-be-one",
                "STEADYPOST_DATA_DIR": str(tmp_path / "data"),
            },
            timeout=60,
        )
        assert done.returncode == ends, done.stderr
        assert "Traceback" not in done.stderr
        if ends == 1:
            assert done.stderr.count("\n") == 1, done.stderr
            assert done.stdout == ""
        return done

    return run


@pytest.fixture(autouse=True)
def house(sessions: Sessions, tmp_path: Path, now: datetime) -> None:
    """The course "calm", whose readers confirm, on 2 March 2026."""
    with session_scope(sessions) as session:
        step_clock(session, now)
        publish_folder(session, write_course(tmp_path / "calm", opt_in="double"), now)


@pytest.fixture
def sheet(sessions: Sessions, tmp_path: Path, now: datetime) -> Path:
    """Ada is new, Ben has left, Cleo's address has bounced, and two rows are broken."""
    with session_scope(sessions) as session:
        ben = join(session, BEN, now)
        leave(session, ben.id, get_list(session, "calm").id, source="page", now=now)
        suppress(session, CLEO, SuppressionReason.HARD_BOUNCE, now)
    file = tmp_path / "fair.csv"
    rows = [
        f"{ADA};Ada",
        f"{BEN};Ben",
        f"{CLEO};Cleo",
        "=cmd|' /C calc'!A0;Mallory",
        f"{ADA};Jürgen",
        "x;y;z",
    ]
    file.write_bytes("\r\n".join(["E-Mail;Name", *rows]).encode("cp1252"))
    return file


def values(done: subprocess.CompletedProcess[str]) -> Any:
    return json.loads(done.stdout)


def test_an_import_tells_what_it_did_and_lists_what_it_did_not_take(
    steadypost: Run, sheet: Path, tmp_path: Path, sessions: Sessions
) -> None:
    lines = tmp_path / "not_taken.csv"
    ask = ("subscriber", "import", sheet, "--list", "calm", "--consent", "They ticked the box.")
    told = steadypost(*ask, "--refused-to", lines).stdout
    for line in (
        "fair.csv: 6 rows, read as cp1252 with ;",
        "the encoding is a guess: see whether line 6 is right: Jürgen",
        "2 new people, 1 known ones",
        "1 joined the list, 0 were on it",
        "1 of the new ones get a mail to confirm",
        "1 rows were about somebody named in another row",
        "1 left before and stay away",
        "1 have an address that is not mailed",
        "line 7: x: it has 3 cells for 2 columns",
        f"line 3: {BEN}: left the list on 2026-03-02 and stays away",
    ):
        assert line in told
    with lines.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["line"], row["email"]) for row in rows] == [
        ("3", BEN),
        ("4", CLEO),
        ("5", "'=cmd|' /C calc'!A0"),  # shown by a spreadsheet, not run
        ("7", "x"),
    ]
    assert all(row["reason"] for row in rows)

    again = values(steadypost(*ask, "--json"))
    assert (again["joined"], again["new_people"], again["already_on_list"], again["pending"]) == (0, 0, 1, 0)
    assert [row["line"] for row in again["refused"]] == [5, 7]
    with session_scope(sessions) as session:
        # Ben's from before, and Ada's.
        assert session.scalar(select(func.count()).select_from(Delivery)) == 2


def test_an_import_that_is_refused_does_nothing(
    steadypost: Run, sheet: Path, tmp_path: Path, sessions: Sessions
) -> None:
    with session_scope(sessions) as session:
        before = session.scalar(select(func.count()).select_from(Subscriber))
    workbook = tmp_path / "people.xlsx"
    workbook.write_bytes(b"PK\x03\x04")
    words = ("--consent", "They ticked the box.")
    for arguments, sentence in (
        ((sheet, "--list", "calm", "--consent", " "), "Say with --consent"),
        ((workbook, "--list", "calm", *words), "is a workbook"),
        ((sheet, "--list", "calm", *words, "--refused-to", sheet), "name another one"),
        (
            (sheet, "--list", "calm", *words, "--refused-to", tmp_path / "no" / "x.csv"),
            "nothing was imported",
        ),
    ):
        assert sentence in steadypost("subscriber", "import", *arguments, ends=1).stderr
    steadypost("subscriber", "import", sheet, "--list", "calm", ends=2)
    with session_scope(sessions) as session:
        assert session.scalar(select(func.count()).select_from(Subscriber)) == before


def test_adding_somebody_says_what_follows(steadypost: Run, sheet: Path, sessions: Sessions) -> None:
    steadypost("subscriber", "field", "height", "--type", "number")
    on_list = ("--list", "calm", "--consent", "Said so at the fair.")
    ada = ("Ada@Reader.Example", "--name", "Ada", "--zone", "Europe/Lisbon", "--language", "pt_BR")
    more = ("--tag", "VIP", "--tag", "spring", "--field", "height=165")
    assert (
        "Ada@reader.example gets a mail to confirm"
        in steadypost("subscriber", "add", *ada, *more, *on_list).stdout
    )
    assert (
        "is not mailed: hard-bounce on 2026-03-02" in steadypost("subscriber", "add", CLEO, *on_list).stdout
    )
    with session_scope(sessions) as session:
        known = get_subscriber(session, ADA)
        assert (known.name, known.zone, known.language) == ("Ada", "Europe/Lisbon", "pt-BR")
        assert (known.tags, known.fields) == (["spring", "vip"], {"height": 165})


def test_adding_somebody_wrongly_is_one_sentence(steadypost: Run, sessions: Sessions) -> None:
    for arguments, sentence in (
        (("ada", "--name", "Ada"), "write it as name@domain"),
        ((ADA, "--list", "nowhere", "--consent", "Yes."), "There is no list 'nowhere'"),
    ):
        assert sentence in steadypost("subscriber", "add", *arguments, ends=1).stderr
    with session_scope(sessions) as session:
        assert session.scalars(select(Subscriber)).all() == []


def test_support_sees_the_whole_story_of_a_person(steadypost: Run, sessions: Sessions, now: datetime) -> None:
    with session_scope(sessions) as session:
        ben = join_course(session, get_course(session, "calm"), BEN, now, "Europe/Berlin")
        confirm_subscription(session, subscription_of(session, ben).id, "confirm page", now)
        leave(session, ben.id, None, source="unsubscribe page", now=now)
    story = steadypost("subscriber", "show", BEN).stdout
    for line in (
        f"{BEN}  Ben  language -  zone Europe/Berlin",
        "This address is not mailed: they unsubscribed from everything on 2026-03-02 08:00 CET",
        "calm  ended  2026-03-02 08:00 CET",
        "withdrawn  calm  2026-03-02 08:00 CET  unsubscribe page",
        "calm    stopped    0  -          unsubscribed on 2026-03-02 08:00 CET",
        "confirm  2026-03-02 08:00 CET  planned",
    ):
        assert line in story
    told = values(steadypost("subscriber", "show", BEN.upper(), "--json"))
    assert told["lists"] == [["calm", "ended", "2026-03-02 08:00 CET"]]
    assert [consent[0] for consent in told["consents"]] == ["asked", "given", "withdrawn"]
    assert (
        "Nobody here has the address ada@reader.example"
        in steadypost("subscriber", "show", ADA, ends=1).stderr
    )


def test_lists_are_added_and_shown(steadypost: Run, sessions: Sessions, now: datetime) -> None:
    steadypost("list", "add", "letters", "--title", "Letters", "--opt-in", "single")
    assert "cannot name a list" in steadypost("list", "add", "My list", "--title", "x", ends=1).stderr
    with session_scope(sessions) as session:
        join(session, ADA, now)
    nobody = {"active": 0, "pending": 0, "ended": 0, "sender": ""}
    assert values(steadypost("list", "list", "--json")) == [
        nobody | {"slug": "calm", "title": "A calm week", "opt_in": "double", "pending": 1, "sender": "calm"},
        nobody | {"slug": "letters", "title": "Letters", "opt_in": "single"},
    ]
    assert "is needed by course calm" in steadypost("list", "remove", "calm", "--yes", ends=1).stderr
    with session_scope(sessions) as session:
        put_people(session, [1, 2], "letters", now)
    assert (
        "which 2 people then leave? There is no terminal"
        in steadypost("list", "remove", "letters", ends=1).stderr
    )
    gone = steadypost("list", "remove", "letters", "--yes").stdout
    assert gone.strip() == "Deleted the list letters; 2 people left it."
    assert [one["slug"] for one in values(steadypost("list", "list", "--json"))] == ["calm"]


def test_support_sees_and_changes_the_pace_of_a_readers_course(
    steadypost: Run, sessions: Sessions, now: datetime
) -> None:
    with session_scope(sessions) as session:
        ada = join_course(session, get_course(session, "calm"), ADA, now)
        confirm_subscription(session, subscription_of(session, ada).id, "test", now)
    pace = ("subscriber", "pace", ADA, "calm")
    # Monday 2 March, day 0; without a mail that left, the first lesson is the next.
    assert "Next: About hello on 2026-03-03 at 08:00." in steadypost(*pace).stdout
    paused = values(steadypost(*pace, "--pause-until", "2026-03-09", "--json"))
    assert (paused["paused_until"], paused["next_on"]) == ("2026-03-09", "2026-03-10")
    assert paused["change"].startswith("paused until 2026-03-09, by ")
    undone = steadypost(*pace, "--undo").stdout
    assert "Undone: paused until 2026-03-09" in undone
    assert "on 2026-03-03 at 08:00" in undone
    for wrong in (("--pause-until", "soon"), ("--next", "--stop")):
        steadypost(*pace, *wrong, ends=1)
