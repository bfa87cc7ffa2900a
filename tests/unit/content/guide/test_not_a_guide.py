"""What is not a guide is refused with one sentence, and nothing is left behind."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from mailer.content.guide import import_guide
from mailer.errors import Refused
from tests.support.guides.samples import SLEEP


def refusal(path: Path, folder: Path) -> str:
    """The sentence with which `path` is refused; fails when anything was left in `folder`."""
    with pytest.raises(Refused) as caught:
        import_guide(path, folder / "new" / "course")
    assert not (folder / "new").exists()
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert sentence.endswith(".")
    return sentence


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("empty.txt", b"", "is empty"),
        ("blank.txt", b" \n\t\n\xc2\xa0\n", "is empty"),
        ("binary.txt", bytes(range(256)) * 40, "not readable text"),
        ("noise.txt", bytes(range(1, 256)) * 40, "not readable text"),
        ("half.txt", b"\xff\xfeA\x00B", "not readable text"),
        ("report.txt", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "is a PDF"),
        ("letter.txt", b"PK\x03\x04" + b"\0" * 100, "is a zip or Word file"),
        ("note.md", b"{\\rtf1 text}", "is an RTF file"),
        (
            "letter.txt",
            b"Dear Ada,\n\nthank you for your letter. I was glad.\n\nYours, Ben.\n",
            "no structure",
        ),
        ("list.txt", b"Shopping\n\nmilk\neggs\n", "no structure"),
        ("title.md", b"# Only a title\n", "no structure"),
        ("page.html", b"<html><body></body></html>", "no structure"),
        ("page.html", b"<p>One paragraph.</p>", "no structure"),
        ("deep.html", b"<div>" * 5000 + b"deep" + b"</div>" * 5000, "nested too deeply"),
        ("deep.md", b"# T\n\n## A\n\n" + b">" * 2000 + b" deep\n", ""),
        ("broken.docx", b"this is no zip", "not a Word document"),
        ("guide.odt", b"text", "does not end in .txt, .md, .html or .docx"),
    ],
)
def test_it_says_what_is_wrong(tmp_path: Path, name: str, data: bytes, says: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    assert says in refusal(path, tmp_path)


def test_a_file_of_50_mb_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.txt"
    with path.open("wb") as file:
        file.truncate(50_000_000)
    assert "has 50 MB; a guide has less than 50 MB" in refusal(path, tmp_path)


def test_a_file_that_is_not_there_and_a_folder(tmp_path: Path) -> None:
    assert "is not there" in refusal(tmp_path / "nowhere.txt", tmp_path)
    assert "is a folder" in refusal(tmp_path, tmp_path)


def test_a_zip_that_is_no_word_document_and_one_that_unpacks_to_too_much(tmp_path: Path) -> None:
    plain = tmp_path / "plain.docx"
    with zipfile.ZipFile(plain, "w") as archive:
        archive.writestr("hello.txt", "hello")
    assert "not a Word document" in refusal(plain, tmp_path)
    bomb = tmp_path / "bomb.docx"
    with (
        zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("word/document.xml", "w") as part,
    ):
        for _ in range(21):
            part.write(b" " * 1_000_000)
    assert "unpacks to more than 20 MB" in refusal(bomb, tmp_path)


@pytest.mark.parametrize("days", [0, -1, 3661])
def test_a_length_that_no_course_has(tmp_path: Path, days: int) -> None:
    with pytest.raises(Refused, match="1 to 3660 days"):
        import_guide(SLEEP, tmp_path / "course", days=days)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"mine")
    with pytest.raises(Refused, match="other files and no course"):
        import_guide(SLEEP, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["photo.jpg"]


def test_a_course_written_by_hand_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "course.toml").write_text('slug = "mine"\n', encoding="utf-8")
    with pytest.raises(Refused, match="no memory of an import"):
        import_guide(SLEEP, tmp_path)


def test_a_file_in_the_folders_place(tmp_path: Path) -> None:
    (tmp_path / "course").write_text("a file", encoding="utf-8")
    with pytest.raises(Refused, match="is a file; name a folder"):
        import_guide(SLEEP, tmp_path / "course")


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "course").mkdir()
    assert len(import_guide(SLEEP, tmp_path / "course").steps) == 15
    assert [path.name for path in tmp_path.iterdir()] == ["course"]


def test_a_place_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(Refused, match="cannot be written"):
        import_guide(SLEEP, tmp_path / "file" / "course")
