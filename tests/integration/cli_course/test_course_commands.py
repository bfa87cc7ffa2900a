"""`steadypost course` and `delivery statement`: what is printed, where, and with which exit code."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from email import message_from_bytes
from email.policy import default
from pathlib import Path

from sqlalchemy import delete, func, select, update

from mailer.content.course_zip import unpack
from mailer.db import Sessions, session_scope
from mailer.links import Signer
from mailer.models import Attempt, Course, CourseFiles, CourseVersion, Delivery
from mailer.schedule.courses import get_course
from mailer.schedule.enroll import enroll
from mailer.schedule.plan import plan_due
from mailer.settings import PROJECT
from tests.conftest import NOW
from tests.integration.cli_course.conftest import SECRET, Steadypost
from tests.support.cast import ADA, BEN, join, publish_folder, step_file, write_course
from tests.support.scripted_smtp import scripted_smtp
from tests.support.weeks import write_weeks

CLOSED = "postgresql://nobody@127.0.0.1:1/nothing"
"""A port on which nothing answers."""

BROKEN = {
    "01-hello.md": step_file("hello", 1, body="<b>Bold, {{ frist_name }}\n\n![](media/gone.png)"),
    "02-rest.md": step_file("hello", 1, body=""),
}


def publish_calm(sessions: Sessions, folder: Path) -> None:
    with session_scope(sessions) as session:
        publish_folder(session, folder, NOW)


def test_a_course_from_its_folder_to_its_statement(
    steadypost: Steadypost, sessions: Sessions, database_url: str, folder: Path
) -> None:
    checked = steadypost("course", "check", folder)
    assert (checked.code, checked.err) == (0, "")
    assert checked.out.splitlines() == [
        f"{folder} is in order: 3 steps.",
        f"Next: `steadypost course publish {folder}`.",
    ]

    planned = steadypost("course", "plan", folder, "--json", database_url=database_url)
    assert (planned.code, planned.err) == (0, "")
    assert json.loads(planned.out) == {
        "slug": "calm",
        "version": 1,
        "changes": [
            {"kind": "add", "key": key, "what": f"day {day} 08:00", "reached": 0}
            for key, day in (("hello", 1), ("rest", 2), ("walk", 4))
        ],
        "past": {},
        "finished": {},
    }

    published = steadypost("course", "publish", folder, database_url=database_url)
    assert (published.code, published.err) == (0, "")
    assert "Published calm as version 1." in published.out.splitlines()
    again = steadypost("course", "publish", folder, database_url=database_url)
    assert (again.code, again.out) == (0, "calm is published as it is here.\n")

    shown = steadypost("course", "show", "calm", "--json", database_url=database_url)
    assert json.loads(shown.out) == {
        "slug": "calm",
        "title": "A calm week",
        "list": "calm",
        "steps": [
            {
                **{"key": key, "kind": "lesson", "day": day, "send_time": "08:00", "subject": f"About {key}"},
                **{"timing": {}, "condition": "", "instead_of": "", "easier_than": "", "languages": []},
            }
            for key, day in (("hello", 1), ("rest", 2), ("walk", 4))
        ],
    }

    with session_scope(sessions) as session:
        join(session, ADA, NOW)
        join(session, BEN, NOW)
    enrolled = steadypost("course", "enroll", "calm", "--email", ADA, database_url=database_url)
    assert (enrolled.code, enrolled.out) == (0, f"{ADA} is in calm (active).\n")
    enrolled = steadypost("course", "enroll", "calm", "--list", "calm", database_url=database_url)
    assert (enrolled.code, enrolled.out) == (
        0,
        "1 person newly in calm; who has not confirmed yet starts when they do.\n",
    )

    listed = steadypost("course", "list", "--json", database_url=database_url)
    (row,) = json.loads(listed.out)
    assert (row["slug"], row["steps"], row["active"], row["waiting"]) == ("calm", 3, 2, 0)


def test_check_names_every_problem_at_once_and_refuses_in_one_sentence(
    steadypost: Steadypost, tmp_path: Path
) -> None:
    folder = write_course(tmp_path / "calm", BROKEN)
    toml = folder / "course.toml"
    toml.write_text(toml.read_text().replace('postal_address = "12 Quiet Lane, Bristol"', ""))
    checked = steadypost("course", "check", folder)
    assert checked.code == 1
    assert checked.sentence == f"{folder} has 7 errors; mend the lines named above."
    places = [line.split(": error: ")[0] for line in checked.out.splitlines()]
    assert places == [
        *("01-hello.md:12", "01-hello.md:12", "01-hello.md:14", "01-hello.md:14"),
        *("02-rest.md:2", "02-rest.md:6", "course.toml:11"),
    ]
    found = json.loads(steadypost("course", "check", folder, "--json").out)
    assert [f"{problem['path']}:{problem['line']}" for problem in found] == places


def test_the_sample_course_is_published_with_the_one_that_follows_it_whichever_is_named_first(
    steadypost: Steadypost, database_url: str
) -> None:
    courses = PROJECT / "templates" / "courses"
    course, follow_up = courses / "neck-and-shoulder", courses / "keeping-it-up"
    alone = steadypost("course", "publish", course, database_url=database_url)
    assert alone.code == 1
    assert f"Publish both: `steadypost course publish {course} {follow_up}`." in alone.err
    assert json.loads(steadypost("course", "list", "--json", database_url=database_url).out) == []

    both = steadypost("course", "publish", course, follow_up, database_url=database_url)
    assert both.code == 0, both.err
    said = [line for line in both.out.splitlines() if line.startswith("Published")]
    assert said == [
        "Published keeping-it-up as version 1.",
        "Published neck-and-shoulder as version 1.",
    ]


def test_of_several_folders_all_are_published_or_none(
    steadypost: Steadypost, database_url: str, folder: Path, tmp_path: Path
) -> None:
    again = steadypost("course", "publish", folder, folder, database_url=database_url)
    assert again.sentence == "Two of these folders have the same slug; name each course once."
    broken = write_course(tmp_path / "broken", BROKEN)
    assert steadypost("course", "publish", folder, broken, database_url=database_url).code == 1
    assert json.loads(steadypost("course", "list", "--json", database_url=database_url).out) == []


def test_a_broken_folder_is_not_published(
    steadypost: Steadypost, sessions: Sessions, database_url: str, tmp_path: Path
) -> None:
    folder = write_course(tmp_path / "calm", BROKEN)
    refused = steadypost("course", "publish", folder, database_url=database_url)
    assert (refused.code, refused.out) == (1, "")
    assert refused.err.splitlines()[-1] == f"{folder} has 6 errors; mend the lines named above."
    with session_scope(sessions) as session:
        assert session.execute(select(Course)).all() == []


def test_a_warning_does_not_stand_in_a_programs_way(
    steadypost: Steadypost, database_url: str, tmp_path: Path
) -> None:
    step = step_file("hello", 1).replace("day: 1", "day: 1\nweek: 1")
    folder = write_course(tmp_path / "calm", {"01-hello.md": step})
    planned = steadypost("course", "plan", folder, "--json", database_url=database_url)
    assert planned.code == 0
    assert json.loads(planned.out)["version"] == 1
    assert planned.sentence.startswith("01-hello.md:7: warning: ")


def test_a_test_mail_arrives_and_its_links_are_those_of_a_test(
    steadypost: Steadypost, sessions: Sessions, database_url: str, folder: Path
) -> None:
    publish_calm(sessions, folder)
    send = ("course", "send-test", "calm", "rest", "--to", "author@steadypost.example")
    with scripted_smtp() as server:
        sent = steadypost(*send, database_url=database_url, smtp_url=server.url)
        server.replies["RCPT"] = ["550 5.1.1 no such user"]
        refused = steadypost(*send, database_url=database_url, smtp_url=server.url)
    assert (sent.code, sent.out, sent.err) == (0, "Sent rest of calm to author@steadypost.example.\n", "")
    assert (refused.code, refused.sentence) == (1, "The mail server refused it: 550 5.1.1 no such user")
    assert server.recipients == ["author@steadypost.example"]
    (mail,) = server.mails
    assert mail["Subject"] == "About rest"
    (token,) = set(re.findall(r"/m/([\w-]+)", str(mail["List-Unsubscribe"])))
    assert Signer([SECRET]).delivery_id(token) == 0
    down = steadypost(*send, database_url=database_url, smtp_url=server.url)
    assert down.code == 1
    assert "The mail was not sent" in down.sentence
    with session_scope(sessions) as session:
        for model in (Delivery, Attempt):
            assert session.execute(select(func.count()).select_from(model)).scalar_one() == 0


def test_the_statements_exit_code_says_whether_it_balances(
    steadypost: Steadypost, sessions: Sessions, database_url: str, folder: Path
) -> None:
    publish_calm(sessions, folder)
    with session_scope(sessions) as session:
        enroll(session, get_course(session, "calm"), join(session, ADA, NOW), NOW)
    statement = ("delivery", "statement", "--course", "calm")
    unbalanced = steadypost(*statement, "--json", database_url=database_url)
    values = json.loads(unbalanced.out)
    assert unbalanced.code == 1
    assert unbalanced.sentence.startswith("The statement of calm does not balance: 1 open, 0 missing, 0 dup")
    assert (values["audience"], values["states"]["planned"], values["balanced"]) == (1, 1, False)
    for day in range(5):  # each mail leaves as it is due
        at = NOW.replace(hour=8) + timedelta(days=day)
        with session_scope(sessions) as session:
            plan_due(session, at)
            session.execute(update(Delivery).values(state="accepted", settled_at=Delivery.due_at))
    balanced = steadypost(*statement, database_url=database_url)
    assert (balanced.code, balanced.err) == (0, "")
    assert balanced.out.splitlines()[-1] == "The statement balances."
    with session_scope(sessions) as session:
        session.execute(delete(Delivery).where(Delivery.dedup_key.like("step:%:rest:%")))
    missing = steadypost(*statement, database_url=database_url)
    assert missing.code == 1
    assert "missing: 1" in missing.out.splitlines()


def test_when_the_database_is_down_that_is_said_in_one_sentence(steadypost: Steadypost) -> None:
    refused = steadypost("course", "list", database_url=CLOSED)
    assert (refused.code, refused.out) == (1, "")
    assert "The database does not answer" in refused.sentence


def test_an_unknown_course_is_one_sentence(steadypost: Steadypost, database_url: str) -> None:
    refused = steadypost("course", "show", "nope", "--json", database_url=database_url)
    assert (refused.code, refused.out) == (1, "")
    assert refused.sentence.startswith("There is no published course 'nope'")


def test_a_wrong_setting_is_named_in_one_sentence(steadypost: Steadypost) -> None:
    refused = steadypost("course", "list", secret_key="short")
    assert (refused.code, refused.out) == (1, "")
    assert refused.sentence.startswith("STEADYPOST_SECRET_KEY is wrong")


def test_misuse_is_exit_2(steadypost: Steadypost) -> None:
    misused = steadypost("course", "enroll", "calm", database_url=CLOSED)
    assert (misused.code, misused.out) == (2, "")
    assert "give either --email or --list" in misused.err


def test_the_author_sees_what_was_said_of_each_week(
    steadypost: Steadypost, database_url: str, tmp_path: Path
) -> None:
    folder = write_weeks(tmp_path / "calm")
    assert steadypost("course", "publish", folder, database_url=database_url).code == 0
    said = steadypost("course", "answers", "calm", "--json", database_url=database_url)
    nobody = {"sent": 0, "done": 0, "not_yet": 0, "too_hard": 0, "silent": 0}
    assert json.loads(said.out) == [{"week": 1, **nobody}, {"week": 2, **nobody}]
    assert "too hard" in steadypost("course", "answers", "calm", database_url=database_url).out


def test_a_folder_is_held_against_what_is_expected_of_it(
    steadypost: Steadypost, database_url: str, folder: Path
) -> None:
    (folder / "tests").mkdir()
    (folder / "tests" / "ada.csv").write_text(f"email,zone\n{ADA},Europe/London\n", encoding="utf-8")
    assert steadypost("course", "test", folder, "--update", database_url=database_url).code == 0
    assert "as expected, 3 mails" in steadypost("course", "test", folder, database_url=database_url).out
    walk = next(file for file in folder.glob("*.md") if "key: walk" in file.read_text(encoding="utf-8"))
    walk.write_text(step_file("walk", 5), encoding="utf-8")
    moved = steadypost("course", "test", folder, database_url=database_url)
    assert moved.code == 1
    assert f"ada.csv: {ADA} walk: expected sent Fri" in moved.out


def test_a_published_folder_comes_back_byte_for_byte_when_it_is_gone(
    steadypost: Steadypost, sessions: Sessions, database_url: str, tmp_path: Path
) -> None:
    folder = write_weeks(tmp_path / "weeks")
    others = {
        ".import.json": b"{}",
        "media/dusk.png": (PROJECT / "tests/support/courses/tiny/media/dusk.png").read_bytes(),
        "tests/two people.csv": b"email\r\nada@reader.example\r\n",
        "LICENSE": b"\xff\xfe not UTF-8, and not ours to mend",
    }
    for name, content in others.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("of no course")
    before = files_in(folder)
    slug = "calm"
    assert steadypost("course", "publish", folder, "--yes", database_url=database_url).code == 0
    folder.rename(tmp_path / "gone")

    out = tmp_path / "out"
    exported = steadypost("course", "export", slug, out, database_url=database_url)
    assert (exported.code, exported.err) == (0, "")
    assert files_in(out) == {name: content for name, content in before.items() if not name.startswith(".git")}
    again = steadypost("course", "publish", out, "--yes", database_url=database_url)
    assert again.out == f"{slug} is published as it is here.\n"
    assert (
        "already; name another place"
        in steadypost("course", "export", slug, out, database_url=database_url).err
    )

    # A comment is nobody's mail: the version stays, and keeps the newer files. An older text is there still.
    toml = out / "course.toml"
    toml.write_bytes(b"# Ours.\n" + toml.read_bytes())
    kept = steadypost("course", "publish", out, "--yes", database_url=database_url)
    assert "Version 1 keeps its files as they are here" in kept.out
    toml.write_bytes(toml.read_bytes().replace(b'title = "', b'title = "Our '))
    assert "as version 2" in steadypost("course", "publish", out, "--yes", database_url=database_url).out
    first = tmp_path / "first"
    assert steadypost("course", "export", slug, first, "--version", "1", database_url=database_url).code == 0
    assert (first / "course.toml").read_bytes() == b"# Ours.\n" + before["course.toml"]
    with session_scope(sessions) as session:
        assert session.execute(select(func.count()).select_from(CourseFiles)).scalar_one() == 2
        # As before versions kept their files.
        session.execute(update(CourseVersion).values(files_digest=None))
    told = steadypost("course", "export", slug, tmp_path / "none", database_url=database_url)
    assert "before versions kept their files, so there is no text of it" in told.sentence
    assert not (tmp_path / "none").exists()
    assert "as version" not in steadypost("course", "publish", out, "--yes", database_url=database_url).out
    assert steadypost("course", "export", slug, tmp_path / "c.zip", database_url=database_url).code == 0
    assert unpack((tmp_path / "c.zip").read_bytes()).left_out == (f"{slug}/LICENSE",)


def files_in(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_a_simulation_writes_its_mails_into_a_folder(
    steadypost: Steadypost, database_url: str, folder: Path, tmp_path: Path
) -> None:
    people, mails = tmp_path / "people.csv", tmp_path / "mails"
    people.write_text("email,name,zone\nada@reader.example,Ada,Asia/Tokyo\n")
    asked = ("course", "simulate", folder, "--people", people, "--from", "2027-03-01")
    told = steadypost(*asked, "--mails", mails, "--json", database_url=database_url)
    assert (told.code, told.err) == (0, f"Wrote 3 mails into {mails}.\n")
    assert [one["step"] for one in json.loads(told.out)["sends"]] == ["hello", "rest", "walk"]
    first = mails / "001-ada@reader.example-hello.eml"
    mail = message_from_bytes(first.read_bytes(), policy=default)
    assert (mail["To"], mail["Subject"]) == ("Ada <ada@reader.example>", "About hello")
    assert mail["Date"] == "Tue, 02 Mar 2027 08:00:00 +0900"
    text = mail.get_body(("plain",))
    assert text is not None
    assert "Hello Ada," in text.get_content()
    assert len(list(mails.iterdir())) == 3
