"""Marc begins translations, variants and gentler versions of a step, writes them and removes them."""

from __future__ import annotations

import pytest

from mailer.audience.subscribers import Person as PersonOf
from mailer.audience.subscribers import add_subscriber
from mailer.content.course_zip import unpack
from mailer.content.draft_store import Drafts
from mailer.db import Sessions, session_scope
from tests.support.cast import step_file
from tests.support.course_desk import digest, publishes
from tests.support.staff import Person

WORDS = """\
subject: "About walk"
preheader: "A short line about walk"
---
# About walk

{{ greeting }}

One idea.
"""
"""What the last step of the course says, below what its file says of its day."""


@pytest.fixture
def walk(calm: str) -> str:
    return f"{calm}/steps/03-walk.md"


def test_a_translation_begins_with_the_originals_words_and_is_written_in_the_same_editor(
    marc: Person, drafts: Drafts, calm: str, walk: str
) -> None:
    folder = drafts.folder("calm")
    marc.get(walk)
    page = marc.post(f"{walk}/texts", what="translation", language="de").text
    assert "Began 03-walk.de.md" in page
    assert (folder / "03-walk.de.md").read_text() == (f"---\n{WORDS}")
    # What would mean nothing in a translation is not offered there.
    assert "set_day" not in page
    step = f"{calm}/steps/03-walk.de.md"
    typed = {"digest": digest(page), "set_subject": "Vom Gehen", "body": "# Gehen\n\nLangsam.\n"}
    assert "Langsam." in marc.post(f"{step}/preview", **typed).text
    assert "Saved." in marc.post(step, **typed).text
    assert 'subject: "Vom Gehen"' in (folder / "03-walk.de.md").read_text()
    assert 'href="/desk/courses/calm/steps/03-walk.de.md"' in marc.get(walk).text


REFUSED = (
    ({"what": "translation", "language": "en"}, "own language is en"),
    ({"what": "translation", "language": "../x"}, "is no language"),
    ({"what": "translation", "language": "xx"}, "is no language"),
    ({"what": "variant", "when": ""}, "Who gets it is empty."),
    ({"what": "variant", "when": "tag vip and"}, "Who gets it is not a rule."),
    ({"what": "gentler"}, "Only a protocol step has a gentler version"),
    ({"what": "nonsense"}, "Begin a translation, a variant or a gentler version."),
)


@pytest.mark.parametrize(("fields", "said"), REFUSED)
def test_what_cannot_be_begun_is_said_and_writes_nothing(
    marc: Person, drafts: Drafts, walk: str, fields: dict[str, str], said: str
) -> None:
    before = drafts.digest("calm")
    marc.get(walk)
    assert said in marc.post(f"{walk}/texts", **fields).text
    assert drafts.digest("calm") == before


def test_a_second_translation_to_one_language_is_refused(marc: Person, walk: str) -> None:
    marc.get(walk)
    marc.post(f"{walk}/texts", what="translation", language="de")
    assert "translated to de already" in marc.post(f"{walk}/texts", what="translation", language="de").text


def test_variants_are_begun_for_a_rule_that_is_chosen_or_written(
    marc: Person, drafts: Drafts, sessions: Sessions, calm: str, walk: str
) -> None:
    with session_scope(sessions) as session:
        add_subscriber(session, PersonOf("ada@example.org", tags=("tired",)))
    assert '<option value="tag &#34;tired&#34;">' in marc.get(walk).text
    page = marc.post(f"{walk}/texts", what="variant", when='tag "tired"').text
    assert "Began 03-walk-instead.md" in page
    assert (drafts.folder("calm") / "03-walk-instead.md").read_text() == (
        f'---\nkey: walk-instead\ninstead_of: walk\nwhen: "tag \\"tired\\""\n{WORDS}'
    )
    assert "Began 03-walk-instead-2.md" in marc.post(f"{walk}/texts", what="variant", when='tag "x"').text
    # A variant has no variants of its own, but translations.
    variant = f"{calm}/steps/03-walk-instead.md"
    assert "begin the other text there" in marc.post(f"{variant}/texts", what="variant", when='tag "x"').text
    marc.post(f"{variant}/texts", what="translation", language="de")
    assert (drafts.folder("calm") / "03-walk-instead.de.md").is_file()
    assert "As ada@example.org, who gets 03-walk-instead.md instead" in _shown_as_ada(marc, walk)


