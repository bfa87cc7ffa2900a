"""A course's pictures: named after their bytes, and only those that every mail program shows."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from mailer.content.media import course_media, pixel_width
from tests.support.mails import TINY_COURSE, Write

JPEG = (
    b"\xff\xd8"
    b"\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"  # application data, stepped over
    b"\xff\xc0\x00\x11\x08\x01\x00\x02\x80\x03"  # a frame: 8 bit, 256 lines of 640 samples
)


def test_a_picture_is_published_under_a_hash_of_its_bytes() -> None:
    media = course_media(TINY_COURSE)
    (picture,) = media.files
    digest = hashlib.sha256((TINY_COURSE / "media" / "dusk.png").read_bytes()).hexdigest()
    assert picture.name == f"{digest[:32]}.png"
    assert picture.content_type == "image/png"
    assert media.names == {"media/dusk.png": picture.name}


def test_other_files_and_a_missing_folder_are_no_pictures(tmp_path: Path) -> None:
    assert course_media(tmp_path).files == ()
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "drawing.svg").write_text("<svg/>")
    (tmp_path / "media" / "PHOTO.JPG").write_bytes(JPEG)
    assert [file.source for file in course_media(tmp_path).files] == ["media/PHOTO.JPG"]


def test_a_link_out_of_the_folder_publishes_nothing(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(JPEG)
    media = tmp_path / "course" / "media"
    media.mkdir(parents=True)
    (media / "secret.jpg").symlink_to(secret)
    (media / "loop.jpg").symlink_to(media / "loop.jpg")
    (media / "gone.jpg").symlink_to(tmp_path / "gone")
    (media / "photo.jpg").write_bytes(JPEG)
    (media / "again.jpg").symlink_to("photo.jpg")
    files = course_media(tmp_path / "course").files
    assert [file.source for file in files] == ["media/again.jpg", "media/photo.jpg"]


def test_a_linked_media_folder_publishes_nothing(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "photo.jpg").write_bytes(JPEG)
    (tmp_path / "course").mkdir()
    (tmp_path / "course" / "media").symlink_to(tmp_path / "pictures")
    assert course_media(tmp_path / "course").files == ()


def test_a_file_that_is_a_picture_in_name_only_is_told_to_be_none(tmp_path: Path, write: Write) -> None:
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "notes.png").write_text("my notes")
    media = course_media(tmp_path)
    assert media.files == ()
    (problem,) = write("![Notes](media/notes.png)", media=dict(media.names)).problems
    assert problem.what.startswith("There is no picture media/notes.png")
    assert problem.fix == "Put a real picture there or mend its name."


@pytest.mark.parametrize(
    ("content", "width"),
    [
        ((TINY_COURSE / "media" / "dusk.png").read_bytes(), 1024),
        (b"GIF89a\x40\x01\x10\x00", 320),  # 0x0140, little end first
        (JPEG, 640),
        (JPEG[:10], None),
        (b"", None),
        (b"\x89PNG\r\n\x1a\n", None),
        (b"<svg/>", None),
    ],
)
def test_how_wide_a_picture_is(content: bytes, width: int | None) -> None:
    assert pixel_width(content) == width
