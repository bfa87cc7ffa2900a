"""Marc imports people from a file: looked at first, done by the workers, followed, and taken back."""

from __future__ import annotations

import os
import time
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path

import httpx
import pytest
from sqlalchemy import func, select

from mailer.audience.fields import declare_field, replace_field
from mailer.audience.import_files import keep_house
from mailer.audience.import_folder import ImportFolder
from mailer.audience.lists import add_list, get_list
from mailer.audience.suppression import suppress
from mailer.db import Sessions, business_now, session_scope, step_clock
from mailer.feedback.record import leave
from mailer.launch import import_files
from mailer.launch.import_files import carry_on
from mailer.models import (
    Action,
    Delivery,
    FieldType,
    ImportFile,
    OptIn,
    Subscriber,
    Subscription,
    SuppressionReason,
)
from mailer.schedule.importing import import_to_list
from mailer.settings import Settings
from tests.support.cast import ADA, BEN, CLEO, join, publish_folder, write_course
from tests.support.staff import Person

# Semicolons, Latin-1 letters, a column nobody knows, Ben who left, Cleo who bounces, and Ada twice.
MESSY = (
    "Adressen;Vorname;Schuhe;Größe\n"
    f"{ADA};Ada;39;170\n{BEN};Ben;44;180\n{CLEO};Cleo;38;165\n"
    "no address;Nora;40;160\ndora@reader.example;Dörte;41;tall\n"
    f"{ADA.upper()};Ada;39;170\njuergen@reader.example;Jürgen;43;182\n"
).encode("latin-1")
BEGIN = {"list": "calm", "wording": "The form at the fair.", "confirmed": "yes", "do": "begin"}
COLUMNS = {"column-0": "email", "column-1": "first_name", "column-2": "", "column-3": "height"}


@pytest.fixture(autouse=True)
def house(sessions: Sessions, tmp_path: Path, now: datetime) -> None:
    with session_scope(sessions) as session:
        publish_folder(session, write_course(tmp_path / "calm", opt_in="double"), now)
        declare_field(session, "height", FieldType.NUMBER)
        leave(session, join(session, BEN, now).id, get_list(session, "calm").id, source="page", now=now)
        suppress(session, CLEO, SuppressionReason.HARD_BOUNCE, now)


def brings(marc: Person, content: bytes = MESSY, name: str = "C:\\fair <2026>.csv") -> httpx.Response:
    marc.get("/desk/imports")
    return marc.client.post(
        "/desk/imports",
        data={"form_key": marc.key},
        files={"file": (name, content, "text/csv")},
        follow_redirects=True,
    )


def works(sessions: Sessions, settings: Settings, seconds: float = 60) -> None:
    while carry_on(sessions, settings.data_dir, lambda: False, seconds):
        pass


def file_now(sessions: Sessions) -> ImportFile:
    with sessions() as session:
        return session.scalars(select(ImportFile).order_by(ImportFile.id.desc()).limit(1)).one()


def readers(sessions: Sessions, state: str = "active") -> list[str]:
    with sessions() as session:
        rows = select(Subscriber.email_key).join(Subscription).where(Subscription.state == state)
        return sorted(session.scalars(rows))


def files(settings: Settings) -> list[str]:
    return sorted(path.name for path in (settings.data_dir / "imports").iterdir())