def _shown_as_ada(marc: Person, step: str) -> str:
    typed = {"digest": digest(marc.get(step).text), "body": "# Hello\n", "as": "ada@example.org"}
    return marc.post(f"{step}/preview", **typed).text


def test_a_week_has_one_gentler_version(marc: Person, drafts: Drafts, calm: str) -> None:
    folder = drafts.folder("calm")
    text = step_file("walk", 4).replace("kind: lesson", "kind: protocol\nweek: 1")
    (folder / "03-walk.md").write_text(text)
    walk = f"{calm}/steps/03-walk.md"
    assert "Begin the gentler version" in marc.get(walk).text
    assert "Began 03-walk-gently.md" in marc.post(f"{walk}/texts", what="gentler").text
    assert "easier_than: walk\n" in (folder / "03-walk-gently.md").read_text()
    assert "Begin the gentler version" not in marc.get(walk).text
    # Saved as it stands it takes its kind from the week still.
    page = marc.get(f"{calm}/steps/03-walk-gently.md").text
    assert "It comes on the day of walk." in page
    marc.post(f"{calm}/steps/03-walk-gently.md", digest=digest(page), set_kind="", body="# Little\n")
    assert "kind" not in (folder / "03-walk-gently.md").read_text()
    marc.get(walk)
    assert "has a gentler version already" in marc.post(f"{walk}/texts", what="gentler").text


def test_texts_go_out_in_the_zip_and_are_published_as_if_written_by_hand(
    marc: Person, drafts: Drafts, calm: str, walk: str
) -> None:
    marc.get(walk)
    marc.post(f"{walk}/texts", what="translation", language="ar")
    marc.post(f"{walk}/texts", what="variant", when='tag "tired"')
    packed = marc.client.get(f"{calm}/course.zip").content
    files = unpack(packed).files
    folder = drafts.folder("calm")
    assert {name: (folder / name).read_bytes() for name in files} == dict(files)
    assert {"03-walk.ar.md", "03-walk-instead.md"} <= files.keys()
    assert "Published calm as version 1." in publishes(marc, calm)


def test_a_step_goes_with_its_translations_and_a_translation_alone(
    marc: Person, drafts: Drafts, calm: str, walk: str
) -> None:
    marc.get(walk)
    for language in ("de", "ar"):
        marc.post(f"{walk}/texts", what="translation", language=language)
    marc.post(f"{walk}/texts", what="variant", when='tag "tired"')
    page = marc.get(f"{calm}/steps/03-walk.ar.md/remove").text
    assert "Its file 03-walk.ar.md is deleted" in page
    marc.post(f"{calm}/steps/03-walk.ar.md/remove", digest=digest(page))
    assert not (drafts.folder("calm") / "03-walk.ar.md").exists()
    page = marc.get(f"{walk}/remove").text
    assert "<li>03-walk.de.md</li>" in page
    assert "03-walk-instead.md stands beside it" in page
    # A colleague has changed the translation since.
    german = drafts.folder("calm") / "03-walk.de.md"
    german.write_text(german.read_text() + "\nLangsam.\n")
    assert "Somebody else has changed 03-walk.md" in marc.post(f"{walk}/remove", digest=digest(page)).text
    page = marc.get(f"{walk}/remove").text
    assert "Removed 03-walk.md" in marc.post(f"{walk}/remove", digest=digest(page)).text
    left = {path.name for path in drafts.folder("calm").glob("03-*")}
    assert left == {"03-walk-instead.md"}
