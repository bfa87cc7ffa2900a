"""Marc writes courses on the desk: from a guide or a folder, moved, typed, published, taken back."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

import pytest
from sqlalchemy import select, update

from mailer.accounts.rights import at_the_machine
from mailer.audience.subscribers import Person as PersonOf
from mailer.audience.subscribers import add_subscriber
from mailer.content.course_source import Problem
from mailer.content.draft_store import Drafts
from mailer.content.newest import Newest
from mailer.db import Sessions, session_scope
from mailer.desk import publishing
from mailer.desk.publishing import check_draft
from mailer.launch import preflight
from mailer.models import Action, Course, CourseVersion, Role
from mailer.reports import patience
from mailer.settings import Settings
from tests.support.cast import step_file
from tests.support.course_desk import PIXEL, SEAL, digest, publishes, upload
from tests.support.reader_pages import running_app
from tests.support.scripted_smtp import scripted_smtp
from tests.support.staff import Person, hire, signs_in

GUIDE = Path(__file__).parents[2] / "support" / "guides" / "sleeping-better.md"


def test_where_there_is_no_course_marc_is_told_to_bring_a_guide_and_rea_is_not(
    marc: Person, rea: Person
) -> None:
    assert "Bring a guide" in marc.get("/desk/courses").text
    page = rea.get("/desk/courses").text
    assert "There is no course yet." in page
    assert "/desk/new-course" not in page


def test_a_guide_is_shown_as_it_was_understood_and_becomes_a_draft(marc: Person, drafts: Drafts) -> None:
    marc.get("/desk/new-course")
    page = upload(marc, "/desk/new-course", "My guide.md", GUIDE.read_bytes(), days="30")
    assert "15 steps in 30 days" in page
    assert "My guide.md" in page
    arrival = re.search(r'action="(/desk/new-course/[0-9a-f]{32})"', page)
    assert arrival
    # The title goes into the list and the consent too; the slug is the folder's.
    shown = marc.post(arrival[1], title="Sleep", slug="sleep", days="60", look="yes").text
    assert "15 steps in 60 days" in shown
    made = marc.post(arrival[1], title="Sleep", slug="sleep", days="60", create="yes").text
    assert "Made sleep." in made
    toml = (drafts.folder("sleep") / "course.toml").read_text()
    assert 'title = "Sleep"' in toml
    assert 'list = "sleep"' in toml
    assert "email course “Sleep”" in toml
    assert "days = 60" in toml


def test_a_changed_guide_is_brought_again_section_by_section(marc: Person, drafts: Drafts) -> None:
    marc.get("/desk/new-course")
    page = upload(marc, "/desk/new-course", "guide.md", GUIDE.read_bytes(), days="30")
    arrival = re.search(r'action="(/desk/new-course/[0-9a-f]{32})"', page)
    assert arrival
    assert "Bring the guide again" in marc.post(arrival[1], title="Sleep", slug="sleep", create="yes").text
    food = next(drafts.folder("sleep").glob("*food-and-caffeine.md"))
    food.write_text(food.read_text().replace("Caffeine stays longer", "Espresso stays longer"))
    changed = GUIDE.read_text().replace("dark, cool and dull", "dark, cool and quiet")
    changed = changed.replace("Caffeine stays longer", "Coffee stays for hours")
    marc.get("/desk/courses/sleep/guide")
    page = upload(marc, "/desk/courses/sleep/guide", "guide.md", changed.encode())
    assert "reworded in the guide, and by you" in page
    ticked = dict.fromkeys(re.findall(r'name="(take:[^"]+)" value="yes" checked', page), "yes")
    # What he reworded himself is not ticked.
    assert [name.partition("-")[2] for name in ticked] == ["a-bedroom-for-daytime.md"]
    again = re.search(r'action="(/desk/courses/sleep/guide/[0-9a-f]{32})"', page)
    assert again
    refused = marc.post(again[1], digest=digest(page)).text
    assert "Choose at least one section." in refused
    assert "Somebody else has changed sleep" in marc.post(again[1], digest="0" * 64, **ticked).text
    assert "Took 1 section of the guide" in marc.post(again[1], digest=digest(page), **ticked).text
    assert "Espresso stays longer" in food.read_text()
    bedroom = next(drafts.folder("sleep").glob("*a-bedroom-for-daytime.md"))
    assert "dark, cool and quiet" in bedroom.read_text()


NO_GUIDES = (
    ("guide.exe", b"MZ", "ends in .txt, .md, .html or .docx"),
    ("list.md", b"milk\n", "has no structure of a guide"),
    ("guide.docx", b"PK no zip", "guide.docx"),
    ("empty.md", b"", "The file is empty"),
)


def test_what_is_no_guide_is_refused_in_words_without_a_path_of_this_machine(
    marc: Person, settings: Settings
) -> None:
    for name, content, said in NO_GUIDES:
        marc.get("/desk/new-course")
        page = upload(marc, "/desk/new-course", name, content, days="30")
        assert said in page
        assert str(settings.data_dir) not in page


def test_a_course_goes_out_as_a_zip_and_comes_back_the_same(marc: Person, drafts: Drafts, calm: str) -> None:
    folder = drafts.folder("calm")
    (folder / "media").mkdir()
    (folder / "media" / "tea.png").write_bytes(PIXEL)
    before = drafts.digest("calm")
    marc.get(calm)
    packed = marc.client.get(f"{calm}/course.zip").content
    marc.post(f"{calm}/remove")
    assert not drafts.has("calm")
    marc.get("/desk/new-course")
    assert "Brought calm." in upload(marc, "/desk/new-course/folder", "calm.zip", packed)
    assert drafts.digest("calm") == before


def test_a_zip_that_leads_out_of_its_folder_writes_nothing(
    marc: Person, drafts: Drafts, settings: Settings
) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("course.toml", 'slug = "calm"')
        archive.writestr("../../evil.md", "x")
    marc.get("/desk/new-course")
    page = upload(marc, "/desk/new-course/folder", "calm.zip", packed.getvalue())
    assert "cannot be in such a folder" in page
    assert drafts.slugs() == []
    assert not (settings.data_dir / "evil.md").exists()


def test_a_lesson_moves_by_a_button_and_by_its_day_and_not_when_somebody_was_faster(
    marc: Person, drafts: Drafts, calm: str
) -> None:
    names = [path.name for path in sorted(drafts.folder("calm").glob("*.md"))]
    before = digest(marc.get(calm).text)
    page = marc.post(f"{calm}/move", name=names[0], before="later", digest=before).text
    assert f"Moved {names[0]}." in page
    # hello 1, rest 2, walk 4: hello and rest change places, walk stays.
    assert days(drafts) == {"rest": 1, "hello": 2, "walk": 4}
    assert (
        "changed calm meanwhile"
        in marc.post(f"{calm}/move", name=names[0], before="later", digest=before).text
    )
    assert days(drafts) == {"rest": 1, "hello": 2, "walk": 4}
    marc.post(f"{calm}/move", name=names[0], day="4", digest=digest(page))
    assert days(drafts) == {"rest": 1, "walk": 2, "hello": 4}


def days(drafts: Drafts) -> dict[str, int]:
    found = {}
    for path in drafts.folder("calm").glob("*.md"):
        text = path.read_text()
        key, day = re.search(r"^key: (.+)$", text, re.M), re.search(r"^day: (\d+)$", text, re.M)
        assert key
        assert day
        found[key[1].strip('"')] = int(day[1])
    return dict(sorted(found.items(), key=lambda one: one[1]))


def test_what_marc_types_is_shown_and_kept_and_saved_only_when_he_says_so(
    marc: Person, drafts: Drafts, calm: str
) -> None:
    name = min(path.name for path in drafts.folder("calm").glob("*.md"))
    saved = (drafts.folder("calm") / name).read_text()
    step = f"{calm}/steps/{name}"
    base = digest(marc.get(step).text)
    typed = {"set_subject": "Good morning", "body": "# Hello\r\n\r\nA <script>alert(1)</script> word.\r\n"}
    page = marc.post(f"{step}/preview", digest=base, **typed).text
    assert "is not saved yet" in page
    assert (drafts.folder("calm") / name).read_text() == saved
    typed["body"] = "# Hello\r\n\r\nA *quiet* word.\r\n"
    marc.post(f"{step}/preview", digest=base, **typed)
    mail = marc.client.get(f"{step}/mail")
    assert "<em" in mail.text
    policy = mail.headers["content-security-policy"]
    assert "sandbox" in policy.split("; ")
    assert "script-src" not in policy
    assert "default-src 'none'" in policy
    assert "Saved." in marc.post(step, digest=base, **typed).text
    now = (drafts.folder("calm") / name).read_text()
    assert 'subject: "Good morning"' in now or "subject: Good morning" in now
    assert now.endswith("A *quiet* word.\n")
    assert "\r" not in now


def test_what_marc_types_is_sent_to_him_as_a_test_and_the_draft_stays_as_it_is(
    settings: Settings, sessions: Sessions, drafts: Drafts, calm: str
) -> None:
    hire(sessions, Role.MARKETER)
    with scripted_smtp() as server, running_app(settings.replace(smtp_url=server.url)) as address:
        marc = signs_in(address, Role.MARKETER)
        name = min(path.name for path in drafts.folder("calm").glob("*.md"))
        saved = (drafts.folder("calm") / name).read_text()
        step = f"{calm}/steps/{name}"
        typed = {"digest": digest(marc.get(step).text), "set_subject": "Good morning", "body": "# Hello\n"}
        assert "Name the address that the test goes to." in marc.post(f"{step}/test", **typed, to=" ").text
        page = marc.post(f"{step}/test", **typed, to="marc@example.org, rea@example.org").text
        assert "Sent a test to marc@example.org, rea@example.org." in page
        assert "is not saved yet" in page
        assert server.recipients == ["marc@example.org", "rea@example.org"]
        assert [mail["Subject"] for mail in server.mails] == ["Good morning"] * 2
        assert len({mail["Message-ID"] for mail in server.mails}) == 2
        many = " ".join(f"p{at}@example.org" for at in range(6))
        assert "A test goes to 5 addresses at most." in marc.post(f"{step}/test", **typed, to=many).text
        broken = {**typed, "body": "# Hello {{ nobody_knows }}"}
        page = marc.post(f"{step}/test", **broken, to="marc@example.org").text
        assert "before the errors named above are mended" in page
        assert len(server.mails) == 2
    assert (drafts.folder("calm") / name).read_text() == saved
    with session_scope(sessions) as session:
        assert session.execute(select(Action.rows).where(Action.what == "course test")).scalars().all() == [2]


def test_a_step_is_shown_as_a_person_with_what_they_would_get_instead(
    marc: Person, sessions: Sessions, drafts: Drafts, calm: str
) -> None:
    folder = drafts.folder("calm")
    walk = step_file("walk", 4, body="::: summary\n:::\n")
    easy = walk.replace("key: walk", 'key: stroll\nwhen: tag "tired"\ninstead_of: walk')
    german = "---\nsubject: Pause\npreheader: Kurz\n---\n# Pause\n\nRuhe.\n"
    for name, text in (("03-walk.md", walk), ("04-stroll.md", easy), ("02-rest.de.md", german)):
        (folder / name).write_text(text, encoding="utf-8")
    with session_scope(sessions) as session:
        add_subscriber(session, PersonOf("ada@example.org", language="de", tags=("tired",)))
        add_subscriber(session, PersonOf("ben@example.org"))

    def shown(name: str, email: str) -> str:
        page = marc.get(f"{calm}/steps/{name}").text
        typed = {"digest": digest(page), "body": "# Hello\n\nOne idea.\n", "as": email}
        return marc.post(f"{calm}/steps/{name}/preview", **typed).text

    assert "As ada@example.org, who gets 04-stroll.md instead" in shown("03-walk.md", "ada@example.org")
    assert "As ben@example.org, whom its rule leaves out" in shown("04-stroll.md", "ben@example.org")
    assert "As ada@example.org, who gets it in de" in shown("02-rest.md", "ada@example.org")
    assert "As ben@example.org</p>" in shown("02-rest.md", "ben@example.org")


def test_two_who_write_the_same_step_do_not_overwrite_each_other(
    marc: Person, opal: Person, drafts: Drafts, calm: str
) -> None:
    name = min(path.name for path in drafts.folder("calm").glob("*.md"))
    step = f"{calm}/steps/{name}"
    marcs, opals = digest(marc.get(step).text), digest(opal.get(step).text)
    opal.post(step, digest=opals, set_subject="Opal's", body="# Opal\n")
    page = marc.post(step, digest=marcs, set_subject="Marc's", body="# Marc\n").text
    assert "Somebody else has changed" in page
    assert "# Marc" in page
    assert "# Opal" in (drafts.folder("calm") / name).read_text()


def test_an_error_is_told_with_its_line(marc: Person, drafts: Drafts, calm: str) -> None:
    name = min(path.name for path in drafts.folder("calm").glob("*.md"))
    step = f"{calm}/steps/{name}"
    page = marc.get(step).text
    body = "# Hello\n\nDear {{ nobody_knows }},\n"
    page = marc.post(f"{step}/preview", digest=digest(page), body=body).text
    first = (drafts.folder("calm") / name).read_text().split("---\n", 2)[1].count("\n") + 3
    assert f'data-line="{first + 2}"' in page


def test_publishing_shows_its_effect_and_is_refused_when_the_course_changed_since(
    marc: Person, drafts: Drafts, calm: str, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One mail at a time, as if making them took long; and none is known from another test.
    monkeypatch.setattr(publishing, "LOOKING", -1)
    monkeypatch.setattr(preflight, "_found", Newest[str, list[Problem]](5000))
    assert "1 of 3 so far" in marc.get(f"{calm}/publish").text
    assert "2 of 3 so far" in marc.get(f"{calm}/publish").text
    page = marc.get(f"{calm}/publish").text
    assert "This is its first version, of 3 steps" in page
    seal = SEAL.search(page)
    assert seal
    path = min(drafts.folder("calm").glob("*.md"))
    path.write_text(path.read_text() + "\nOne more line.\n")
    page = marc.post(f"{calm}/publish", seal=seal[1]).text
    assert "changed since you looked" in page
    with session_scope(sessions) as session:
        assert session.query(Course).count() == 0
    assert "Published calm as version 1." in publishes(marc, calm)
    with session_scope(sessions) as session:
        assert session.query(Action).filter_by(what="course publish").one().detail["version"] == 1


def test_where_there_are_many_mails_whom_it_reaches_is_counted_when_somebody_asks(
    marc: Person, calm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "Publish version 1" in marc.get(f"{calm}/publish").text
    monkeypatch.setattr(patience, "MANY", -1)
    page = marc.get(f"{calm}/publish").text
    assert "Whom it reaches is being counted" in page
    assert "Publish version 1" not in page
    assert "Publish version 1" in marc.get(f"{calm}/publish", look="on").text


def test_a_publication_is_compared_in_words_and_taken_back_once(
    marc: Person, drafts: Drafts, calm: str
) -> None:
    publishes(marc, calm)
    path = min(drafts.folder("calm").glob("*.md"))
    path.write_text(path.read_text() + "\nBreathe slowly.\n")
    publishes(marc, calm)
    page = marc.get(f"{calm}/versions").text
    assert re.search(r"<ins>[^<]*Breathe slowly\.[^<]*</ins>", page)
    assert "Take back version 2?" in marc.get(f"{calm}/undo").text
    assert "as it was in version 1" in marc.post(f"{calm}/undo", version="2").text
    # Pressed twice, or in a window left open: that would bring version 2 back.
    assert "published again since you looked" in marc.post(f"{calm}/undo", version="2").text


def test_any_version_can_be_edited_again_also_when_no_folder_is_left(
    marc: Person, drafts: Drafts, calm: str, sessions: Sessions
) -> None:
    before = drafts.digest("calm")
    publishes(marc, calm)
    path = min(drafts.folder("calm").glob("*.md"))
    path.write_text(path.read_text() + "\nBreathe slowly.\n")
    publishes(marc, calm)
    # As on a new machine, with the database's backup and nothing else.
    drafts.remove("calm")
    assert "Version 2 keeps the files" in marc.get(calm).text
    marc.get(f"{calm}/versions")
    assert marc.client.get(f"{calm}/versions/2/course.zip").content[:2] == b"PK"
    assert "what version 2 was published from" in marc.post(f"{calm}/versions/2/edit").text
    assert "There is nothing to bring back" in marc.get(f"{calm}/versions/2/edit").text
    assert "There is nothing new to publish" in marc.get(f"{calm}/publish").text
    # Another version takes the place of a draft, as it was seen and not otherwise.
    page = marc.get(f"{calm}/versions/1/edit").text
    assert "What is in the draft now is kept" in page
    seen = re.search(r'name="draft" value="(\w+)"', page)
    assert seen
    toml = drafts.folder("calm") / "course.toml"
    toml.write_text("# Ours.\n" + toml.read_text())
    assert "changed calm meanwhile" in marc.post(f"{calm}/versions/1/edit", draft=seen[1]).text
    assert "Keep these files with version 2" in marc.get(f"{calm}/publish").text
    assert "Version 2 keeps these files now." in publishes(marc, calm)
    marc.post(f"{calm}/versions/1/edit", draft=drafts.digest("calm"))
    assert drafts.digest("calm") == before
    with session_scope(sessions) as session:
        session.execute(update(CourseVersion).values(files_digest=None))
    assert "no text kept" in marc.get(f"{calm}/versions").text
    assert "before versions kept their files" in marc.get(f"{calm}/versions/1/edit").text


def test_a_course_is_lived_through_by_typical_readers(marc: Person, calm: str) -> None:
    file = marc.get(f"{calm}/simulate.csv", start="2027-03-01").text
    assert file.startswith("\ufeffreader,at,their time,step,subject,why")
    assert marc.get(f"{calm}/simulate.csv").status_code == 200
    page = marc.get(f"{calm}/simulate", start="2027-03-01").text
    # Enrolled on 1 March, day 1 is the 2nd.
    assert "Tue 2027-03-02" in page
    assert 'data-chart="line"' in page


def test_rea_reads_a_draft_and_changes_nothing(rea: Person, calm: str) -> None:
    page = rea.get(calm).text
    assert "Timeline" in page
    assert '<form method="post" action="/desk/courses' not in page


def test_course_toml_keeps_its_comments_and_its_slug(marc: Person, drafts: Drafts, calm: str) -> None:
    path = drafts.folder("calm") / "course.toml"
    path.write_text("# Ours, from the beginning.\n" + path.read_text())
    page = marc.get(f"{calm}/settings").text
    marc.post(f"{calm}/settings", **{"digest": digest(page), "title": "Calmer", "days": "40"})
    text = path.read_text()
    assert text.startswith("# Ours, from the beginning.\n")
    assert 'title = "Calmer"' in text
    assert "days = 40" in text
    page = marc.get(f"{calm}/settings").text
    other = text.replace('slug = "calm"', 'slug = "loud"')
    assert "The slug stays" in marc.post(f"{calm}/settings", digest=digest(page), text=other).text


def test_a_draft_is_compiled_once_until_it_changes(drafts: Drafts, calm: str, sessions: Sessions) -> None:
    me = at_the_machine("tests")
    with session_scope(sessions) as session:
        first = check_draft(session, me, drafts, "calm")
        assert check_draft(session, me, drafts, "calm") is first
        path = min(drafts.folder("calm").glob("*.md"))
        path.write_text(path.read_text() + "\nDear {{ nobody_knows }}.\n")
        assert first.compiled is not None
        assert check_draft(session, me, drafts, "calm").compiled is None


def test_a_form_may_ask_about_each_step_of_a_long_course(marc: Person, calm: str) -> None:
    page = marc.get(f"{calm}/publish").text
    found = re.search(r'name="seal" value="([^"]+)"', page)
    assert found
    many = {f"past-step-{number}": "skip" for number in range(60)}
    assert "Published calm as version 1." in marc.post(f"{calm}/publish", seal=found[1], **many).text
    too_many = {f"past-step-{number}": "skip" for number in range(1200)}
    assert marc.post(f"{calm}/publish", seal=found[1], **too_many).status_code == 403
