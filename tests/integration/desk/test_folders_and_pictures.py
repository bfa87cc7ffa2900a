"""A folder says what it would replace, and can be taken back; pictures are never overwritten."""

from __future__ import annotations

import io
import re
import zipfile

import pytest

from mailer.content.draft_store import Drafts
from tests.support.course_desk import PIXEL, digest, upload
from tests.support.staff import Person

SEEN = re.compile(r'name="seen" value="([0-9a-f]{64})"')


@pytest.fixture
def packed(marc: Person, calm: str) -> bytes:
    """The draft as a zip, with one step written anew, one left out and one more."""
    marc.get(calm)
    before = zipfile.ZipFile(io.BytesIO(marc.client.get(f"{calm}/course.zip").content))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in before.namelist():
            if "02-rest" not in name:
                text = before.read(name).decode()
                archive.writestr(name, text.replace("One idea.", "Another one.") if "hello" in name else text)
        archive.writestr("calm/04-sit.md", "---\nkey: sit\nsubject: Sit\nday: 5\n---\n# Sit\n\nSit.\n")
        archive.writestr("calm/notes.xyz", "x")
    return packed.getvalue()


def listed(page: str, words: str) -> list[str]:
    found = re.search(rf"<h2>{words}</h2><ul>(.*?)</ul>", page)
    return re.findall("<li>(.*?)</li>", found[1]) if found else []


def test_a_folder_says_what_it_replaces_and_it_can_be_brought_back(
    marc: Person, drafts: Drafts, calm: str, packed: bytes
) -> None:
    before = drafts.digest("calm")
    page = upload(marc, "/desk/new-course/folder", "calm.zip", packed)
    assert "Replace the draft of calm?" in page
    assert listed(page, "Written anew") == ["01-hello.md"]
    assert listed(page, "Added") == ["04-sit.md"]
    assert listed(page, "Gone") == ["02-rest.md"]
    assert "notes.xyz" in page
    assert drafts.digest("calm") == before
    where, seen = re.search(r'action="(/desk/new-course/folder/[0-9a-f]{32})"', page), SEEN.search(page)
    assert where
    assert seen
    page = marc.post(where[1], seen=seen[1]).text
    assert "Brought calm; what it replaced is kept." in page
    after = drafts.digest("calm")
    assert after != before
    page = marc.post(f"{calm}/bring-back", digest=digest(page)).text
    assert drafts.digest("calm") == before
    # And the other way round again.
    marc.post(f"{calm}/bring-back", digest=digest(page))
    assert drafts.digest("calm") == after
    # With the draft what was kept beside it goes.
    marc.post(f"{calm}/remove")
    assert list((drafts.home / ".replaced").iterdir()) == []
    assert marc.post(where[1], seen=seen[1]).status_code == 404


def test_a_draft_that_somebody_has_changed_since_is_not_replaced(
    marc: Person, drafts: Drafts, calm: str, packed: bytes
) -> None:
    page = upload(marc, "/desk/new-course/folder", "calm.zip", packed)
    where, seen = re.search(r'action="(/desk/new-course/folder/[0-9a-f]{32})"', page), SEEN.search(page)
    assert where
    assert seen
    walk = drafts.folder("calm") / "03-walk.md"
    walk.write_text(walk.read_text() + "\nSlowly.\n")
    refused = marc.post(where[1], seen=seen[1])
    assert refused.status_code == 422
    assert "Somebody else has changed calm meanwhile" in refused.text
    # What it says now is of the draft as it is now.
    assert listed(refused.text, "Written anew") == ["01-hello.md", "03-walk.md"]
    page = marc.get(calm).text
    assert "Bring that one back" not in page
    assert "Slowly." in walk.read_text()
    again = SEEN.search(refused.text)
    assert again
    assert "Brought calm" in marc.post(where[1], seen=again[1]).text
    assert "look again" in marc.post(f"{calm}/bring-back", digest="0" * 64).text


def test_the_same_folder_replaces_nothing(marc: Person, calm: str) -> None:
    marc.get(calm)
    packed = marc.client.get(f"{calm}/course.zip").content
    assert "The draft is this folder already" in upload(marc, "/desk/new-course/folder", "calm.zip", packed)


def test_a_picture_is_added_and_what_is_none_is_refused(marc: Person, drafts: Drafts, calm: str) -> None:
    marc.get(f"{calm}/settings")
    assert "Added media/green-tea.png." in upload(marc, f"{calm}/pictures", "Green tea.PNG", PIXEL)
    assert (drafts.folder("calm") / "media" / "green-tea.png").read_bytes() == PIXEL
    assert "PNG, JPEG or GIF" in upload(marc, f"{calm}/pictures", "x.png", b"<svg onload=alert(1)>")


def test_a_picture_of_the_same_name_stays_beside_the_other(marc: Person, drafts: Drafts, calm: str) -> None:
    other = PIXEL + b"\0"
    marc.get(f"{calm}/settings")
    upload(marc, f"{calm}/pictures", "tea.png", PIXEL)
    assert "Added media/tea-2.png." in upload(marc, f"{calm}/pictures", "tea.png", other)
    # The very same one is there already, whichever number it has.
    assert "Added media/tea-2.png." in upload(marc, f"{calm}/pictures", "tea.png", other)
    media = drafts.folder("calm") / "media"
    assert {path.name: path.read_bytes() for path in media.iterdir()} == {
        "tea.png": PIXEL,
        "tea-2.png": other,
    }


def test_pictures_are_seen_with_where_they_are_shown_and_removed_when_nothing_shows_them(
    marc: Person, drafts: Drafts, calm: str
) -> None:
    marc.get(f"{calm}/settings")
    for name in ("tea.png", "cup.png"):
        upload(marc, f"{calm}/pictures", name, PIXEL)
    hello = drafts.folder("calm") / "01-hello.md"
    hello.write_text(hello.read_text() + "\n![A cup](media/cup.png)\n")
    page = marc.get(f"{calm}/settings").text
    assert page.count('<img class="picture-small"') == 2
    assert re.findall(r"pictures/remove\?name=([^\"]+)", page) == ["media%2Ftea.png"]
    seen = marc.client.get(f"{calm}/pictures/one", params={"name": "media/cup.png"})
    assert (seen.content, seen.headers["content-type"]) == (PIXEL, "image/png")
    assert seen.headers["x-content-type-options"] == "nosniff"
    assert marc.get(f"{calm}/pictures/one", name="../course.toml").status_code == 404
    assert "01-hello.md shows it" in marc.get(f"{calm}/pictures/remove", name="media/cup.png").text
    asked = marc.get(f"{calm}/pictures/remove", name="media/tea.png").text
    of = digest(asked)
    assert (
        "01-hello.md shows media/cup.png"
        in marc.post(f"{calm}/pictures/remove", name="media/cup.png", digest=of).text
    )
    assert "Removed tea.png." in marc.post(f"{calm}/pictures/remove", name="media/tea.png", digest=of).text
    assert [path.name for path in (drafts.folder("calm") / "media").iterdir()] == ["cup.png"]