def test_a_messy_file_is_looked_at_before_anybody_is_added(marc: Person, sessions: Sessions) -> None:
    page = brings(marc)
    assert page.status_code == 200
    assert "fair 2026.csv" in page.text
    # Its encoding is a guess, its addresses are found though no column says so, and shoes mean nothing.
    assert "Is line 6 right?" in page.text
    assert '<option value="email" selected>' in page.text
    assert "Jürgen" in page.text
    assert "The file has 7 rows." in page.text
    assert "1 row would be refused" in page.text
    assert "1 row names somebody who comes before" in page.text
    path = page.url.path
    marc.get(path)
    # With a column as the height, Dörte's "tall" is refused too.
    page = marc.post(path, do="look", **COLUMNS, encoding="cp1252")
    assert "2 rows would be refused" in page.text
    assert "&#39;tall&#39; is not a number value" in page.text
    # Read as Mac text its letters are wrong, and that is seen.
    assert "JŸrgen" not in page.text
    assert "J¸rgen" in marc.post(path, do="look", encoding="mac_roman").text
    assert "is not in utf-8 throughout" in marc.post(path, do="look", encoding="utf-8").text
    # Cut at commas there is one column, and no address stands in it by itself.
    assert "Say which column" in marc.post(path, do="look", encoding="cp1252", delimiter=",").text
    assert readers(sessions) == []


def test_the_workers_import_it_and_the_report_says_what_became_of_each_row(
    marc: Person, rea: Person, sessions: Sessions, settings: Settings
) -> None:
    path = brings(marc).url.path
    marc.get(path)
    for wrong, words in [
        ({"wording": " "}, "evidence of consent"),
        ({"list": ""}, "Choose the list"),
        ({"list": "nowhere"}, "There is no list"),
        ({"column-0": ""}, "Say which column"),
        ({"column-1": "email"}, "two columns that mean `email`"),
    ]:
        assert words in marc.post(path, **{**COLUMNS, **BEGIN, "encoding": "cp1252", **wrong}).text
    assert "Waiting for a worker" in marc.post(path, **COLUMNS, **BEGIN, encoding="cp1252").text
    assert "has begun already" in marc.post(path, **COLUMNS, **BEGIN, encoding="cp1252").text
    works(sessions, settings)
    assert readers(sessions) == [ADA, "juergen@reader.example"]
    name = file_now(sessions).name
    assert files(settings) == [f"{name}.csv"]
    assert marc.client.get(path, params={"part": "progress"}).headers["hx-refresh"] == "true"
    page = marc.get(path).text
    for words in (
        "done",
        "no address",
        "left the list",
        "the address is not mailed",
        "The form at the fair.",
    ):
        assert words in page, words
    report = file_now(sessions).report
    counts = [report[key] for key in ("rows", "refused_rows", "repeated", "people", "joined", "suppressed")]
    # Nora and Dörte are refused; Ada comes twice; Ben has left and Cleo bounces.
    assert counts == [7, 2, 1, 4, 2, 1]
    assert ADA not in str(report)
    csv = marc.client.get(f"{path}/not-taken.csv").text
    assert csv.count("\n") == 1 + 4
    assert ADA not in rea.get(path).text
    assert CLEO not in rea.get(path).text
    assert "fair 2026.csv" in rea.get("/desk/imports").text
    with sessions() as session:
        acts = set(session.scalars(select(Action.what)))
        assert {"import file", "import begin", "import end", "import refused rows"} <= acts
        height = session.scalars(select(Subscriber.fields).where(Subscriber.email_key == ADA)).one()
        assert height == {"height": 170}


def test_a_worker_that_is_killed_or_stopped_goes_on_and_nobody_is_asked_twice(
    marc: Person, sessions: Sessions, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = "".join(f"r{number}@reader.example\n" for number in range(50))
    path = brings(marc, f"email\n{rows}".encode()).url.path
    marc.get(path)
    marc.post(path, **{"list": "calm", "wording": "At the fair.", "do": "begin", "column-0": "email"})
    whole = import_to_list
    monkeypatch.setattr(
        import_files, "import_to_list", lambda *given, **named: whole(*given, **named, at_once=5, workers=1)
    )
    for _ in range(6):
        assert carry_on(sessions, settings.data_dir, lambda: True)  # told to stop: one part, then it rests
    assert "Stopped." in marc.post(f"{path}/stop").text
    assert not carry_on(sessions, settings.data_dir, lambda: False)
    assert "It goes on" in marc.post(f"{path}/go-on").text
    works(sessions, settings)
    works(sessions, settings)
    assert len(readers(sessions, "pending")) == 50
    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(Delivery)) == 50 + 1  # Ben was asked before
    assert file_now(sessions).report["rows"] == 50


