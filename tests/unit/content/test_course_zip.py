"""What a zip that somebody uploads may hold, and what it may not."""

from __future__ import annotations

import io
import random
import stat
import zipfile
from pathlib import Path

import pytest

from mailer.content import course_zip
from mailer.content.course_files import course_files, pack, packed_files
from mailer.content.course_source import Problem
from mailer.content.course_zip import unpack
from mailer.errors import Refused

TOML = b'slug = "calm"'


def zipped(files: dict[str, bytes], kind: int = stat.S_IFREG, packed: int = zipfile.ZIP_DEFLATED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (kind | 0o644) << 16
            info.compress_type = packed
            archive.writestr(info, text)
    return content.getvalue()


@pytest.mark.parametrize("root", ["", "calm/", "somewhere/calm/"])
def test_the_folder_may_stand_anywhere_in_it(root: str) -> None:
    found = unpack(zipped({f"{root}course.toml": TOML, f"{root}01-hello.md": b"x"}))
    assert found.files == {"course.toml": TOML, "01-hello.md": b"x"}


def test_what_a_course_has_no_use_for_is_left_out_and_named() -> None:
    files = {"calm/course.toml": TOML, "__MACOSX/calm/._course.toml": b"x", "calm/.git/config": b"x"}
    assert unpack(zipped(files)).left_out == ("__MACOSX/calm/._course.toml", "calm/.git/config")


@pytest.mark.parametrize(
    "name", ["../evil.md", "/etc/evil.md", "a/../../evil.md", "..\\evil.md", "c:evil.md", "a\nb.md"]
)
def test_no_path_leads_out_of_the_folder(name: str) -> None:
    with pytest.raises(Refused, match="cannot be in such a folder"):
        unpack(zipped({"course.toml": TOML, name: b"x"}))


def test_a_link_is_refused() -> None:
    with pytest.raises(Refused, match="is a link or a device"):
        unpack(zipped({"course.toml": b"/etc/passwd"}, kind=stat.S_IFLNK))


def test_a_bomb_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    # 60 MB of nothing are 60 kB packed; what counts is what comes out, not what the zip says of itself.
    monkeypatch.setattr(course_zip, "MOST_TEXT", 100_000_000)
    with pytest.raises(Refused, match="larger than 50 MB"):
        unpack(zipped({"course.toml": TOML, "01-bomb.md": b"\0" * 60_000_000}))


def test_what_unpacks_without_a_bound_is_refused() -> None:
    with pytest.raises(Refused, match="packed in an unusual way"):
        unpack(zipped({"course.toml": TOML}, packed=zipfile.ZIP_BZIP2))


def test_a_picture_in_name_only_is_refused() -> None:
    with pytest.raises(Refused, match="no PNG, JPEG or GIF"):
        unpack(zipped({"course.toml": TOML, "media/tea.png": b"<svg>"}))


@pytest.mark.parametrize("content", [b"", b"no zip", zipped({"01-hello.md": b"x"})])
def test_what_is_no_course_folder_is_refused(content: bytes) -> None:
    with pytest.raises(Refused):
        unpack(content)


def test_a_damaged_zip_is_refused() -> None:
    whole = zipped({"course.toml": TOML * 50}, packed=zipfile.ZIP_STORED)
    with pytest.raises(Refused, match="damaged"):
        unpack(whole.replace(TOML, b'slug = "loud"'))


def test_a_version_keeps_all_files_but_hidden_ones_and_links_out_of_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "calm"
    names = ("course.toml", ".import.json", "01-hello.md", "pictures/tea.png", "tests/two.csv", "notes.txt")
    for name in (*names, ".git/config", ".env"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(TOML)
    (tmp_path / "secret").write_text("x")
    (folder / "secret.md").symlink_to(tmp_path / "secret")
    (folder / "elsewhere").symlink_to(tmp_path)
    (folder / "media").symlink_to(folder / "pictures")
    problems: list[Problem] = []
    files = course_files(folder, problems)
    assert set(files) == {*names, "media/tea.png"}
    assert packed_files(pack("calm", files)) == files
    assert problems == []
    # However many times it is packed, it is the same zip.
    assert pack("calm", dict(reversed(files.items()))) == pack("calm", files)
    (folder / "again").symlink_to(folder)
    assert course_files(folder, problems) == files
    monkeypatch.setattr("mailer.content.course_files.MOST_UNPACKED", 50)
    assert course_files(folder, problems) == {}
    assert [one.what[:28] for one in problems] == ["The course folder holds more"]


def test_tests_of_a_course_are_brought_with_it() -> None:
    files = {"course.toml": TOML, "tests/two.csv": b"email", "tests/two.json": b"{}"}
    assert unpack(zipped({**files, "tests/run.sh": b"x"})).files == files


def test_the_largest_folder_that_a_version_keeps_can_be_uploaded_again(tmp_path: Path) -> None:
    (tmp_path / "media").mkdir()
    (tmp_path / "course.toml").write_bytes(TOML)
    size = course_zip.MOST_UNPACKED // 2 - len(TOML)
    for number in range(2):
        # Noise cannot be packed smaller.
        picture = b"GIF89a" + random.Random(number).randbytes(size - 6)
        (tmp_path / "media" / f"{number}.gif").write_bytes(picture)
    problems: list[Problem] = []
    files = course_files(tmp_path, problems)
    assert problems == []
    assert unpack(pack("calm", files)).files == files


def test_a_text_that_could_not_be_uploaded_again_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(course_zip, "MOST_TEXT", 20)
    (tmp_path / "course.toml").write_bytes(TOML)
    (tmp_path / "01-long.md").write_bytes(b"x" * 21)
    problems: list[Problem] = []
    assert list(course_files(tmp_path, problems)) == ["course.toml"]
    assert [(one.path, one.what[:18]) for one in problems] == [("01-long.md", "The file is larger")]