def begins(marc: Person, content: bytes, list_: str, **chosen: str) -> str:
    """Bring a file to a list and have it begun; the path of its page."""
    path = brings(marc, content).url.path
    marc.get(path)
    marc.post(
        path, **{"list": list_, "wording": "At the fair.", "do": "begin", "column-0": "email"}, **chosen
    )
    return path


def test_what_was_decided_when_it_began_stays_though_the_list_and_the_fields_change_on_the_way(
    marc: Person, sessions: Sessions, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with session_scope(sessions) as session:
        add_list(session, "news", "News", OptIn.SINGLE)
        declare_field(session, "shoes", FieldType.NUMBER)
    rows = "".join(f"r{number:02}@reader.example,40\n" for number in range(50))
    path = begins(marc, f"email,shoes\n{rows}".encode(), "news", **{"column-1": "shoes"})
    whole = import_to_list
    monkeypatch.setattr(
        import_files, "import_to_list", lambda *given, **named: whole(*given, **named, at_once=5, workers=1)
    )
    # It asks before it reads, after ten parts of rows and the end; before it adds, and after each part.
    asked = count()
    assert carry_on(sessions, settings.data_dir, lambda: next(asked) == 12 + 1 + 3)
    assert len(readers(sessions)) == 20
    assert "Stopped." in marc.post(f"{path}/stop").text
    first = file_now(sessions).import_id
    with session_scope(sessions) as session:
        get_list(session, "news").opt_in = OptIn.DOUBLE
        declare_field(session, "waist", FieldType.NUMBER)
        assert replace_field(session, "shoes", "").after is None
    assert "It goes on" in marc.post(f"{path}/go-on").text
    works(sessions, settings)
    file = file_now(sessions)
    assert file.import_id == first
    assert [file.report[key] for key in ("people", "joined", "already_on_list", "asked")] == [50, 50, 0, 0]
    assert len(readers(sessions)) == 50
    with sessions() as session:
        # The field that is gone does not come back with those who were read before it went.
        assert session.scalar(select(func.count()).where(Subscriber.fields.has_key("shoes"))) == 0
    assert "50 people joined News" in marc.get(f"{path}/undo").text
    marc.post(f"{path}/undo")
    works(sessions, settings)
    assert file_now(sessions).report["undone"] == {"forgotten": 50, "taken_off": 0}


def test_two_workers_do_not_import_the_same_file(
    marc: Person, sessions: Sessions, settings: Settings
) -> None:
    path = brings(marc).url.path
    marc.get(path)
    marc.post(path, **COLUMNS, **BEGIN, encoding="cp1252")
    with session_scope(sessions) as first:
        first.execute(select(func.pg_advisory_xact_lock(import_files.ALONE)))
        assert not carry_on(sessions, settings.data_dir, lambda: False)
    works(sessions, settings)
    assert file_now(sessions).state == "finished"


def test_an_import_is_taken_back_but_for_those_who_have_done_something_since(
    marc: Person, sessions: Sessions, settings: Settings, now: datetime
) -> None:
    with session_scope(sessions) as session:
        add_list(session, "news", "News", OptIn.SINGLE)
        add_list(session, "other", "Other news", OptIn.SINGLE)
        # Gus was known before; Dora comes by the import and then leaves; Eva and Fay do nothing.
        join(session, "gus@reader.example", now, list_="other")
    people = "".join(f"{name}@reader.example\n" for name in ("gus", "dora", "eva", "fay"))
    path = brings(marc, f"email\n{people}".encode()).url.path
    marc.get(path)
    marc.post(path, **{"list": "news", "wording": "At the fair.", "do": "begin", "column-0": "email"})
    works(sessions, settings)
    with session_scope(sessions) as session:
        dora = session.scalars(select(Subscriber).where(Subscriber.email == "dora@reader.example")).one()
        then = business_now(session)
        leave(session, dora.id, get_list(session, "news").id, source="page", now=then)
    assert "4 people joined News" in marc.get(f"{path}/undo").text
    assert "Taking it back" in marc.post(f"{path}/undo").text
    works(sessions, settings)
    assert file_now(sessions).report["undone"] == {"forgotten": 2, "taken_off": 1}
    with sessions() as session:
        left = set(session.scalars(select(Subscriber.email)))
    assert {"gus@reader.example", "dora@reader.example"} <= left
    assert not {"eva@reader.example", "fay@reader.example"} & left
    assert "gus@reader.example" in readers(sessions)
    assert "It was taken back already" in marc.get(f"{path}/undo").text
    # And the same people can come again.
    path = brings(marc, f"email\n{people}".encode()).url.path
    marc.get(path)
    marc.post(path, **{"list": "news", "wording": "At the fair.", "do": "begin", "column-0": "email"})
    works(sessions, settings)
    assert file_now(sessions).report["joined"] == 3


@pytest.mark.parametrize(("was", "becomes"), [(OptIn.SINGLE, OptIn.DOUBLE), (OptIn.DOUBLE, OptIn.SINGLE)])
def test_an_import_is_taken_back_as_it_was_done_whatever_the_list_asks_for_now(
    marc: Person, sessions: Sessions, settings: Settings, was: OptIn, becomes: OptIn
) -> None:
    with session_scope(sessions) as session:
        get_list(session, "calm").opt_in = was
    path = begins(marc, b"email\neva@reader.example\nfay@reader.example\n", "calm")
    works(sessions, settings)
    with session_scope(sessions) as session:
        get_list(session, "calm").opt_in = becomes
    marc.post(f"{path}/undo")
    works(sessions, settings)
    assert file_now(sessions).report["undone"] == {"forgotten": 2, "taken_off": 0}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"PK\x03\x04rest of a workbook", "save the sheet as CSV"),
        (b"\x00\x01\x02" * 100, "not text"),
    ],
)
def test_what_is_no_sheet_is_refused_and_not_kept(
    marc: Person, settings: Settings, content: bytes, words: str
) -> None:
    page = brings(marc, content)
    assert page.status_code == 422
    assert words in page.text
    assert files(settings) == []


def test_files_that_nobody_wants_go(marc: Person, sessions: Sessions, settings: Settings) -> None:
    path = brings(marc).url.path
    marc.get(path)
    assert "The file is gone" in marc.post(f"{path}/forget").text
    assert files(settings) == []
    brings(marc)
    folder = ImportFolder(settings.data_dir)
    for one in folder.home.iterdir():
        week = time.time() - 8 * 86_400
        os.utime(one, (week, week))
    with session_scope(sessions) as session:
        keep_house(session, folder, business_now(session) + timedelta(days=8))
        assert session.scalar(select(func.count()).select_from(ImportFile)) == 0
    assert files(settings) == []


def test_a_worker_without_the_folder_leaves_a_file_to_others_and_what_none_sees_is_told_of(
    marc: Person, sessions: Sessions, settings: Settings, tmp_path: Path
) -> None:
    path = brings(marc).url.path
    marc.get(path)
    marc.post(path, **COLUMNS, **BEGIN, encoding="cp1252")
    elsewhere = settings.replace(data_dir=tmp_path / "elsewhere")
    works(sessions, elsewhere)
    assert file_now(sessions).state == "waiting"
    with session_scope(sessions) as session:
        step_clock(session, business_now(session) + import_files.UNSEEN)
    works(sessions, elsewhere)
    assert "STEADYPOST_DATA_DIR" in marc.get(path).text
